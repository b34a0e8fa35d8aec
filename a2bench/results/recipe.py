"""The comprehensive score: one number from the metrics of a row, by a named and versioned recipe.

Recipes are data: ``leaderboards/recipe-*.toml``, and the files that ``a2bench weights fit`` writes.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from a2bench.errors import CannotRun, UnknownName
from a2bench.results.cells import known_limits
from a2bench.types import Json

if TYPE_CHECKING:
    pass


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

    @property
    def range(self) -> tuple[float, float]:
        """The scores that are possible, where its metrics stay in bounds."""
        ends = [self.limits[name] for name in self.weights]
        pairs = [
            (self.scaled(name, low), self.scaled(name, high))
            for name, (low, high) in zip(self.weights, ends, strict=True)
        ]
        weighted = list(zip(self.weights.values(), pairs, strict=True))
        low, high = (math.fsum(w * pair[i] for w, pair in weighted if w) for i in (0, 1))
        return low / self.divisor, high / self.divisor

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
