"""One detector and several recognisers, and faces compared with references."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from a2bench.faces.arcface import ArcFace
from a2bench.faces.detected import DetectedFaces
from a2bench.faces.models import Detection, Detector, Recogniser
from a2bench.faces.scrfd import Scrfd
from a2bench.features import FeatureBank
from a2bench.keys import file_sha256
from a2bench.metric import missing_files
from a2bench.metrics.extractors.faces import FaceExtractor
from a2bench.metrics.id_consistency import IdConsistency
from a2bench.networks.files import LocalWeights
from a2bench.pictures import Floats
from a2bench.types import Case, Element
from a2bench.video import encode, probe
from tests.golden.make_insightface import build_pack, picture
from tests.helpers.fakes import NO_VIDEO


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LocalWeights:
    return LocalWeights(path=build_pack(tmp_path_factory.mktemp("pack")), licence="none: random")


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (48, 64)])
def test_tiny_frames_are_searched(shape: tuple[int, int], pack: LocalWeights) -> None:
    faces = DetectedFaces(detector=Scrfd(weights=pack), recogniser=ArcFace(weights=pack))
    for face in faces.find(np.full((*shape, 3), 200, np.uint8), embed=True):
        assert np.isfinite([*face.box, *np.asarray(face.embedding)]).all()


class CountsScrfd(Scrfd):
    """Counts the images that it searches."""

    @cached_property
    def seen(self) -> list[tuple[int, ...]]:
        return []

    def search(self, image: Any) -> tuple[Detection, ...]:
        self.seen.append(image.shape)
        return super().search(image)


def test_one_search_of_a_frame_serves_several_recognisers(
    pack: LocalWeights, tmp_path: Path
) -> None:
    detector = CountsScrfd(weights=pack)
    arcface = DetectedFaces(detector=detector, recogniser=ArcFace(weights=pack))
    one = FaceExtractor(finder=arcface, sampling="all")
    two = replace(one, finder=replace(arcface, recogniser=Colour(weights=pack)))
    path = tmp_path / "video.mp4"
    encode(path, [picture(), picture()[::-1].copy(), picture()])
    bank = FeatureBank(Case(id="c", prompt="p", elements=()), probe(path), (one, two))
    assert [frame.index for frame in bank[one].frames] == [0, 1, 2]
    assert [len(frame.faces) for frame in bank[one].frames] == [
        len(frame.faces) for frame in bank[two].frames
    ]
    assert detector.seen == [(480, 832, 3)] * 3
    assert one.info.identity() != two.info.identity()


class Colour(Recogniser):
    """Embeds a face as the colour under the tip of its nose, less grey."""

    @property
    def params(self) -> dict[str, str]:
        return {"recogniser": "colour"}

    def vectors(self, image: Any, faces: Any) -> Floats:
        places = [points[2].astype(int) for points in faces]
        return np.array([image[y, x] for x, y in places], np.float32) - 128


class Markers(Detector):
    """Finds 8x8 blocks that are white in their first pixel; ``least`` px from every edge."""

    least: int = 0

    @property
    def params(self) -> dict[str, str]:
        return {"detector": "markers"}

    def search(self, image: Any) -> tuple[Detection, ...]:
        height, width = image.shape[:2]
        spots = np.argwhere((image == 255).all(axis=2))
        return tuple(
            Detection((x, y, x + 8, y + 8), 1.0, np.full((5, 2), (x + 4.0, y + 4.0)))
            for y, x in spots
            if min(x, y, width - x - 8, height - y - 8) >= self.least
        )


@pytest.fixture
def markers(tmp_path: Path) -> DetectedFaces:
    weights = LocalWeights(path=tmp_path)
    detector = Markers(weights=weights)
    return DetectedFaces(detector=detector, recogniser=Colour(weights=weights))


def marked(*faces: tuple[int, int, tuple[int, int, int]]) -> Any:
    """A grey picture of 64x48 with faces of a colour at (x, y)."""
    image = np.full((48, 64, 3), 128, np.uint8)
    for x, y, colour in faces:
        image[y : y + 8, x : x + 8] = colour
        image[y, x] = 255
    return image


def element(folder: Path, name: str, image: Any) -> Element:
    path = folder / f"{name}.png"
    Image.fromarray(image).save(path)
    return Element(id=name, role="character", image=path, sha256=file_sha256(path), name=name)


RED, CYAN, GREEN = (228, 128, 128), (28, 128, 128), (128, 228, 128)


@pytest.fixture
def people(tmp_path: Path) -> Iterator[tuple[Element, Element]]:
    yield (
        element(tmp_path, "red", marked((20, 20, RED))),
        element(tmp_path, "green", marked((20, 20, GREEN))),
    )


def look(faces: DetectedFaces, image: Any, *characters: Element) -> Any:
    case = Case(id="c", prompt="p", elements=characters)
    consumer = FaceExtractor(finder=faces).start(case, NO_VIDEO)
    consumer.push(0, image)
    return consumer.finish()


def test_similarities_are_cosines_from_minus_one_to_one(
    markers: DetectedFaces, people: tuple[Element, Element]
) -> None:
    frame = marked((0, 0, RED), (16, 0, CYAN), (32, 0, GREEN))
    got = look(markers, frame, *people)
    values = [face.similarities for face in got.frames[0].faces]
    assert np.array(values) == pytest.approx(np.array([(1, 0), (-1, 0), (0, 1)]), abs=1e-6)
    assert (got.characters, got.faceless) == (2, ())


def test_references_are_compared_and_embedded_once(
    markers: DetectedFaces, people: tuple[Element, Element]
) -> None:
    red, green = people
    assert markers.compare(red, red) == pytest.approx(1)
    assert markers.compare(red, green) == pytest.approx(0)
    assert markers.reference(red) is markers.reference(red)


def test_a_face_that_fills_its_reference_is_found_with_a_margin(
    markers: DetectedFaces, tmp_path: Path
) -> None:
    markers.detector.least = 4  # type: ignore[attr-defined]
    close_up = element(tmp_path, "close-up", marked((60 - 8, 0, RED)))
    nobody = element(tmp_path, "nobody", marked())
    assert markers.reference(close_up) == pytest.approx(np.array([1, 0, 0]))
    assert look(markers, marked((52, 0, RED)), close_up).frames[0].faces == ()
    assert look(markers, marked(), nobody).faceless == ("nobody",)
    assert markers.compare(close_up, nobody) is None


def test_most_faces_keeps_the_surest(markers: DetectedFaces) -> None:
    frame = marked((0, 0, RED), (16, 0, CYAN), (32, 0, GREEN))
    assert len(replace(markers, most_faces=2).find(frame, embed=True)) == 2


def test_the_definition_holds_detector_recogniser_and_weights(pack: LocalWeights) -> None:
    finder = DetectedFaces(detector=Scrfd(weights=pack), recogniser=ArcFace(weights=pack))
    faces = FaceExtractor(finder=finder)
    assert faces.info.params == {
        "detector": "scrfd-10g",
        "det_size": [640, 640],
        "threshold": 0.5,
        "overlap": 0.4,
        "recogniser": "arcface-w600k-r50",
        "most_faces": 8,
    }
    assert sorted(faces.info.weights) == ["det_10g.onnx", "w600k_r50.onnx"]
    assert faces.info.licence == "none: random"
    on_gpu = DetectedFaces(
        detector=Scrfd(weights=pack, device="cuda"), recogniser=ArcFace(weights=pack, device="cuda")
    )
    assert FaceExtractor(finder=on_gpu).info == faces.info


def test_faces_are_sent_without_what_they_loaded(pack: LocalWeights) -> None:
    faces = DetectedFaces(detector=Scrfd(weights=pack), recogniser=ArcFace(weights=pack))
    faces.find(picture(), embed=True)
    packed = pickle.dumps(faces)
    assert len(packed) < 1500
    again = pickle.loads(packed)
    assert FaceExtractor(finder=again).info == FaceExtractor(finder=faces).info
    assert len(again.find(picture(), embed=False)) == faces.most_faces


def test_missing_weights_say_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("A2BENCH_CHECKPOINTS", str(tmp_path))
    faces = FaceExtractor(finder=DetectedFaces(detector=Scrfd(), recogniser=ArcFace()))
    (told,) = missing_files([IdConsistency(faces=faces)])
    command = "a2bench checkpoints fetch buffalo_l --accept-licence insightface-non-commercial"
    assert command in told


def test_a_missing_package_says_what_to_type(pack: LocalWeights) -> None:
    class NeedsMore(Scrfd):
        requires = ("no_such_package==1",)

    faces = DetectedFaces(detector=NeedsMore(weights=pack), recogniser=ArcFace(weights=pack))
    assert faces.missing() == (
        "the package no_such_package==1 is not installed; pip install no_such_package==1",
    )
