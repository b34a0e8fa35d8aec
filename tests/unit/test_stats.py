from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats as reference
from statsmodels.stats.power import TTestPower

from a2bench.stats import (
    Interval,
    bootstrap_mean,
    cases_to_tell,
    effect_size,
    effect_to_tell,
    holm,
    kendall,
    paired_permutation,
    paired_power,
    paired_proportions,
    roc_auc,
    spearman,
    student_t,
    wilson,
)


def sample(n: int, seed: int = 0) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(0.6, 0.2, n)]


def cases(n: int, seed: int = 0) -> list[list[float]]:
    """Cases of one to three seeds each."""
    random = np.random.default_rng(seed)
    return [random.normal(0.6, 0.2, random.integers(1, 4)).tolist() for _ in range(n)]


def test_the_interval_is_scipy_s_percentile_bootstrap() -> None:
    values = sample(50)
    ours = bootstrap_mean([[value] for value in values])
    theirs = reference.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=1
    ).confidence_interval
    assert ours.mean == pytest.approx(np.mean(values), rel=1e-15)
    assert ours.low == pytest.approx(theirs.low, abs=0.002)
    assert ours.high == pytest.approx(theirs.high, abs=0.002)


def test_cases_are_drawn_in_parts_and_the_interval_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = bootstrap_mean(cases(40), resamples=1000)
    monkeypatch.setattr("a2bench.stats.intervals.MOST_DRAWN", 333)
    assert bootstrap_mean(cases(40), resamples=1000) == whole


def test_the_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    for n, resamples in ((5, 1), (40, 400)):
        covered = 0
        for seed in range(400):
            found = bootstrap_mean([[v] for v in sample(n, seed)], resamples=resamples, seed=seed)
            assert found.low is not None
            assert found.high is not None
            covered += found.low <= 0.6 <= found.high
        assert 0.91 <= covered / 400 <= 0.98


def test_few_cases_get_student_s_interval() -> None:
    values = sample(12)
    ours = bootstrap_mean([[value] for value in values], confidence=0.9)
    low, high = reference.t.interval(0.9, 11, np.mean(values), reference.sem(values))
    assert ours.low == pytest.approx(low, rel=1e-12)
    assert ours.high == pytest.approx(high, rel=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 10, 28, 29, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_student_t(freedom: int, confidence: float) -> None:
    expected = reference.t.ppf((1 + confidence) / 2, freedom)
    assert student_t(confidence, freedom) == pytest.approx(expected, rel=1e-9)


def test_the_case_is_the_unit_and_its_seeds_count_once() -> None:
    assert bootstrap_mean([[0.0, 0.0, 0.0], [1.0]]).mean == 0.5
    doubled = bootstrap_mean([[v, v] for v in sample(40)])
    assert doubled == bootstrap_mean([[v] for v in sample(40)])


@pytest.mark.parametrize("n", [7, 60])
def test_the_order_of_cases_and_seeds_does_not_change_a_bit(n: int) -> None:
    given = cases(n)
    expected = bootstrap_mean(given)
    random = np.random.default_rng(1)
    for _ in range(5):
        shuffled = [random.permutation(given[i]).tolist() for i in random.permutation(n)]
        assert bootstrap_mean(shuffled) == expected


def test_the_seed_decides_the_interval() -> None:
    given = cases(50)
    assert bootstrap_mean(given, seed=1) == bootstrap_mean(given, seed=1)
    assert bootstrap_mean(given, seed=1).low != bootstrap_mean(given, seed=2).low


@pytest.mark.parametrize("n", [1, 5, 10, 50])
def test_a_proportion_has_wilson_s_interval(n: int) -> None:
    for ones in range(n + 1):
        found = wilson([[1.0]] * ones + [[0.0]] * (n - ones))
        expected = reference.binomtest(ones, n).proportion_ci(0.95, "wilson")
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert found.mean == ones / n


def test_a_proportion_of_clusters_counts_what_is_independent() -> None:
    together = wilson([[1.0] * 4] * 15 + [[0.0] * 4] * 5)  # seeds say what their case says
    assert together == wilson([[1.0]] * 15 + [[0.0]] * 5)
    apart = wilson([[1.0, 1.0, 1.0, 0.0]] * 20)  # each case has the same rate
    expected = reference.binomtest(60, 80).proportion_ci(0.95, "wilson")
    assert (apart.low, apart.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    # by hand: means 1, .5, .5, 0; variance 1/6, of the mean 1/24; (1/4) / (1/24) = 6
    mixed = wilson([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    expected = reference.binomtest(3, 6).proportion_ci(0.95, "wilson")
    assert (mixed.low, mixed.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    with pytest.raises(ValueError, match="zeros and ones"):
        wilson([[0.5]])
    with pytest.raises(ValueError, match="at least one case"):
        wilson([])


def test_one_case_has_a_mean_and_no_interval() -> None:
    assert bootstrap_mean([[0.25, 0.75]]) == Interval(low=None, mean=0.5, high=None)


@pytest.mark.parametrize("n", [2, 50])
def test_equal_cases_have_an_interval_without_width(n: int) -> None:
    assert bootstrap_mean([[0.1]] * n) == Interval(low=0.1, mean=0.1, high=0.1)


@pytest.mark.parametrize(
    ("values", "confidence", "message"),
    [
        ([], 0.95, "at least one case"),
        ([[1.0], []], 0.95, "one value for each case"),
        ([[1.0], [math.nan]], 0.95, "not finite"),
        ([[1.0], [math.inf]], 0.95, "not finite"),
        ([[1.0]], 1.0, "confidence"),
    ],
)
def test_what_has_no_mean_is_refused(
    values: list[list[float]], confidence: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap_mean(values, confidence=confidence)


def by_counting(a: list[float], b: list[float]) -> float:
    """The exact p-value, one sign assignment after the other."""
    differences = [x - y for x, y in zip(a, b, strict=True)]
    extreme, observed = 0, abs(sum(differences))
    for signs in product((-1, 1), repeat=len(differences)):
        flipped = abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        extreme += flipped >= observed - 1e-9
    return extreme / float(2 ** len(differences))


@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_few_pairs_are_tested_exactly(n: int) -> None:
    for seed in range(5):
        a, b = sample(n, seed), sample(n, seed + 100)
        assert paired_permutation(a, b) == by_counting(a, b)
    tied_a, tied_b = [0.1, 0.2, 0.3, 0.4], [0.2, 0.1, 0.2, 0.3]
    assert paired_permutation(tied_a, tied_b) == by_counting(tied_a, tied_b) == 0.625


def test_many_pairs_are_tested_by_random_signs() -> None:
    a, b = sample(30, 3), [value + 0.04 for value in sample(30, 4)]
    theirs = reference.permutation_test(
        (a, b),
        lambda x, y: np.mean(x - y),
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).pvalue
    assert paired_permutation(a, b) == pytest.approx(theirs, abs=0.02)
    assert paired_permutation(a, b, seed=1) == paired_permutation(a, b, seed=1)
    assert paired_permutation(a, a) == 1.0
    assert paired_permutation(a, [x - 1 for x in a], resamples=999) == 0.001  # never 0


def test_the_order_of_pairs_and_the_side_do_not_change_p() -> None:
    for n in (9, 40):
        a, b = sample(n, 3), sample(n, 4)
        order = np.random.default_rng(0).permutation(n)
        expected = paired_permutation(a, b)
        assert 0 < expected < 1
        assert paired_permutation([a[i] for i in order], [b[i] for i in order]) == expected
        assert paired_permutation(b, a) == expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((14, 5, 0, 22), (0.011, 0.226)),  # Altman et al., Statistics with Confidence (2000), 6
        ((20, 12, 2, 16), (0.0562, 0.3292)),  # Newcombe (1998), table II
        ((50, 0, 0, 0), (-0.0713, 0.0713)),  # no difference, yet not sure: Wilson's of 50 of 50
    ],
)
def test_paired_proportions_have_newcombe_s_interval(
    table: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    pairs = [
        pair for n, pair in zip(table, product((1, 0), repeat=2), strict=True) for _ in range(n)
    ]
    a, b = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    found, turned = paired_proportions(a, b), paired_proportions(b, a)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.0005)
    assert found.mean == pytest.approx((table[1] - table[2]) / len(pairs))
    assert (turned.low, turned.high) == pytest.approx((-expected[1], -expected[0]), abs=0.0005)


@pytest.mark.parametrize("n", [2, 5, 30, 500])
@pytest.mark.parametrize("effect", [-0.5, 0.0, 0.02, 0.3, 1.2])
def test_power_is_statsmodels(n: int, effect: float) -> None:
    theirs = TTestPower().power(abs(effect), n, 0.05)
    if math.isnan(theirs):  # theirs is of scipy's noncentral t, which is no number here
        assert abs(effect) * math.sqrt(n) > 8
        theirs = 1.0
    assert paired_power(effect, n) == pytest.approx(theirs, abs=1e-11)


@pytest.mark.parametrize("effect", [0.01, 0.1, 0.5, -0.8])
def test_the_fewest_cases_that_tell_are_statsmodels(effect: float) -> None:
    theirs = TTestPower().solve_power(effect_size=abs(effect), power=0.8, alpha=0.05)
    n = cases_to_tell(effect)
    assert n is not None
    assert n == math.ceil(theirs)
    assert effect_to_tell(n) <= abs(effect) < effect_to_tell(n - 1)


def test_power_at_the_ends() -> None:
    assert cases_to_tell(0.0) is None
    assert cases_to_tell(0.002) is None  # two million
    assert cases_to_tell(1e6) == 2
    assert effect_size([1.0, 2.0], [0.0, 1.0]) is None
    assert effect_size([1.0], [0.0]) is None
    a, b = sample(20), sample(20, 1)
    t = float(reference.ttest_rel(a, b).statistic)
    assert effect_size(a, b) == pytest.approx(t / math.sqrt(20))


def test_holm_by_hand() -> None:
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=1e-12)
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [2, 5, 40])
def test_rank_correlations_are_scipy_s(n: int, ties: bool) -> None:
    random = np.random.default_rng(n)
    a = random.integers(0, 4, n) if ties else random.normal(size=n)
    b = a + random.integers(0, 4, n) if ties else a + random.normal(size=n)
    a[0], b[0] = a[1] + 1, b[1] + 1
    assert spearman(a.tolist(), b.tolist()) == pytest.approx(
        reference.spearmanr(a, b).statistic, rel=1e-12
    )
    assert kendall(a.tolist(), b.tolist()) == pytest.approx(
        reference.kendalltau(a, b).statistic, rel=1e-12
    )
    order = random.permutation(n)
    assert spearman(a[order].tolist(), b[order].tolist()) == spearman(a.tolist(), b.tolist())
    assert kendall(a[order].tolist(), b[order].tolist()) == kendall(a.tolist(), b.tolist())


def test_a_constant_side_has_no_rank_correlation() -> None:
    assert spearman([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None
    assert kendall([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]) is None
    assert spearman([1.0], [2.0]) is None


@pytest.mark.parametrize("compare", [paired_permutation, spearman, kendall])
def test_what_is_not_paired_is_refused(compare: object) -> None:
    assert callable(compare)
    with pytest.raises(ValueError, match="not 2 and 1 values"):
        compare([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="not 0 and 0 values"):
        compare([], [])
    with pytest.raises(ValueError, match="not finite"):
        compare([1.0, 2.0], [1.0, math.nan])


def test_roc_auc_is_the_chance_that_a_positive_beats_a_negative() -> None:
    random = np.random.default_rng(5)
    positives = random.integers(0, 8, 40).tolist()
    negatives = random.integers(0, 6, 70).tolist()
    expected = reference.mannwhitneyu(positives, negatives).statistic / (40 * 70)
    assert roc_auc(positives, negatives) == pytest.approx(expected, abs=1e-12)
    assert roc_auc([2.0, 3.0], [1.0]) == 1.0
    assert roc_auc([1.0], [1.0]) == 0.5
    with pytest.raises(ValueError, match="needs positives and negatives"):
        roc_auc([], [1.0])
