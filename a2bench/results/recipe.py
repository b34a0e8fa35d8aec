"""The comprehensive score: one number from the metrics of a row, by a named and versioned recipe.

Recipes are data: ``leaderboards/recipe-*.toml``, and the files that ``a2bench weights fit`` writes.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from a2bench.errors import CannotRun, UnknownName
from a2bench.metric import within
from a2bench.results.cells import Limits, known_limits
from a2bench.results.definitions import base, label
from a2bench.results.table import SCORE, UNDONE, Line
from a2bench.text import csv_cell, markdown_cell
from a2bench.types import Json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How metrics become one score: ``sum(weight * scaled(value)) / divisor``.

    A metric with bounds is scaled to ``(value - low) / (high - low)``, which is not clipped; any
    other counts as it is. Weights are at least 0. Range: 0 to ``sum(weights) / divisor`` where the
    scaled metrics lie in [0, 1]; higher is better. ``fit`` holds the figures of fitted weights.
    """

    name: str
    version: str
    title: str
    note: str
    divisor: float
    weights: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fit: Mapping[str, Json] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Where the values of its metrics may lie, in a table that does not tell.

        A metric's own bounds where they are known; else those of the recipe, which may be those of
        a scale; else anywhere.
        """
        anywhere = dict.fromkeys(self.weights, (-math.inf, math.inf))
        known = {name: held for name, held in known_limits().items() if name in self.weights}
        return {**anywhere, **self.bounds, **known}

    def scaled(self, metric: str, value: float) -> float:
        low, high = self.bounds.get(metric, (0.0, 1.0))
        return (value - low) / (high - low)

    def score(self, values: Mapping[str, float]) -> float:
        """The comprehensive score of one row. Raises ``KeyError`` for a metric that is lacking."""
        parts = (weight * self.scaled(name, values[name]) for name, weight in self.weights.items())
        return math.fsum(parts) / self.divisor


def recipes() -> tuple[str, ...]:
    """The names of the recipes that come with a2bench."""
    found = (entry.name for entry in files("a2bench.leaderboards").iterdir())
    ours = [name for name in found if name.startswith("recipe-") and name.endswith(".toml")]
    return tuple(sorted(name.removeprefix("recipe-").removesuffix(".toml") for name in ours))


def load_recipe(name: str) -> Recipe:
    """A recipe by its name, or from a file that ends in ``.toml``.

    Raises ``UnknownName``, or ``CannotRun`` with what is wrong in the file.
    """
    if name.endswith(".toml"):
        try:
            return parse(Path(name).read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise CannotRun(f"{name}: {error.strerror}; give a recipe's name or file") from error
        except ValueError as error:
            raise CannotRun(f"{name}: {error}") from error
    if name not in recipes():
        raise UnknownName(f"no recipe {name!r}: {', '.join(recipes())}, or a .toml file")
    text = files("a2bench.leaderboards").joinpath(f"recipe-{name}.toml")
    return parse(text.read_text(encoding="utf-8"))


def parse(text: str) -> Recipe:
    """The recipe of a TOML text. Raises ``ValueError`` for what cannot be one.

    Not by pydantic: most rules are of sense, not of form, and its words are not these.
    """
    table = tomllib.loads(text)
    if absent := {"name", "version", "title", "note", "divisor", "weights"} - table.keys():
        raise ValueError(f"no {', '.join(sorted(absent))} in the recipe")
    if not all(isinstance(table.get(name, {}), dict) for name in ("weights", "bounds", "fit")):
        raise ValueError("weights, bounds and fit are tables")
    weights = {str(name): _number(value, name) for name, value in table["weights"].items()}
    if not any(weights.values()) or min(weights.values()) < 0:
        raise ValueError("weights are 0 or more, and one of them is more")
    bounds = {}
    for name, pair in table.get("bounds", {}).items():
        ends = [_number(value, name) for value in pair] if isinstance(pair, list) else []
        if name not in weights or len(ends) != 2 or not ends[0] < ends[1]:
            raise ValueError(f"bounds of {name}: [low, high] of a metric that has a weight")
        bounds[str(name)] = (ends[0], ends[1])
    divisor = _number(table["divisor"], "divisor")
    if divisor <= 0:
        raise ValueError("the divisor is more than 0")
    words = {name: str(table[name]).strip() for name in ("name", "version", "title", "note")}
    fit = table.get("fit", {})
    return Recipe(**words, divisor=divisor, weights=weights, bounds=bounds, fit=fit)


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, which is no finite number")
    return float(value)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A line with its comprehensive score, or what it lacks, in words.

    ``rank`` 1 is best; ties share the better rank. ``columns`` are those that the recipe's metrics
    were read from: a metric may be measured in several ways in one table, and a line have one.
    """

    line: Line
    score: float | None
    rank: int | None
    lacks: str
    columns: Mapping[str, str]

    @property
    def values(self) -> dict[str, float]:
        """The mean of each of the recipe's metrics that has one."""
        means = self.line.means
        return {name: means[column] for name, column in self.columns.items() if column in means}

    def shown(self, metric: str) -> str:
        """A mean, and by whom or how it was measured where the table has several ways."""
        column = self.columns.get(metric, metric)
        told = label(column) if column != metric else ""
        return decimal(self.values.get(metric)) + (f" ({told})" if told else "")


def scored(lines: Sequence[Line], recipe: Recipe) -> list[Scored]:
    """The comprehensive score of each line.

    Ranks count only among lines of one profile and suite, measured with the same versions and
    definitions of the recipe's metrics. A line that has a metric in several ways, as by two judges,
    is not scored by a recipe that does not say which.
    """
    known = known_limits()
    found = [_unranked(line, recipe, known) for line in lines]
    scores = [one.score for one in found]
    classes = [_class(one, recipe) for one in found]
    return [replace(one, rank=_rank(i, scores, classes)) for i, one in enumerate(found)]


def with_scores(table: pd.DataFrame, found: Sequence[Scored], recipe: Recipe) -> pd.DataFrame:
    """A table whose lines were scored, with the scores beside their parts.

    Adds ``comprehensive``, ``comprehensive_rank``, ``comprehensive_recipe`` and
    ``comprehensive_lacks``.
    """
    import pandas as pd

    table = table.copy()
    table[SCORE] = pd.array([one.score for one in found], dtype="Float64")
    table[f"{SCORE}_rank"] = pd.array([one.rank for one in found], dtype="Int64")
    table[f"{SCORE}_recipe"] = csv_cell(recipe.label)
    table[f"{SCORE}_lacks"] = [csv_cell(one.lacks) for one in found]
    return table


def _rank(
    row: int, scores: Sequence[float | None], classes: Sequence[tuple[str, ...]]
) -> int | None:
    """One more than the lines of the same class that score higher."""
    own = scores[row]
    if own is None:
        return None
    others = zip(scores, classes, strict=True)
    return 1 + sum(s is not None and s > own and c == classes[row] for s, c in others)


def _unranked(line: Line, recipe: Recipe, known: Limits) -> Scored:
    """A line with its score, or with what it lacks: metrics without a value, out of
    bounds, or in part.
    """
    lacks, columns, means = [], {}, line.means
    for name in recipe.weights:
        ways = [
            column for column in line.cells if line.cells[column].asked and base(column) == name
        ]
        ways = [name] if name in line.cells and line.cells[name].asked else ways
        if len(ways) > 1:
            lacks.append(f"{name} (of {len(ways)}, name one: {', '.join(map(label, ways))})")
        elif not ways or ways[0] not in means:
            lacks.append(name)
        else:
            columns[name] = ways[0]
            value, bounds = means[ways[0]], known.get(base(name), (-math.inf, math.inf))
            if not within(value, bounds):
                lacks.append(f"{name} ({value:.12g} is outside {bounds[0]:g} to {bounds[1]:g})")
            counts = line.cells[ways[0]].counts
            lacks += [f"{name} ({n} {status})" for status in UNDONE if (n := counts.get(status, 0))]
    one = Scored(line=line, score=None, rank=None, lacks=" ".join(lacks), columns=columns)
    return one if lacks else replace(one, score=recipe.score(one.values))


def _class(one: Scored, recipe: Recipe) -> tuple[str, ...]:
    """Only lines of one class are ranked together."""
    line, metrics = one.line, set(map(base, recipe.weights))
    ours = sorted(v for v in line.versions if v.partition("@")[0] in metrics)
    read = sorted(one.columns.values())
    return (line.profile, line.suite, line.suite_version, line.suite_sha256, *ours, *read)


def to_markdown(found: Sequence[Scored], recipe: Recipe) -> str:
    """Scored lines for reading: the parts, the score, the rank, and what the recipe is."""
    heads = ["model", "suite", "profile", *recipe.weights, SCORE, "rank"]
    lines = ["| " + " | ".join(map(markdown_cell, heads)) + " |", "|" + " --- |" * len(heads)]
    for one in found:
        line = one.line
        store = f"[{line.store}]" if line.store else ""
        name = " ".join(filter(None, (line.model, line.revision, store)))
        suite = " ".join(filter(None, (line.suite, line.suite_version)))
        values = [*map(one.shown, recipe.weights), decimal(one.score)]
        place = f"lacks {csv_cell(one.lacks)}" if one.lacks else str(one.rank)
        cells = [name, suite, line.profile, *values, place]
        lines.append("| " + " | ".join(markdown_cell(cell) for cell in cells) + " |")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in recipe.weights.items())
    note = f"{SCORE}: {recipe.label}, {recipe.title}. Weights: {weights}; over {recipe.divisor:g}."
    return "\n".join([*lines, "", markdown_cell(note), "", recipe.note]) + "\n"


def decimal(value: float | None) -> str:
    """Three decimals, or a dash."""
    return "–" if value is None else f"{value:.3f}"
