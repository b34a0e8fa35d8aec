"""Grounding DINO and SAM from both published layouts, against the public code's recorded values."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.boxes import Boxes
from a2bench.errors import CannotRun, MetricError
from a2bench.metrics.extractors.scenes.grounded import GroundedScenes
from a2bench.metrics.extractors.scenes.grounding import GroundingDino
from a2bench.metrics.extractors.scenes.published_keys import (
    GROUNDING_DINO,
    renamed,
    sam_sizes,
)
from a2bench.metrics.extractors.scenes.segmentation import Masks, Sam
from a2bench.metrics.object_consistency import ObjectConsistency
from a2bench.networks.files import LocalWeights
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Floats, Frame
from a2bench.types import Case
from tests.golden.make_grounded import (
    BOXES,
    LONG_PX,
    PATH,
    PHRASES,
    SHORT_PX,
    SIZES,
    STEP,
    THRESHOLDS,
    picture,
)
from tests.helpers.checkpoints import (
    State,
    grounded_weights,
    hub_weights,
    write_detector,
    write_segmenter,
)
from tests.helpers.fakes import NO_VIDEO, Canned, Histogram, measure
from tests.helpers.makers import make_element

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector(tmp_path_factory.mktemp("hub") / "grounding-dino-tiny")


@pytest.fixture(scope="module")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same detector in the layout of ``groundingdino_swint_ogc.pth``."""
    path = tmp_path_factory.mktemp("own") / "groundingdino_swint_ogc.pth"
    unused = {"label_enc.weight": torch.zeros(3, 4), "bert.embeddings.position_ids": torch.ones(3)}
    state = {**grounded_weights("detector"), **unused}
    torch.save({"model": {f"module.{name}": values for name, values in state.items()}}, path)
    return path


@pytest.fixture(scope="module")
def segmenter_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam") / "sam_vit_b_01ec64.pth"
    torch.save(grounded_weights("segmenter"), path)
    return path


@pytest.fixture(scope="module")
def segmenter_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_segmenter(tmp_path_factory.mktemp("hub") / "sam-vit-base")


SPANS = [(1, 2), (3, 5), (6, 7)]
THRESHOLD = 0.64


def small(folder: Path, file: Path | None = None, threshold: float = THRESHOLD) -> GroundingDino:
    return GroundingDino(
        folder=LocalWeights(path=folder),
        weights=LocalWeights(path=file) if file else None,
        threshold=threshold,
        short_px=SHORT_PX,
        long_px=LONG_PX,
    )


@pytest.fixture(scope="module", params=["folder", "file"])
def detector(request: pytest.FixtureRequest, folder: Path, detector_file: Path) -> GroundingDino:
    return small(folder, detector_file if request.param == "file" else None)


@pytest.fixture(scope="module", params=["folder", "file"])
def segmenter(request: pytest.FixtureRequest, segmenter_folder: Path, segmenter_file: Path) -> Sam:
    path = segmenter_file if request.param == "file" else segmenter_folder
    return Sam(weights=LocalWeights(path=path))


def test_the_key_maps_are_exact() -> None:
    detector = hub_weights("detector")
    shared = {k for k in GOLDEN["folder"] if "bbox_embed" in k and k not in detector}
    assert {*detector, *shared} == set(GOLDEN["folder"])
    assert all(list(v.shape) == GOLDEN["folder"][k] for k, v in detector.items())
    assert len(hub_weights("segmenter")) == len(GOLDEN["layout"]["segmenter"])


@pytest.mark.parametrize("number", [0, 1])
def test_the_detector_is_the_public_one(detector: GroundingDino, number: int) -> None:
    golden, frame = GOLDEN["detections"][number], picture(*SIZES[number])
    assert list(detector._pixels(frame).shape) == golden["pixels"]
    caption = detector.caption(PHRASES)
    assert caption.tokens == golden["tokens"]
    assert caption.spans == SPANS
    probabilities, boxes = detector.forward(frame, caption.tokens)
    np.testing.assert_allclose(
        probabilities[:, : len(caption.tokens)], golden["probabilities"], atol=1e-4
    )
    assert not probabilities[:, len(caption.tokens) :].any()
    np.testing.assert_allclose(boxes, golden["boxes"], atol=1e-4)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("thresholds", [0, 1])
def test_the_public_codes_boxes_and_phrases_but_for_those_of_other_words(
    folder: Path, number: int, thresholds: int
) -> None:
    golden = GOLDEN["detections"][number]
    selected, (box, text) = golden["selected"][thresholds], THRESHOLDS[thresholds]
    rows = {tuple(box): row for row, box in enumerate(golden["boxes"])}
    public = {
        rows[tuple(b)]: p for b, p in zip(selected["boxes"], selected["phrases"], strict=True)
    }
    probabilities = np.array(golden["probabilities"], np.float32)
    best = probabilities.max(axis=1)
    words = [set(phrase.split()) for phrase in PHRASES]
    theirs = [{r for r, p in public.items() if mine & set(p.split())} for mine in words]
    # what a box shows is told as there: by the words over a threshold
    shown = small(folder, threshold=text).chosen(probabilities, SPANS)
    assert [{r for r in mine if best[r] > box} for mine in shown] == theirs
    # but a box counts by the phrase's own words, there by any token of the caption
    person, bear, man = small(folder, threshold=box).chosen(probabilities, SPANS)
    assert set(bear) == theirs[1] and 0 < len(bear) < len(rows)
    assert len(person) == len(man) == 0 < len(theirs[0])


def test_boxes_are_in_pixels_and_best_first(detector: GroundingDino) -> None:
    frame, golden = picture(*SIZES[0]), GOLDEN["detections"][0]
    person, bear, man = detector.find(frame, PHRASES)
    assert 1 < len(person.boxes) < len(bear.boxes) and len(man.boxes) == 0
    assert (np.diff(bear.scores) <= 0).all() and person.scores.min() > THRESHOLD
    best = np.argmax(np.array(golden["probabilities"])[:, 3:5].max(axis=1))
    x, y, width, height = golden["boxes"][best]
    box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    np.testing.assert_allclose(bear.boxes[0], np.multiply(box, [160, 90, 160, 90]), atol=0.02)


@dataclass(frozen=True, kw_only=True)
class Told(GroundingDino):
    """A detector whose network says what is given: for each box, what it thinks of each token."""

    answers: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = field(default=(), hash=False)

    def forward(self, frame: Frame, tokens: list[int]) -> tuple[Floats, Floats]:
        probabilities = np.zeros((len(self.answers), 256), np.float32)
        for row, (scores, _) in zip(probabilities, self.answers, strict=True):
            row[: len(scores)] = scores
        return probabilities, np.array([box for _, box in self.answers], np.float32)


@dataclass(frozen=True)
class WholeBoxes(Sam):
    """A segmenter whose masks are the boxes."""

    def masks(self, frame: Frame, boxes: Boxes) -> Masks:
        masks = np.zeros((len(boxes), *frame.shape[:2]), np.bool_)
        for mask, (left, top, right, bottom) in zip(masks, boxes.round().astype(int), strict=True):
            mask[top:bottom, left:right] = True
        return masks


LEFT, RIGHT = (0.25, 0.5, 0.4, 0.8), (0.75, 0.5, 0.3, 0.4)  # middle, width and height
#               [CLS] teddy bear  .    person .    man  .   [SEP]
OF_A_PERSON = ((0.10, 0.27, 0.27, 0.2, 0.85, 0.2, 0.6, 0.2, 0.1), LEFT)
OF_A_STOP = ((0.10, 0.28, 0.29, 0.9, 0.05, 0.9, 0.1, 0.9, 0.8), RIGHT)
OF_A_BEAR = ((0.10, 0.20, 0.31, 0.1, 0.05, 0.1, 0.1, 0.1, 0.1), RIGHT)


@pytest.mark.parametrize(
    ("answers", "bears"),
    [((OF_A_PERSON,), 0), ((OF_A_PERSON, OF_A_STOP), 0), ((OF_A_PERSON, OF_A_BEAR), 1)],
)
def test_a_box_of_something_else_is_not_the_object(
    folder: Path, tmp_path: Path, answers: Any, bears: int
) -> None:
    detector = Told(folder=LocalWeights(path=folder), answers=answers)
    frame = np.full((100, 200, 3), 90, np.uint8)
    bear, person, man = detector.find(frame, ["teddy bear", "person", "man"])
    assert len(bear.boxes) == bears
    np.testing.assert_allclose(person.boxes, [[10, 10, 90, 90]], atol=1e-4)
    assert person.scores == pytest.approx([0.85]) and man.scores == pytest.approx([0.6])

    scenes = GroundedScenes(detector=detector, segmenter=WholeBoxes(), clip=Histogram())
    elements = (
        replace(make_element(tmp_path, "bear", "object"), name="Teddy bear"),
        replace(make_element(tmp_path, "man", "character"), name="man"),
    )
    case = Case(id="c", prompt="p", elements=elements)
    consumer = scenes.start(case, NO_VIDEO)
    consumer.push(0, frame)
    seen = consumer.finish()
    got = measure(ObjectConsistency(scenes=Canned(features=seen)), case)
    assert got.detail["detection_rate"] == bears
    assert got.detail["boxes"] == ([[None]] if not bears else [[[120, 30, 180, 70]]])
    assert (got.value == 0) is (bears == 0)


def test_one_forward_a_frame(folder: Path) -> None:
    detector, calls = small(folder), []
    detector.network.model.backbone.register_forward_hook(lambda *_: calls.append("picture"))
    detector.network.model.text_backbone.register_forward_hook(lambda *_: calls.append("text"))
    detector.find(picture(*SIZES[0]), PHRASES)
    assert sorted(calls) == ["picture", "text"]


def test_captions(detector: GroundingDino) -> None:
    caption = detector.caption(["Mr. Man?", "", "CUPS"])
    assert caption.tokens == [101, 100, 203, 1012, 1012, 204, 205, 1012, 102]
    assert caption.spans == [(1, 3), (4, 4), (5, 7)]
    assert len(detector.find(picture(*SIZES[1]), ["", "man"])[0].boxes) == 0
    with pytest.raises(MetricError, match="names are 301 tokens; 256 can be read"):
        detector.caption(["man " * 299])


def test_the_segmenter_is_the_public_one(segmenter: Sam) -> None:
    golden, frame = GOLDEN["segments"], picture(*SIZES[0])
    coarse = segmenter.coarse(frame, np.array(BOXES))
    np.testing.assert_allclose(coarse.numpy(), golden["coarse"], atol=1e-4)
    fine = np.stack([segmenter.fine(one, frame).numpy() for one in coarse])
    np.testing.assert_allclose(fine[:, ::STEP, ::STEP], golden["fine"], atol=1e-4)
    masks = segmenter.masks(frame, np.array(BOXES))
    assert masks.shape == (3, *SIZES[0])
    assert masks.sum(axis=(1, 2)).tolist() == golden["areas"]


def test_one_encoding_and_one_decoding_a_frame(segmenter_file: Path) -> None:
    segmenter, calls = Sam(weights=LocalWeights(path=segmenter_file)), []
    segmenter.network.vision_encoder.register_forward_hook(lambda *_: calls.append("encoder"))
    segmenter.network.mask_decoder.register_forward_hook(lambda *_: calls.append("decoder"))
    assert segmenter.masks(picture(*SIZES[0]), np.zeros((0, 4))).shape == (0, *SIZES[0])
    assert calls == []
    segmenter.masks(picture(*SIZES[0]), np.array(BOXES))
    assert calls == ["encoder", "decoder"]


def test_sizes_of_segment_anything() -> None:
    sizes = sam_sizes(grounded_weights("segmenter"))
    assert sizes["vision_config"]["global_attn_indexes"] == [1]
    assert sizes["vision_config"]["window_size"] == 3
    assert sizes["vision_config"]["num_attention_heads"] == 2
    assert sizes["mask_decoder_config"]["num_hidden_layers"] == 2


KEYS = {"detector": "transformer.level_embed", "segmenter": "mask_decoder.iou_token.weight"}
FAULTS = ["missing: {}", "unexpected: (model.)?more", "of another shape: {}"]


def spoilt(state: State, key: str, fault: str) -> State:
    if fault.startswith("missing"):
        return {name: values for name, values in state.items() if name != key}
    return {**state, ("more" if fault.startswith("unexpected") else key): torch.zeros(7)}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_loads_whole_or_not_at_all(fault: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    networks: dict[str, Callable[[], Any]] = {
        "segmenter": lambda: Sam(weights=LocalWeights(path=path)).network,
        "detector": lambda: small(folder, path).network,
    }
    for name, load in networks.items():
        torch.save(spoilt(grounded_weights(name), KEYS[name], fault), path)
        key = KEYS[name].replace("transformer", "model")
        with pytest.raises(CannotRun, match=rf"weights.pth holds other .*; {fault.format(key)}$"):
            load()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_loads_whole_or_not_at_all(fault: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    config = {"model_type": "sam", **sam_sizes(grounded_weights("segmenter"))}
    (tmp_path / "config.json").write_text(json.dumps(config))
    key = KEYS["segmenter"]
    state = spoilt(hub_weights("segmenter"), key, fault)
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CannotRun, match=f"holds other .*; {fault.format(key)}$"):
        _ = Sam(weights=LocalWeights(path=tmp_path)).network


def test_other_files_are_refused(folder: Path, detector_file: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="holds no weights of Segment Anything"):
        _ = Sam(weights=LocalWeights(path=detector_file)).network
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    torch.save(hub_weights("detector"), tmp_path / "pytorch_model.bin")  # a pickle is not taken
    with pytest.raises(CannotRun, match="does not load"):
        _ = small(tmp_path).network


def test_they_are_pickled_without_the_network(folder: Path, segmenter_file: Path) -> None:
    for part in (small(folder), Sam(weights=LocalWeights(path=segmenter_file))):
        assert part.network is not None
        sent = pickle.dumps(part)
        assert len(sent) < 1000 and pickle.loads(sent) == part


def test_the_defaults_are_grounded_sams() -> None:
    ensure_torchvision()
    detector = GroundingDino()
    assert dict(detector.params) == {
        "detector": "grounding-dino",
        "threshold": 0.3,
        "short_px": 800,
        "long_px": 1333,
    }
    assert detector._pixels(np.zeros((480, 832, 3), np.uint8)).shape == (3, 769, 1332)


@pytest.mark.parametrize("network", ["detector", "segmenter"])
def test_a_folder_may_hold_shared_tensors_once_or_under_each_name(
    network: str, folder: Path, segmenter_folder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    if network == "detector":
        state = renamed(grounded_weights("detector"), GROUNDING_DINO)
        state = {name: values.clone() for name, values in state.items() if "pooler" not in name}
        assert set(state) == set(GOLDEN["folder"])
    else:
        state = hub_weights("segmenter")
        shared = state["shared_image_embedding.positional_embedding"]
        state["prompt_encoder.shared_embedding.positional_embedding"] = shared.clone()
    origin = folder if network == "detector" else segmenter_folder
    for file in origin.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    kinds: dict[str, Callable[[Path], Any]] = {
        "detector": lambda path: small(path).network,
        "segmenter": lambda path: Sam(weights=LocalWeights(path=path)).network,
    }
    once, each = (kinds[network](path).state_dict() for path in (origin, tmp_path))
    assert once.keys() == each.keys()
    assert all(torch.equal(once[name], each[name]) for name in once if "swin.layernorm" not in name)


def test_they_work_together(folder: Path, segmenter_file: Path, tmp_path: Path) -> None:
    scenes = GroundedScenes(
        detector=small(folder, threshold=0.513),
        segmenter=Sam(weights=LocalWeights(path=segmenter_file)),
        clip=Histogram(),
    )
    elements = (
        replace(make_element(tmp_path, "bear", "object"), name="teddy bear"),
        replace(make_element(tmp_path, "man", "character"), name="man"),
        make_element(tmp_path, "place", "background"),
    )
    consumer = scenes.start(Case(id="c", prompt="p", elements=elements), NO_VIDEO)
    for index, size in enumerate(SIZES):
        consumer.push(index, picture(*size))
    for frame in consumer.finish().frames:
        assert len(frame.objects) == 1
        assert 0 < frame.visible.item() < 1 and np.isfinite(frame.cells).all()
