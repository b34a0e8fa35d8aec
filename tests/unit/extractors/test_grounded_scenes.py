from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2bench.boxes import Boxes
from a2bench.errors import NotApplicable
from a2bench.features import FeatureBank
from a2bench.keys import file_sha256
from a2bench.metric import metric_identity, missing_files
from a2bench.metrics.background_consistency import BackgroundConsistency
from a2bench.metrics.extractors.scenes.base import Scenes
from a2bench.metrics.extractors.scenes.grounded import (
    GREY,
    GroundedScenes,
    cut_out,
    filled,
    squared,
)
from a2bench.metrics.extractors.scenes.grounding import Found
from a2bench.metrics.extractors.scenes.segmentation import Masks
from a2bench.metrics.object_consistency import ObjectConsistency
from a2bench.networks.files import LocalWeights, Weights
from a2bench.pictures import Frame
from a2bench.types import Case, Element, Json, Role
from a2bench.video import encode, probe
from tests.helpers.fakes import NO_VIDEO, Canned, Histogram, measure

RED, GREEN, BLUE, SKIN = (230, 20, 20), (20, 200, 20), (20, 20, 220), (240, 180, 150)
SKY, SAND = (120, 190, 250), (150, 130, 40)
COLOURS = {"cup": RED, "ball": GREEN, "hat": BLUE, "person": SKIN}
Box = tuple[int, int, int, int]


def close(frame: Frame, colour: Sequence[int]) -> Masks:
    near: Masks = np.abs(frame.astype(int) - np.array(colour)).max(axis=-1) < 50
    return near


@dataclass
class ColourDetector:
    """Finds a phrase by its colour; each column of apart pixels is a box."""

    colours: Mapping[str, Sequence[int]] = field(default_factory=lambda: dict(COLOURS))
    params: Mapping[str, Json] = field(default_factory=lambda: {"detector": "colour"})
    files: tuple[Weights, ...] = ()
    captions: list[list[str]] = field(default_factory=list)

    def find(self, frame: Frame, phrases: Sequence[str]) -> list[Found]:
        self.captions.append(list(phrases))
        return [self._found(frame, phrase) for phrase in phrases]

    def _found(self, frame: Frame, phrase: str) -> Found:
        if phrase not in self.colours:
            return Found(np.zeros((0, 4)), np.zeros(0, np.float32))
        mask = close(frame, self.colours[phrase])
        columns = np.flatnonzero(mask.any(axis=0))
        boxes = []
        for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
            rows = np.flatnonzero(mask[:, run].any(axis=1))
            if len(rows):
                boxes.append([run[0], rows[0], run[-1] + 1, rows[-1] + 1])
        scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
        return Found(np.array(boxes, np.float64).reshape(-1, 4), scores)


@dataclass
class ColourSegmenter:
    """A mask is what in the box has the colour of its middle."""

    params: Mapping[str, Json] = field(default_factory=lambda: {"segmenter": "colour"})
    files: tuple[Weights, ...] = ()
    calls: list[int] = field(default_factory=list)

    def masks(self, frame: Frame, boxes: Boxes) -> Masks:
        self.calls.append(len(boxes))
        masks = np.zeros((len(boxes), *frame.shape[:2]), np.bool_)
        for mask, box in zip(masks, boxes.astype(int), strict=True):
            left, top, right, bottom = box
            colour = frame[(top + bottom) // 2, (left + right) // 2]
            mask[top:bottom, left:right] = close(frame, colour)[top:bottom, left:right]
        return masks


def extractor(**options: str | int) -> GroundedScenes:
    parts = GroundedScenes(detector=ColourDetector(), segmenter=ColourSegmenter(), clip=Histogram())
    return replace(parts, **options)  # type: ignore[arg-type]


def element(
    folder: Path, role: Role, name: str, colour: Sequence[int], subject: str = ""
) -> Element:
    """A plain background, or a square of the colour on a white page."""
    pixels = np.full((24, 40, 3), colour if role == "background" else (255, 255, 255), np.uint8)
    pixels[6:18, 10:30] = colour
    image = folder / f"{role}-{name}-{colour}.png"
    Image.fromarray(pixels).save(image)
    return Element(
        id=image.stem,
        role=role,
        image=image,
        sha256=file_sha256(image),
        name=name,
        subject=subject or image.stem,
    )


def frame_with(*parts: tuple[Box, Sequence[int]], ground: Sequence[int] = SKY) -> Frame:
    frame = np.full((48, 64, 3), ground, np.uint8)
    for (left, top, right, bottom), colour in parts:
        frame[top:bottom, left:right] = colour
    return frame


def look(scenes: GroundedScenes, frames: Sequence[Frame], *elements: Element) -> Scenes:
    consumer = scenes.start(Case(id="c", prompt="p", elements=elements), NO_VIDEO)
    for index, frame in enumerate(frames):
        consumer.push(index, frame)
    return consumer.finish()


CUP, BALL, PERSON = (4, 10, 24, 22), (30, 4, 42, 16), (44, 2, 60, 46)


def test_the_right_object_beats_a_wrong_one(tmp_path: Path) -> None:
    cup = element(tmp_path, "object", "cup", RED)
    right, wrong = frame_with((CUP, RED)), frame_with((CUP, RED))
    wrong[10:16, 4:24] = (170, 20, 20)  # still found as a cup, but half of another colour
    both = look(extractor(), [right, wrong], cup)
    (one,), (other,) = (frame.objects for frame in both.frames)
    assert one is not None and one.box == CUP and one.similarity == pytest.approx(1)
    assert other is not None and other.similarity < 0.95


def test_a_missing_object_is_none_and_counts_zero_or_is_skipped(tmp_path: Path) -> None:
    cup, ball = (element(tmp_path, "object", *pair) for pair in (("cup", RED), ("ball", GREEN)))
    seen = look(extractor(), [frame_with((CUP, RED)), frame_with()], cup, ball)
    (found, absent), empty = (frame.objects for frame in seen.frames)
    assert found and found.similarity == pytest.approx(1) and absent is None
    assert empty == (None, None)
    case = Case(id="c", prompt="p", elements=(cup, ball))
    got = measure(ObjectConsistency(scenes=Canned(features=seen)), case)
    assert got.value == pytest.approx(0.25) and got.detail["detection_rate"] == 0.25
    skipping = ObjectConsistency(scenes=Canned(features=seen), missing="skip")
    got = measure(skipping, case)
    assert got.value == pytest.approx(1) and got.detail["detection_rate"] == 0.25
    assert got.detail["minimum"] == pytest.approx(1)
    nothing = replace(skipping, scenes=Canned(features=look(extractor(), [frame_with()], cup)))
    with pytest.raises(NotApplicable, match="no object in any sampled frame"):
        measure(nothing, replace(case, elements=(cup,)))


def test_missing_is_part_of_the_identity_only_where_it_changes_the_value() -> None:
    canned = Canned(features=Scenes(frames=(), backgrounds=()))
    assert metric_identity(ObjectConsistency(scenes=canned))["params"] == {}
    skipping = ObjectConsistency(scenes=canned, missing="skip")
    assert metric_identity(skipping)["params"] == {"missing": "skip"}
    with pytest.raises(ValueError, match="missing is 'zero' or 'skip'"):
        ObjectConsistency(scenes=canned, missing="drop")  # type: ignore[arg-type]


@pytest.mark.parametrize("fill", ["mean", "grey", "white"])
def test_people_and_objects_are_taken_out_of_the_background(tmp_path: Path, fill: str) -> None:
    frame = frame_with((CUP, RED), (PERSON, SKIN))
    scenes = extractor(fill=fill)
    elements = [
        element(tmp_path, "object", "cup", RED),
        element(tmp_path, "character", "Woman", SKIN),
        element(tmp_path, "background", "sky", SKY),
    ]
    (seen,) = look(scenes, [frame], *elements).frames
    assert isinstance(scenes.clip, Histogram)
    shown = scenes.clip.pictures[-1][-1]
    colour = {"mean": SKY, "grey": GREY, "white": (255, 255, 255)}[fill]
    assert (shown[close(frame, RED) | close(frame, SKIN)] == colour).all()
    assert (shown[close(frame, SKY)] == SKY).all()
    left = 1 - (20 * 12 + 16 * 44) / (64 * 48)
    assert seen.visible == pytest.approx(left) and seen.cells.shape == (1, 1, 64)


def test_the_right_background_beats_a_wrong_one_whoever_stands_in_it(tmp_path: Path) -> None:
    sky = element(tmp_path, "background", "sky", SKY)
    frames = [
        frame_with((PERSON, SKIN)),
        frame_with(((0, 0, 60, 48), SKIN)),
        frame_with((PERSON, SKIN), ground=SAND),
    ]
    frames.append(frame_with(((0, 0, 64, 47), SKIN)))  # a person covers all but one row
    seen = look(extractor(), frames, sky)
    metric = BackgroundConsistency(scenes=Canned(features=seen))
    got = measure(metric, Case(id="c", prompt="p", elements=(sky,)))
    assert got.detail["similarities"] == [1, 1, 0, None]
    assert got.value == pytest.approx(2 / 3)


def test_both_metrics_read_one_run_with_each_network_once_a_frame(tmp_path: Path) -> None:
    elements = (
        element(tmp_path, "object", "cup", RED),
        element(tmp_path, "object", "Ball", GREEN),
        element(tmp_path, "character", "person", SKIN),
        element(tmp_path, "background", "sky", SKY),
    )
    frame = frame_with((CUP, RED), (BALL, GREEN), (PERSON, SKIN))
    encode(tmp_path / "v.mp4", [frame] * 9)
    scenes = extractor(sampling="linspace-3")
    metrics = (ObjectConsistency(scenes=scenes), BackgroundConsistency(scenes=scenes))
    case = Case(id="c", prompt="p", elements=elements)
    bank = FeatureBank(case, probe(tmp_path / "v.mp4"), [scenes, scenes])
    values = [metric.score(case, bank).value for metric in metrics]
    assert values == pytest.approx([1, 1], abs=0.15)  # compression blurs the colours' edges
    assert isinstance(scenes.detector, ColourDetector) and isinstance(scenes.clip, Histogram)
    assert isinstance(scenes.segmenter, ColourSegmenter)
    assert scenes.detector.captions == [["cup", "ball", "person"]] * 3
    assert scenes.segmenter.calls == [3] * 3
    assert [len(p) for p in scenes.clip.pictures] == [1] * 3 + [3] * 3  # references, then frames
    assert bank.decodes == 1


def test_the_caption_names_objects_people_and_characters_once(tmp_path: Path) -> None:
    names: list[tuple[Role, str]] = [
        ("object", "Red  Cup"), ("object", "red cup"), ("character", "Robot"),
        ("character", "man"), ("character", "man"), ("background", "sky"),
    ]  # fmt: skip
    elements = [
        element(tmp_path, role, name, (10 * i, 90, 90)) for i, (role, name) in enumerate(names)
    ]
    scenes = extractor()
    look(scenes, [frame_with()], *elements)
    assert isinstance(scenes.detector, ColourDetector)
    assert scenes.detector.captions == [["red cup", "person", "robot", "man"]]


def test_objects_of_one_name_share_its_boxes(tmp_path: Path) -> None:
    dark = (190, 60, 60)
    cups = [element(tmp_path, "object", "cup", colour) for colour in (dark, RED)]
    frame = frame_with(((2, 4, 12, 16), RED), ((20, 4, 40, 16), dark))
    (first, second) = look(extractor(), [frame], *cups).frames[0].objects
    assert first and second
    assert first.box == (20, 4, 40, 16) and second.box == (2, 4, 12, 16)
    (one, none) = look(extractor(), [frame_with((CUP, RED))], *cups).frames[0].objects
    assert one is None and none is not None


def test_several_pictures_of_one_object_are_one_object_and_the_best_counts(tmp_path: Path) -> None:
    cups = [element(tmp_path, "object", "cup", colour, "my-cup") for colour in (BLUE, RED)]
    (region,) = look(extractor(), [frame_with((CUP, RED))], *cups).frames[0].objects
    assert region is not None and region.similarity == pytest.approx(1)


def test_references_are_embedded_once(tmp_path: Path) -> None:
    scenes = extractor()
    elements = [element(tmp_path, "object", "cup", RED), element(tmp_path, "background", "s", SKY)]
    for _ in range(2):
        look(scenes, [], *elements)
    assert isinstance(scenes.clip, Histogram)
    (cup,), (sky,) = scenes.clip.pictures
    assert cup.shape == (20, 20, 3) and (cup[4:16] == RED).all() and (cup[:4] == 255).all()
    assert sky.shape == (24, 40, 3)


def test_at_most_so_many_boxes_of_a_phrase_are_segmented() -> None:
    people = [((x, 0, x + 6, 48), SKIN) for x in range(0, 60, 10)]
    scenes = extractor(most_boxes=4)
    (seen,) = look(scenes, [frame_with(*people)]).frames
    assert isinstance(scenes.segmenter, ColourSegmenter) and scenes.segmenter.calls == [4]
    assert seen.visible == pytest.approx(1 - 4 * 6 / 64)


def test_a_cut_out_is_what_the_mask_shows_in_the_box() -> None:
    frame = frame_with((CUP, RED), ground=SAND)
    mask = close(frame, RED)
    mask[40:, :] = True  # outside the box
    picture = cut_out(frame, mask, (-3.5, 8.2, 30.7, 99.0 - 70))
    assert picture is not None and picture.shape == (20, 20, 3)
    assert (picture[4:16] == RED).all() and (picture[:4] == 255).all()
    assert cut_out(frame, mask, (30.0, 0.0, 60.0, 30.0)) is None
    assert cut_out(frame, mask, (90.0, 0.0, 99.0, 30.0)) is None


def test_squares_and_fills_of_extreme_frames() -> None:
    assert squared(np.zeros((1, 5, 3), np.uint8)).shape == (5, 5, 3)
    frame, all_of_it = frame_with(), np.ones((48, 64), np.bool_)
    assert (filled(frame, all_of_it, "mean") == GREY).all()
    assert (filled(frame, ~all_of_it, "white") == frame).all()


def test_frames_of_any_size_have_finite_values(tmp_path: Path) -> None:
    cup = element(tmp_path, "object", "cup", RED)
    for shape in ((1, 1), (1, 90), (31, 17)):
        for colour in (RED, SKIN, SAND):
            frame = np.full((*shape, 3), colour, np.uint8)
            (seen,) = look(extractor(), [frame], cup).frames
            assert np.isfinite(seen.cells).all() and 0 <= seen.visible.item() <= 1
            assert (seen.objects[0] is not None) == (colour == RED)


def test_identity_tells_what_changes_numbers(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for part in "ab":
        (tmp_path / part / "model.safetensors").write_text(part)
    one, other = (LocalWeights(path=tmp_path / part, licence=part) for part in "ab")
    scenes = GroundedScenes(
        detector=ColourDetector(files=(one,)),
        segmenter=ColourSegmenter(files=(other,)),
        clip=Histogram(),
    )
    info = scenes.info
    assert info.params == {
        "fill": "mean",
        "most_boxes": 8,
        "detector": {"detector": "colour"},
        "segmenter": {"segmenter": "colour"},
        "clip": {"clip": "histogram"},
    }
    assert set(info.weights) == {"detector/model.safetensors", "segmenter/model.safetensors"}
    assert len(set(info.weights.values())) == 2 and info.licence == "a; b"
    assert info.sampling == "linspace-16"
    with pytest.raises(ValueError, match="fill is 'mean'"):
        extractor(fill="black")


def test_missing_weights_are_told_before_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A2BENCH_CHECKPOINTS", str(tmp_path))
    told = missing_files([ObjectConsistency(scenes=GroundedScenes())])
    for name in ("grounding-dino-tiny", "sam-vit-base", "clip-vit-l-14"):
        assert any(f"a2bench checkpoints fetch {name}" in text for text in told)


def test_it_is_pickled_as_it_was_given() -> None:
    scenes = GroundedScenes(fill="grey")
    assert pickle.loads(pickle.dumps(scenes)) == scenes
