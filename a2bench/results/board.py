"""A leaderboard as a whole: rows of stores and lines of tables, scored or not, and its files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from a2bench import __version__
from a2bench.errors import CannotRun, UsageError
from a2bench.outputs import write_text
from a2bench.results.cells import known_limits
from a2bench.results.charts import DIAGNOSTICS, metrics_of
from a2bench.results.definitions import base
from a2bench.results.leaderboard import (
    Row,
    collect,
    table,
    to_markdown,
    told_apart,
    unlike,
    with_values,
)
from a2bench.results.ranks import Scored, scored, table_of
from a2bench.results.recipe import Recipe
from a2bench.results.score_table import remarks, with_scores
from a2bench.results.score_table import to_markdown as scored_markdown
from a2bench.results.table import (
    COUNTS,
    SCORE,
    UNDONE,
    Cell,
    Line,
    csv_of,
    joined,
    lines_of,
    read_table,
)
from a2bench.results.videos import opened
from a2bench.results.writing import FRAMES, latex_cell, latex_table, write_frame
from a2bench.stats import Interval
from a2bench.types import Json

if TYPE_CHECKING:
    import pandas as pd

FILES = (*FRAMES, ".md", ".tex")
"""The endings of files that ``write`` knows."""
_NOTHING = Cell(interval=None)


@dataclass(frozen=True, kw_only=True)
class Board:
    """Rows of stores, and lines of these and of tables, with ``scored`` where there is a recipe.

    ``scored`` has the order of ``lines``; without a recipe it is empty.
    """

    rows: Sequence[Row]
    frame: pd.DataFrame
    lines: Sequence[Line]
    recipe: Recipe | None = None
    scored: Sequence[Scored] = ()

    @property
    def notes(self) -> list[str]:
        """What to know before rows are compared, in words."""
        if self.recipe is None:
            return [*told_apart(self.rows), *unlike(self.rows)]
        return [*told_apart(self.rows), *remarks(self.scored, self.recipe)]

    @property
    def directions(self) -> dict[str, bool]:
        """Of each metric of which it is known whether higher is better; a table does not say."""
        own = {
            m: bool(about["higher_is_better"]) for r in self.rows for m, about in r.metrics.items()
        }
        known = dict.fromkeys(known_limits(), True)
        found = {m: own.get(m, known.get(base(m))) for m in metrics_of(self.lines)}
        return {SCORE: True, **{m: higher for m, higher in found.items() if higher is not None}}


def board(sources: Sequence[Path], recipe: Recipe | None = None) -> Board:
    """The leaderboard of stores and, with a recipe, of tables (.csv).

    Raises ``UsageError`` for tables without a recipe, ``CannotRun`` where nothing was run.
    """
    paths = [path for path in sources if path.suffix == ".csv" and not path.is_dir()]
    if paths and recipe is None:
        named = ", ".join(map(str, paths))
        raise UsageError(f"{named}: a table is only read to be scored: give --recipe")
    tables = {str(path): read_table(path, recipe.limits) for path in paths if recipe}
    rows = collect(opened([path for path in sources if path not in paths]))
    if not tables and not rows:
        raise CannotRun(f"nothing was run in {', '.join(map(str, sources))}")
    if recipe is None:
        frame = table(rows)
        return Board(rows=rows, frame=frame, lines=lines_of(frame))
    if rows:
        tables["run stores"] = table(rows)
    whole = joined(tables)
    found = scored(with_values(lines_of(whole), rows), recipe)
    return Board(
        rows=rows,
        frame=with_scores(whole, found, recipe),
        lines=[one.line for one in found],
        recipe=recipe,
        scored=found,
    )


def for_reading(found: Board) -> str:
    """The leaderboard in Markdown."""
    if found.recipe is None:
        return to_markdown(found.rows)
    return scored_markdown(found.scored, found.recipe)


def write(
    found: Board,
    out: Path,
    *,
    tidy: bool = False,
    metrics: Sequence[str] = (),
    intervals: bool = False,
) -> None:
    """Writes the leaderboard to a file whose ending says how: ``FILES``.

    A frame has a line a row, or with ``tidy`` a line a row and metric. ``metrics`` are the columns
    of a .tex, ``intervals`` puts theirs beside the means.
    """
    if out.suffix == ".md":
        write_text(out, for_reading(found))
    elif out.suffix == ".tex":
        write_text(out, to_latex(found, metrics, intervals=intervals))
    elif tidy:
        write_frame(tidied(found), out)
    elif out.suffix == ".csv":
        write_text(out, csv_of(found.frame))
    else:
        write_frame(found.frame, out)


TIDY = {
    **dict.fromkeys(("model", "revision", "store", "profile", "suite", "suite_version"), "str"),
    "cases": "Int64",
    "metric": "str",
    "higher_is_better": "boolean",
    **dict.fromkeys(("mean", "low", "high"), "Float64"),
    **{f"n_{ending}": "Int64" for ending in COUNTS},
    "rank": "Int64",
    "note": "str",
    "measured": "str",
}
"""The columns of a tidy leaderboard and their types, in order."""


def tidied(found: Board) -> pd.DataFrame:
    """A line a row and metric, also of the comprehensive score: ``TIDY``.

    Of the score ``rank`` is its rank, if it has one, and ``note`` says why not.
    """
    import pandas as pd

    directions, lines = found.directions, []
    for at, line in enumerate(found.lines):
        for metric, cell in line.cells.items():
            if not cell.asked:
                continue
            told = {"metric": metric, "measured": line.measured.get(metric, "")}
            lines.append(_head(line) | told | _figures(cell.interval, cell.counts))
        if found.scored:
            one = found.scored[at]
            place = {"rank": one.rank, "note": "" if one.rank else one.place}
            figures = _figures(one.interval, {"ok": one.cases})
            lines.append(_head(line) | {"metric": SCORE} | place | figures)
    for cells in lines:
        cells["higher_is_better"] = directions.get(str(cells["metric"]))
    frame = pd.DataFrame(lines, columns=list(TIDY))
    for name in (name for name, kind in TIDY.items() if kind == "str"):
        frame[name] = [text if isinstance(text, str) else "" for text in frame[name]]
    return frame.astype(TIDY)


def _head(line: Line) -> dict[str, Json]:
    names = ("model", "revision", "store", "profile", "suite", "suite_version", "cases")
    return {name: getattr(line, name) for name in names}


def _figures(interval: Interval | None, counts: Mapping[str, int | None]) -> dict[str, Json]:
    """The columns of a cell; a table that has means may say nothing of counts."""
    ends = {end: getattr(interval, end) if interval else None for end in ("mean", "low", "high")}
    told = counts if any(counts.values()) else {}
    return ends | {f"n_{end}": told.get(status) for end, status in COUNTS.items()}


def to_latex(found: Board, metrics: Sequence[str] = (), *, intervals: bool = False) -> str:
    """The leaderboard in LaTeX, with booktabs: the best mean bold, the second underlined.

    Columns are ``metrics``, else the recipe's, else all but diagnostics, and the comprehensive
    score. Marks count only among rows that can be compared: of one suite and profile, complete,
    measured alike on the same cases; a score only where it has a rank. Means that are printed alike
    are marked alike. Raises ``UsageError`` for a metric that no row has.
    """
    columns = _columns(found, metrics)
    marks = _marks(found, columns)
    several = len({table_of(line)[:3] for line in found.lines}) > 1
    heads = ["model", *(["suite and profile"] if several else []), *columns]
    rows = []
    for at in _best_first(found):
        line = found.lines[at]
        cells = [latex_cell(text) for text in (line.name, *([line.group] if several else []))]
        for column in columns:
            interval = _interval(found, at, column)
            mean = latex_cell("–" if interval is None else f"{interval.mean:.3f}")
            form = marks.get((at, column), "{}")
            rest = interval.shown(".3f").partition(" ")[2] if interval and intervals else ""
            cells.append(f"{form.format(mean)} {latex_cell(rest)}".rstrip())
        rows.append(cells)
    about = "" if several else f"{found.lines[0].group}. "
    caption = (
        f"{about}Means over cases{', with 95 % intervals' if intervals else ''}; of rows that can "
        f"be compared the best is bold, the second underlined. a2bench {__version__}."
    )
    return latex_table(heads, rows, caption=caption, texts=1 + several, notes=found.notes)


def _columns(found: Board, asked: Sequence[str]) -> list[str]:
    every = metrics_of(found.lines)
    if unknown := [name for name in asked if name not in {*every, *map(base, every)}]:
        raise UsageError(f"not measured: {', '.join(unknown)}; there are {', '.join(every)}")
    if asked:
        columns = [metric for metric in every if metric in asked or base(metric) in asked]
    elif found.recipe is not None:
        columns = [metric for metric in every if base(metric) in found.recipe.weights]
    else:
        columns = [metric for metric in every if base(metric) not in DIAGNOSTICS]
    return [*columns, SCORE] if found.scored else columns


def _best_first(found: Board) -> list[int]:
    """The places of the lines; those with a score first, from the highest on."""
    if not found.scored:
        return list(range(len(found.lines)))
    return sorted(
        range(len(found.lines)),
        key=lambda at: (found.scored[at].score is None, -(found.scored[at].score or 0.0)),
    )


def _interval(found: Board, at: int, column: str) -> Interval | None:
    if column == SCORE:
        return found.scored[at].interval
    return found.lines[at].cells.get(column, _NOTHING).interval


def _marks(found: Board, columns: Sequence[str]) -> dict[tuple[int, str], str]:
    """What is set around the means of a line and column: the best and the second of their peers."""
    marks, directions = {}, found.directions
    for column in columns:
        higher = directions.get(column)
        for peers in _peers(found, column) if higher is not None else ():
            order = sorted({mean for _, mean in peers}, reverse=bool(higher))
            for at, mean in peers if len(peers) > 1 else ():
                for place, form in zip(
                    order[:2], (r"\textbf{{{}}}", r"\underline{{{}}}"), strict=False
                ):
                    if mean == place:
                        marks[at, column] = form
    return marks


def _peers(found: Board, column: str) -> Iterator[list[tuple[int, float]]]:
    """Lines whose means of a column can be compared, with the means as they are printed."""
    groups: dict[tuple[object, ...], list[tuple[int, float]]] = defaultdict(list)
    for at, line in enumerate(found.lines):
        interval = _interval(found, at, column)
        if interval is None:
            continue
        if column == SCORE:
            one = found.scored[at]
            if one.rank is not None:
                groups[(*table_of(line), one.letter)].append((at, round(interval.mean, 3)))
            continue
        counts = line.cells[column].counts
        if not any(counts.get(status) for status in UNDONE):
            alike = line.measured.get(column, f"{line.cases} {' '.join(line.versions)}")
            groups[(*table_of(line), alike)].append((at, round(interval.mean, 3)))
    yield from groups.values()
