from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2bench.errors import NotApplicable
from a2bench.generators.collage import Collage
from a2bench.generators.controls import Noise, Objectless, Restaged
from a2bench.metrics.extractors.scenes.base import Region, SceneFrame, Scenes
from a2bench.metrics.extractors.scenes.lite0 import Lite0Scenes
from a2bench.metrics.object_consistency import ObjectConsistency
from a2bench.pictures import Frame, read_rgba, subject_only
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Element, Measurement, Suite
from tests.helpers.fakes import NO_VIDEO, Canned, measure
from tests.helpers.makers import make_case, make_element

pytestmark = pytest.mark.slow

LITE = Lite0Scenes()
NEAREST = Lite0Scenes(threshold=-1.0)
"""Finds what is most like the object, however little that is."""
Rows = list[list[float | None]]


@cache
def mini() -> Suite:
    return load_suite("a2bench-open:mini")


def look(frames: list[Frame], *references: Element, by: Lite0Scenes = NEAREST) -> Scenes:
    consumer = by.start(Case(id="c", prompt="p", elements=references), NO_VIDEO)
    for index, frame in enumerate(frames):
        consumer.push(index, frame)
    return consumer.finish()


def frame_of(generator: Collage, case: Case) -> Frame:
    return next(islice(generator.render(case, seed=0), 20, None))


def likeness(frame: Frame, case: Case) -> float:
    (region,) = look([frame], *case.of("object")).frames[0].objects
    assert region is not None
    return region.similarity


def scenes(rows: Rows) -> Scenes:
    """Scenes given as the similarity of each object in each frame."""
    return Scenes(
        frames=tuple(
            SceneFrame(
                index=10 * i,
                size=(64, 48),
                objects=tuple((s and Region(box=(1, 2, 3, 4), similarity=s)) or None for s in row),
                cells=np.zeros((2, 2, 1), np.float32),
                visible=np.ones((2, 2), np.float32),
            )
            for i, row in enumerate(rows)
        ),
        backgrounds=(),
    )


def score(tmp_path: Path, rows: Rows) -> Measurement:
    metric = ObjectConsistency(scenes=Canned(features=scenes(rows)))
    return measure(metric, make_case(tmp_path))


def test_the_value_is_the_mean_over_frames_and_objects(tmp_path: Path) -> None:
    got = score(tmp_path, [[0.9, 0.5], [0.7, -0.1]])
    assert got.value == pytest.approx(0.5)
    assert got.detail["minimum"] == pytest.approx(0.2)
    assert got.detail["similarities"] == [[0.9, 0.5], [0.7, -0.1]]
    assert got.detail["boxes"] == [[[1, 2, 3, 4]] * 2] * 2
    assert got.detail["frames"] == [0, 10]


def test_an_object_that_a_detector_did_not_find_counts_zero(tmp_path: Path) -> None:
    got = score(tmp_path, [[0.8], [None]])
    assert got.value == pytest.approx(0.4)
    assert got.detail["detection_rate"] == 0.5
    assert got.detail["boxes"] == [[[1, 2, 3, 4]], [None]]


def test_a_case_without_objects_is_not_applicable(tmp_path: Path) -> None:
    metric = ObjectConsistency(scenes=Canned(features=scenes([[]])))
    with pytest.raises(NotApplicable, match="no object"):
        measure(metric, make_case(tmp_path, roles=("character", "background")))


def test_the_right_object_beats_a_wrong_one_and_noise_even_restaged() -> None:
    case, other = mini().cases[:2]
    restaged = Restaged()
    restaged.prepare(mini())
    wrong = likeness(frame_of(Collage(), other), case)
    assert likeness(frame_of(Collage(), case), case) > wrong + 0.1
    assert likeness(frame_of(restaged, case), case) > wrong + 0.05
    assert likeness(frame_of(Noise(), case), case) < wrong - 0.1


def test_the_object_is_found_where_it_is() -> None:
    (bear,) = (e for e in load_suite("a2bench-open").references if e.id == "teddy_bear")
    frame = Image.new("RGB", (832, 480), (60, 100, 60))
    picture = Image.open(bear.image).convert("RGBA").resize((160, 160))
    frame.paste(picture, (500, 200), picture)
    (region,) = look([np.asarray(frame)], bear).frames[0].objects
    assert region is not None
    left, top, right, bottom = region.box
    assert (left + right) / 2 == pytest.approx(580, abs=50)
    assert (top + bottom) / 2 == pytest.approx(280, abs=50)
    assert region.similarity > 0.7


def small(element: Element, side_px: int, place: tuple[int, int]) -> Frame:
    """The background of a case with an object on it."""
    frame = Image.open(mini().cases[1].of("background")[0].image).convert("RGB")
    picture = Image.open(element.image).convert("RGBA").resize((side_px, side_px))
    frame.paste(picture, place, picture)
    return np.asarray(frame.resize((832, 480)))


@pytest.mark.parametrize("place", [(40, 300), (430, 215), (777, 60)])
def test_an_object_of_a_twentieth_of_the_width_is_found_and_a_wrong_large_one_is_less_like(
    place: tuple[int, int],
) -> None:
    (bear,) = mini().cases[4].of("object")
    (region,) = look([small(bear, 44, place)], bear, by=LITE).frames[0].objects
    assert region is not None
    left, top, right, bottom = region.box
    assert (left + right) / 2 == pytest.approx(place[0] + 22, abs=25)
    assert (top + bottom) / 2 == pytest.approx(place[1] + 22, abs=25)
    (wrong,) = mini().cases[1].of("object")
    (other,) = look([small(wrong, 200, (300, 200))], bear).frames[0].objects
    assert other is not None
    assert region.similarity > other.similarity + 0.05


def test_an_object_that_is_not_there_is_not_found_and_covers_nothing() -> None:
    case = mini().cases[4]
    found = 0
    for other in mini().cases:
        (seen,) = look([frame_of(Objectless(), other)], *case.of("object"), by=LITE).frames
        assert (seen.visible.min() == 1) == (seen.objects == (None,))
        found += seen.objects != (None,)
        (right,) = look([frame_of(Collage(), other)], *other.of("object"), by=LITE).frames
        assert right.objects != (None,)
    assert found <= 1  # a heap of leaves has .504 of a teddy bear


def test_several_pictures_of_one_object_are_one_object_and_the_best_counts() -> None:
    case = mini().cases[0]
    (right,), (wrong,) = case.of("object"), mini().cases[1].of("object")
    frame = frame_of(Collage(), case)
    both = look([frame], replace(wrong, subject=right.subject), right)
    (region,) = both.frames[0].objects
    assert region is not None
    assert region.similarity == pytest.approx(likeness(frame, case))
    assert len(look([frame], wrong, right).frames[0].objects) == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (47, 65)])
@pytest.mark.parametrize("level", [0, 255])
def test_plain_frames_of_any_size_have_finite_values(shape: tuple[int, int], level: int) -> None:
    frame = np.full((*shape, 3), level, np.uint8)
    seen = look([frame], *mini().cases[0].elements)
    (region,) = seen.frames[0].objects
    assert region is not None
    assert -1 <= region.similarity < 0.6
    assert np.isfinite(seen.frames[0].cells).all()


def test_plain_and_tiny_references_have_finite_values(tmp_path: Path) -> None:
    plain = make_element(tmp_path, "plain", "object")
    for size in ((1, 1), (300, 2)):
        Image.new("RGB", size, (255, 255, 255)).save(plain.image)
        reference = replace(plain, sha256=str(size))
        (region,) = look([np.zeros((48, 64, 3), np.uint8)], reference).frames[0].objects
        assert region is not None
        assert np.isfinite(region.similarity)


@pytest.mark.parametrize("page", [None, (255, 255, 255), (120, 120, 124)])
def test_the_subject_is_told_from_transparency_or_a_plain_page(
    tmp_path: Path, page: tuple[int, int, int] | None
) -> None:
    ball = Image.new("RGBA", (100, 80), (0, 0, 0, 0) if page is None else page)
    ball.paste((200, 30, 30), (20, 10, 60, 50))
    element = make_element(tmp_path, "ball", "object")
    ball.save(element.image)
    subject = subject_only(read_rgba(element))
    assert subject.shape == (40, 40, 4)
    assert (subject[..., 3] == 255).all()


def test_a_photograph_stays_whole(tmp_path: Path) -> None:
    element = make_element(tmp_path, "photo", "object")
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(element.image)
    assert subject_only(read_rgba(element)).shape == (30, 40, 4)


def test_an_extractor_is_sent_without_what_it_computed() -> None:
    look([np.zeros((48, 64, 3), np.uint8)], *mini().cases[0].elements)
    packed = pickle.dumps(LITE)
    assert len(packed) < 1000
    assert pickle.loads(packed) == LITE
