"""``a2bench selfcheck --profile paper`` finds out what is wrong with scenes, by colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import a2bench.cli.console
import a2bench.registry
import a2bench.suites.suite
from a2bench.cli import main
from a2bench.keys import file_sha256
from a2bench.metric import Profile
from a2bench.metrics.background_consistency import BackgroundConsistency
from a2bench.metrics.extractors.scenes import grounded
from a2bench.metrics.extractors.scenes.grounded import GroundedScenes
from a2bench.metrics.object_consistency import ObjectConsistency
from a2bench.pictures import Frame
from a2bench.selfcheck import Finding
from a2bench.types import Case, Element, Role, Suite
from tests.helpers.scenes import (
    BLUE,
    GREEN,
    RED,
    SKIN,
    ColourDetector,
    ColourSegmenter,
    MiddleSquare,
    middle_square,
)

pytestmark = pytest.mark.slow

YELLOW = (220, 220, 10)
THINGS = {"cup": RED, "ball": GREEN, "hat": BLUE, "star": YELLOW}
PLACES = [((120, 190, 250), (70, 40, 70)), ((10, 120, 130), (150, 130, 200)),
          ((40, 40, 40), (200, 130, 180)), ((130, 70, 140), (60, 110, 120))]  # fmt: skip
CENTRED = ("background_consistency", "centred beats swapped")
ABSENT = ("object_consistency", "objectless has less than half of collage")
PHOTOGRAPH = (
    "object_consistency",
    "a photograph of it is more like it than like one of another object",
)
Check = Callable[[str], dict[tuple[str, str], str]]


def element(folder: Path, role: Role, name: str, picture: Frame, subject: str = "") -> Element:
    path = folder / f"{role}-{name}-{len(list(folder.iterdir()))}.png"
    Image.fromarray(picture).save(path)
    return Element(
        id=path.stem, role=role, image=path, sha256=file_sha256(path), name=name,
        subject=subject or path.stem,
    )  # fmt: skip


def figure(colour: Sequence[int], height: int, width: int) -> Frame:
    """A square of one colour in a transparent picture."""
    page = np.zeros((height + 20, width + 20, 4), np.uint8)
    page[10:-10, 10:-10] = (*colour, 255)
    return page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("selfcheck")


@pytest.fixture(scope="module")
def suite(folder: Path) -> Suite:
    """Four people, alike, with an object each before a place whose sides say what it is."""
    folder = folder / "suite"
    folder.mkdir()
    cases, others = [], []
    for number, ((name, colour), (left, right)) in enumerate(
        zip(THINGS.items(), PLACES, strict=True)
    ):
        person, other = (
            element(folder, "character", "person", figure(SKIN, height, 200), f"p{number}")
            for height in (200, 210 + number)
        )
        thing = element(folder, "object", name, figure(colour, 60 + 10 * number, 80))
        place = np.full((240, 416, 3), left, np.uint8)
        place[:, 208:] = right
        place[::8] //= 2
        background = element(folder, "background", "place", place)
        others.append(other)
        elements = (person, thing, background)
        cases.append(Case(id=f"c{number}", prompt="A person and a thing.", elements=elements))
    references = tuple(e for case in cases for e in case.elements)
    return Suite(name="s", version="1", cases=tuple(cases), references=(*references, *others))


@pytest.fixture
def check(folder: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Runs the command; gives what was met of each expectation. The videos are made once."""
    found: list[Finding] = []

    def run(sampling: str) -> dict[tuple[str, str], str]:
        scenes = GroundedScenes(
            detector=ColourDetector(colours={**THINGS, "person": SKIN}, least=0.5),
            segmenter=ColourSegmenter(),
            clip=MiddleSquare(),
            sampling=sampling,
        )
        metrics = (ObjectConsistency(scenes=scenes), BackgroundConsistency(scenes=scenes))
        monkeypatch.setattr(a2bench.registry, "build_profile", lambda *_: Profile(metrics=metrics))
        words = ["--profile", "paper", "--store", str(folder / "store"), "--in-process"]
        assert main(["selfcheck", *words]) == 2  # colours cannot tell a restaged object
        return {(f.metric, f.text): f.result for f in found}

    monkeypatch.setattr(a2bench.suites.suite, "load_suite", lambda _: suite)
    monkeypatch.setattr(a2bench.cli.console, "findings", found.extend)
    return run


def test_the_command_tells_right_from_wrong_and_finds_out_what_sees_less(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = check("linspace-3")
    assert [got[one] for one in (CENTRED, ABSENT)] == ["4 of 4 cases"] * 2
    assert got[PHOTOGRAPH] == "4 of 4 objects"
    for metric in ("object_consistency", "background_consistency"):
        assert got[metric, "collage beats swapped"] == "4 of 4 cases"

    # as it was: the middle square alone, and photographs whole
    monkeypatch.setattr(grounded, "squares", lambda frame: [middle_square(frame)])
    monkeypatch.setattr(GroundedScenes, "_segmented", lambda *_: None)
    got = check("linspace-2")
    assert got[CENTRED] in ("0 of 4 cases", "1 of 4 cases")
    assert got[PHOTOGRAPH] == "0 of 4 objects"
