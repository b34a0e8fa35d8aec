"""Comparisons as tables: a line a pair and metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from a2bench.results.comparison import Compared
from a2bench.results.pair import LEVEL, Comparison
from a2bench.results.writing import latex_cell, latex_table, markdown_table
from a2bench.text import markdown_cell
from a2bench.types import Json

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "metric": "str",
    "a": "str",
    "b": "str",
    "higher_is_better": "bool",
    "n": "int64",
    "mean_a": "Float64",
    "mean_b": "Float64",
    "difference": "Float64",
    "difference_low": "Float64",
    "difference_high": "Float64",
    "p": "Float64",
    "p_holm": "Float64",
    "effect": "Float64",
    "wins": "int64",
    "ties": "int64",
    "losses": "int64",
    "cases_needed": "Int64",
    "detectable": "Float64",
    "better": "str",
    "only_a": "int64",
    "only_b": "int64",
}
"""The columns and their types, in order. ``docs/tables.md`` says what each holds."""
NOTE = (
    "Differences are a less b, means over the cases that both have, with 95 % intervals. p: paired "
    "permutation test, adjusted for the metrics of a pair (Holm). d: Cohen's for pairs. Needed: "
    "how many cases would show such a difference with a power of 80 %, in one metric, and no fewer "
    "than six, with which the test can first tell anything. Better only where the "
    f"interval lies to one side of 0 and p is below {LEVEL:g}."
)


def frame(found: Compared) -> pd.DataFrame:
    """A line a pair and metric: ``COLUMNS``."""
    import pandas as pd

    lines = [line_of(one) for one in found.pairs]
    return pd.DataFrame(lines, columns=list(COLUMNS)).astype(COLUMNS)


def line_of(one: Comparison) -> dict[str, Json]:
    """The line of a pair and metric: ``COLUMNS``."""
    interval = one.difference
    return {
        "metric": one.metric,
        "a": one.a,
        "b": one.b,
        "higher_is_better": one.higher_is_better,
        "n": one.n,
        "mean_a": one.mean_a,
        "mean_b": one.mean_b,
        "difference": interval and interval.mean,
        "difference_low": interval and interval.low,
        "difference_high": interval and interval.high,
        "p": one.p,
        "p_holm": one.p_holm,
        "effect": one.effect,
        "wins": one.wins,
        "ties": one.ties,
        "losses": one.losses,
        "cases_needed": one.needed,
        "detectable": one.detectable,
        "better": one.better,
        "only_a": len(one.only_a),
        "only_b": len(one.only_b),
    }


SHOWN = 0.0005
"""A difference that three decimals show."""
TABLES_A_PAGE = 3
HEADS = ("metric", "a", "b", "difference", "p", "d", "win/tie/loss", "n", "needed", "")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two rows and what each metric says of them, for reading."""

    a: str
    b: str
    rows: tuple[tuple[str, ...], ...]
    """Cells of ``HEADS``."""


def pairs(found: Compared) -> list[Pair]:
    """For reading, pair by pair."""
    grouped = groupby(found.pairs, lambda one: (one.a, one.b))
    return [Pair(a=a, b=b, rows=tuple(map(_cells, group))) for (a, b), group in grouped]


def _cells(one: Comparison) -> tuple[str, ...]:
    return (
        one.metric if one.higher_is_better else f"{one.metric} (lower is better)",
        _number(one.mean_a),
        _number(one.mean_b),
        one.difference.shown("+.3f") if one.difference else "–",
        _p(one.p_holm),
        _number(one.effect, "+.2f"),
        f"{one.wins}/{one.ties}/{one.losses}",
        str(one.n),
        "–" if one.needed is None else str(one.needed),
        one.verdict,
    )


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else f"{value:{form}}"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def place_rows(found: Compared) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The ranks of more than two rows, for reading: heads, and a line a metric."""
    heads = ("metric", *found.names)
    lines = []
    for metric, group in groupby(found.places, lambda place: place.metric):
        by_name = {place.name: place for place in group}
        cells = [
            f"{p.rank} [{p.low}, {p.high}]" if (p := by_name.get(name)) else "–"
            for name in found.names
        ]
        lines.append((metric, *cells))
    return heads, lines


def remarks(found: Compared) -> list[str]:
    """Which cases were left out of which comparisons, and what was not compared at all."""
    told = list(found.notes)
    missed: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for one in found.pairs:
        for has, lacks, cases in ((one.a, one.b, one.only_a), (one.b, one.a, one.only_b)):
            if cases:
                missed.setdefault((has, lacks, cases), []).append(one.metric)
    for (has, lacks, cases), metrics in missed.items():
        named = ", ".join(cases[:5]) + (f" and {len(cases) - 5} more" if len(cases) > 5 else "")
        told.append(
            f"left out of {', '.join(metrics)}, as {lacks} has no value where {has} has: {named}"
        )
    return told


def extremes(found: Compared, most: int) -> list[str]:
    """The cases in which each side is furthest above the other, a line a pair and metric."""
    told = []
    for one in found.pairs if most else ():
        ends = (
            (one.a, [case for case in one.cases[:most] if case.difference > SHOWN]),
            (one.b, [c for c in one.cases[::-1][:most] if c.difference < -SHOWN]),
        )
        parts = [
            f"{name} is most above in "
            + ", ".join(f"{case.case_id} ({abs(case.difference):.3f})" for case in cases)
            for name, cases in ends
            if cases
        ]
        if parts:
            told.append(f"{one.metric}: {'; '.join(parts)}")
    return told


def to_markdown(found: Compared) -> str:
    """A table a pair, the ranks of more than two rows, and what was left out."""
    parts = []
    for pair in pairs(found):
        heads = HEADS[0], pair.a, pair.b, *HEADS[3:]
        parts += [
            f"**{markdown_cell(pair.a)} – {markdown_cell(pair.b)}**",
            markdown_table(heads, pair.rows),
        ]
    if found.places:
        parts += ["**Ranks, with what they are in 95 % of draws of the cases**"]
        parts.append(markdown_table(*place_rows(found)))
    parts += [markdown_cell(text) for text in (NOTE, *remarks(found))]
    return "\n\n".join(parts) + "\n"


def to_latex(found: Compared) -> str:
    """A table a pair, with booktabs; the better mean is bold."""
    tables = []
    for pair, group in zip(pairs(found), _grouped(found), strict=True):
        rows = []
        for cells, one in zip(pair.rows, group, strict=True):
            texts = [latex_cell(cell) for cell in cells[:-1]]
            for at, name in ((1, one.a), (2, one.b)):
                if one.better == name:
                    texts[at] = rf"\textbf{{{texts[at]}}}"
            rows.append(texts)
        heads = HEADS[0], pair.a, pair.b, *HEADS[3:-1]
        tables.append(
            latex_table(heads, rows, caption=f"{pair.a} and {pair.b}. {NOTE}", notes=remarks(found))
        )
    pages = [tables[at : at + TABLES_A_PAGE] for at in range(0, len(tables), TABLES_A_PAGE)]
    return "\n\\clearpage\n".join("\n".join(page) for page in pages)


def _grouped(found: Compared) -> list[Sequence[Comparison]]:
    return [list(group) for _, group in groupby(found.pairs, lambda one: (one.a, one.b))]
