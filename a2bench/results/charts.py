"""Leaderboards for a screen: what the tables and charts of the pages are drawn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from a2bench.results.definitions import base
from a2bench.results.ranks import Scored, decimal
from a2bench.results.recipe import Recipe
from a2bench.results.table import SCORE, Cell, Line

if TYPE_CHECKING:
    import pandas as pd

DIAGNOSTICS = ("cuts", "frozen_share", "fades", "identity_swaps")
"""Metrics that say what is odd about a video, and not how good it is: in no chart."""
_NOTHING = Cell(interval=None)


def metrics_of(lines: Sequence[Line]) -> list[str]:
    """The metrics of the lines, in order."""
    return list(dict.fromkeys(metric for line in lines for metric in line.cells))


def shown_table(lines: Sequence[Line]) -> pd.DataFrame:
    """For reading: a row a model, a column a metric: ``0.512 [0.487, 0.538]``, and what lacks."""
    import pandas as pd

    metrics = metrics_of(lines)
    rows = [
        {
            "model": line.name,
            "cases": "–" if line.cases is None else str(line.cases),
            **{m: str(line.cells.get(m, _NOTHING)) for m in metrics},
        }
        for line in lines
    ]
    return pd.DataFrame(rows, columns=["model", "cases", *metrics])


def other_cases(lines: Sequence[Line]) -> list[str]:
    """The metrics whose means are not of the same cases, or not measured alike, in every line."""
    found = []
    for metric in metrics_of(lines):
        held = [line for line in lines if metric in line.means]
        if len({line.measured.get(metric, str(line.cases)) for line in held}) > 1:
            found.append(metric)
    return found


def means(lines: Sequence[Line]) -> pd.DataFrame:
    """One row a metric and model: ``model, metric, mean, low, high``; none without a mean.

    Without diagnostics. Where a table has no interval, ``low`` and ``high`` are the mean.
    """
    import pandas as pd

    rows = []
    for metric in (name for name in metrics_of(lines) if base(name) not in DIAGNOSTICS):
        for line in lines:
            interval = line.cells.get(metric, _NOTHING).interval
            if interval is None:
                continue
            low, high = interval.low, interval.high
            rows.append(
                {
                    "model": line.name,
                    "metric": metric,
                    "mean": interval.mean,
                    "low": interval.mean if low is None else low,
                    "high": interval.mean if high is None else high,
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


def ranked(found: Sequence[Scored], recipe: Recipe) -> list[dict[str, str]]:
    """Scored lines for reading, the best first; where some lack something, a column says what."""
    lacking = any(one.score is None for one in found)
    rows = []
    for one in sorted(found, key=lambda s: math.inf if s.score is None else -s.score):
        row = {"rank": "–" if one.lacks else one.place, "model": one.line.name}
        row |= {SCORE: one.interval.shown(".3f") if one.interval else decimal(None)}
        row |= {"cases": one.reach}
        row |= {name: one.shown(name) for name in recipe.weights}
        rows.append(row | ({"lacks": one.lacks} if lacking else {}))
    return rows


def parts(found: Sequence[Scored], recipe: Recipe) -> pd.DataFrame:
    """What each metric adds to each score that there is: ``model, metric, value, weight, part``."""
    import pandas as pd

    rows = [
        {
            "model": one.line.name,
            "metric": name,
            "value": value,
            "weight": weight,
            "part": weight * recipe.scaled(name, value) / recipe.divisor,
            "order": index,
        }
        for one in found
        if one.score is not None
        for index, (name, weight) in enumerate(recipe.weights.items())
        if (value := one.values.get(name)) is not None
    ]
    return pd.DataFrame(rows, columns=["model", "metric", "value", "weight", "part", "order"])
