"""Intervals, paired tests and rank correlations.

Input is a case's value or values; the unit that is drawn anew is the case. Every result is the
same, to the last bit, in whatever order the cases (of paired samples: the pairs) are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

FEWEST_FOR_BOOTSTRAP, MOST_FOR_BOOTSTRAP = 30, 10_000
MOST_EXACT = 16
MOST_DRAWN = 2**20
"""Cases that are drawn at a time: 16 bytes each."""

Floats = NDArray[np.float64]


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


def paired_permutation(
    a: Sequence[float], b: Sequence[float], *, resamples: int = 10_000, seed: int = 0
) -> float:
    """The two-sided p-value of ``mean(a - b) = 0`` when each pair's sign may be flipped.

    The share of sign assignments whose mean difference is at least as far from 0 as the observed
    one: of all ``2 ** n`` up to 16 pairs, else of ``resamples`` random ones, the observed one
    counted with them (Phipson and Smyth 2010). Differences equal to 1e-12 of their sum are ties.

    Raises ``ValueError`` for no pair, unequal lengths, or a value that is not finite.
    """
    x, y = _pairs(a, b)
    differences = np.sort(np.abs(x - y))
    observed = abs(math.fsum(x - y)) - 1e-12 * math.fsum(differences)
    n = len(differences)
    if n <= MOST_EXACT:
        bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
        return float(np.mean(np.abs((2 * bits - 1) @ differences) >= observed))
    signs = 2 * np.random.default_rng(seed).integers(2, size=(resamples, n)) - 1
    extreme = int(np.sum(np.abs(signs @ differences) >= observed))
    return (extreme + 1) / (resamples + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, in their order, adjusted for being several: Holm's step-down method (1979).

    The i-th smallest of m is multiplied by ``m - i`` (i from 0), no less than the one before it and
    at most 1. Controls the chance of any false finding, whatever the dependence.
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for i, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = min(1.0, max(least, (len(p_values) - i) * p_values[index]))
        adjusted[index] = least
    return adjusted


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rho: Pearson's correlation of the ranks, ties at their mean rank.

    In [-1, 1]; None when a side is constant. Raises ``ValueError`` as ``paired_permutation`` does.
    Only the ranks are scipy's: ``spearmanr`` warns of a constant side, and of equal samples it
    often says 0.9999999999999999.
    """
    from scipy.stats import rankdata

    # a rank less the mean rank is a multiple of a half, so the sums are exact in any order
    x, y = (rankdata(side) - (len(side) + 1) / 2 for side in _pairs(a, b))
    return _cosine(x, y)


def kendall(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Kendall's tau-b: concordant less discordant pairs, over the pairs that are not tied.

    ``(C - D) / sqrt((P - Ta) * (P - Tb))`` with P pairs of cases, Ta and Tb of them tied in a and
    b. In [-1, 1]; None when a side is constant. Raises ``ValueError`` as ``paired_permutation``.
    Not ``scipy.stats.kendalltau``: it differs in the last bit, and the version of fitted weights is
    a digest of such figures; of equal samples it often says 0.9999999999999999.
    """
    x, y = (np.sign(np.subtract.outer(side, side)) for side in _pairs(a, b))
    return _cosine(x, y)


def roc_auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The area under the ROC curve: the chance that a positive beats a negative, ties half.

    In [0, 1]. Raises ``ValueError`` when a side is empty or a value is not finite.
    """
    if not positives or not negatives:
        raise ValueError("an area under the ROC curve needs positives and negatives")
    order = np.sign(np.subtract.outer(_finite(positives), _finite(negatives)))
    return float((order.mean() + 1) / 2)


def _cosine(x: Floats, y: Floats) -> float | None:
    squares = float(np.sum(x * x) * np.sum(y * y))
    return float(np.sum(x * y)) / math.sqrt(squares) if squares else None


def _case_means(values_by_case: Sequence[Sequence[float]], confidence: float) -> Floats:
    """Each case's mean, sorted, so that the order of the cases is nothing."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not at {confidence}")
    if not values_by_case or not all(values_by_case):
        raise ValueError("a mean needs at least one case, and one value for each case")
    return _finite(sorted(math.fsum(values) / len(values) for values in values_by_case))


def _pairs(a: Sequence[float], b: Sequence[float]) -> tuple[Floats, Floats]:
    if len(a) != len(b) or not a:
        raise ValueError(f"pairs need two samples of one length, not {len(a)} and {len(b)} values")
    return _finite(a), _finite(b)


def _finite(values: Sequence[float]) -> Floats:
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError("a value is not finite; failed measurements are left out, not averaged")
    return array
