"""DINO by timm against DINO's own network under VBench's transform."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.errors import CannotRun
from a2bench.keys import file_sha256
from a2bench.metrics.extractors.embeddings.dino import (
    DinoFrames,
    DinoSizes,
    DinoVideo,
    Floats,
    dino_pixels,
    positions,
)
from a2bench.networks.files import LocalWeights
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Frame
from a2bench.types import Case
from tests.golden import make_vbench_quality as public
from tests.golden.make_viclip import layout, shapes_of
from tests.helpers.checkpoints import DINO_SIZES, write_dino
from tests.helpers.fakes import NO_VIDEO
from tests.helpers.makers import make_frames

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))
CASE = Case(id="c", prompt="p", elements=())


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dino(tmp_path_factory.mktemp("dino") / "dino_vitbase16_pretrain.pth")


def small(path: Path, batch: int = 16) -> DinoFrames:
    return DinoFrames(weights=LocalWeights(path=path, licence="L"), sizes=DINO_SIZES, batch=batch)


def features(extractor: DinoFrames, frames: list[Frame]) -> Floats:
    consumer = extractor.start(CASE, NO_VIDEO)
    for index, frame in enumerate(frames):
        consumer.push(index, frame)
    found = consumer.finish()
    assert isinstance(found, DinoVideo)
    return found.embeddings


def test_the_published_layout() -> None:
    ensure_torchvision()
    from timm.models.vision_transformer import VisionTransformer

    with torch.device("meta"):
        found = layout(shapes_of(VisionTransformer(num_classes=0)))
    assert found == GOLDEN["layout"]
    assert found["parameters"] == 85_798_656
    assert DinoSizes() == DinoSizes(width=768, layers=12, heads=12)


@pytest.mark.parametrize(
    ("shape", "golden"),
    list(zip(public.CLIPS, GOLDEN["embeddings"], strict=True)),
    ids=[str(shape) for shape in public.CLIPS],
)
def test_embeddings_are_those_of_dinos_network(
    weights: Path, shape: tuple[int, int, int], golden: list[list[float]]
) -> None:
    found = features(small(weights), list(public.clip(shape)))
    assert found.shape == (shape[0], public.WIDTH) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found[:, : public.SHOWN], golden, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("missing", "missing: norm.bias$"),
        ("unexpected", "unexpected: head.weight$"),
        ("shape", "of another shape: pos_embed$"),
    ],
)
def test_other_layouts_are_refused(fault: str, told: str, weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    wrong = {
        "missing": {name: value for name, value in state.items() if name != "norm.bias"},
        "unexpected": {**state, "head.weight": torch.zeros(1)},
        "shape": {**state, "pos_embed": torch.zeros(1, 785, public.WIDTH)},
    }[fault]
    torch.save(wrong, tmp_path / "dino.pth")
    with pytest.raises(CannotRun, match=told):
        features(small(tmp_path / "dino.pth"), make_frames(1))


def test_the_short_side_is_224_and_nothing_is_cut_off() -> None:
    assert dino_pixels(np.zeros((480, 832, 3), np.uint8)).shape == (3, 224, 388)
    assert dino_pixels(np.zeros((97, 63, 3), np.uint8)).shape == (3, 344, 224)
    as_it_is = dino_pixels(np.full((224, 224, 3), 255, np.uint8))
    np.testing.assert_allclose(as_it_is[:, 0, 0], [(1 - 0.485) / 0.229, 2.4286, 2.64], rtol=1e-4)


def test_positions_are_as_learnt_for_a_square_and_follow_the_shape_of_others() -> None:
    learnt = torch.arange(14.0).repeat(14)[None, :, None]  # tells the column
    assert positions(learnt, 14, 14) is learnt
    wide = positions(learnt, 14, 28)[0, :, 0].view(14, 28)
    assert (wide.diff(dim=1)[:, 2:-2] > 0).all()
    # The columns go to 13; torch's loops without AVX2 round the weights' sum apart by 1.7e-5.
    assert wide.diff(dim=0).abs().max() < 1e-4


def test_each_frame_passes_once_in_batches_while_the_video_is_read(weights: Path) -> None:
    extractor, sizes = small(weights, batch=2), []
    extractor.network.norm.register_forward_hook(lambda _, x, out: sizes.append(len(x[0])))
    consumer = extractor.start(CASE, NO_VIDEO)
    frames = list(public.clip((5, 60, 90)))
    for index, frame in enumerate(frames):
        consumer.push(index, frame)
        assert sum(sizes) == 2 * ((index + 1) // 2)  # no more than a batch ever waits
    found = consumer.finish().embeddings
    assert sizes == [2, 2, 1]
    np.testing.assert_allclose(found, features(small(weights), frames), atol=1e-6)


def test_it_is_defined_by_its_weights_and_sampling(weights: Path) -> None:
    info = small(weights).info
    assert info.params == {"short_px": 224} and info.sampling == "all"
    assert info.weights == {"dino_vitbase16_pretrain.pth": file_sha256(weights)}
    assert info.licence == "L"


def test_missing_weights_are_told_before_a_run(tmp_path: Path) -> None:
    assert small(tmp_path / "no.pth").missing() == (f"weights are missing: {tmp_path}/no.pth",)


def test_it_is_pickled_without_the_network(weights: Path) -> None:
    extractor = small(weights)
    assert extractor.network is extractor.network
    sent = pickle.dumps(extractor)
    assert len(sent) < 1000
    assert pickle.loads(sent) == extractor
