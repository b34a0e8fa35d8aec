from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from a2bench.errors import NotApplicable
from a2bench.metrics.extractors.faces import Face, FaceFrame, Faces
from a2bench.metrics.face_resemblance import FaceResemblance
from a2bench.types import Measurement
from tests.helpers.faces import faces
from tests.helpers.fakes import Canned, measure
from tests.helpers.makers import make_case


def score(tmp_path: Path, given: Faces, missing: Any = "zero") -> Measurement:
    metric = FaceResemblance(faces=Canned(features=given), missing=missing)
    return measure(metric, make_case(tmp_path))


def test_the_value_is_the_mean_cosine_over_frames_and_no_stranger_counts(tmp_path: Path) -> None:
    got = score(tmp_path, faces([[(0.9,)], [(0.2,)], [(-0.3,)]]))
    assert got.value == pytest.approx((0.9 + 0.2 + 0) / 3)
    assert got.detail["similarities"] == [[0.9], [0.2], [-0.3]]


@pytest.mark.parametrize("missing", ["zero", "skip"])
def test_a_video_without_a_face_is_no_better_than_one_of_a_stranger(
    tmp_path: Path, missing: str
) -> None:
    assert score(tmp_path, faces([[], []]), missing).value == 0
    assert score(tmp_path, faces([[(-0.1,)], [(-0.3,)]]), missing).value == 0


def test_the_largest_face_counts_not_the_surest_nor_the_most_similar(tmp_path: Path) -> None:
    small = Face(box=(0, 0, 20, 50), score=0.9, similarities=(0.8,))
    large = Face(box=(50, 0, 90, 40), score=0.6, similarities=(0.1,))
    frame = FaceFrame(index=0, faces=(small, large))
    assert score(tmp_path, Faces(frames=(frame,), characters=1)).value == pytest.approx(0.1)


@pytest.mark.parametrize(("missing", "value"), [("zero", 0.4), ("skip", 0.8)])
def test_frames_without_a_face_count_zero_or_are_left_out(
    tmp_path: Path, missing: str, value: float
) -> None:
    got = score(tmp_path, faces([[(0.8,)], []]), missing)
    assert got.value == pytest.approx(value)
    assert got.detail["detection_rate"] == 0.5


def test_several_characters_do_not_apply(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="2 characters, not one"):
        score(tmp_path, faces([[(0.9, 0.1)]], characters=2))


def test_the_definition() -> None:
    metric = FaceResemblance(faces=Canned(features=faces([])), recogniser="facexlib")
    assert metric.info.name == "face_resemblance_facexlib"
    assert (metric.info.low, metric.info.high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="'zero' or 'skip'"):
        FaceResemblance(faces=Canned(features=faces([])), missing="drop")  # type: ignore[arg-type]
