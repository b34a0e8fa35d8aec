"""Faults 8 and 11 for the motion and quality metrics: tiny, constant and unreadable input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from a2bench.errors import MetricError
from a2bench.features import FeatureBank
from a2bench.metrics.dynamic_degree import DynamicDegree
from a2bench.metrics.extractors.motion.flow import DisFlow, FlowInterpolation
from a2bench.metrics.extractors.motion.pairs import PairMotion
from a2bench.metrics.extractors.quality.frames import Piqe
from a2bench.metrics.image_quality import ImageQuality
from a2bench.metrics.motion_smoothness import MotionSmoothness
from a2bench.pictures import Frame
from a2bench.types import Case
from a2bench.video import probe
from tests.helpers.makers import make_frames, write_as

CASE = Case(id="c", prompt="p", elements=())
FLOW = DisFlow()
METRICS = (
    ImageQuality(frames=Piqe()),
    MotionSmoothness(interpolation=FlowInterpolation(flow=FLOW)),
    DynamicDegree(motion=PairMotion(flow=FLOW)),
)


def outcomes(frames: Sequence[Frame], tmp_path: Path) -> dict[str, float | str]:
    """Each metric's value, or why it failed, from one pass over the video."""
    video = probe(write_as(tmp_path / "v.mkv", list(frames), "ffv1", "bgr0"))
    bank = FeatureBank(CASE, video, [e for metric in METRICS for e in metric.extractors])
    found: dict[str, float | str] = {}
    for metric in METRICS:
        try:
            found[metric.info.name] = metric.score(CASE, bank).value
        except MetricError as reason:
            found[metric.info.name] = str(reason)
    return found


def test_fault_08_one_frame_has_quality_and_no_motion(tmp_path: Path) -> None:
    quality, smoothness, degree = outcomes(make_frames(1), tmp_path).values()
    assert isinstance(quality, float)
    assert smoothness == "motion smoothness needs at least 3 frames, the video has 1"
    assert degree == 0.0  # nothing moves, as in VBench


def test_fault_08_two_frames_are_one_sampled_frame_at_15_a_second(tmp_path: Path) -> None:
    _, smoothness, degree = outcomes(make_frames(2), tmp_path).values()
    assert smoothness == "motion smoothness needs at least 3 frames, the video has 2"
    assert degree == 0.0


@pytest.mark.parametrize("moves", [False, True])
def test_fault_08_three_frames_are_enough(tmp_path: Path, moves: bool) -> None:
    ground = np.random.default_rng(0).integers(0, 256, (48, 96, 3), np.uint8)
    smooth = np.kron(ground[::4, ::4], np.ones((4, 4, 1), np.uint8))
    frames = [np.ascontiguousarray(smooth[:, 4 * i * moves :][:, :64]) for i in range(3)]
    _, smoothness, degree = outcomes(frames, tmp_path).values()
    assert degree == float(moves)  # VBench would call both dynamic
    assert isinstance(smoothness, float)
    assert (smoothness == 1.0) is not moves


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (15, 15), (64, 15), (640, 8), (8, 640)])
def test_fault_08_tiny_frames_are_a_failure_that_tells_their_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    for reason in outcomes(make_frames(5, size), tmp_path).values():
        assert isinstance(reason, str)
        assert f"at least 16 pixels a side, these have {size[0]}x{size[1]}" in reason


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (640, 17), (17, 640)])
def test_fault_08_odd_sizes_have_values(tmp_path: Path, size: tuple[int, int]) -> None:
    for value in outcomes(make_frames(5, size), tmp_path).values():
        assert isinstance(value, float)
        assert 0 <= value <= 1


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_fault_11_constant_videos_have_the_worst_quality_and_no_motion(
    tmp_path: Path, level: int
) -> None:
    frames = [np.full((48, 64, 3), level, np.uint8)] * 5
    assert outcomes(frames, tmp_path) == {
        "image_quality": 0.0,
        "motion_smoothness": 1.0,
        "dynamic_degree": 0.0,
    }


def test_fault_11_black_frames_between_others_stay_finite(tmp_path: Path) -> None:
    frames = make_frames(9)
    frames[4] = np.zeros_like(frames[4])
    values = outcomes(frames, tmp_path).values()
    assert all(isinstance(value, float) and math.isfinite(value) for value in values)
