"""The published tables that come with a2bench, as the tests read them."""

from __future__ import annotations

from collections.abc import Mapping

from a2bench.results.published import published

TABLES = {table.name: table for table in published()}


def rows(name: str) -> dict[str, dict[str, float]]:
    """The figures of a table by model and metric."""
    found: dict[str, dict[str, float]] = {}
    for one in TABLES[name].figures:
        found.setdefault(one.model, {})[one.metric] = one.value
    return found


def column(name: str, metric: str) -> dict[str, float]:
    return {one.model: one.value for one in TABLES[name].figures if one.metric == metric}


def noted(name: str, metric: str | None = None) -> set[str]:
    """The models whose figure (any figure) carries a note."""
    figures = TABLES[name].figures
    return {one.model for one in figures if one.note and metric in (None, one.metric)}


def order(found: Mapping[str, float]) -> list[str]:
    """The models from the highest value; none are equal."""
    assert len(set(found.values())) == len(found)
    return sorted(found, key=lambda model: -found[model])
