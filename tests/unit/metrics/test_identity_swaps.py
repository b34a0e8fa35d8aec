"""Two people who exchange places, or do not: with faces that are given, and with dlib's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from a2bench.boxes import Box, overlap
from a2bench.errors import NotApplicable
from a2bench.faces.dlib_faces import DlibFaces
from a2bench.features import FeatureBank
from a2bench.metrics.extractors.faces import Face, FaceExtractor, FaceFrame, Faces
from a2bench.metrics.identity_swaps import IdentitySwaps
from a2bench.pictures import Frame, over_white, read_rgba, resized
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Measurement, Role
from a2bench.video import encode, probe
from tests.helpers.fakes import Canned, measure
from tests.helpers.makers import make_case

Places = Sequence[tuple[float | None, float | None]]
"""In each frame the left edges of A's and B's faces; None where one is not seen."""

A, B = (0.8, 0.3), (0.25, 0.7)


def face(left: float, similarities: tuple[float, ...]) -> Face:
    return Face(box=(left, 0.0, left + 100, 100.0), score=1.0, similarities=similarities)


def seen(places: Places) -> Faces:
    frames = []
    for number, pair in enumerate(places):
        found = [face(at, who) for at, who in zip(pair, (A, B), strict=True) if at is not None]
        frames.append(FaceFrame(index=10 * number, faces=tuple(found)))
    return Faces(frames=tuple(frames), characters=2)


def swaps(tmp_path: Path, faces: Faces) -> Measurement:
    case = make_case(tmp_path, roles=("character", "background"))
    (other,) = make_case(tmp_path, "two", roles=("character",)).elements
    both = Case(id="c", prompt="p", elements=(*case.elements, other))
    return measure(IdentitySwaps(faces=Canned(features=faces)), both)


STAND: list[tuple[float, float]] = [(0, 300)] * 4
KNOWN: dict[str, tuple[Places, list[int]]] = {
    "both stay": (STAND * 2, []),
    "swap midway": (STAND + [(300, 0)] * 4, [40]),
    "swap and back": (STAND + [(300, 0)] * 4 + STAND, [40, 80]),
    "swap in every frame": ([(0, 300), (300, 0)] * 3, [10, 20, 30, 40, 50]),
    "swap while one is not seen": ([*STAND, (0, None), (300, 0), (300, 0)], [50]),
    "swap while they sway": ([(0, 300), (20, 290), (300, 10), (280, 15)], [20]),
    "walk past each other": ([(0, 400), (100, 300), (200, 200), (300, 100), (400, 0)], []),
    "walk past, seen apart": ([(0, 450), (150, 300), (300, 150), (450, 0)], []),
    "walk past, hidden on the way": ([(0, 400), (100, 300), (None, 200), (300, 100)], []),
    "one leaves and comes back": ([*STAND, (0, None), (0, 300)], []),
    "one takes the other's place": ([*STAND, (300, None), (300, 600)], []),
    "seen once": ([(0, 300), (None, 0), (300, None)], []),
    "never seen": ([(None, None)] * 4, []),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_swaps_are_counted_and_walks_are_not(tmp_path: Path, kind: str) -> None:
    places, frames = KNOWN[kind]
    found = swaps(tmp_path, seen(places))
    assert (found.value, found.detail["frames"]) == (len(frames), frames)
    assert found.detail["seen"] == sum(None not in pair for pair in places)


def test_a_face_that_may_be_either_shows_nobody(tmp_path: Path) -> None:
    frames = [
        FaceFrame(index=i, faces=(face(0, first), face(300, second)))
        for i, (first, second) in enumerate([(A, B), ((0.5, 0.55), (0.55, 0.5)), (A, B)])
    ]
    found = swaps(tmp_path, Faces(frames=tuple(frames), characters=2))
    assert (found.value, found.detail["seen"]) == (0, 2)


def test_of_two_faces_of_one_character_the_surer_counts(tmp_path: Path) -> None:
    double = face(300, (0.6, 0.2))
    frames = [
        FaceFrame(index=0, faces=(face(0, A), face(300, B))),
        FaceFrame(index=1, faces=(double, face(0, A), face(600, B))),
    ]
    assert swaps(tmp_path, Faces(frames=tuple(frames), characters=2)).value == 0


@pytest.mark.parametrize("roles", [("object",), ("character", "object")])
def test_a_case_of_fewer_than_two_characters_is_not_applicable(
    tmp_path: Path, roles: tuple[Role, ...]
) -> None:
    case = make_case(tmp_path, roles=roles)
    with pytest.raises(NotApplicable, match="fewer than two characters"):
        measure(IdentitySwaps(faces=Canned(features=seen(STAND))), case)


def test_a_reference_without_a_face_is_not_applicable(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="no face in the reference of p2"):
        swaps(tmp_path, Faces(frames=(), characters=2, faceless=("p2",)))


@pytest.mark.parametrize(
    ("other", "shared"),
    [((0, 0, 4, 4), 1.0), ((2, 0, 6, 4), 1 / 3), ((4, 0, 8, 4), 0.0), ((9, 9, 10, 10), 0.0)],
)
def test_the_overlap_of_boxes(other: Box, shared: float) -> None:
    assert overlap((0, 0, 4, 4), other) == pytest.approx(shared)


def stage(left: Frame, right: Frame) -> Frame:
    """Two photographs side by side, 832x480."""
    frame = np.full((480, 832, 3), 255, np.uint8)
    for picture, start in ((left, 0), (right, 416)):
        scale = min(416 / picture.shape[1], 480 / picture.shape[0])
        shown = resized(picture, (int(picture.shape[1] * scale), int(picture.shape[0] * scale)))
        frame[: shown.shape[0], start : start + shown.shape[1]] = shown
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("pair", [("p001", "p002"), ("p004", "p007")])
def test_people_in_photographs_who_exchange_places_midway(
    tmp_path: Path, pair: tuple[str, str]
) -> None:
    """References are portraits, the film shows selfies."""
    known = {(e.subject, e.view): e for e in load_suite("a2bench-open").references}
    case = Case(id="c", prompt="p", elements=tuple(known[who, "portrait"] for who in pair))
    one, other = (over_white(read_rgba(known[who, "selfie"])) for who in pair)
    metric = IdentitySwaps(faces=FaceExtractor(finder=DlibFaces(), sampling="linspace-4"))
    for name, second, value in (("keep", stage(one, other), 0), ("swap", stage(other, one), 1)):
        path = tmp_path / f"{name}.mp4"
        encode(path, [stage(one, other)] * 4 + [second] * 4)
        found = metric.score(case, FeatureBank(case, probe(path), metric.extractors))
        assert (found.value, found.detail["seen"]) == (value, 4)
