from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    squares,
)
from a2bench.metrics.object_consistency import ObjectConsistency
from a2bench.networks.files import LocalWeights
from a2bench.pictures import Frame
from a2bench.types import Case, Element, Measurement, Role
from a2bench.video import encode, probe
from tests.helpers.fakes import NO_VIDEO, Canned, Histogram, measure
from tests.helpers.scenes import (
    BLUE,
    GREEN,
    RED,
    SKIN,
    ColourDetector,
    ColourSegmenter,
    MiddleSquare,
    close,
)

SKY, SAND = (120, 190, 250), (150, 130, 40)
Box = tuple[int, int, int, int]


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
    got = measure(nothing, replace(case, elements=(cup,)))
    assert (got.value, got.detail["detection_rate"], got.detail["minimum"]) == (0, 0, 0)


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
    left, right = scenes.clip.pictures[-1][-2:]  # the squares that cover 64x48
    shown = np.concatenate([left, right[:, 32:]], axis=1)
    colour = {"mean": SKY, "grey": GREY, "white": (255, 255, 255)}[fill]
    assert (shown[close(frame, RED) | close(frame, SKIN)] == colour).all()
    assert (shown[close(frame, SKY)] == SKY).all()
    stays = 1 - (20 * 12 + 16 * 44) / (64 * 48)
    assert seen.visible == pytest.approx(stays) and seen.cells.shape == (1, 1, 64)


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
    assert got.detail["similarities"] == [1, 1, 0, 0]
    assert got.value == pytest.approx(0.5)


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
    # two objects; the background, then each frame with its two objects: both in two squares
    assert [len(p) for p in scenes.clip.pictures] == [1, 1, 2, 4, 4, 4]
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
    (cup,), sky = scenes.clip.pictures
    assert cup.shape == (20, 20, 3) and (cup[4:16] == RED).all() and (cup[:4] == 255).all()
    assert [part.shape for part in sky] == [(24, 24, 3)] * 2


FOREST = (20, 90, 30)


def landscape(left: Sequence[int], right: Sequence[int], person: slice | None = None) -> Frame:
    """A wide frame: the left half, the right half, and a person from top to bottom."""
    frame = np.full((48, 96, 3), left, np.uint8)
    frame[:, 48:] = right
    if person:
        frame[:, person] = SKIN
    return frame


def place(folder: Path, name: str, picture: Frame) -> Element:
    image = folder / f"{name}.png"
    Image.fromarray(picture).save(image)
    return Element(
        id=name, role="background", image=image, sha256=file_sha256(image), name=name, subject=name
    )


@pytest.mark.parametrize("fill", ["mean", "grey", "white"])
def test_a_person_in_the_middle_of_a_wide_frame_hides_no_background(
    tmp_path: Path, fill: str
) -> None:
    scenes = extractor(clip=MiddleSquare(), fill=fill)  # type: ignore[arg-type]
    shown = landscape(SKY, FOREST, slice(24, 72))  # all of the middle square
    right = place(tmp_path, "right", landscape(SKY, FOREST))
    wrong = place(tmp_path, "wrong", landscape(SAND, BLUE))
    scores = [measured_background(scenes, shown, one) for one in (right, wrong)]
    values, visible = ([s.value for s in scores], [s.detail["visible"] for s in scores])
    assert values[0] > values[1] + 0.3 and values[1] < 0.1
    assert visible == pytest.approx([0.5, 0.5])
    seen = scenes.clip.pictures[-1]  # type: ignore[attr-defined]
    assert sum((close(p, SKY) | close(p, FOREST)).sum() for p in seen) == 48 * 48  # all that stays


def measured_background(scenes: GroundedScenes, frame: Frame, place: Element) -> Measurement:
    case = Case(id="c", prompt="p", elements=(place,))
    features = look(scenes, [frame], place)
    return measure(BackgroundConsistency(scenes=Canned(features=features)), case)


def test_a_square_counts_by_what_of_it_stays(tmp_path: Path) -> None:
    scenes = extractor(clip=MiddleSquare())  # type: ignore[arg-type]
    sky, mixed = (place(tmp_path, n, landscape(SKY, c)) for n, c in (("s", SKY), ("m", FOREST)))
    # a person before the right half: all that stays is sky, and the reference's forest is unseen
    aside = landscape(SKY, SKY, slice(48, 96))
    assert measured_background(scenes, aside, sky).value == pytest.approx(1)
    assert measured_background(scenes, aside, mixed).value == pytest.approx(0.5**0.5)
    # a quarter of the right half stays: its square counts a quarter
    (seen,) = look(scenes, [landscape(SKY, FOREST, slice(60, 96))], sky).frames
    assert isinstance(scenes.clip, MiddleSquare)
    left, right = scenes.clip.images(scenes.clip.pictures[-1])
    np.testing.assert_allclose(seen.cells[0, 0], (left + right / 4) / 1.25, atol=1e-6)
    assert seen.visible.item() == pytest.approx(60 / 96)


@pytest.mark.parametrize(
    ("shape", "starts"),
    [((48, 48), [0]), ((48, 49), [0, 1]), ((480, 832), [0, 352]), ((48, 96), [0, 48]),
     ((10, 26), [0, 8, 16]), ((26, 10), [0, 8, 16]), ((1, 3), [0, 1, 2])],
)  # fmt: skip
def test_squares_cover_a_picture_from_end_to_end(shape: tuple[int, int], starts: list[int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    parts = squares(picture)
    long = int(shape[1] > shape[0])
    assert [part[long].start for part in parts] == starts
    for part in parts:
        assert picture[part].shape == (min(shape), min(shape), 3)
        picture[part] = 1
    assert picture.all()


def photograph(folder: Path, name: str, colour: Sequence[int]) -> Element:
    """A square of the colour in a wide photograph: no transparency, and no plain page."""
    frame = np.full((48, 96, 3), SAND, np.uint8)
    frame[:, ::2] = FOREST
    frame[20:32, 60:80] = colour
    image = folder / f"photograph-{name}-{colour}.png"
    Image.fromarray(frame).save(image)
    return Element(
        id=image.stem, role="object", image=image, sha256=file_sha256(image), name=name,
        subject=image.stem,
    )  # fmt: skip


def test_the_object_of_a_photograph_is_cut_out_as_that_of_a_frame_is(tmp_path: Path) -> None:
    scenes = extractor()
    cup, cut = photograph(tmp_path, "Cup", RED), element(tmp_path, "object", "cup", RED)
    seen = look(scenes, [frame_with((CUP, RED))], cup)
    (region,) = seen.frames[0].objects
    assert region is not None and region.similarity == pytest.approx(1)
    assert seen.whole == () and scenes.compare(cup, cut) == pytest.approx(1)
    look(scenes, [], cup, cut)
    assert isinstance(scenes.detector, ColourDetector)
    assert isinstance(scenes.segmenter, ColourSegmenter) and isinstance(scenes.clip, Histogram)
    assert scenes.detector.captions == [["cup"], ["cup", "person"]]  # the reference once, a frame
    assert scenes.segmenter.calls == [1, 1]
    ((picture,), *_) = scenes.clip.pictures
    assert picture.shape == (20, 20, 3) and (picture[4:16] == RED).all()
    assert (picture[:4] == 255).all()


def test_a_photograph_in_which_nothing_of_the_name_is_found_stays_whole(tmp_path: Path) -> None:
    vase, cup = photograph(tmp_path, "vase", RED), photograph(tmp_path, "cup", RED)
    scenes = extractor(sampling="none")
    seen = look(scenes, [frame_with((CUP, RED))], vase, cup)
    assert seen.whole == (vase.id,)
    assert isinstance(scenes.clip, Histogram)
    (picture,) = scenes.clip.pictures[0]
    assert picture.shape == (96, 96, 3)
    with Image.open(vase.image) as image:
        assert (picture[24:72] == np.asarray(image)).all()
    labels = [mark.label for mark in scenes.marks(seen)[0]]
    assert f"reference {vase.id}: whole, no object found" in labels
    assert not any(f"reference {cup.id}" in label for label in labels)
    case = Case(id="c", prompt="p", elements=(vase, cup))
    got = measure(ObjectConsistency(scenes=Canned(features=seen)), case)
    assert got.detail["whole_references"] == [vase.id]
    only = look(scenes, [frame_with((CUP, RED))], cup)
    got = measure(ObjectConsistency(scenes=Canned(features=only)), replace(case, elements=(cup,)))
    assert "whole_references" not in got.detail


def test_references_of_other_roles_are_not_compared(tmp_path: Path) -> None:
    sky, cup = element(tmp_path, "background", "s", SKY), element(tmp_path, "object", "cup", RED)
    assert extractor().compare(sky, cup) is None is extractor().compare(sky, sky)
    blue = element(tmp_path, "object", "cup", BLUE)
    # 20x12 of the colour and 20x8 of white in each
    assert extractor().compare(cup, blue) == pytest.approx(160**2 / (240**2 + 160**2))


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
