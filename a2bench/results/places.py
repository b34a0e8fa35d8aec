"""Ranks of several rows in one metric, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2bench.metric import ROUNDING
from a2bench.stats import Floats

RESAMPLES = 10_000
MOST_DRAWN = 2**20
"""Values that are drawn at a time: 8 bytes each."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A row's rank among several in one metric, on the cases that all have.

    ``rank`` 1 is best, by the mean. ``low`` to ``high`` hold the rank in 95 % of the draws of as
    many cases, drawn for all rows at once; ``first`` is the share of draws in which no row is
    better.
    """

    metric: str
    name: str
    n: int
    mean: float
    rank: int
    low: int
    high: int
    first: float


def places(
    metric: str, values: Mapping[str, Mapping[str, float]], *, higher_is_better: bool
) -> list[Place]:
    """The places of rows, by name the value of each case; none for fewer than three.

    None either where they share fewer than two cases.
    """
    if len(values) < 3:
        return []
    cases = sorted(set.intersection(*map(set, values.values())))
    if len(cases) < 2:
        return []
    sign = 1 if higher_is_better else -1
    means = {
        name: math.fsum(own[case] for case in cases) / len(cases) for name, own in values.items()
    }
    ranks = _drawn_ranks(
        sign * np.array([[own[case] for case in cases] for own in values.values()])
    )
    found = []
    for (name, mean), own in zip(means.items(), ranks, strict=True):
        low, high = np.quantile(own, (0.025, 0.975), method="closest_observation")
        better = sum(sign * (other - mean) > ROUNDING for other in means.values())
        place = Place(
            metric=metric,
            name=name,
            n=len(cases),
            mean=mean,
            rank=1 + better,
            low=int(low),
            high=int(high),
            first=float(np.mean(own == 1)),
        )
        found.append(place)
    return found


def _drawn_ranks(values: Floats) -> Ints:
    """The ranks (rows, draws) of rows by their values (rows, cases): one more than are better."""
    random, n = np.random.default_rng(0), values.shape[1]
    ranks = np.empty((len(values), RESAMPLES), np.int64)
    step = max(1, MOST_DRAWN // (n * len(values)))
    for start in range(0, RESAMPLES, step):
        drawn = random.integers(n, size=(min(step, RESAMPLES - start), n))
        means = values[:, drawn].mean(axis=2)
        better = means[None] > means[:, None] + ROUNDING  # [i, j]: j is better than i
        ranks[:, start : start + len(drawn)] = 1 + better.sum(axis=1)
    return ranks
