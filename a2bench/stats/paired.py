"""Whether two samples of the same cases differ, and how many cases would tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from a2bench.stats.samples import Floats, paired

MOST_EXACT = 16
MOST_DRAWN = 2**20
"""Signs that are drawn at a time: 8 bytes each."""
LEVEL, POWER = 0.05, 0.8
MOST_CASES = 1_000_000


def paired_permutation(
    a: Sequence[float], b: Sequence[float], *, resamples: int = 10_000, seed: int = 0
) -> float:
    """The two-sided p-value of ``mean(a - b) = 0`` when each pair's sign may be flipped.

    The share of sign assignments whose mean difference is at least as far from 0 as the observed
    one: of all ``2 ** n`` up to 16 pairs, else of ``resamples`` random ones, the observed one
    counted with them (Phipson and Smyth 2010). Differences equal to 1e-12 of their sum are ties.

    Raises ``ValueError`` for no pair, unequal lengths, or a value that is not finite.
    """
    x, y = paired(a, b)
    differences = np.sort(np.abs(x - y))
    observed = abs(math.fsum(x - y)) - 1e-12 * math.fsum(differences)
    n = len(differences)
    if n <= MOST_EXACT:
        bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
        return float(np.mean(np.abs((2 * bits - 1) @ differences) >= observed))
    random, extreme, rows = np.random.default_rng(seed), 0, max(1, MOST_DRAWN // n)
    for start in range(0, resamples, rows):  # the same signs as in one draw of all
        signs = 2 * random.integers(2, size=(min(rows, resamples - start), n)) - 1
        extreme += int(np.sum(np.abs(signs @ differences) >= observed))
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


def effect_size(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Cohen's d of paired samples: the mean difference over the differences' deviation.

    ``mean(a - b) / sd(a - b)`` with ``n - 1``; None for fewer than two pairs, or if no difference
    is another. Raises ``ValueError`` as ``paired_permutation``. Source: Cohen, Statistical Power
    Analysis for the Behavioral Sciences (1988), 2.3.5 (d_z).
    """
    spread = spread_of_differences(a, b)
    return math.fsum(np.subtract(a, b)) / len(a) / spread if spread else None


def spread_of_differences(a: Sequence[float], b: Sequence[float]) -> float:
    """The standard deviation of ``a - b``, with ``n - 1``; 0 for one pair, or if all are equal.

    Differences equal to 1e-12 of the largest are equal. Raises as ``paired_permutation``.
    """
    x, y = paired(a, b)
    differences = np.sort(x - y)
    if differences[-1] - differences[0] <= 1e-12 * np.max(np.abs(differences)):
        return 0.0
    mean = math.fsum(differences) / len(differences)
    return math.sqrt(math.fsum((differences - mean) ** 2) / (len(differences) - 1))


def paired_power(effect: float, n: int, *, level: float = LEVEL) -> float:
    """The chance that Student's paired test of ``n`` cases finds an effect (``effect_size``).

    Two-sided at ``level``: ``P(|T| > t)`` of the noncentral t with ``n - 1`` degrees of freedom and
    the noncentrality ``effect * sqrt(n)``, integrated over the deviations that a sample may
    have; scipy's ``nct`` is no number where power is near 1. In (0, 1]. Source: Cohen (1988), 2.
    """
    from scipy.special import ndtr, stdtrit

    freedom, shift = n - 1, abs(effect) * math.sqrt(n)
    border = float(stdtrit(freedom, 1 - level / 2))
    reach = 9 / math.sqrt(2 * freedom)  # beyond it lies less than 1e-12 of the deviations
    nodes, weights = _nodes()
    low, high = max(0.0, 1 - reach), 1 + reach
    deviations = low + (high - low) * (nodes + 1) / 2  # s / sigma, whose square is chi-squared
    logs = (
        math.log(2) + freedom / 2 * math.log(freedom / 2) - math.lgamma(freedom / 2)
        + (freedom - 1) * np.log(deviations) - freedom / 2 * deviations**2
    )  # fmt: skip
    found = ndtr(shift - border * deviations) + ndtr(-shift - border * deviations)
    return float((high - low) / 2 * np.sum(weights * np.exp(logs) * found))


@cache
def _nodes() -> tuple[Floats, Floats]:
    """Gauss and Legendre's, for an integral from -1 to 1."""
    return np.polynomial.legendre.leggauss(128)


def cases_to_tell(effect: float, *, power: float = POWER, level: float = LEVEL) -> int | None:
    """The fewest cases with which ``paired_power`` is ``power``; None beyond a million."""
    if not effect or paired_power(effect, MOST_CASES, level=level) < power:
        return None
    low, high = 1, MOST_CASES
    while high - low > 1:
        middle = (low + high) // 2
        enough = paired_power(effect, middle, level=level) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def effect_to_tell(n: int, *, power: float = POWER, level: float = LEVEL) -> float:
    """The smallest effect (``effect_size``) for which ``n`` cases have ``power``, from 2 cases."""
    low, high = 0.0, 1e3
    for _ in range(60):
        middle = (low + high) / 2
        enough = paired_power(middle, n, level=level) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high
