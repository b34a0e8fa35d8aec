from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from a2bench.errors import CannotRun
from a2bench.ratings.annex_e import annex_e
from a2bench.ratings.reliability import alpha, icc2k, over_cases, reliabilities, split_half
from a2bench.ratings.table import ALL, Votes
from a2bench.types import VideoId
from tests.helpers.study_raters import CRITERIA, Floats, matrix, simulate

GOLDEN = json.loads(Path("tests/golden/ratings.json").read_text())

# Krippendorff (2011), section C: 4 observers, 12 units. Rows are observers.
WORKED = ["123321412---", "1233224125-3", "-3332342251-", "12332441251-"]
# Shrout and Fleiss (1979), table 2: 6 targets, 4 judges.
SHROUT = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_alpha_is_that_of_krippendorff_s_worked_example() -> None:
    found = alpha(matrix(WORKED).T)
    assert found is not None
    assert round(found, 3) == 0.815


def test_icc_is_that_of_shrout_and_fleiss_s_worked_example() -> None:
    found = icc2k(np.array(SHROUT, float))
    assert found is not None
    assert round(found, 2) == 0.62


@pytest.mark.parametrize("golden", GOLDEN["agreement"])
def test_alpha_and_icc_are_those_of_public_packages(golden: dict[str, object]) -> None:
    texts = golden["votes"]
    assert isinstance(texts, list)
    scores = matrix(texts)
    assert alpha(scores) == pytest.approx(golden["alpha"], abs=1e-12)
    whole = scores[~np.isnan(scores).any(axis=1)]  # the package leaves out videos with a hole
    assert icc2k(whole) == pytest.approx(golden["icc2k"], abs=1e-9)


def test_icc_of_incomplete_votes_is_what_they_were_drawn_from() -> None:
    found = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        scores = random.normal(0, 1, (60, 1)) + random.normal(0, 0.5, (1, 12))
        scores = scores + random.normal(0, 0.8, (60, 12))
        for video in range(60):
            scores[video, random.permutation(12)[4 if video % 3 else 2 :]] = np.nan
        value = icc2k(scores)
        assert value is not None
        found.append(value)
    raters = 1 / np.mean([1 / (4 if video % 3 else 2) for video in range(60)])
    assert np.mean(found) == pytest.approx(1 / (1 + (0.25 + 0.64) / raters), abs=0.02)


@pytest.mark.parametrize("raters", [[[1, 0], [0, 1]], [[1, 1], [1, 0]]])
def test_icc_is_none_where_votes_cannot_tell_raters_from_videos(raters: list[list[int]]) -> None:
    scores = np.where(np.array(raters) == 1, [[1.0, 2.0], [4.0, 5.0]], np.nan)
    assert icc2k(scores) is None


@pytest.mark.slow
def test_reliabilities_have_a_line_a_criterion_and_intervals_that_hold_the_values() -> None:
    found = reliabilities(simulate(cases=20, clickers=0).ratings)
    assert [one.criterion for one in found] == [*sorted(CRITERIA), ALL]
    for one in found:
        assert (one.videos, one.votes) == (80, 5.0)
        for figure in (one.alpha, one.icc, one.halves):
            assert figure is not None
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low < figure.mean < figure.high
    assert found[-1].alpha is not None
    assert found[0].alpha is not None
    assert found[-1].alpha.mean > found[0].alpha.mean


@pytest.mark.parametrize("golden", GOLDEN["annex_e"])
def test_annex_e_is_the_reference_implementation_on_its_sample(
    golden: dict[str, list[float]],
) -> None:
    found = annex_e(matrix([str(text) for text in golden["votes"]]), floor=0.1)
    assert found.quality == pytest.approx(golden["mos_j"], abs=1e-6)
    assert found.error == pytest.approx(golden["sos_j"], abs=1e-6)
    assert found.bias == pytest.approx(golden["bias_i"], abs=1e-6)
    assert found.inconsistency == pytest.approx(golden["inconsistency_i"], abs=1e-6)
    assert found.iterations < 1000


def noisy(seed: int = 0, videos: int = 40, raters: int = 8) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    quality = random.uniform(1.5, 4.5, videos)
    return quality, quality[:, None] + random.normal(0, 0.5, (videos, raters))


def test_a_rater_with_equal_or_few_votes_does_not_weigh_without_bound() -> None:
    quality, scores = noisy()
    constant = np.column_stack([scores, np.full(len(scores), 3.0)])
    assert np.corrcoef(annex_e(constant).quality, quality)[0, 1] > 0.95
    scores[1:, 0] = np.nan
    found = annex_e(scores)
    assert found.inconsistency[0] > 0.3
    assert np.isfinite(found.quality).all()


def test_a_rater_s_bias_is_taken_off_where_the_others_did_not_rate() -> None:
    scores = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [np.nan, 3.0]])
    found = annex_e(scores)
    assert found.bias == pytest.approx([-0.5, 0.5])
    assert found.quality[3] == pytest.approx(2.5, abs=1e-6)
    assert math.isnan(found.error[3])


def test_a_video_or_rater_without_votes_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a vote"):
        annex_e(np.array([[1.0, np.nan], [2.0, np.nan]]))


@pytest.mark.parametrize("scores", [np.full((4, 3), 2.0), np.array([[1.0], [2.0]])])
def test_equal_votes_and_a_single_rater_have_no_agreement(scores: Floats) -> None:
    assert alpha(scores) is None
    assert icc2k(scores) is None
    assert split_half(scores) is None


def test_full_agreement_is_1_and_chance_about_0() -> None:
    same = np.repeat(np.arange(1.0, 6.0)[:, None], 3, axis=1)
    assert alpha(same) == 1.0
    assert icc2k(same) == pytest.approx(1.0)
    chance = np.random.default_rng(0).integers(1, 6, (4000, 6)).astype(float)
    found = alpha(chance), icc2k(chance)
    assert all(value is not None and abs(value) < 0.1 for value in found)


@pytest.mark.slow
def test_split_halves_tell_how_far_the_mean_of_the_raters_is_from_the_truth() -> None:
    found = []
    for seed in range(20):
        quality, scores = noisy(seed, videos=60)
        scores += np.random.default_rng(seed).normal(0, 0.8, 8)  # biases do not count
        reliability = split_half(scores)
        assert reliability is not None
        r = float(np.corrcoef(quality, annex_e(scores).quality)[0, 1])
        found.append(math.sqrt(reliability) - r)
    assert abs(float(np.mean(found))) < 0.01


def test_the_interval_over_cases_holds_the_value_and_draws_whole_cases() -> None:
    _, scores = noisy(3)
    scores = np.clip(np.round(scores), 1, 5)
    videos = tuple(VideoId(f"c{n // 4}", f"m{n % 4}", 0) for n in range(40))
    held = Votes(videos=videos, raters=tuple("abcdefgh"), scores=scores)
    interval, value = over_cases(held, alpha), alpha(scores)
    assert interval is not None
    assert value is not None
    assert interval[0] < value < interval[1]
    alone = Votes(
        videos=tuple(VideoId("c", f"m{n}", 0) for n in range(40)), raters=(), scores=scores
    )
    assert over_cases(alone, alpha) is None


def test_nothing_to_analyse_is_said() -> None:
    from a2bench.ratings.opinions import qualities

    with pytest.raises(CannotRun, match="nothing to analyse"):
        qualities([])
