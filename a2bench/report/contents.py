"""What a report is of: rows, their lines and scores, pairs of them, and the stores behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from a2bench.errors import CannotRun, UsageError
from a2bench.results.board import Board
from a2bench.results.charts import DIAGNOSTICS, metrics_of
from a2bench.results.comparison import Compared, compare
from a2bench.results.definitions import base
from a2bench.results.leaderboard import Row, table, with_values
from a2bench.results.ranks import scored
from a2bench.results.recipe import Recipe
from a2bench.results.selection import chosen
from a2bench.results.table import Line, lines_of

MOST_COMPARED = 8
"""Rows of which all pairs are compared: 28 pairs."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Rows and what follows from them; ``compared`` None: of one row, or too many for all pairs."""

    rows: Sequence[Row]
    board: Board
    names: Sequence[str]
    compared: Compared | None

    @property
    def lines(self) -> Sequence[Line]:
        return self.board.lines

    @property
    def metrics(self) -> list[str]:
        """The metrics that any row has, without diagnostics."""
        return [m for m in metrics_of(self.lines) if base(m) not in DIAGNOSTICS]


def contents(
    names: Sequence[str], recipe: Recipe | None = None, *, profile: str = "", suite: str = ""
) -> Contents:
    """The rows that a command names (``chosen``), each once.

    Raises ``UsageError`` for rows of several suites or profiles, which have no common page.
    """
    rows: list[Row] = []
    for row in chosen(names, profile=profile, suite=suite):
        if row not in rows:
            rows.append(row)
    for what, held, option in (
        ("profiles", {row.profile for row in rows}, "--profile"),
        ("suites", {str(row.suite["name"]) for row in rows}, "--suite"),
    ):
        if len(held) > 1:
            raise UsageError(f"rows of the {what} {', '.join(sorted(held))}: {option} names one")
    if not rows:
        raise CannotRun(f"nothing was run in {', '.join(names)}")
    frame = table(rows)
    lines = with_values(lines_of(frame), rows)
    found = scored(lines, recipe) if recipe else []
    board = Board(rows=rows, frame=frame, lines=lines, recipe=recipe, scored=found)
    compared = compare(rows, recipe=recipe) if 1 < len(rows) <= MOST_COMPARED else None
    return Contents(rows=rows, board=board, names=[line.name for line in lines], compared=compared)
