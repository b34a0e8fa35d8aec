from __future__ import annotations

from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from a2bench.errors import NotApplicable
from a2bench.faces.dlib_faces import DlibFaces
from a2bench.features import FeatureBank
from a2bench.generators.collage import Collage
from a2bench.generators.controls import Noise
from a2bench.metrics.background_consistency import BackgroundConsistency, body, likeness
from a2bench.metrics.extractors.faces import Face, FaceExtractor, FaceFrame, Faces
from a2bench.metrics.extractors.scenes.base import SceneFrame, Scenes, describe, described
from a2bench.metrics.extractors.scenes.lite0 import Lite0Scenes
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Measurement, Suite
from a2bench.video import encode, probe
from tests.helpers.fakes import Canned, measure
from tests.helpers.makers import make_case

Cells = NDArray[np.float32]
FULL = np.ones((4, 4), np.float32)
RANDOM = np.random.default_rng(0)
SCENE: Cells = RANDOM.normal(size=(4, 4, 8)).astype(np.float32)
WIDE: Cells = RANDOM.normal(size=(6, 9, 8)).astype(np.float32)
STRANGE: Cells = RANDOM.normal(size=(4, 4, 8)).astype(np.float32)
LITE = Lite0Scenes(sampling="linspace-2")
DLIB = FaceExtractor(finder=DlibFaces(), sampling="linspace-2")


@cache
def mini() -> Suite:
    return load_suite("a2bench-open:mini")


def scenes(*frames: tuple[Cells, Cells], references: tuple[Cells, ...] = (SCENE,)) -> Scenes:
    """Scenes of 400x400 given as cells and visible shares, and the references' cells."""
    return Scenes(
        frames=tuple(
            SceneFrame(index=i, size=(400, 400), objects=(), cells=cells, visible=visible)
            for i, (cells, visible) in enumerate(frames)
        ),
        backgrounds=tuple(describe(reference, FULL) for reference in references),
    )


def faces(*boxes: tuple[float, float, float, float]) -> Faces:
    """One frame with these faces."""
    found = tuple(Face(box=box, score=1.0, similarities=()) for box in boxes)
    return Faces(frames=(FaceFrame(index=0, faces=found),), characters=0)


def score(tmp_path: Path, given: Scenes, people: Faces | None = None) -> Measurement:
    seen = Canned(features=people) if people else None
    metric = BackgroundConsistency(scenes=Canned(features=given), faces=seen)
    return measure(metric, make_case(tmp_path))


def test_the_same_scene_has_one_and_the_value_is_the_mean(tmp_path: Path) -> None:
    got = score(tmp_path, scenes((SCENE, FULL), (STRANGE, FULL)))
    same, other = got.detail["similarities"]
    assert same == pytest.approx(1)
    assert other < 0.95
    assert got.value == pytest.approx((same + other) / 2, abs=1e-4)


def parts(cells: Cells) -> Scenes:
    """A frame of these cells, and SCENE as the reference, in ninths."""
    ninths = described(WIDE, np.ones((6, 9), np.float32), (3, 3))[0]
    frame = SceneFrame(
        index=0, size=(900, 600), objects=(), cells=cells, visible=np.ones((6, 9), np.float32)
    )
    return Scenes(frames=(frame,), backgrounds=(ninths,))


def test_where_things_are_within_a_part_does_not_matter(tmp_path: Path) -> None:
    moved = np.roll(SCENE, (1, 2), axis=(0, 1))
    assert score(tmp_path, scenes((moved, FULL))).value == pytest.approx(1)


@pytest.mark.parametrize(("by", "same"), [((0, 0), 9), ((2, 0), 6), ((0, 3), 6), ((0, -3), 6)])
def test_a_camera_may_pan_by_a_ninth(tmp_path: Path, by: tuple[int, int], same: int) -> None:
    """What has moved by one part, up, down or aside, is found again; what came in new is not."""
    panned = np.roll(WIDE, by, axis=(0, 1))
    value = score(tmp_path, parts(panned)).value
    least = score(tmp_path, parts(RANDOM.normal(size=WIDE.shape).astype(np.float32))).value
    assert (same + (9 - same) * 0.9 * least) / 9 <= value <= 1 + 1e-6


def test_parts_that_changed_places_are_not_the_scene(tmp_path: Path) -> None:
    shuffled = np.roll(WIDE.reshape(3, 2, 3, 3, 8), (1, 1), axis=(0, 2)).reshape(WIDE.shape)
    assert score(tmp_path, parts(WIDE)).value == pytest.approx(1)
    assert score(tmp_path, parts(shuffled)).value < 0.9


def test_a_part_of_which_less_than_a_quarter_is_visible_does_not_count() -> None:
    ninths = described(WIDE, np.ones((6, 9), np.float32), (3, 3))[0]
    visible = np.ones((6, 9), np.float32)
    changed = WIDE.copy()
    changed[:2, :3] = STRANGE[0, 0]
    assert likeness(changed, visible, ninths) < 0.95
    visible[:2, :3] = 0.2
    assert likeness(changed, visible, ninths) == pytest.approx(1)
    assert likeness(changed, np.full_like(visible, 0.2), ninths) < 0.95  # all count, if little


def test_what_an_object_covers_does_not_count(tmp_path: Path) -> None:
    covered = np.where(np.arange(4)[:, None] < 2, SCENE[0, 0], STRANGE).astype(np.float32)
    plain = np.broadcast_to(SCENE[0, 0], SCENE.shape)
    visible = FULL.copy()
    visible[:, 2:] = 0
    assert score(tmp_path, scenes((covered, FULL), references=(plain,))).value < 0.99
    got = score(tmp_path, scenes((covered, visible), references=(plain,)))
    assert got.detail["visible"] == 0.5


def test_what_a_person_covers_does_not_count(tmp_path: Path) -> None:
    with_person = SCENE.copy()
    with_person[:, 2:] = STRANGE[:, 2:]
    left_half = SCENE.copy()
    left_half[:, 2:] = SCENE[:, :2]
    given = scenes((with_person, FULL), references=(left_half,))
    beside = (280.0, 20.0, 330.0, 60.0)  # its body is the right half of the frame, to the bottom
    assert score(tmp_path, given).value < 0.99
    assert score(tmp_path, given, faces(beside)).value == pytest.approx(1)


def test_a_body_is_so_many_faces_wide_and_eleven_long() -> None:
    assert body((100, 50, 140, 90), 4.0) == (40, 10, 200, 450)
    assert body((100, 50, 140, 90), 2.0) == (80, 10, 160, 450)


@pytest.mark.parametrize(("face_px", "visible"), [(60, 0.4), (90, 0.325), (110, 0.45)])
def test_a_close_up_leaves_what_is_beside_a_narrower_body(
    tmp_path: Path, face_px: float, visible: float
) -> None:
    """Of a frame of 400 px: 4 faces, 3 and 2 wide; each leaves a fifth where wider ones do not."""
    face = (200 - face_px / 2, 0.0, 200 + face_px / 2, 60.0)
    plain = np.broadcast_to(SCENE[0, 0], SCENE.shape)
    got = score(tmp_path, scenes((plain, FULL), references=(plain,)), faces(face))
    assert got.value == pytest.approx(1)
    assert got.detail["visible"] == pytest.approx(visible, abs=0.04)  # cells are drawn in eighths


def test_the_best_of_several_backgrounds_counts(tmp_path: Path) -> None:
    given = scenes((SCENE, FULL), references=(STRANGE, SCENE))
    assert score(tmp_path, given).value == pytest.approx(1)


def test_a_frame_that_shows_no_background_counts_zero(tmp_path: Path) -> None:
    hidden = np.zeros_like(FULL)
    got = score(tmp_path, scenes((STRANGE, hidden), (SCENE, FULL), (SCENE, FULL), (SCENE, hidden)))
    assert got.value == pytest.approx(0.5)
    assert got.detail["similarities"] == [0, pytest.approx(1), pytest.approx(1), 0]
    assert got.detail["visible"] == pytest.approx(0.5)


def test_a_video_that_shows_no_background_has_zero(tmp_path: Path) -> None:
    got = score(tmp_path, scenes((SCENE, np.zeros_like(FULL)), (SCENE, np.zeros_like(FULL))))
    assert got.value == 0
    assert got.detail == {"visible": 0, "frames": [0, 1], "similarities": [0, 0]}


def test_a_case_without_a_background_is_not_applicable(tmp_path: Path) -> None:
    metric = BackgroundConsistency(scenes=Canned(features=scenes((SCENE, FULL))))
    with pytest.raises(NotApplicable, match="no background"):
        measure(metric, make_case(tmp_path, roles=("character", "object")))


def test_faces_of_other_frames_are_refused() -> None:
    with pytest.raises(ValueError, match=r"linspace-16.*linspace-8"):
        BackgroundConsistency(
            scenes=Lite0Scenes(sampling="linspace-8"), faces=FaceExtractor(finder=DlibFaces())
        )


@pytest.mark.slow
def test_the_right_background_beats_a_wrong_one_and_noise(tmp_path: Path) -> None:
    metric = BackgroundConsistency(scenes=LITE, faces=DLIB)
    case, other = mini().cases[1], mini().cases[2]

    def value(generator: Collage, shown: Case) -> float:
        path = tmp_path / f"{generator.name}-{shown.id}.mp4"
        encode(path, islice(generator.render(shown, seed=0), 0, 41, 20))
        return metric.score(case, FeatureBank(case, probe(path), metric.extractors)).value

    wrong = value(Collage(), other)
    assert value(Collage(), case) > wrong + 0.05
    assert value(Noise(), case) < wrong - 0.05
