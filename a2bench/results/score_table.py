"""Scored lines as a table: with their intervals and ranks, as CSV's columns or for reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from a2bench.results.ranks import Scored, decimal, table_of
from a2bench.results.recipe import Recipe, recipes
from a2bench.results.sensitivity import sensitivity
from a2bench.results.table import SCORE
from a2bench.text import markdown_cell, plain

if TYPE_CHECKING:
    import pandas as pd


def with_scores(table: pd.DataFrame, found: Sequence[Scored], recipe: Recipe) -> pd.DataFrame:
    """A table whose lines were scored, with the scores beside their parts.

    Adds ``comprehensive`` and, beginning with that name, ``_low``, ``_high``, ``_n`` (cases),
    ``_n_fewest`` (of the rarest metric), ``_rank``, ``_series`` (the letter), ``_alike``,
    ``_unranked``, ``_recipe`` and ``_lacks``.
    """
    import pandas as pd

    table = table.copy()
    intervals = [one.interval for one in found]
    table[SCORE] = pd.array([i.mean if i else None for i in intervals], dtype="Float64")
    table[f"{SCORE}_low"] = pd.array([i.low if i else None for i in intervals], dtype="Float64")
    table[f"{SCORE}_high"] = pd.array([i.high if i else None for i in intervals], dtype="Float64")
    table[f"{SCORE}_n"] = pd.array([one.cases for one in found], dtype="Int64")
    table[f"{SCORE}_n_fewest"] = pd.array([one.fewest or None for one in found], dtype="Int64")
    table[f"{SCORE}_rank"] = pd.array([one.rank for one in found], dtype="Int64")
    table[f"{SCORE}_series"] = [one.letter for one in found]
    table[f"{SCORE}_alike"] = [plain("; ".join(one.alike)) for one in found]
    table[f"{SCORE}_unranked"] = [plain(one.unranked) for one in found]
    table[f"{SCORE}_recipe"] = plain(recipe.label)
    table[f"{SCORE}_lacks"] = [plain(one.lacks) for one in found]
    return table


def to_markdown(found: Sequence[Scored], recipe: Recipe) -> str:
    """Scored lines for reading: the parts, the score, the rank, and what the recipe is."""
    heads = ["model", "suite", "profile", *recipe.weights, SCORE, "cases", "rank"]
    lines = ["| " + " | ".join(map(markdown_cell, heads)) + " |", "|" + " --- |" * len(heads)]
    for one in found:
        line = one.line
        store = f"[{line.store}]" if line.store else ""
        name = " ".join(filter(None, (line.model, line.revision, store)))
        suite = " ".join(filter(None, (line.suite, line.suite_version)))
        score = one.interval.shown(".3f") if one.interval else decimal(None)
        values = [*map(one.shown, recipe.weights), score]
        cases = one.reach
        cells = [name, suite, line.profile, *values, cases, one.place]
        lines.append("| " + " | ".join(markdown_cell(cell) for cell in cells) + " |")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in recipe.weights.items())
    note = f"{SCORE}: {recipe.label}, {recipe.title}. Weights: {weights}; over {recipe.divisor:g}."
    if recipe.bounds:
        ends = (f"{name} {low:g} to {high:g}" for name, (low, high) in recipe.bounds.items())
        note += f" Scaled from {', '.join(ends)} to 0 to 1."
    notes = [markdown_cell(text) for text in (note, *remarks(found, recipe), recipe.note)]
    return "\n\n".join(["\n".join(lines), *notes]) + "\n"


def remarks(found: Sequence[Scored], recipe: Recipe) -> list[str]:
    """What to know of the intervals, ranks and weights of scored lines, in words."""
    told = [one.told for one in sensitivity(found, recipe)]
    if any(one.interval and one.interval.low is not None for one in found):
        told.append(
            "In brackets 95 % intervals over cases drawn anew. A rank is one more than the rows "
            "that are better: the interval of the difference on the same cases lies above zero."
        )
    if any(one.rank and one.cases is None for one in found):
        told.append(
            "Rows without an interval come from a table, which has no values of single cases: they "
            "are ranked by their scores alone, however close."
        )
    if any(one.letter for one in found):
        told.append("Ranks of other letters were not measured alike: compare only within a letter.")
    tables: dict[tuple[str, str, str], set[str]] = {}
    for one in found:
        tables.setdefault(table_of(one.line)[:3], set()).add(one.line.suite_sha256)
    if sum(map(len, tables.values())) > 1:
        told.append("Ranks are of one profile and suite: between them nothing can be compared.")
    for (profile, name, version), contents in tables.items():
        if len(contents) > 1:
            told.append(
                f"{len(contents)} suites are called {name} {version} (profile {profile}) and have "
                "other cases: their rows are ranked apart."
            )
    if any(one.lacks for one in found):
        told.append(
            "A row that lacks a metric of the recipe has no score: measure it, or take a recipe of "
            f"what it has ({', '.join(recipes())}, or a .toml file)."
        )
    return told
