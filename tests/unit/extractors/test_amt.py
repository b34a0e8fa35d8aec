"""AMT-S against the public network's recorded predictions, and as motion smoothness reads it.

With random weights only agreement with the public network can be shown. What a still or a moving
video must score is shown with weights set by hand, whose flows are known.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.errors import CannotRun, MetricError
from a2bench.features import FeatureBank
from a2bench.keys import file_sha256
from a2bench.metric import missing_files
from a2bench.metrics.extractors.motion.amt import AmtNetwork, amt_pixels, load_amt
from a2bench.metrics.extractors.motion.interpolation import AmtInterpolation
from a2bench.metrics.motion_smoothness import MotionSmoothness
from a2bench.networks.files import LocalWeights
from a2bench.pictures import Frame
from a2bench.types import Case, Measurement
from a2bench.video import probe
from tests.golden.make_amt import CLIPS, PATH, frames, random_weights, summary
from tests.helpers.makers import write_as

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
CASE = Case(id="c", prompt="p", elements=())


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return random_weights({name: tuple(shape) for name, shape in GOLDEN["layout"].items()})


@pytest.fixture(scope="module")
def amt(
    state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory
) -> AmtInterpolation:
    path = tmp_path_factory.mktemp("amt") / "amt-s.pth"
    torch.save({"state_dict": state}, path)
    return AmtInterpolation(weights=LocalWeights(path=path, licence="CC-BY-NC-4.0"))


def by_hand(path: Path, x_px: float, y_px: float) -> AmtInterpolation:
    """Weights that are 0, but for flows from the middle back by (x, y) and on by as much."""
    state = {name: torch.zeros(shape) for name, shape in GOLDEN["layout"].items()}
    back, on = [-x_px, -y_px] * 3, [x_px, y_px] * 3
    state["decoder1.convblock.2.bias"][:12] = torch.tensor([*back, *on])
    torch.save({"state_dict": state}, path)
    return AmtInterpolation(weights=LocalWeights(path=path))


def measure(amt: AmtInterpolation, clip: list[Frame], folder: Path) -> Measurement:
    metric = MotionSmoothness(interpolation=amt)
    video = probe(write_as(folder / "v.mkv", clip, "ffv1", "bgr0"))
    return metric.score(CASE, FeatureBank(CASE, video, metric.extractors))


def test_the_published_layout() -> None:
    network = AmtNetwork()
    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    assert shapes == GOLDEN["layout"]
    assert sum(value.numel() for value in network.parameters()) == GOLDEN["parameters"] == 2990543


@pytest.mark.parametrize("fault", ["missing", "unexpected", "prefix", "shape"])
def test_other_layouts_are_refused(
    fault: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    slope = "decoder4.convblock.0.1.weight"
    wrong = {
        "missing": {name: value for name, value in state.items() if name != slope},
        "unexpected": {**state, "more": torch.zeros(1)},
        "prefix": {f"module.{name}": value for name, value in state.items()},
        "shape": {**state, slope: torch.zeros(1)},
    }[fault]
    torch.save({"state_dict": wrong}, tmp_path / "amt-s.pth")
    with pytest.raises(CannotRun, match=r"amt-s.pth holds other .*(missing|unexpected|shape): "):
        load_amt(tmp_path / "amt-s.pth")


@pytest.mark.parametrize(("clip", "golden"), list(zip(CLIPS, GOLDEN["clips"], strict=True)))
def test_predictions_and_value_are_vbenchs(
    amt: AmtInterpolation, clip: tuple[int, int, int], golden: dict[str, Any], tmp_path: Path
) -> None:
    pictures = frames(*clip)
    assert len(golden["predictions"]) == (clip[0] - 1) // 2
    for index, expected in enumerate(golden["predictions"]):
        with torch.inference_mode():
            ours = summary(amt.network(amt_pixels(*pictures[2 * index : 2 * index + 3 : 2])))
        assert ours["shape"] == expected["shape"]
        assert min(expected["deviation"]) > 0.1  # something to compare
        for name in ("mean", "deviation", "samples"):
            assert np.allclose(ours[name], expected[name], rtol=0, atol=1e-4), name
    found = measure(amt, pictures, tmp_path)
    assert found.value == pytest.approx(golden["value"], rel=1e-4)
    assert found.detail["errors"] == pytest.approx(golden["errors"], rel=1e-4)


def test_without_flow_the_frames_are_averaged(tmp_path: Path) -> None:
    before, _, after = frames(3, 119, 150)
    middle = by_hand(tmp_path / "amt-s.pth", 0, 0).middle(before, after)
    exact = (before.astype(float) + after) / 2
    assert middle.dtype == np.uint8 and middle.shape == before.shape
    off = exact - middle  # cut to whole levels, never rounded up
    assert off.min() > -0.01 and off.max() < 1.01


def test_a_pattern_moves_as_the_flows_say(tmp_path: Path) -> None:
    clip = frames(5, 119, 150)  # each moved by (3, -2)
    (tmp_path / "wrong").mkdir()
    right, wrong = by_hand(tmp_path / "a.pth", 3, -2), by_hand(tmp_path / "b.pth", -3, 2)
    off = clip[1].astype(int) - right.middle(clip[0], clip[2])
    assert np.abs(off[4:-4, 4:-4]).max() <= 1
    assert 0.98 < measure(right, clip, tmp_path).value < 1
    assert measure(wrong, clip, tmp_path / "wrong").value < 0.9


def test_a_still_video_is_smooth(tmp_path: Path) -> None:
    clip = frames(1, 119, 150) * 4
    found = measure(by_hand(tmp_path / "amt-s.pth", 0, 0), clip, tmp_path)
    assert 254 / 255 <= found.value <= 1
    assert len(found.detail["errors"]) == 1


def test_the_network_runs_once_a_pair(amt: AmtInterpolation, tmp_path: Path) -> None:
    calls: list[int] = []
    hook = amt.network.register_forward_hook(lambda *_: calls.append(1))
    measure(amt, frames(6, 113, 120), tmp_path)
    hook.remove()
    assert len(calls) == 2  # the pairs (0, 2) and (2, 4)


def test_frames_too_small(amt: AmtInterpolation, tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="at least 113 pixels a side, these have 160x112"):
        measure(amt, frames(3, 112, 160), tmp_path)
    with torch.inference_mode():
        small = amt.network(amt_pixels(*frames(2, 112, 160)))
        least = amt.network(amt_pixels(*frames(2, 113, 113)))
    assert small.isnan().any() and not least.isnan().any()


def test_an_extractor_is_its_weights(amt: AmtInterpolation) -> None:
    info = amt.info
    assert info.weights == {"amt-s.pth": file_sha256(amt.weights.locate())}
    assert (info.sampling, info.licence, dict(info.params)) == ("even-odd", "CC-BY-NC-4.0", {})
    assert replace(amt, device="cuda").info == info
    assert AmtInterpolation().weights.licence == "CC-BY-NC-4.0"


def test_missing_weights_are_told_before_a_run(tmp_path: Path) -> None:
    weights = LocalWeights(path=tmp_path / "amt-s.pth")
    (text,) = missing_files([MotionSmoothness(interpolation=AmtInterpolation(weights=weights))])
    assert text == f"weights are missing: {tmp_path}/amt-s.pth"


def test_it_is_pickled_without_the_network(amt: AmtInterpolation) -> None:
    first, _, second = frames(3, 113, 120)
    expected = amt.middle(first, second)
    sent = pickle.dumps(amt)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent).middle(first, second), expected)
