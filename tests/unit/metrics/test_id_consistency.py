from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from a2bench.errors import NotApplicable
from a2bench.metrics.extractors.faces import Faces
from a2bench.metrics.id_consistency import IdConsistency
from a2bench.types import Measurement
from tests.helpers.faces import faces
from tests.helpers.fakes import Canned, measure
from tests.helpers.makers import make_case


def score(tmp_path: Path, given: Faces, missing: Any = "zero") -> Measurement:
    metric = IdConsistency(faces=Canned(features=given), missing=missing)
    return measure(metric, make_case(tmp_path))


def test_the_value_is_the_mean_over_frames(tmp_path: Path) -> None:
    got = score(tmp_path, faces([[(0.9,)], [(0.5,)], [(0.1,)]]))
    assert got.value == pytest.approx(0.5)
    assert got.detail["similarities"] == [[0.9], [0.5], [0.1]]
    assert got.detail["frames"] == [0, 10, 20]


def test_the_best_of_several_faces_is_the_character(tmp_path: Path) -> None:
    assert score(tmp_path, faces([[(0.2,), (0.8,), (0.3,)]])).value == pytest.approx(0.8)


def test_characters_and_faces_are_matched_one_to_one_for_the_greatest_sum(tmp_path: Path) -> None:
    # taking the best pair first (0.9) would leave 0.1: 1.0 in all; the best assignment has 1.5
    got = score(tmp_path, faces([[(0.9, 0.8), (0.7, 0.1)]], characters=2))
    assert got.detail["similarities"] == [[0.7, 0.8]]
    assert got.value == pytest.approx(0.75)
    assert got.detail["minimum"] == pytest.approx(0.7)


def test_one_face_shows_one_character_and_the_other_counts_zero(tmp_path: Path) -> None:
    got = score(tmp_path, faces([[(0.9, 0.8)], [(0.6, 0.4), (0.3, 0.8)]], characters=2))
    assert got.detail["similarities"] == [[0.9, None], [0.6, 0.8]]
    assert got.value == pytest.approx((0.9 + 0 + 0.6 + 0.8) / 4)
    assert got.detail["minimum"] == pytest.approx((0 + 0.6) / 2)
    assert got.detail["detection_rate"] == 0.75


@pytest.mark.parametrize(("missing", "value"), [("zero", 0.4), ("skip", 0.8)])
def test_frames_without_a_face_count_zero_or_are_left_out(
    tmp_path: Path, missing: str, value: float
) -> None:
    got = score(tmp_path, faces([[(0.8,)], []]), missing)
    assert got.value == pytest.approx(value)
    assert got.detail["detection_rate"] == 0.5
    assert got.detail["similarities"] == [[0.8], [None]]


def test_policies_other_than_zero_and_skip_are_refused() -> None:
    with pytest.raises(ValueError, match="'zero' or 'skip'"):
        IdConsistency(faces=Canned(features=faces([])), missing="drop")  # type: ignore[arg-type]


def test_the_policy_is_part_of_the_definition() -> None:
    metric = IdConsistency(faces=Canned(features=faces([])), missing="skip")
    assert metric.info.params == {"missing": "skip"}


def test_a_metric_with_one_reference_without_a_face_does_not_apply(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="no face in the reference of p2"):
        score(tmp_path, faces([[(0.9, 0.0)]], characters=2, faceless=("p2",)))


def test_several_recognisers_stand_side_by_side() -> None:
    faces_by_cosine = Canned(features=faces([]))
    infos = [
        IdConsistency(faces=faces_by_cosine, recogniser=name).info
        for name in ("", "facexlib", "curricular")
    ]
    names = ["id_consistency", "id_consistency_facexlib", "id_consistency_curricular"]
    assert [info.name for info in infos] == names
    assert {(info.low, info.high) for info in infos} == {(0.0, 1.0)}


@pytest.mark.parametrize(
    ("stranger", "value"), [(0.0, (0 + 0.2 + 0.6 + 1) / 4), (0.5, (0 + 0 + 0.2 + 1) / 4)]
)
def test_a_similarity_counts_from_that_of_a_stranger_on(
    tmp_path: Path, stranger: float, value: float
) -> None:
    got = score(tmp_path, faces([[(-0.2,)], [(0.2,)], [(0.6,)], [(1.0,)]], stranger=stranger))
    assert got.value == pytest.approx(value)
    assert got.detail["similarities"] == [[-0.2], [0.2], [0.6], [1.0]]


@pytest.mark.parametrize("missing", ["zero", "skip"])
@pytest.mark.parametrize(
    ("stranger", "right", "wrong"), [(0.0, 0.45, -0.12), (0.0, 0.45, 0.08), (0.5, 0.8, 0.4)]
)
def test_nobody_is_never_better_than_somebody_else(
    tmp_path: Path, missing: str, stranger: float, right: float, wrong: float
) -> None:
    one, other, stray = (right, wrong), (wrong, right), (wrong, wrong)

    def value(*frame: tuple[float, ...]) -> float:
        return score(tmp_path, faces([list(frame)], 2, stranger=stranger), missing).value

    nobody, wrongs, half, mixed, both = (
        value(*frame) for frame in ((), (stray, stray), (one,), (one, stray), (one, other))
    )
    assert nobody == 0 <= value(stray) <= wrongs < half <= mixed < both
    assert half == pytest.approx(both / 2)


def test_strangers_do_not_move_the_matching(tmp_path: Path) -> None:
    # the sum of similarities is greatest (0.93) where neither face is like its character
    got = score(tmp_path, faces([[(0.7, 0.45), (0.48, 0.1)]], 2, stranger=0.5))
    assert got.detail["similarities"] == [[0.7, 0.1]]
    assert got.value == pytest.approx(0.2)


def test_of_faces_that_count_the_same_the_more_similar_is_matched(tmp_path: Path) -> None:
    got = score(tmp_path, faces([[(0.1, 0.2), (0.4, 0.3), (0.2, 0.4)]], 2, stranger=0.5))
    assert got.detail["similarities"] == [[0.4, 0.4]]
    assert got.value == 0


def test_a_video_without_a_face_is_zero_whatever_is_left_out(tmp_path: Path) -> None:
    for missing in ("zero", "skip"):
        got = score(tmp_path, faces([[], []]), missing)
        assert (got.value, got.detail["detection_rate"]) == (0, 0)
        assert got.detail["similarities"] == [[None], [None]]
