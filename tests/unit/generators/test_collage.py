"""The collage: the same clip for the same seed, every element visible, clean cut-outs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from a2bench.generators.collage import Collage
from a2bench.generators.cutout import cut_out
from a2bench.keys import file_sha256
from a2bench.pictures import Frame, Rgba
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Element, Role
from a2bench.video import probe

pytestmark = pytest.mark.slow

SMALL = Collage(width=128, height=80, frames=9)
RED, YELLOW, GREEN, BLUE = (200, 30, 30), (230, 220, 40), (30, 200, 60), (20, 30, 120)


def element(folder: Path, name: str, role: Role, pixels: NDArray[np.uint8]) -> Element:
    path = folder / f"{name}.png"
    Image.fromarray(pixels).save(path)
    return Element(id=name, role=role, image=path, sha256=file_sha256(path), name=name)


def person(folder: Path, name: str = "person") -> Element:
    """A red bust with a yellow face, cut out."""
    pixels = np.zeros((200, 200, 4), np.uint8)
    cv2.ellipse(pixels, (100, 200), (95, 70), 0, 0, 360, (*RED, 255), -1)
    cv2.circle(pixels, (100, 80), 60, (*RED, 255), -1)
    cv2.circle(pixels, (100, 80), 40, (*YELLOW, 255), -1)
    return element(folder, name, "character", pixels)


def thing(folder: Path, name: str = "thing") -> Element:
    """A green square, cut out."""
    return element(folder, name, "object", np.full((64, 64, 4), (*GREEN, 255), np.uint8))


def place(folder: Path) -> Element:
    return element(folder, "place", "background", np.full((60, 100, 3), BLUE, np.uint8))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    elements = (person(tmp_path), thing(tmp_path), place(tmp_path))
    return Case(id="one", prompt="A person and a thing.", elements=elements)


def found(frame: Frame, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    """The pixels of about a colour's chromaticity; the scene's light may dim it."""
    share = (frame + 1.0) / (frame + 1.0).sum(axis=-1, keepdims=True)
    wanted = (np.array(colour) + 1.0) / (sum(colour) + 3.0)
    near: NDArray[np.bool_] = np.abs(share - wanted).max(axis=-1) < 0.06
    return near


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    tmp_path: Path, case: Case
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        SMALL.generate(case, seed=seed, out=tmp_path / f"{name}.mp4")
    first, again, other = (probe(tmp_path / f"{name}.mp4") for name in "abc")
    assert first.sha256 == again.sha256 != other.sha256
    assert (first.width, first.height, first.frames, first.fps) == (128, 80, 9, 15.0)


@pytest.mark.parametrize("seed", range(6))
def test_face_and_object_are_whole_in_every_frame(case: Case, seed: int) -> None:
    frames = list(SMALL.render(case, seed=seed))
    # drawn at 0.95 to 1.05 times the usual size, and at 0.95 to 1 times that in the clip
    face_px = np.pi * (0.78 * 80 * 40 / 180) ** 2
    object_px = (0.30 * 80) ** 2
    for frame in frames:
        assert 0.70 * face_px < found(frame, YELLOW).sum() < 1.15 * face_px
        assert 0.65 * object_px < found(frame, GREEN).sum() < 1.15 * object_px
        assert found(frame, BLUE).mean() > 0.3


def test_the_person_walks_smoothly_and_far(case: Case) -> None:
    clip = Collage(width=128, height=80, frames=41)
    columns = [np.nonzero(found(f, YELLOW))[1].mean() for f in clip.render(case, seed=3)]
    steps = np.diff(columns)
    assert max(columns) - min(columns) > 0.25 * 128
    assert np.abs(steps).max() < 0.05 * 128
    assert np.abs(np.diff(steps)).max() < 1.0


@pytest.mark.parametrize(("people", "things"), [(0, 0), (1, 0), (0, 1), (3, 0), (2, 4)])
@pytest.mark.parametrize("with_place", [True, False])
def test_any_number_of_elements(tmp_path: Path, people: int, things: int, with_place: bool) -> None:
    elements = [person(tmp_path, f"person{i}") for i in range(people)]
    elements += [thing(tmp_path, f"thing{i}") for i in range(things)]
    elements += [place(tmp_path)] * with_place
    case = Case(id="any", prompt="Any.", elements=tuple(elements))
    for frame in Collage(width=128, height=80, frames=3).render(case, seed=0):
        assert frame.shape == (80, 128, 3) and frame.dtype == np.uint8
        parts = cv2.connectedComponents(found(frame, YELLOW).astype(np.uint8))[0] - 1
        assert parts == people
        assert found(frame, GREEN).any() == (things > 0)
        assert found(frame, BLUE).any() == with_place


def test_info_holds_the_parameters() -> None:
    assert SMALL.info.params == {"width": 128, "height": 80, "frames": 9, "fps": 15}
    assert SMALL.info.parallel
    assert repr(SMALL) == "Collage(width=128, height=80, frames=9, fps=15)"


def test_transparency_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((50, 40, 4), np.uint8)
    pixels[10:30, 5:25] = (*GREEN, 255)
    pixels[10:30, 15:25, 3] = 128
    np.testing.assert_array_equal(
        cut_out(element(tmp_path, "x", "object", pixels)), pixels[10:30, 5:25]
    )


def disc_over(ground: NDArray[np.uint8], colour: tuple[int, int, int]) -> tuple[Rgba, Rgba]:
    """A soft disc laid over a ground, and the disc alone: the known answer."""
    height, width = ground.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    alpha = np.clip(0.3 * height - np.hypot(y - height / 2, x - width / 2) + 0.5, 0, 1)[..., None]
    mixed = (alpha * np.array(colour) + (1 - alpha) * ground).round().astype(np.uint8)
    whole = np.broadcast_to(np.array(colour, np.uint8), ground.shape)
    return mixed, np.dstack([whole, (255 * alpha).round().astype(np.uint8)])


def shaded(colour: int) -> NDArray[np.uint8]:
    """A plain ground, darker to one side, with a little grain."""
    random = np.random.default_rng(0)
    shade = np.linspace(colour, colour - 30, 240)[:, None]
    pixels = shade + random.normal(0, 2, (240, 240, 3))
    return pixels.round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("role", ["character", "object"])
def test_a_plain_ground_leaves_neither_alpha_nor_colour(tmp_path: Path, role: Role) -> None:
    mixed, answer = disc_over(shaded(150), (230, 170, 120))
    cut = cut_out(element(tmp_path, "x", role, mixed))
    rows, columns = (np.flatnonzero((answer[..., 3] > 12).any(axis=axis)) for axis in (1, 0))
    answer = answer[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert np.abs(np.subtract(cut.shape[:2], answer.shape[:2])).max() <= 3
    cut = cv2.resize(cut, answer.shape[1::-1])
    assert np.abs(cut[..., 3].astype(float) - answer[..., 3]).mean() < 0.02 * 255
    rim = (cut[..., 3] > 50) & (cut[..., 3] < 250)
    assert rim.any()
    # no halo: half transparent pixels carry the subject's colour, not a mixture with the ground
    assert np.abs(cut[rim][:, :3].astype(float) - (230, 170, 120)).mean() < 12


def test_a_white_page_keeps_the_white_inside_the_subject(tmp_path: Path) -> None:
    mixed, _ = disc_over(np.full((240, 240, 3), 255, np.uint8), (40, 90, 200))
    mixed[95:145, 95:145] = 255
    cut = cut_out(element(tmp_path, "x", "object", mixed))
    middle = cut[cut.shape[0] // 2, cut.shape[1] // 2]
    assert middle.tolist() == [255, 255, 255, 255]
    assert cut[0, 0, 3] == 0


@pytest.mark.parametrize("seed", range(3))
def test_clutter_is_cut_away(tmp_path: Path, seed: int) -> None:
    blocks = np.random.default_rng(seed).integers(0, 140, (12, 12, 3), np.uint8)
    ground = cv2.resize(blocks, (240, 240), interpolation=cv2.INTER_NEAREST)
    mixed, answer = disc_over(ground, (240, 200, 60))
    alpha = cut_out(element(tmp_path, "x", "object", mixed))[..., 3]
    assert 0.95 < (alpha > 128).sum() / (answer[..., 3] > 128).sum() < 1.15


@pytest.mark.parametrize("shape", [(1, 1), (40, 30), (5, 300)])
def test_an_image_without_a_subject_is_shown_whole(tmp_path: Path, shape: tuple[int, int]) -> None:
    cut = cut_out(element(tmp_path, "x", "object", np.full((*shape, 3), 90, np.uint8)))
    assert cut.shape == (*shape, 4)
    assert (cut[..., 3] > 100).all()


@pytest.mark.parametrize("view", ["portrait", "selfie", "fullbody"])
def test_photographs_of_people_are_cut_to_the_person(view: str) -> None:
    people = [e for e in load_suite("a2bench-open").references if e.view == view][:3]
    assert len(people) == 3
    for photograph in people:
        alpha = cut_out(photograph)[..., 3]
        height, width = alpha.shape
        assert 0.7 < height / width < 1.6
        assert 0.35 < (alpha > 128).mean() < 0.85
        assert (alpha[: height // 12, : width // 12] < 30).mean() > 0.95
        assert (alpha[: height // 12, -width // 12 :] < 30).mean() > 0.95
        body = alpha[height // 2 :, width * 2 // 5 : width * 3 // 5]
        assert (body > 250).mean() > 0.97


def test_a_case_of_the_suite_moves_beyond_the_dynamic_threshold() -> None:
    """VBench's rule: in 10 of 40 pairs the fastest 5 % move over 6 min(h, w) / 256 px."""
    case = load_suite("a2bench-open").cases[0]
    frames = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in Collage().render(case, seed=0)][::2]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    fast = 0
    for before, after in zip(frames[:-1:2], frames[1::2], strict=True):
        speed = np.linalg.norm(flow.calc(before, after, None), axis=-1).ravel()
        fastest = np.sort(speed)[-int(0.05 * speed.size) :]
        fast += int(fastest.mean() > 6 * 480 / 256)
    assert 2 * fast >= 20
