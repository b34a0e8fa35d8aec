"""What holds of the statistics for any sample, on samples with ties and of unlike sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as reference

from a2bench.stats import (
    bootstrap_mean,
    holm,
    kendall,
    paired_permutation,
    roc_auc,
    spearman,
)
from tests.helpers.properties import deterministic

FINITE = st.floats(-1e6, 1e6)
TIED = st.one_of(st.integers(-3, 3).map(float), FINITE)
SAMPLES = st.lists(st.lists(TIED, min_size=1, max_size=3), min_size=1, max_size=45)
PAIRS = st.lists(st.tuples(TIED, TIED), min_size=2, max_size=25)
SOME = st.lists(TIED, min_size=1, max_size=15)
P_VALUES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.5, 1.0])), max_size=12)
RANDOM = st.randoms(use_true_random=False)
FEW = 200
"""Resamples: what is tried holds for any number of them."""


def shuffled(values: list[Any], random: Random) -> list[Any]:
    return random.sample(values, len(values))


@deterministic
@given(sample=SAMPLES, random=RANDOM)
def test_an_interval_is_the_same_to_the_last_bit_in_any_order(sample: Any, random: Any) -> None:
    other = [shuffled(case, random) for case in shuffled(sample, random)]
    assert bootstrap_mean(other, resamples=FEW) == bootstrap_mean(sample, resamples=FEW)


@deterministic
@given(sample=SAMPLES, confidence=st.floats(0.8, 0.999))
def test_an_interval_holds_the_mean(sample: Any, confidence: float) -> None:
    found = bootstrap_mean(sample, confidence=confidence, resamples=FEW)
    means = [math.fsum(case) / len(case) for case in sample]
    assert found.mean == pytest.approx(math.fsum(means) / len(means), rel=1e-12, abs=1e-12)
    if len(sample) == 1:
        assert (found.low, found.high) == (None, None)
        return
    assert found.low is not None and found.high is not None
    assert found.low <= found.mean <= found.high


@deterministic
@given(
    sample=SAMPLES,
    slope=st.floats(0.01, 100).flatmap(lambda size: st.sampled_from([size, -size])),
    shift=st.floats(-1e3, 1e3),
)
def test_scaled_and_shifted_values_have_a_scaled_and_shifted_mean(
    sample: Any, slope: float, shift: float
) -> None:
    moved = [[slope * value + shift for value in case] for case in sample]
    one, other = (bootstrap_mean(values, resamples=FEW) for values in (sample, moved))
    size = max(abs(value) for case in (*sample, *moved) for value in case)
    near = 1e-9 * max(1.0, size, abs(slope) * size)
    assert other.mean == pytest.approx(slope * one.mean + shift, abs=near)
    few = 1 < len(sample) < 30  # Student's interval is symmetric; drawn ones are only if slope > 0
    if one.low is not None and one.high is not None and (few or slope > 0):
        ends = sorted(slope * end + shift for end in (one.low, one.high))
        assert [other.low, other.high] == pytest.approx(ends, abs=near)


@deterministic
@given(pairs=PAIRS, random=RANDOM)
@pytest.mark.parametrize("compare", [paired_permutation, spearman, kendall])
def test_pairs_may_come_in_any_order_and_from_either_side(
    compare: Callable[[list[float], list[float]], float | None], pairs: Any, random: Any
) -> None:
    a, b = map(list, zip(*pairs, strict=True))
    c, d = map(list, zip(*shuffled(pairs, random), strict=True))
    assert compare(c, d) == compare(a, b) == compare(b, a)


@deterministic
@given(pairs=PAIRS)
def test_p_values_are_shares(pairs: Any) -> None:
    a, b = map(list, zip(*pairs, strict=True))
    assert 0 < paired_permutation(a, b, resamples=FEW) <= 1
    assert paired_permutation(a, a, resamples=FEW) == 1


@deterministic
@given(p_values=P_VALUES)
def test_adjusted_p_values_keep_their_order_and_only_grow(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    both = sorted(zip(p_values, adjusted, strict=True))
    assert [q for _, q in both] == sorted(adjusted)
    if both:
        assert both[0][1] == min(1.0, len(both) * both[0][0])


@deterministic
@given(p_values=P_VALUES, random=RANDOM)
def test_an_adjusted_p_value_goes_with_its_p_value(p_values: list[float], random: Any) -> None:
    order = shuffled(list(range(len(p_values))), random)
    adjusted = holm(p_values)
    assert holm([p_values[i] for i in order]) == [adjusted[i] for i in order]


@deterministic
@given(positives=SOME, negatives=SOME, random=RANDOM)
def test_the_two_areas_under_the_curve_make_one(
    positives: list[float], negatives: list[float], random: Any
) -> None:
    area = roc_auc(positives, negatives)
    assert 0 <= area <= 1
    assert area + roc_auc(negatives, positives) == pytest.approx(1, abs=1e-15)
    assert roc_auc(shuffled(positives, random), shuffled(negatives, random)) == area
    theirs = reference.mannwhitneyu(positives, negatives, method="asymptotic").statistic
    assert area == pytest.approx(theirs / (len(positives) * len(negatives)), abs=1e-12)


@deterministic
@given(pairs=PAIRS)
def test_rank_correlations_are_scipy_s(pairs: Any) -> None:
    a, b = map(list, zip(*pairs, strict=True))
    assume(len(set(a)) > 1 and len(set(b)) > 1)
    assert spearman(a, b) == pytest.approx(reference.spearmanr(a, b).statistic, abs=1e-12)
    assert kendall(a, b) == pytest.approx(reference.kendalltau(a, b).statistic, abs=1e-12)


@deterministic
@given(pairs=PAIRS)
def test_only_order_counts_for_rank_correlations(pairs: Any) -> None:
    a, b = map(list, zip(*pairs, strict=True))
    ranks = [float(sorted(a).index(value)) for value in a]
    for correlation in (spearman, kendall):
        found = correlation(a, b)
        assert correlation(ranks, b) == found
        assert found is None or -1 <= found <= 1
        turned = correlation([-value for value in a], b)
        assert turned == (None if found is None else -found)
        assert correlation(a, a) in (None, 1)
