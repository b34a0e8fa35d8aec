from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from a2bench.errors import CannotRun
from a2bench.ratings.judge_agreement import Rated
from a2bench.ratings.judge_agreement import read_ratings as judge_reads
from a2bench.ratings.opinions import differences, opinions, positions, qualities, without
from a2bench.ratings.reliability import screen
from a2bench.ratings.table import (
    ALL,
    COLUMNS,
    Answer,
    Rating,
    read,
    to_csv,
    votes,
)
from a2bench.types import VideoId
from tests.helpers.study_raters import CRITERIA, Study, simulate

FACE = CRITERIA[0]


@pytest.fixture(scope="module")
def study() -> Study:
    return simulate()


def rating(rater: str, model: str, score: int | None) -> Rating:
    answer = Answer.RATED if score is not None else Answer.DOES_NOT_APPLY
    video = VideoId("c1", model, 0)
    return Rating(rater=rater, video=video, criterion=FACE, score=score, answer=answer)


def test_what_is_written_is_read_again_and_the_judge_reads_it_too(tmp_path: Path) -> None:
    given = [
        replace(rating("a", "m", 4), position=2),
        replace(rating("b", "m", 5), time="2026-01-02T03:04:05+00:00"),
        rating("c", "m", None),
        replace(rating("d", "m", None), answer=Answer.CANNOT_PLAY),
    ]
    path = tmp_path / "r.csv"
    path.write_text(to_csv(given))
    assert read(path) == given
    assert judge_reads(path) == {Rated(VideoId("c1", "m", 0), FACE): [4, 5]}


def test_a_table_with_the_least_columns_is_read_and_a_vote_not_given_left_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r.csv"
    path.write_text(f"rater,case,model,criterion,score\na,c1,m,{FACE},3\nb,c1,m,{FACE},\n")
    assert read(path) == [rating("a", "m", 3)]


def test_every_fault_of_a_table_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    lines = [
        f"a,c1,m,0,{FACE},3,,,",
        f"a,c1,m,0,{FACE},4,,,",
        f"a,c1,m,0,{FACE},6,,,",
        f"b,c1,m,0,{FACE},3.5,,,",
        f"b,c1,m,0,{FACE},3,cannot_play,,",
        f"b,c1,m,0,{FACE},,maybe,,",
        f",c1,m,0,{FACE},3,,,",
        "b,c1,m,0,nose,3,,,",
        f"b,c1,m,x,{FACE},3,,,",
    ]
    path.write_text("\n".join([",".join(COLUMNS), *lines]))
    with pytest.raises(CannotRun) as error:
        read(path)
    faults = str(error.value).splitlines()
    assert [int(fault.split(":")[1]) for fault in faults] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert "rated this before" in faults[0]
    path.write_text("rater,case\n")
    with pytest.raises(CannotRun, match="model: the column is missing; found: rater, case"):
        read(path)


@pytest.mark.slow
def test_random_clickers_are_found_and_no_one_else() -> None:
    for seed in range(5):
        study = simulate(seed=seed)
        found = {one.rater: one for one in screen(study.ratings)}
        assert {name for name, one in found.items() if one.fault} == set(study.clickers)
        assert "correlates" in found[study.clickers[0]].fault


def test_who_always_gives_the_same_score_is_found(study: Study) -> None:
    lazy = [replace(r, score=5) if r.rater == "r05" else r for r in study.ratings]
    found = {one.rater: one.fault for one in screen(lazy)}
    assert found["r05"] == "always the same score"


def test_a_rater_whom_few_others_share_is_not_judged() -> None:
    found = screen([rating("a", "m", 3), rating("b", "m", 3)])
    assert [(one.shared, one.correlation, one.fault) for one in found] == [(1, None, "")] * 2


@pytest.mark.parametrize("seed", range(4))
def test_qualities_are_closer_to_the_truth_than_the_plain_mean(seed: int) -> None:
    study = simulate(seed=seed)
    ours = qualities(study.ratings)
    for criterion, held in votes(study.ratings).items():
        truth = np.array([study.truth[criterion, video] for video in held.videos])
        plain = np.nanmean(held.scores, axis=1)
        mine = np.array([ours[criterion][video] for video in held.videos])
        assert np.corrcoef(mine, truth)[0, 1] > np.corrcoef(plain, truth)[0, 1]
        assert np.std(mine - truth) < np.std(plain - truth)


def test_models_come_out_in_their_true_order_with_intervals_that_hold_the_truth(
    study: Study,
) -> None:
    found = [o for o in opinions(study.ratings) if o.criterion == ALL]
    assert [o.model for o in sorted(found, key=lambda o: o.mos.mean)] == ["m0", "m1", "m2", "m3"]
    for opinion in found:
        true = [v for (_, video), v in study.truth.items() if video.model == opinion.model]
        assert opinion.mos.low is not None
        assert opinion.mos.high is not None
        middle = math.fsum(true) / len(true) + 0.1  # noisy scores are cut at 1 and 5
        assert opinion.mos.low - 0.15 < middle < opinion.mos.high + 0.15
        assert (opinion.cases, opinion.videos, opinion.raters) == (60, 60, 16)


def test_the_mean_is_over_cases_and_answers_are_counted() -> None:
    first = [rating("a", "m", 1), rating("b", "m", 1)]
    seeds = [replace(r, video=VideoId("c2", "m", s), score=5) for r in first for s in (0, 1, 2)]
    found = opinions([*first, *seeds, rating("c", "m", None)])
    assert [o.criterion for o in found] == [FACE, ALL]
    assert found[0].mos.mean == pytest.approx(3.0)
    assert found[0].answers == {Answer.RATED: 8, Answer.DOES_NOT_APPLY: 1}
    assert (found[0].cases, found[0].videos) == (2, 4)


@pytest.mark.slow
def test_models_far_apart_differ_and_equal_ones_do_not(study: Study) -> None:
    found = {(d.criterion, d.first, d.second): d for d in differences(study.ratings)}
    assert len(found) == 4 * 6
    far = found[ALL, "m0", "m3"]
    assert far.difference.mean < -0.8
    assert far.adjusted < 0.05
    assert all(d.adjusted >= d.p_value for d in found.values())
    twins = [
        replace(r, video=r.video._replace(model=name))
        for r in study.ratings
        if r.video.model == "m1"
        for name in ("m1", "twin")
    ]
    assert {d.adjusted for d in differences(twins)} == {1.0}


def test_a_planted_position_effect_is_found_and_none_where_there_is_none(study: Study) -> None:
    assert all(p.adjusted > 0.05 for p in positions(study.ratings))
    pushed = [
        replace(r, score=min(5, (r.score or 0) + 1)) if r.position == 1 else r
        for r in study.ratings
    ]
    first, *others = positions(pushed)
    assert first.position == 1
    assert first.effect.mean > 0.5
    assert first.adjusted < 0.01
    assert all(p.effect.mean < 0.1 for p in others)
    assert positions([replace(r, position=None) for r in study.ratings]) == []


def test_raters_are_left_out_by_name(study: Study) -> None:
    kept = without(study.ratings, study.clickers)
    assert {r.rater for r in kept} == {r.rater for r in study.ratings} - set(study.clickers)
    with pytest.raises(CannotRun, match="no rater nobody"):
        without(study.ratings, ["nobody"])
