from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from a2bench.metrics.extractors.scenes.base import cosine, describe, described
from a2bench.metrics.extractors.scenes.efficientnet import EfficientNetLite0, load_efficientnet
from a2bench.metrics.extractors.scenes.lite0 import WEIGHTS, Lite0, working_size
from a2bench.pictures import over_white, read_rgba, resized
from a2bench.suites.suite import load_suite
from a2bench.types import Element

LITE0 = Lite0()


@cache
def references() -> dict[str, Element]:
    return {e.id: e for e in load_suite("a2bench-open").references}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("element", "imagenet_class"),
    [
        ("purple_umbrella", 879),  # umbrella
        ("football", 805),  # soccer ball
        ("puzzle_piece", 611),  # jigsaw puzzle
        ("green_t_shirt", 610),  # jersey, T-shirt
        ("teddy_bear", 850),  # teddy
        ("wrist_watch", 409),  # analog clock
        ("rowing_boats_sunset", 472),  # canoe
        ("rocky_mountain_trail", 970),  # alp
        ("forest_stream", 979),  # valley
        ("wine_room", 541),  # drum: one lies in the foreground
    ],
)
def test_the_classifier_knows_what_it_sees(element: str, imagenet_class: int) -> None:
    image = resized(over_white(read_rgba(references()[element])), (224, 224))
    pixels = torch.from_numpy((image.astype(np.float32) - 127) / 128).permute(2, 0, 1)
    with torch.inference_mode():
        logits = LITE0.network(pixels[None])
    assert int(logits.argmax()) == imagenet_class


def test_dense_features_have_one_cell_for_each_32_pixels() -> None:
    assert LITE0.dense([np.zeros((64, 96, 3), np.uint8)] * 2).shape == (2, 2, 3, 320)


def test_folded_norms_leave_the_features_as_they_were() -> None:
    plain = EfficientNetLite0()
    plain.load_state_dict(torch.load(WEIGHTS.locate(), weights_only=True))
    pixels = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (1, 3, 64, 96)))
    with torch.inference_mode():
        expected, got = (n.dense(pixels.float()) for n in (plain.eval(), LITE0.network))
    assert torch.allclose(got, expected, atol=1e-3)  # features reach 5; processors round otherwise
    assert not list(LITE0.network.buffers())


def test_parts_are_described_each_by_itself() -> None:
    random = np.random.default_rng(0)
    cells = random.normal(size=(5, 7, 3)).astype(np.float32)
    weights = random.random((5, 7)).astype(np.float32)
    descriptors, shares = described(cells, weights, (2, 3))
    assert (descriptors.shape, shares.shape) == ((2, 3, 6), (2, 3))
    last = np.s_[3:, 5:]  # of 5 rows the last 2, of 7 columns the last 2
    assert descriptors[1, 2] == pytest.approx(describe(cells[last], weights[last]))
    assert shares[1, 2] == pytest.approx(weights[last].mean())


def test_a_file_with_a_key_too_few_or_too_many_is_refused(tmp_path: Path) -> None:
    state = EfficientNetLite0().state_dict()
    more, fewer = {**state, "more": torch.zeros(1)}, dict(list(state.items())[1:])
    for name, changed in (("more", more), ("_conv_stem", fewer)):
        torch.save(changed, tmp_path / name)
        with pytest.raises(RuntimeError, match=name):
            load_efficientnet(tmp_path / name)


def test_a_network_is_sent_without_its_weights() -> None:
    LITE0.dense([np.zeros((64, 64, 3), np.uint8)])
    packed = pickle.dumps(LITE0)
    assert len(packed) < 1000
    assert pickle.loads(packed) == LITE0
    assert LITE0.weights == {WEIGHTS.name: WEIGHTS.sha256}


def test_a_descriptor_is_the_weighted_mean_and_deviation() -> None:
    random = np.random.default_rng(0)
    cells = random.normal(size=(2, 3, 4, 5)).astype(np.float32)
    weights = random.random((3, 4)).astype(np.float32)
    got = describe(cells, weights)
    flat, shares = cells.reshape(2, 12, 5), weights.ravel()
    for one, row in zip(flat, got, strict=True):
        mean = np.average(one, axis=0, weights=shares)
        deviation = np.sqrt(np.average((one - mean) ** 2, axis=0, weights=shares))
        assert row == pytest.approx(np.concatenate([mean, deviation]), abs=1e-5)


def test_cells_of_no_weight_do_not_matter() -> None:
    cells = np.random.default_rng(0).normal(size=(2, 2, 3)).astype(np.float32)
    weights = np.array([[1, 0], [1, 1]], np.float32)
    before = describe(cells, weights)
    cells[0, 1] = 1e3
    assert describe(cells, weights) == pytest.approx(before)


def test_a_descriptor_of_nothing_is_finite_and_like_nothing() -> None:
    nothing = describe(np.ones((2, 2, 3), np.float32), np.zeros((2, 2), np.float32))
    assert np.isfinite(nothing).all()
    assert cosine(nothing, np.ones(6, np.float32)) == 0


def test_cosines_are_those_of_the_angles() -> None:
    east, north = np.array([2.0, 0.0], np.float32), np.array([0.0, 3.0], np.float32)
    got = cosine(np.stack([east, north, -east, east + north / 1.5]), east)
    assert got == pytest.approx([1, 0, -1, 2**-0.5])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((832, 480), (832, 480)),
        ((1664, 960), (832, 480)),
        ((480, 832), (480, 832)),
        ((1, 1), (640, 640)),
        ((8192, 1), (2048, 96)),
    ],
)
def test_the_working_size_keeps_shape_and_is_bounded(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert working_size(*size, 400_000) == expected
