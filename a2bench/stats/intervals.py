"""Means of cases with confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from a2bench.stats.samples import Floats, finite, paired

FEWEST_FOR_BOOTSTRAP, MOST_FOR_BOOTSTRAP = 30, 10_000
MOST_DRAWN = 2**20
"""Cases that are drawn at a time: 16 bytes each."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with the bounds of its confidence interval; a single case has no bounds."""

    low: float | None
    mean: float
    high: float | None

    def shown(self, form: str) -> str:
        """For reading, each number in a format: ``0.512 [0.487, 0.538]``, or the mean alone."""
        if self.low is None or self.high is None:
            return f"{self.mean:{form}}"
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


def bootstrap_mean(
    values_by_case: Sequence[Sequence[float]],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    fewest: int | None = None,
) -> Interval:
    """The mean over cases of each case's mean over its seeds, with a confidence interval.

    From 30 to 10,000 cases, the percentile interval of ``resamples`` draws of as many cases with
    replacement (a case keeps all its seeds). With fewer the percentiles are too narrow: Student's
    ``mean ± t * sd / sqrt(n)``, which may pass the bounds of the metric. With more, the same with
    the normal z, from which the percentiles differ by the chance of the draws alone. None for one
    case. Cases with equal values have an interval of no width. Memory does not grow with the
    resamples.
    ``fewest``: where a part of each value varies over so many cases alone, they decide how.

    Raises ``ValueError`` for no case, a case without values, a value that is not finite, or a
    confidence outside (0, 1). Source: Efron and Tibshirani, An Introduction to the Bootstrap, 13.3.
    """
    means = _case_means(values_by_case, confidence)
    n = len(means)
    mean = math.fsum(means) / n
    fewest = n if fewest is None else min(n, fewest)
    if fewest < 2:
        return Interval(low=None, mean=mean, high=None)
    offsets = means - mean
    if not FEWEST_FOR_BOOTSTRAP <= fewest <= n <= MOST_FOR_BOOTSTRAP:
        few = fewest < FEWEST_FOR_BOOTSTRAP
        normal = NormalDist().inv_cdf((1 + confidence) / 2)
        times = student_t(confidence, fewest - 1) if few else normal
        sd = math.sqrt(math.fsum(offsets**2) / (n - 1))
        half = times * sd / math.sqrt(n)
        return Interval(low=mean - half, mean=mean, high=mean + half)
    random, means_drawn = np.random.default_rng(seed), np.empty(resamples)
    rows = max(1, MOST_DRAWN // n)
    for start in range(0, resamples, rows):  # the same numbers as in one draw of all
        part = means_drawn[start : start + rows]
        part[:] = offsets[random.integers(n, size=(len(part), n))].mean(axis=1)
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    low, high = mean + np.quantile(means_drawn, tails)
    return Interval(low=float(low), mean=mean, high=float(high))


def wilson(values_by_case: Sequence[Sequence[float]], *, confidence: float = 0.95) -> Interval:
    """A proportion, the mean over cases of each case's mean of zeros and ones, with its interval.

    Wilson's score interval, ``(p + z² / 2m ± z * sqrt(p (1 - p) / m + z² / 4m²)) / (1 + z² / m)``:
    it stays inside [0, 1] and has a width where all values are equal (50 ones: 0.929 to 1). m is
    the number of cases; of cases with several seeds, the number of independent values that would
    vary as their means do, ``p (1 - p) / (sd² / n)``, between the number of cases and of values.

    Raises ``ValueError`` as ``bootstrap_mean`` does, and for a value that is neither 0 nor 1.
    Source: Wilson, JASA 22 (1927); Brown, Cai and DasGupta, Statistical Science 16 (2001); for
    clusters Korn and Graubard, Survey Methodology 24 (1998).
    """
    means = _case_means(values_by_case, confidence)
    if not all(value in (0, 1) for values in values_by_case for value in values):
        raise ValueError("a proportion is of zeros and ones")
    n, total = len(means), sum(map(len, values_by_case))
    p = math.fsum(means) / n
    spread = math.fsum((means - p) ** 2) / max(n - 1, 1)
    independent = n * p * (1 - p) / spread if spread else float(total if 0 < p < 1 else n)
    m = min(max(independent, n), total) if n > 1 else 1
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle, grown = p + z**2 / (2 * m), 1 + z**2 / m
    half = z * math.sqrt(p * (1 - p) / m + (z / (2 * m)) ** 2)
    low, high = (middle - half) / grown, (middle + half) / grown
    return Interval(low=max(0.0, min(low, p)), mean=p, high=min(1.0, max(high, p)))


def paired_proportions(
    a: Sequence[float], b: Sequence[float], *, confidence: float = 0.95
) -> Interval:
    """The difference of two proportions of the same cases, ``mean(a) - mean(b)``, in an interval.

    Newcombe's hybrid score interval: the bounds of ``wilson`` of each side, whose distances from
    the proportions add up by their squares, less what the sides have in common (``phi``, with
    Newcombe's correction for continuity). It has a width where all differences are equal.

    Raises ``ValueError`` as ``wilson`` and ``paired_permutation`` do. Source: Newcombe, Statistics
    in Medicine 17 (1998), 2635, method 10.
    """
    x, y = paired(a, b)
    one, other = (wilson([[value] for value in side], confidence=confidence) for side in (a, b))
    n, both = len(x), float(np.sum(x * y))
    mine, theirs = float(np.sum(x)), float(np.sum(y))
    common = both * (n - mine - theirs + both) - (mine - both) * (theirs - both)
    common = common if common < 0 else max(0.0, common - n / 2)
    spread = math.sqrt(mine * (n - mine) * theirs * (n - theirs))
    phi = common / spread if spread else 0.0

    def joint(this: float, that: float) -> float:
        return math.sqrt(max(0.0, this**2 - 2 * phi * this * that + that**2))

    (below, above), (under, over) = (
        (side.mean - (side.low or 0.0), (1.0 if side.high is None else side.high) - side.mean)
        for side in (one, other)
    )
    mean = one.mean - other.mean
    return Interval(low=mean - joint(below, over), mean=mean, high=mean + joint(above, under))


def student_t(confidence: float, freedom: int) -> float:
    """The t with ``P(|T| < t) = confidence`` for ``freedom`` degrees of freedom (at least 1).

    Bisects the probability as a function of ``theta = atan(t / sqrt(freedom))``, which is a finite
    sum. Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    Not ``scipy.stats.t.ppf``: for 28 of the degrees 1 to 29 its 95 % value is up to 24 units in the
    last place away, which changes the bounds in the tables that stand.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        theta = (low + high) / 2
        low, high = (theta, high) if _within(theta, freedom) < confidence else (low, theta)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _within(theta: float, freedom: int) -> float:
    """``P(|T| < sqrt(freedom) * tan(theta))``."""
    odd = freedom % 2
    term = math.cos(theta) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom, 2):
        term *= (k - 1) / k * math.cos(theta) ** 2
        total += term
    total *= math.sin(theta)
    return 2 / math.pi * (theta + total) if odd else total


def _case_means(values_by_case: Sequence[Sequence[float]], confidence: float) -> Floats:
    """Each case's mean, sorted, so that the order of the cases is nothing."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not at {confidence}")
    if not values_by_case or not all(values_by_case):
        raise ValueError("a mean needs at least one case, and one value for each case")
    return finite(sorted(math.fsum(values) / len(values) for values in values_by_case))
