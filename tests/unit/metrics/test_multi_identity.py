from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from a2bench.errors import NotApplicable
from a2bench.metrics.extractors.faces import Faces
from a2bench.metrics.id_consistency import IdConsistency
from a2bench.metrics.multi_identity import MultiIdentity
from a2bench.types import Measurement
from tests.helpers.faces import faces
from tests.helpers.fakes import Canned, measure
from tests.helpers.makers import make_case


def score(tmp_path: Path, given: Faces, missing: Any = "zero") -> Measurement:
    metric = MultiIdentity(faces=Canned(features=given), missing=missing)
    return measure(metric, make_case(tmp_path))


def test_the_worst_character_of_each_frame_is_averaged(tmp_path: Path) -> None:
    got = score(tmp_path, faces([[(0.9, 0.1), (0.2, 0.5)], [(0.7, 0.0), (0.1, 0.8)]], characters=2))
    assert got.detail["similarities"] == [[0.9, 0.5], [0.7, 0.8]]
    assert got.value == pytest.approx((0.5 + 0.7) / 2)
    assert got.detail["mean"] == pytest.approx((0.9 + 0.5 + 0.7 + 0.8) / 4)
    assert got.detail["detection_rate"] == 1.0


def test_the_most_similar_pair_is_taken_first(tmp_path: Path) -> None:
    # greedy: 0.9 leaves 0.1; the best assignment, that of id_consistency, has 0.8 and 0.7
    given = faces([[(0.9, 0.8), (0.7, 0.1)]], characters=2)
    got = score(tmp_path, given)
    assert got.detail["similarities"] == [[0.9, 0.1]]
    assert got.value == pytest.approx(0.1)
    best = measure(IdConsistency(faces=Canned(features=given)), make_case(tmp_path))
    assert best.detail["minimum"] == pytest.approx(0.7)


def test_it_is_no_maximum_over_pairs(tmp_path: Path) -> None:
    # one face that looks like both characters shows one of them
    got = score(tmp_path, faces([[(0.9, 0.8)]], characters=2))
    assert got.detail["similarities"] == [[0.9, None]]
    assert got.value == 0.0
    assert got.detail["detection_rate"] == 0.5


def test_bystanders_do_not_count(tmp_path: Path) -> None:
    given = faces([[(0.0, 0.1), (0.9, 0.2), (0.3, 0.6), (-0.4, -0.3)]], characters=2)
    assert score(tmp_path, given).value == pytest.approx(0.6)


@pytest.mark.parametrize(("missing", "value"), [("zero", 0.3), ("skip", 0.6)])
def test_frames_without_a_face_count_zero_or_are_left_out(
    tmp_path: Path, missing: str, value: float
) -> None:
    got = score(tmp_path, faces([[(0.6, 0.1), (0.2, 0.7)], []], characters=2), missing)
    assert got.value == pytest.approx(value)
    assert got.detail["detection_rate"] == 0.5


@pytest.mark.parametrize("missing", ["zero", "skip"])
def test_a_video_without_a_face_is_zero(tmp_path: Path, missing: str) -> None:
    assert score(tmp_path, faces([[], []], characters=2), missing).value == 0


def test_nobody_is_never_better_than_somebody_else(tmp_path: Path) -> None:
    def got(*frame: tuple[float, ...]) -> Measurement:
        return score(tmp_path, faces([list(frame)], characters=2, stranger=0.5))

    right, other, stray, resembling = (0.9, 0.4), (0.4, 0.8), (0.4, 0.3), (0.3, 0.6)
    assert got(right, other).value == pytest.approx(0.6)
    assert got(right, resembling).value == pytest.approx(0.2)
    for frame in ((), (right,), (stray, stray), (right, stray)):  # a minimum: one is enough
        assert got(*frame).value == 0
    assert got(right).detail["mean"] == pytest.approx(0.4)
    assert got(stray, stray).detail["mean"] == 0


def test_a_case_that_cannot_be_measured_does_not_apply(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="no face in the reference of p2"):
        score(tmp_path, faces([[(0.9, 0.0)]], characters=2, faceless=("p2",)))
    metric = MultiIdentity(faces=Canned(features=faces([], characters=0)))
    with pytest.raises(NotApplicable, match="no character"):
        measure(metric, make_case(tmp_path, roles=("object",)))


def test_the_definition() -> None:
    metric = MultiIdentity(faces=Canned(features=faces([])), recogniser="curricular")
    assert metric.info.name == "multi_identity_curricular"
    assert (metric.info.low, metric.info.high) == (0.0, 1.0)
    assert metric.info.params == {"missing": "zero"}
    with pytest.raises(ValueError, match="'zero' or 'skip'"):
        MultiIdentity(faces=Canned(features=faces([])), missing="drop")  # type: ignore[arg-type]
