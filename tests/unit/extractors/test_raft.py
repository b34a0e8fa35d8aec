"""RAFT against the public network's recorded flows, and as an engine of the motion metrics."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.errors import CannotRun, MetricError
from a2bench.keys import file_sha256
from a2bench.metric import missing_files
from a2bench.metrics.dynamic_degree import DynamicDegree
from a2bench.metrics.extractors.motion.flow import RaftFlow
from a2bench.metrics.extractors.motion.pairs import PairMotion, top_mean
from a2bench.metrics.extractors.motion.raft import RaftNetwork, load_raft, raft_pixels
from a2bench.networks.files import LocalWeights
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.types import Case, Video
from tests.golden.make_raft import ITERATIONS, PATH, SIZES, STEP, frames, random_weights, summary

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return random_weights({name: tuple(shape) for name, shape in GOLDEN["layout"].items()})


@pytest.fixture(scope="module")
def weights(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raft") / "raft-things.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def engine(weights: Path) -> RaftFlow:
    return RaftFlow(weights=LocalWeights(path=weights), iterations=ITERATIONS)


def test_the_published_layout() -> None:
    network = RaftNetwork()
    shapes = {f"module.{name}": list(v.shape) for name, v in network.state_dict().items()}
    assert shapes == GOLDEN["layout"]
    assert sum(value.numel() for value in network.parameters()) == GOLDEN["parameters"] == 5257536


@pytest.mark.parametrize("fault", ["missing", "unexpected", "prefix", "shape"])
def test_other_layouts_are_refused(
    fault: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    bias = "module.fnet.conv2.bias"
    wrong = {
        "missing": {name: value for name, value in state.items() if name != bias},
        "unexpected": {**state, "module.more": torch.zeros(1)},
        "prefix": {f"other.{name}": value for name, value in state.items()},
        "shape": {**state, bias: torch.zeros(255)},
    }[fault]
    torch.save(wrong, tmp_path / "raft.pth")
    with pytest.raises(CannotRun, match=r"missing: |unexpected: |another shape: "):
        load_raft(tmp_path / "raft.pth")


@pytest.mark.parametrize(("size", "golden"), list(zip(SIZES, GOLDEN["flows"], strict=True)))
def test_flow_is_the_public_networks(
    engine: RaftFlow, size: tuple[int, int], golden: dict[str, Any]
) -> None:
    ours = summary(engine.between(*frames(*size)))
    assert ours["shape"] == [*size, 2] == golden["shape"]
    assert np.shape(golden["samples"]) == (-(-size[0] // STEP), -(-size[1] // STEP), 2)
    assert golden["largest"] > 1  # something to compare
    for name in ("mean", "deviation", "largest", "samples"):
        error = np.abs(np.subtract(ours[name], golden[name])).max()
        assert error <= 1e-4 * golden["largest"], name


def test_torchvisions_weights_give_torchvisions_flow(tmp_path: Path) -> None:
    ensure_torchvision()
    from torchvision.models.optical_flow import raft_large

    torch.manual_seed(0)
    theirs = raft_large().eval()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    torch.save(theirs.state_dict(), tmp_path / "raft_large.pth")
    pair = frames(128, 160)
    engine = RaftFlow(weights=LocalWeights(path=tmp_path / "raft_large.pth"), iterations=ITERATIONS)
    ours = engine.between(*pair)
    with torch.inference_mode():
        expected = theirs(*map(raft_pixels, pair), num_flow_updates=ITERATIONS)[-1][0]
    difference = np.abs(ours - expected.permute(1, 2, 0).numpy()).max()
    assert difference <= 1e-4 * np.abs(ours).max()
    assert np.abs(ours).max() > 1


def test_a_frames_features_are_computed_once(weights: Path) -> None:
    first, second = frames(128, 160)
    engine, calls = RaftFlow(weights=LocalWeights(path=weights), iterations=1), []
    engine.network.fnet.register_forward_hook(lambda *_: calls.append(1))
    flow = engine.between(first, second)
    assert engine.between(first, second) is flow and len(calls) == 2
    back = engine.between(second, first)
    assert len(calls) == 3
    assert np.array_equal(
        back, RaftFlow(weights=LocalWeights(path=weights), iterations=1).between(second, first)
    )


def test_frames_too_small(engine: RaftFlow) -> None:
    frame = np.zeros((120, 160, 3), np.uint8)
    with pytest.raises(MetricError, match="at least 121 pixels a side, these have 160x120"):
        engine.between(frame, frame.copy())
    least = np.zeros((121, 128, 3), np.uint8)
    assert np.isfinite(engine.between(least, least.copy())).all()


def test_an_engine_is_its_weights_and_iterations(weights: Path) -> None:
    engine = RaftFlow(weights=LocalWeights(path=weights))
    info = PairMotion(flow=engine).info
    assert info.params == {"share": 0.05, "exhaustive": False, "flow": "raft", "iterations": 20}
    assert info.weights == {"raft-things.pth": file_sha256(weights)}


def test_missing_weights_are_told_before_a_run(tmp_path: Path) -> None:
    motion = PairMotion(flow=RaftFlow(weights=LocalWeights(path=tmp_path / "raft-things.pth")))
    (text,) = missing_files([DynamicDegree(motion=motion)])
    assert text == f"weights are missing: {tmp_path}/raft-things.pth"
    with pytest.raises(CannotRun, match="weights are missing"):
        _ = motion.info


def test_it_is_pickled_without_the_network(weights: Path) -> None:
    first, second = frames(128, 160)
    engine = RaftFlow(weights=LocalWeights(path=weights), iterations=1)
    flow = engine.between(first, second)
    sent = pickle.dumps(engine)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent).between(first, second), flow)


def test_pair_motion_reads_it(engine: RaftFlow) -> None:
    pair = frames(128, 160)
    video = Video(
        path=Path("v.mp4"), sha256="0" * 64, width=160, height=128, fps=8.0, frames=2,
        duration_s=0.25,
    )  # fmt: skip
    consumer = PairMotion(flow=engine).start(Case(id="c", prompt="p", elements=()), video)
    for index, frame in enumerate(pair):
        consumer.push(index, frame)
    assert consumer.finish().magnitudes_px == (top_mean(engine.between(*pair), 0.05),)
