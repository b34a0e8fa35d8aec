"""Ratings and weights that cannot say what is asked of them: a message, never a crash."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from a2bench.errors import CannotRun
from a2bench.ratings.fit import Samples, fit
from a2bench.ratings.fitted_recipe import Origin, fitted_recipe, to_toml
from a2bench.ratings.opinions import differences, opinions, positions, qualities
from a2bench.ratings.raters import verdicts
from a2bench.ratings.reliability import alpha, icc2k, screen, split_half
from a2bench.ratings.report import report
from a2bench.ratings.table import Answer, Rating, votes
from a2bench.ratings.validation import validate
from a2bench.results.recipe import parse
from a2bench.types import VideoId
from tests.helpers.study_raters import Floats, simulate

pytestmark = pytest.mark.slow


def analysed(ratings: list[Rating]) -> tuple[float | None, ...]:
    """Runs all of the analysis; alpha, ICC and split halves of the first criterion."""
    opinions(ratings), differences(ratings), positions(ratings), screen(ratings)
    scores = next(iter(votes(ratings).values())).scores
    return alpha(scores), icc2k(scores), split_half(scores)


def test_fault_37_one_rater() -> None:
    ratings = simulate(cases=3, raters=1, votes=1, clickers=0).ratings
    assert analysed(ratings) == (None, None, None)
    assert [one.fault for one in screen(ratings)] == [""]
    assert positions(ratings) == []


def test_fault_37_all_ratings_equal() -> None:
    ratings = [replace(r, score=3) for r in simulate(cases=3, raters=4, votes=4).ratings]
    assert analysed(ratings) == (None, None, None)
    assert {o.mos.mean for o in opinions(ratings)} == {3.0}
    assert {d.adjusted for d in differences(ratings)} == {1.0}
    assert {one.fault for one in screen(ratings)} == {"always the same score"}


def test_fault_37_one_model_missing() -> None:
    study = simulate(cases=6, raters=4, votes=4, clickers=0)
    lost = [r for r in study.ratings if r.video.model != "m3" or r.video.case == "case-000"]
    found = {o.model: o.cases for o in opinions(lost)}
    assert found == {"m0": 6, "m1": 6, "m2": 6, "m3": 1}
    assert {d.cases for d in differences(lost) if d.second == "m3"} == {1}
    none = [r for r in study.ratings if r.video.model == "m0"]
    assert differences(none) == []


def test_fault_37_no_answer_is_a_score() -> None:
    ratings = [
        replace(r, score=None, answer=Answer.CANNOT_PLAY)
        for r in simulate(cases=1, raters=2, votes=2).ratings
    ]
    with pytest.raises(CannotRun, match="none of 24 answers is a score"):
        qualities(ratings)
    assert votes(ratings) == {}
    assert screen(ratings) == []


@pytest.mark.parametrize(
    ("how", "note"),
    [
        ("one rater", "one rater: nothing tells how far others would agree"),
        ("all equal", "every score is 3: agreement is not defined, no model differs"),
        ("one model", "one model: there is nothing to compare it with"),
        ("one video", "no position is known of videos that several raters rated"),
    ],
)
def test_fault_37_the_report_says_what_it_cannot_tell(how: str, note: str) -> None:
    raters = 1 if how == "one rater" else 4
    ratings = simulate(cases=3, raters=raters, votes=raters, clickers=0).ratings
    if how == "all equal":
        ratings = [replace(r, score=3) for r in ratings]
    elif how == "one model":
        ratings = [r for r in ratings if r.video.model == "m0"]
    elif how == "one video":
        ratings = ratings[:1]
    found = report(ratings)
    assert any(text.startswith(note) for text in found.notes)
    assert {sheet.name: bool(sheet.rows) for sheet in found.sheets}["mos"]


def test_fault_37_no_gold_page_was_asked() -> None:
    ratings = simulate(cases=6, raters=4, votes=4, clickers=0).ratings
    assert all(v.gold == (0, 0) and v.gold.share is None for v in verdicts(ratings))
    assert all(not v.reasons for v in verdicts(ratings))


def samples(values: Floats, target: Floats) -> Samples:
    cases = [VideoId(f"c{n // 2}", f"m{n % 2}", 0) for n in range(len(values))]
    names = tuple(f"x{n}" for n in range(values.shape[1]))
    return Samples(metrics=names, bounds={}, videos=tuple(cases), values=values, target=target)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("k > n", "10 videos cannot tell 12 weights apart"),
        ("duplicate", "two of the metrics say the same"),
        ("constant", "metrics with one value for all videos: 1"),
        ("negative", "no metric rises with the ratings"),
        ("equal ratings", "people gave every video the same"),
    ],
)
def test_fault_38_weights_that_cannot_be_told_are_equal_with_the_reason(
    how: str, reason: str
) -> None:
    random = np.random.default_rng(0)
    values = random.random((10, 12) if how == "k > n" else (40, 3))
    target = values.sum(axis=1) + random.normal(0, 0.1, len(values))
    if how == "duplicate":
        values[:, 2] = values[:, 0]
    elif how == "constant":
        values[:, 1] = 0.5
    elif how == "negative":
        target = -target
    elif how == "equal ratings":
        target = np.full(len(values), 3.0)
    held = samples(values, target)
    found = fit(values, target, 0.01)
    assert set(found.weights) == {1 / values.shape[1]}
    assert found.reason == reason
    assert found.slope >= 0
    result = validate(held)
    assert result.reason == reason
    origin = Origin(date="2026-01-02", raters=2, ratings=80, left_out=(), profile="lite")
    recipe = parse(to_toml(fitted_recipe(held, result, origin)))
    assert recipe.title == f"equal weights: {reason}"
    assert set(recipe.weights.values()) == {1 / values.shape[1]}
