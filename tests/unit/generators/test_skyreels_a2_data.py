"""Composed clips, and clips of a camera by injected models; no reference of the benchmark."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from a2bench.errors import CannotRun
from a2bench.generators.skyreels_a2.conditioning import letterbox
from a2bench.generators.skyreels_a2.training import clips_composed as data
from a2bench.generators.skyreels_a2.training import clips_real as clips
from a2bench.generators.skyreels_a2.training import pictures
from a2bench.generators.skyreels_a2.training.clips_composed import MOTIONS, PLACES, Composer
from a2bench.generators.skyreels_a2.training.pictures import Benchmark
from a2bench.metrics.extractors.scenes.grounding import GroundingDino
from a2bench.metrics.extractors.scenes.segmentation import Sam
from a2bench.pictures import Frame
from a2bench.types import ROLES
from tests.helpers import ROOT

MANIFEST = ROOT / "references" / "manifest.csv"
SIZE = (112, 64)


def draw_subject(path: Path, colour: str, side: int = 96) -> None:
    image = Image.new("RGBA", (side, side))
    ImageDraw.Draw(image).ellipse((8, 8, side - 9, side - 9), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures as the packages lay them out: a person, a stamp, a scene."""
    emoji, stamps = tmp_path / "fluent-emoji-3d" / "assets", tmp_path / "stamps" / "food"
    draw_subject(emoji / "1f469.webp", "purple")
    draw_subject(stamps / "plum.png", "blue")
    (stamps / "plum.txt").write_text("A plum.\n", encoding="utf-8")
    scene = np.zeros((360, 640, 3), np.uint8)
    scene[..., 1] = np.linspace(80, 250, 640)
    Image.fromarray(scene).save(tmp_path / "GreenHills.png")
    return tmp_path


@pytest.fixture
def nothing() -> Benchmark:
    return Benchmark(sha256=frozenset(), names=frozenset(), sources=())


def composer(folder: Path, benchmark: Benchmark, frames: int = 9) -> Composer:
    return Composer(pictures=pictures.find(folder, benchmark), size=SIZE, frames=frames)


def test_roles_and_names_follow_from_where_a_picture_lies(folder: Path, nothing: Benchmark) -> None:
    found = {(p.role, p.name) for p in pictures.find(folder, nothing)}
    assert found == {("character", "woman"), ("object", "a plum"), ("background", "green hills")}


def test_a_picture_without_transparency_and_a_small_scene_are_left_out(
    folder: Path, nothing: Benchmark
) -> None:
    Image.new("RGB", (96, 96), "red").save(folder / "stamps" / "food" / "plum.png")
    Image.new("RGB", (300, 200), "red").save(folder / "GreenHills.png")
    assert {p.role for p in pictures.find(folder, nothing)} == {"character"}


def test_no_reference_of_the_benchmark_is_taken_by_its_bytes(folder: Path) -> None:
    with MANIFEST.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        target = folder / "wallpapers" / f"other-name-{row['sha256'][:8]}"
        target.parent.mkdir(exist_ok=True)
        original = MANIFEST.parent / row["file"]
        target.with_suffix(original.suffix).write_bytes(original.read_bytes())
    found = pictures.find(folder, Benchmark.read(MANIFEST))
    assert not [p for p in found if "other-name" in p.path.name]
    assert len(found) == 3


@pytest.mark.parametrize(
    "place",
    [
        "fluent-emoji-3d/assets/1f9f8.webp",  # the file that teddy_bear was made from
        "stamps/food/any.png",  # named as one of its objects
        "wallpapers/BytheWater/contents/images/2560x1600.png",
        "backgrounds/life_by_Aitzol_Berasategi.png",
    ],
)
def test_no_reference_of_the_benchmark_is_taken_by_its_name(folder: Path, place: str) -> None:
    draw_subject(folder / place, "brown", side=700)
    (folder / place).with_suffix(".txt").write_text("Teddy bear.\n", encoding="utf-8")
    nothing = Benchmark(sha256=frozenset(), names=frozenset(), sources=())
    assert len(pictures.find(folder, nothing)) == 4
    assert len(pictures.find(folder, Benchmark.read(MANIFEST))) == 3


@pytest.mark.slow
def test_a_download_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match="apt-get download tuxpaint-stamps-default failed"):
        pictures.fetch(tmp_path)


def test_a_clip_follows_from_its_number_alone(folder: Path, nothing: Benchmark) -> None:
    one, other = composer(folder, nothing), composer(folder, nothing)
    other.draw(8)
    first, second = one.draw(7), other.draw(7)
    assert np.array_equal(first.video, second.video)
    assert first.prompt == second.prompt
    assert not np.array_equal(first.video, one.draw(9).video)


def test_what_stands_still_is_its_reference_moved_by_whole_latents(
    folder: Path, nothing: Benchmark
) -> None:
    alone = replace(
        composer(folder, nothing, frames=1), size=(224, 128), mixes=(("object",),), shares=(1,)
    )
    numbers = [n for n in range(40) if alone.plan(n).motions[0].words == "stays still"]
    triplet = alone.draw(numbers[0])
    page = np.asarray(letterbox(triplet.references[0].image, 224, 128)).astype(int)
    seen, shown = (page != 255).any(axis=-1), (triplet.video[0] != 128).any(axis=-1)
    assert np.count_nonzero(np.roll(seen, 48, axis=1) != shown) < 0.05 * np.count_nonzero(seen)
    inside = np.roll(seen, 48, axis=1) & shown
    apart = np.abs(np.roll(page, 48, axis=1) - triplet.video[0])[inside]
    assert np.mean(apart) < 4


def test_references_stand_in_the_order_of_the_model(folder: Path, nothing: Benchmark) -> None:
    drawn = [composer(folder, nothing, frames=1).draw(number) for number in range(30)]
    orders = {tuple(one.role for one in triplet.references) for triplet in drawn}
    assert ("character", "object", "background") in orders
    assert len(orders) >= 3
    assert all(order == tuple(sorted(order, key=ROLES.index)) for order in orders)


@pytest.mark.parametrize("motion", MOTIONS, ids=lambda motion: motion.words)
def test_a_subject_moves_as_is_said(motion: data.Motion) -> None:
    cutout = np.zeros((40, 40, 4), np.uint8)
    cutout[..., 0], cutout[..., 3] = 255, 255
    video = np.zeros((9, *SIZE[::-1], 3), np.float32)
    data._add(video, cutout, PLACES["object"][0], motion)
    first, last = (_where(video[index, ..., 0] > 128) for index in (0, -1))
    moved = np.subtract(last[:2], first[:2]) / SIZE
    assert moved == pytest.approx((motion.right, motion.down), abs=0.02)
    larger = (1 + motion.larger / 2) / (1 - motion.larger / 2)
    assert last[2] / first[2] == pytest.approx(larger**2, rel=0.15)


def _where(mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean()), float(mask.sum())


class Squares:
    """Finds one red square: detector, segmenter, embedder and captioner of a made-up video."""

    def find(self, frame: Frame, phrases: Sequence[str]) -> list[SimpleNamespace]:
        return [SimpleNamespace(boxes=self._box(frame)) for _ in phrases]

    def masks(self, frame: Frame, boxes: clips.Boxes) -> clips.Masks:
        del boxes
        return _red(frame)[None]

    def embed(self, picture: Frame) -> data.Floats:
        """The blue in it turns with the frame's number."""
        angle = float(picture[..., 2][_red(picture)].mean()) / 100
        return np.array([np.cos(angle), np.sin(angle)], np.float32)

    def describe(self, clip: data.Video) -> clips.Caption:
        del clip
        return clips.Caption(text="a square moves", subjects={"a square": "object"})

    def _box(self, frame: Frame) -> clips.Boxes:
        rows, columns = np.nonzero(_red(frame))
        if not len(rows):
            return np.zeros((0, 4))
        ends = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        return np.array([ends], np.float64)


def _red(frame: Frame) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = (frame[..., 0] > 200) & (frame[..., 1] < 50)
    return mask


def film(blues: Sequence[int], background: int) -> data.Video:
    video = np.full((len(blues), 48, 64, 3), background, np.uint8)
    for index, (frame, blue) in enumerate(zip(video, blues, strict=True)):
        frame[16:32, 4 + index : 20 + index] = (255, 0, blue)
    return video


TOOLS = clips.Tools(
    captioner=Squares(), detector=Squares(), segmenter=Squares(), embedders={"object": Squares()}
)
RULES = clips.Rules(shortest=5, looks=5, likeness=(0.5, 0.99))


def test_a_video_is_cut_where_its_picture_changes() -> None:
    video = np.concatenate([film([0] * 6, 90), film([0] * 8, 200), film([0] * 3, 20)])
    assert [len(part) for part in clips.cut(video, RULES)] == [6, 8]


def test_a_reference_is_alike_and_no_copy() -> None:
    (triplet,) = clips.triplets(film([0, 20, 40, 60, 80], 90), TOOLS, RULES)
    subject = np.asarray(triplet.references[0].image)
    assert triplet.prompt == "a square moves"
    assert [one.role for one in triplet.references] == ["object", "background"]
    assert (subject[..., 0] == 255).all()
    assert not _red(np.asarray(triplet.references[1].image)).any()


@pytest.mark.parametrize("blues", [[50] * 5, [0, 160, 0, 160, 0]], ids=["copies", "mixed"])
def test_copies_are_filtered(blues: list[int]) -> None:
    assert not list(clips.triplets(film(blues, 90), TOOLS, RULES))


def test_another_clip_is_preferred() -> None:
    video = np.concatenate([film([0, 20, 40, 60, 80], 90), film([30, 50, 70, 90, 100], 200)])
    found = list(clips.triplets(video, TOOLS, RULES))
    seen = [one.references[0].image.getpixel((8, 8)) for one in found]
    assert seen[0][2] in {30, 50, 70, 90, 100}  # type: ignore[index]
    assert seen[1][2] in {0, 20, 40, 60, 80}  # type: ignore[index]


def test_a_clip_without_its_subject_gives_nothing() -> None:
    assert not list(clips.triplets(np.full((6, 48, 64, 3), 90, np.uint8), TOOLS, RULES))


def test_the_models_of_the_metrics_fit() -> None:
    """Their types are what is tested, by mypy: they are injected as they are."""
    tools = replace(TOOLS, detector=GroundingDino(), segmenter=Sam())
    assert isinstance(tools.detector, GroundingDino)
    assert isinstance(tools.segmenter, Sam)
