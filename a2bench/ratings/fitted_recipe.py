"""Fitted weights as a recipe file, with the figures that say how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tomli_w

from a2bench.keys import digest
from a2bench.ratings.fit import Samples, inflation
from a2bench.ratings.validation import Figures, Validated
from a2bench.results.recipe import Recipe
from a2bench.types import Json


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where weights come from: the day (ISO 8601), the ratings and the profile of the run."""

    date: str
    raters: int
    ratings: int
    left_out: tuple[str, ...]
    profile: str


def fitted_recipe(samples: Samples, found: Validated, origin: Origin) -> Recipe:
    """The recipe that follows from a fit: its weights if they beat equal ones, else equal ones.

    The fitted weights stand in ``fit`` in both cases. The version is the day and the digest of all
    figures.
    """
    k = len(samples.metrics)
    weights = np.full(k, 1 / k) if found.reason else found.fit.weights
    fit = _figures(samples, found, origin)
    verdict = f"equal weights: {found.reason}" if found.reason else "fitted to human ratings"
    who = f"{origin.raters} raters, {len(set(samples.cases.tolist()))} cases"
    note = (
        f"{verdict[0].upper()}{verdict[1:]}. {origin.ratings} ratings by {who}, profile "
        f"{origin.profile}. The cases that were rated here are no test of these weights."
    )
    return Recipe(
        name="fitted",
        version=f"{origin.date}-{digest(fit)[:8]}",
        title=verdict,
        note=note,
        divisor=1.0,
        weights=dict(zip(samples.metrics, weights.tolist(), strict=True)),
        bounds=dict(samples.bounds),
        fit=fit,
    )


def to_toml(recipe: Recipe) -> str:
    """A recipe as the text of a file that ``load_recipe`` takes."""
    return tomli_w.dumps(_known(asdict(recipe)))


def _figures(samples: Samples, found: Validated, origin: Origin) -> dict[str, Json]:
    def named(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> dict[str, float]:
        return dict(zip(samples.metrics, values.tolist(), strict=True))

    return {
        "date": origin.date,
        "profile": origin.profile,
        "raters": origin.raters,
        "raters_left_out": list(origin.left_out),
        "ratings": origin.ratings,
        "models": sorted(set(samples.models.tolist())),
        "cases": sorted(set(samples.cases.tolist())),
        "videos": len(samples.videos),
        "left_out": samples.left_out,
        "beats_equal_weights": not found.reason,
        "reason": found.reason,
        "shrink": str(found.shrink),
        "slope": found.fit.slope,
        "intercept": found.fit.intercept,
        "gain": found.gain.mean,
        "gain_low": found.gain.low,
        "gain_high": found.gain.high,
        "noise_ceiling": found.ceiling,
        "fitted": named(found.fit.weights),
        "low": named(found.low),
        "high": named(found.high),
        "within_cases": named(found.within_cases),
        "inflation": {n: v if np.isfinite(v) else None for n, v in _inflation(samples).items()},
        "unseen_cases": _by_method(found.cases),
        "unseen_models": _by_method(found.models),
    }


def _inflation(samples: Samples) -> dict[str, float]:
    return dict(zip(samples.metrics, inflation(samples.values).tolist(), strict=True))


def _by_method(found: Mapping[str, Figures]) -> dict[str, Json]:
    return {name: asdict(figures) for name, figures in found.items()}


def _known(table: Mapping[str, Json]) -> dict[str, Any]:
    """The table without what is None, which TOML cannot say."""
    return {
        key: _known(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }
