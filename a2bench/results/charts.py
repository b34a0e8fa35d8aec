"""Leaderboards for a screen: what the tables and charts of the pages are drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from a2bench.results.recipe import COLUMN, Recipe

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = ("cases", "seeds")
_ENDS = ("_low", "_high", "_n_ok", "_n_failed", "_n_na", "_n_refused", "_n_missing")


def metrics_of(table: pd.DataFrame) -> list[str]:
    """The columns that hold a metric's means, in order; those without any value are left out."""
    from pandas.api.types import is_numeric_dtype

    return [
        str(name)
        for name in table
        if is_numeric_dtype(table[name])
        and name not in _COUNTS
        and not str(name).endswith(_ENDS)
        and not str(name).startswith(COLUMN)
        and table[name].notna().any()
    ]


def group_of(line: Mapping[Any, Any]) -> str:
    """The rows that may be compared: one suite and version, one profile."""
    suite = " ".join(_words(line, "suite", "suite_version"))
    return f"{suite}, profile {line['profile']}"


def name_of(line: Mapping[Any, Any]) -> str:
    """The model with its revision."""
    revision = _words(line, "revision")
    return f"{line['model']} ({revision[0]})" if revision else str(line["model"])


def shown_table(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: a row a model, a column a metric: ``0.512 [0.487, 0.538]``, and what lacks."""
    import pandas as pd

    metrics = metrics_of(table)
    lines = table.to_dict("records")
    rows = [{"model": name_of(line), **{m: _cell(line, m) for m in metrics}} for line in lines]
    return pd.DataFrame(rows, columns=["model", *metrics])


def means(table: pd.DataFrame) -> pd.DataFrame:
    """One line a metric and model: ``model, metric, mean, low, high``; no line without a mean.

    Where a table has no interval, ``low`` and ``high`` are the mean.
    """
    import pandas as pd

    rows = []
    for metric in metrics_of(table):
        for line in table.to_dict("records"):
            if (mean := _number(line.get(metric))) is None:
                continue
            low, high = (_number(line.get(f"{metric}_{end}")) for end in ("low", "high"))
            rows.append(
                {
                    "model": name_of(line),
                    "metric": metric,
                    "mean": mean,
                    "low": mean if low is None else low,
                    "high": mean if high is None else high,
                }
            )
    return pd.DataFrame(rows, columns=["model", "metric", "mean", "low", "high"])


def radar(lines: pd.DataFrame) -> pd.DataFrame:
    """The corners of each model's polygon, the first one again at the end to close it.

    ``lines`` are those of ``means``. 0 is the centre, 1 the rim, the first axis points up. A metric
    whose means exceed 1 is divided by the greatest. A model that lacks a metric has no polygon.
    """
    import pandas as pd

    angles = _angles(lines)
    lines = lines[lines.groupby("model")["metric"].transform("nunique") == len(angles)]
    most = lines["metric"].map(lines.groupby("metric")["mean"].max().clip(lower=1.0))
    radius = (lines["mean"] / most).clip(lower=0.0)
    angle = lines["metric"].map(angles)
    corner = lines["metric"].map({name: i for i, name in enumerate(angles)})
    x, y = radius * angle.map(math.sin), radius * angle.map(math.cos)
    found = lines.assign(x=x, y=y, corner=corner)
    ends = found.sort_values("corner").groupby("model", sort=False).head(1)
    return pd.concat([found, ends.assign(corner=len(angles))], ignore_index=True)


def net(lines: pd.DataFrame) -> pd.DataFrame:
    """The rings behind ``radar``, at 0.25, 0.5, 0.75 and 1."""
    import pandas as pd

    angles = [*_angles(lines).values(), 2 * math.pi]
    return pd.DataFrame(
        [
            {"ring": r, "corner": i, "x": r * math.sin(a), "y": r * math.cos(a)}
            for r in (0.25, 0.5, 0.75, 1.0)
            for i, a in enumerate(angles)
        ]
    )


def axes(lines: pd.DataFrame) -> pd.DataFrame:
    """The spokes behind ``radar``, with the places of their names."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "label": name.replace("_", "\n"),
                "x": math.sin(angle),
                "y": math.cos(angle),
                "label_x": 1.24 * math.sin(angle),
                "label_y": 1.16 * math.cos(angle),
            }
            for name, angle in _angles(lines).items()
        ]
    )


def _angles(lines: pd.DataFrame) -> dict[str, float]:
    names = list(dict.fromkeys(lines["metric"]))
    return {name: 2 * math.pi * i / len(names) for i, name in enumerate(names)}


def ranked(table: pd.DataFrame, recipe: Recipe) -> list[dict[str, str]]:
    """A scored table for reading, the best first; where rows lack something, a column says what."""
    lines = table.to_dict("records")
    scores = [_number(line[COLUMN]) for line in lines]
    lacking = None in scores
    order = sorted(range(len(lines)), key=lambda i: -math.inf if (s := scores[i]) is None else s)
    found = []
    for line, score in ((lines[i], scores[i]) for i in reversed(order)):
        rank = line[f"{COLUMN}_rank"]
        row = {"rank": "–" if score is None else str(rank), "model": name_of(line)}
        row |= {COLUMN: _decimal(score)}
        row |= {name: _decimal(_number(line.get(name))) for name in recipe.weights}
        found.append(row | ({"lacks": str(line[f"{COLUMN}_lacks"])} if lacking else {}))
    return found


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def parts(table: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """What each metric adds to each score that there is: ``model, metric, value, weight, part``."""
    import pandas as pd

    rows = [
        {
            "model": name_of(line),
            "metric": name,
            "value": float(line[name]),
            "weight": weight,
            "part": weight * recipe.scaled(name, float(line[name])) / recipe.divisor,
            "order": index,
        }
        for line in table.to_dict("records")
        if _number(line[COLUMN]) is not None
        for index, (name, weight) in enumerate(recipe.weights.items())
    ]
    return pd.DataFrame(rows, columns=["model", "metric", "value", "weight", "part", "order"])


def _cell(line: Mapping[Any, Any], metric: str) -> str:
    mean = _number(line.get(metric))
    low, high = (_number(line.get(f"{metric}_{end}")) for end in ("low", "high"))
    text = "–" if mean is None else f"{mean:.3f}"
    if mean is not None and low is not None and high is not None:
        text += f" [{low:.3f}, {high:.3f}]"
    names = (("failed", "failed"), ("na", "not applicable"), ("refused", "refused"))
    counts = {label: _number(line.get(f"{metric}_n_{name}")) for name, label in names}
    rest = ", ".join(f"{int(count)} {label}" for label, count in counts.items() if count)
    return f"{text} ({rest})" if rest else text


def _words(line: Mapping[Any, Any], *names: str) -> list[str]:
    """The texts that are there: pandas fills what a table lacks with NaN."""
    return [text for name in names if isinstance(text := line.get(name), str) and text]


def _number(value: object) -> float | None:
    """A finite number, or None; pandas has several ways to say that there is none."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
