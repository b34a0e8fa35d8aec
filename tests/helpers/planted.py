"""Measured and rated videos, the weights behind whose ratings are known."""

from __future__ import annotations

import numpy as np

from a2bench.ratings.fit import Samples
from a2bench.types import VideoId

WEIGHTS = (0.5, 0.3, 0.15, 0.05)


def planted(
    weights: tuple[float, ...] = WEIGHTS, *, seed: int = 0, cases: int = 60, noise: float = 0.35
) -> Samples:
    """Four models; metrics of unlike mean and spread, the first with the least of both."""
    random, k = np.random.default_rng(seed), len(weights)
    spread, middle = np.linspace(0.05, 0.2, k), np.linspace(0.8, 0.4, k)
    level = random.normal(0, 1, (4, k))
    videos = tuple(
        VideoId(f"c{case:03d}", f"m{model}", 0) for case in range(cases) for model in range(4)
    )
    hard = np.repeat(random.normal(0, 0.5, cases), 4)[:, None]
    own = 0.5 * np.tile(level, (cases, 1)) + 0.7 * random.normal(0, 1, (cases * 4, k))
    values = middle + spread * (own + 0.4 * hard)
    target = 1 + 5 * values @ np.array(weights) + random.normal(0, noise, len(values))
    return Samples(
        metrics=tuple(f"x{i}" for i in range(k)),
        bounds={"x0": (0.5, 1.0)},
        videos=videos,
        values=values,
        target=target,
    )
