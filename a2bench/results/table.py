"""The lines of a leaderboard: from a CSV file or from rows, and what they say in words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2bench.errors import CannotRun
from a2bench.keys import canonical_json
from a2bench.results.cells import Limits, faults
from a2bench.results.definitions import JUDGE
from a2bench.results.published import COLUMNS
from a2bench.stats import Interval
from a2bench.text import csv_cell, plain
from a2bench.types import Json

if TYPE_CHECKING:
    import pandas as pd

SCORE = "comprehensive"
"""The column of the comprehensive score; those that tell of it begin with its name."""
MEASURED = "measured"
"""The column that tells, by metric, what two rows must share for it to be comparable."""
COUNTS = {
    "ok": "ok",
    "failed": "failed",
    "na": "not_applicable",
    "refused": "refused",
    "missing": "missing",
}
"""The ending of a column of counts, and the status that it counts."""
UNDONE = ("failed", "refused", "missing")
_TEXTS = ("model", "revision", "profile", "suite", "suite_version", "store")
_NOT_MEANS = ("cases", "seeds")
_MEASURED = re.compile(r"[^/]+/[0-9]{1,9}-.+")
_ENDINGS = ("_low", "_high", *(f"_n_{ending}" for ending in COUNTS))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One metric of a row: the mean over the cases that are ok, and how many works came to what.

    ``interval`` None: there is no value. Bounds of a table that has none are None.
    """

    interval: Interval | None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def asked(self) -> bool:
        """Whether there was anything to measure."""
        return self.interval is not None or any(self.counts.values())

    def __str__(self) -> str:
        """In words: ``0.512 [0.487, 0.538]``, then the counts that are not ok."""
        others = [
            f"{n} {status.replace('_', ' ')}"
            for status, n in sorted(self.counts.items())
            if status != "ok" and n
        ]
        text = "–" if self.interval is None else self.interval.shown(".3f")
        return f"{text} ({', '.join(others)})" if others else text


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a leaderboard says of one model on one suite in one profile.

    ``cells`` are of the metrics that the line has, in the order of the table. ``versions`` are
    those of the metrics as ``name@version``; ``measured`` (``Row.measured``) says more where the
    table does. ``store`` tells rows of one model apart. ``values`` are the metrics' values by case,
    the mean over seeds: a table does not have them (``with_values``).
    """

    model: str
    profile: str
    suite: str
    revision: str = ""
    suite_version: str = ""
    suite_sha256: str = ""
    store: str = ""
    cases: int | None = None
    versions: tuple[str, ...] = ()
    cells: Mapping[str, Cell] = field(default_factory=dict)
    measured: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model with its revision, and the store where that is not enough."""
        name = f"{self.model} ({self.revision})" if self.revision else self.model
        return f"{name} [{self.store}]" if self.store else name

    @property
    def group(self) -> str:
        """The lines that may be compared: one suite and version, one profile."""
        suite = " ".join(filter(None, (self.suite, self.suite_version)))
        return f"{suite}, profile {self.profile}"

    @property
    def means(self) -> dict[str, float]:
        """The mean of each metric that has one."""
        return {name: cell.interval.mean for name, cell in self.cells.items() if cell.interval}


def columns(metric: str, cell: Cell) -> dict[str, Json]:
    """A cell as the columns of a table: the mean, its interval, and the counts."""
    interval = cell.interval
    return {
        metric: interval.mean if interval else None,
        f"{metric}_low": interval.low if interval else None,
        f"{metric}_high": interval.high if interval else None,
        **{f"{metric}_n_{end}": cell.counts.get(status, 0) for end, status in COUNTS.items()},
    }


def lines_of(table: pd.DataFrame) -> list[Line]:
    """The lines of a table. A column of numbers that tells of no other is a metric's means.

    What a table lacks, and what pandas fills it with, is nothing.
    """
    from pandas.api.types import is_numeric_dtype

    metrics = [
        str(name)
        for name in table
        if is_numeric_dtype(table[name])
        and name not in _NOT_MEANS
        and not str(name).endswith(_ENDINGS)
        and not str(name).startswith(SCORE)
        and table[name].notna().any()
    ]
    return [_line(row, metrics) for row in table.to_dict("records")]


def joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables with names (``apart``) as one; a line that two of them have stands once."""
    import pandas as pd

    if not tables:
        return pd.DataFrame()
    whole = pd.concat(apart(tables), ignore_index=True)
    seen, first = set(), []
    for line in lines_of(whole):
        values = sorted(line.measured.items()), sorted(line.means.items())
        name = (line.name, line.group, line.suite_sha256, canonical_json(values))
        first.append(name not in seen)
        seen.add(name)
    return whole[first].reset_index(drop=True)


def apart(tables: Mapping[str, pd.DataFrame]) -> list[pd.DataFrame]:
    """Tables with names, so that no judge's column of one means another's of another.

    A table does not say whether the judge of its ``judge_dress_consistency`` is that of another
    table. Where their ``metrics_sha256`` are not the same, such columns get the table's name.
    """
    found = []
    for name, table in tables.items():
        others = [other for other in tables.values() if other is not table]
        unlike = [other for other in others if _definitions(other) != _definitions(table)]
        clash = [
            metric for metric in _judged(table) if any(metric in _judged(other) for other in unlike)
        ]
        told = {metric: f"{metric} ({plain(name, limit=200)})" for metric in clash}
        new = {f"{old}{end}": f"{to}{end}" for old, to in told.items() for end in ("", *_ENDINGS)}
        table = table.rename(columns=new)
        if MEASURED in table and told:
            table[MEASURED] = [
                canonical_json({told.get(metric, metric): one for metric, one in held.items()})
                for held in map(_read_measured, table[MEASURED])
            ]
        found.append(table)
    return found


def csv_of(table: pd.DataFrame) -> str:
    """A leaderboard as CSV: UTF-8, Unix lines, full precision, no cell a spreadsheet would execute.

    Its columns are named by whoever wrote a metric.
    """
    from pandas.api.types import is_string_dtype

    safe = table.copy()
    for name in (name for name in table if is_string_dtype(table[name])):
        safe[name] = table[name].map(csv_cell, na_action="ignore")
    return str(safe.rename(columns=csv_cell).to_csv(index=False, lineterminator="\n"))


def read_table(path: Path, limits: Limits | None = None) -> pd.DataFrame:
    """The leaderboard of a CSV file; text stays text.

    Raises ``CannotRun`` for a file that is no such table, as those of published figures are none,
    and for cells that are no numbers where numbers belong or that lie outside ``limits`` of their
    metric, with file, row and column.
    """
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    try:
        if found := faults(path, limits or {}):
            raise CannotRun("\n".join(found))
        table = pd.read_csv(path, dtype=dict.fromkeys(_TEXTS, "str"), index_col=False)
        table = table.rename(columns=_written)
    except (OSError, ValueError) as error:
        raise CannotRun(f"{path} is no leaderboard: {error}") from error
    if set(COLUMNS) <= set(table):
        raise CannotRun(
            f"{path} is no leaderboard: it has published figures, one a line, which are never "
            "ranked; a2bench list tables tells of them"
        )
    if absent := [name for name in ("model", "profile", "suite") if name not in table]:
        raise CannotRun(f"{path} is no leaderboard: it has no column {', '.join(absent)}")
    for name in (str(name) for name in table if not is_numeric_dtype(table[name])):
        table[name] = table[name].fillna("").astype("str").map(_written).map(plain)
    return table


def _written(cell: str) -> str:
    """A text before ``csv_cell`` made it safe."""
    bare = cell.removeprefix("'")
    return bare if csv_cell(bare) == cell else cell


def _judged(table: pd.DataFrame) -> list[str]:
    """The metrics of a table that a judge may have given, and that have values."""
    names = (str(name) for name in table if str(name).startswith(JUDGE))
    return [n for n in names if not n.endswith(_ENDINGS) and table[n].notna().any()]


def _definitions(table: pd.DataFrame) -> set[str]:
    return set(table["metrics_sha256"].astype("str")) if "metrics_sha256" in table else {""}


def _line(row: Mapping[Any, Any], metrics: Sequence[str]) -> Line:
    texts: dict[str, Any] = {
        n: _written(text) for n in _TEXTS if isinstance(text := row.get(n), str)
    }
    sha256, versions = (row.get(name) for name in ("suite_sha256", "metric_versions"))
    return Line(
        **texts,
        cases=None if (cases := _number(row.get("cases"))) is None else int(cases),
        suite_sha256=sha256 if isinstance(sha256, str) else "",
        versions=tuple(versions.split()) if isinstance(versions, str) else (),
        measured=_read_measured(row.get(MEASURED)),
        cells={metric: _cell(row, metric) for metric in metrics},
    )


def _read_measured(cell: object) -> dict[str, str]:
    """What a table says of how its metrics were measured; nothing where it says nothing."""
    try:
        held = json.loads(cell) if isinstance(cell, str) else {}
    except ValueError:
        held = {}
    if not isinstance(held, dict):
        return {}
    return {str(k): v for k, v in held.items() if isinstance(v, str) and _MEASURED.fullmatch(v)}


def _cell(row: Mapping[Any, Any], metric: str) -> Cell:
    mean = _number(row.get(metric))
    low, high = (_number(row.get(f"{metric}_{end}")) for end in ("low", "high"))
    counts = {s: int(_number(row.get(f"{metric}_n_{end}")) or 0) for end, s in COUNTS.items()}
    interval = None if mean is None else Interval(low=low, mean=mean, high=high)
    return Cell(interval=interval, counts=counts)


def _number(value: object) -> float | None:
    """A finite number, or None; pandas has several ways to say that there is none."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
