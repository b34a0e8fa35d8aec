"""What ``a2bench list`` tells: models, metrics, suites, recipes or tables, as data and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from a2bench.errors import CannotRun, UsageError
from a2bench.judging.options import JudgeOptions, with_judge
from a2bench.metric import Metric, filed_bounds, metric_licence, read_bounds
from a2bench.registry import GENERATORS, METRICS, build_profile
from a2bench.results.published import Published, published
from a2bench.results.recipe import Recipe, load_recipe, recipes
from a2bench.suites.suite import load_suite, packaged_suites
from a2bench.text import plain
from a2bench.types import Json

if TYPE_CHECKING:
    from rich.table import Table

Items = Sequence[Mapping[str, Json]]
Sets = Mapping[str, Sequence[str]]


def listing(what: str, profile: str) -> tuple[Items, Sets]:
    """What can be named, and sets of it. Raises ``UsageError`` for what cannot be listed."""
    if what == "models":
        found = GENERATORS.usable(_first_line)
        return [{"name": name, "about": about} for name, about in found.items()], {}
    if what == "metrics":
        own = with_judge(build_profile(profile), JudgeOptions(store=Path()))
        metrics = *own.all.values(), *METRICS.usable(lambda build: build()).values()
        return [_metric(metric) for metric in metrics], own.sets
    if what == "suites":
        suites = ((name, load_suite(name)) for name in packaged_suites())
        return [
            {"name": name, "version": one.version, "cases": len(one.cases), "sha256": one.key}
            for name, one in suites
        ], {}
    if what == "tables":
        return [_published(table) for table in published()], {}
    if what == "recipes":
        return [_recipe(load_recipe(name)) for name in recipes()], {}
    raise UsageError(f"cannot list {what!r}: models, metrics, suites, recipes or tables")


def shown(what: str, items: Items, sets: Sets) -> Table:
    """A listing as a table."""
    from rich.markup import escape
    from rich.table import Table

    heads, cells = _TABLES[what]
    table = Table(*heads, header_style="bold")
    for one in items:
        table.add_row(*(escape(plain(text)) for text in cells(one)))
    if sets:
        told = (f"{name} = {', '.join(names)}" for name, names in sets.items())
        table.caption = "Sets: " + "; ".join(told)
    return table


def _metric(metric: Metric) -> Mapping[str, Json]:
    info = metric.info
    return {
        "name": info.name,
        "version": info.version,
        "dimension": info.dimension,
        **filed_bounds(info),
        "higher_is_better": info.higher_is_better,
        "needs": list(info.needs),
        "licence": _licence(metric),
    }


def _published(table: Published) -> Mapping[str, Json]:
    return {
        "name": table.name,
        "source": table.source,
        "table": table.table,
        "title": table.title,
        "models": len(table.models),
        "metrics": len(table.metrics),
        "n": table.counts,
        "notes": table.notes,
    }


def _recipe(recipe: Recipe) -> Mapping[str, Json]:
    low, high = recipe.range
    return {
        "name": recipe.name,
        "version": recipe.version,
        "title": recipe.title,
        "note": recipe.note,
        "weights": dict(recipe.weights),
        "bounds": {name: list(ends) for name, ends in recipe.bounds.items()},
        "divisor": recipe.divisor,
        "low": low,
        "high": high,
    }


def _model_cells(one: Mapping[str, Json]) -> Sequence[str]:
    return one["name"], one["about"]


def _metric_cells(one: Mapping[str, Json]) -> Sequence[str]:
    low, high = read_bounds(one)
    better = "higher is better" if one["higher_is_better"] else "lower is better"
    bounds = f"{low:g} to {high:g}, {better}"
    return one["name"], one["dimension"], bounds, ", ".join(one["needs"]), one["licence"]


def _suite_cells(one: Mapping[str, Json]) -> Sequence[str]:
    return one["name"], one["version"], str(one["cases"]), one["sha256"][:12]


def _published_cells(one: Mapping[str, Json]) -> Sequence[str]:
    n = ", ".join(map(str, one["n"]))
    told = " | ".join((one["title"], *one["notes"]))
    return one["name"], one["source"], str(one["models"]), str(one["metrics"]), n, told


def _recipe_cells(one: Mapping[str, Json]) -> Sequence[str]:
    parts = []
    for name, weight in one["weights"].items():
        low, high = one["bounds"].get(name, (0.0, 1.0))
        scaled = f" (of {low:g} to {high:g})" if name in one["bounds"] else ""
        parts.append(f"{weight:g} {name}{scaled}")
    formula = f"({' + '.join(parts)}) / {one['divisor']:g}"
    span = f"{one['low']:.4g} to {one['high']:.4g}"
    return f"{one['name']}@{one['version']}", formula, span, f"{one['title']}. {one['note']}"


_TABLES = {
    "models": (("model", "what it is"), _model_cells),
    "metrics": (("metric", "dimension", "range", "reads", "licence"), _metric_cells),
    "suites": (("suite", "version", "cases", "sha256"), _suite_cells),
    "recipes": (("recipe", "comprehensive", "range", "source"), _recipe_cells),
    "tables": (
        ("table", "source", "models", "metrics", "n", "what it is, and notes"),
        _published_cells,
    ),
}


def _licence(metric: Metric) -> str:
    try:
        return metric_licence(metric)
    except CannotRun:
        return f"{metric.info.licence}; weights are missing"


def _first_line(component: object) -> str:
    return (component.__doc__ or "").strip().partition("\n")[0]
