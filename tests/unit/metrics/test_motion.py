from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest

from a2bench.errors import MetricError
from a2bench.features import ExtractorInfo, FeatureBank
from a2bench.metrics.dynamic_degree import DynamicDegree
from a2bench.metrics.extractors.motion.flow import (
    DisFlow,
    Flow,
    FlowInterpolation,
    RaftFlow,
    explained,
    halfway,
)
from a2bench.metrics.extractors.motion.pairs import Motion, PairMotion, top_mean
from a2bench.metrics.motion_smoothness import MotionSmoothness
from a2bench.networks.files import Weights
from a2bench.pictures import Frame
from a2bench.types import Case, Json, Measurement, Video
from a2bench.video import probe
from tests.helpers.makers import write_as

pytestmark = pytest.mark.slow

CASE = Case(id="c", prompt="p", elements=())
SIZE = (160, 120)


def scene(seed: int) -> Frame:
    """A random texture, coarse and fine as photographs are, larger than a frame by far."""
    random = np.random.default_rng(seed)
    layers = np.zeros((400, 600, 3))
    for blur_px in (1.5, 4, 12):
        layers += cv2.GaussianBlur(random.normal(0, blur_px, layers.shape), (0, 0), blur_px)
    low, high = layers.min(), layers.max()
    scaled: Frame = np.rint((layers - low) * 255 / (high - low)).astype(np.uint8)
    return scaled


def view(picture: Frame, x_px: float, y_px: float = 0.0) -> Frame:
    """What a camera sees that has moved left and up: the content lies (x, y) further on."""
    matrix = np.array([[1.0, 0, x_px - 200], [0, 1, y_px - 120]])
    seen: Frame = cv2.warpAffine(picture, matrix, SIZE, flags=cv2.INTER_CUBIC).astype(np.uint8)
    return seen


def pan(seed: int, step_px: float, frames: int = 9) -> list[Frame]:
    picture = scene(seed)
    return [view(picture, step_px * index) for index in range(frames)]


def stuttered(frames: list[Frame]) -> list[Frame]:
    return [frames[i - 1] if i % 4 == 3 else frame for i, frame in enumerate(frames)]


def noise(frames: int = 9) -> list[Frame]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*SIZE[::-1], 3), np.uint8) for _ in range(frames)]


@dataclass(frozen=True, kw_only=True)
class Given:
    """An extractor that reads no frame and gives what it was built with."""

    values: Any

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(name="given", version="1", sampling="none")

    def start(self, case: Case, video: Video) -> Given:
        return self

    def push(self, index: int, frame: Frame) -> None:
        raise AssertionError("no frame was asked for")

    def finish(self) -> Any:
        return self.values


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A flow engine that gives each pair its planned magnitude, told by the first pixel."""

    magnitudes_px: Sequence[float]
    version: str = "1"
    params: Mapping[str, Json] = field(default_factory=dict)
    files: tuple[Weights, ...] = ()

    def between(self, before: Frame, after: Frame) -> Flow:
        magnitude = self.magnitudes_px[before[0, 0, 0]]
        return np.array([[[0, -magnitude]]], np.float32)


def motion(
    magnitudes: Sequence[float], size: tuple[int, int] = (832, 480), *, exhaustive: bool = True
) -> Motion:
    """What ``PairMotion`` makes of a video at 8 frames a second whose pairs move so far."""
    frames = len(magnitudes) + 1
    video = replace(nowhere(*size), fps=8.0, frames=frames, duration_s=frames / 8)
    extractor = PairMotion(flow=Planned(magnitudes_px=magnitudes), exhaustive=exhaustive)
    consumer = extractor.start(CASE, video)
    for index in range(frames):
        consumer.push(index, np.full((1, 1, 3), index, np.uint8))
    return consumer.finish()


def degree(found: Motion) -> Measurement:
    given = Given(values=found)
    return DynamicDegree(motion=given).score(CASE, FeatureBank(CASE, nowhere(), [given]))


def nowhere(width: int = 832, height: int = 480) -> Video:
    return Video(
        path=Path("nowhere.mp4"),
        sha256="0" * 64,
        width=width,
        height=height,
        fps=15.0,
        frames=81,
        duration_s=5.4,
    )


def measure(
    metric: MotionSmoothness | DynamicDegree, frames: list[Frame], tmp_path: Path
) -> Measurement:
    video = probe(write_as(tmp_path / "v.mkv", frames, "ffv1", "bgr0"))
    return metric.score(CASE, FeatureBank(CASE, video, metric.extractors))


def smoothness(frames: list[Frame], tmp_path: Path) -> float:
    metric = MotionSmoothness(interpolation=FlowInterpolation(flow=DisFlow()))
    return measure(metric, frames, tmp_path).value


@pytest.mark.parametrize(
    ("preset", "moved"),
    [
        ("medium", (0.0, 0.0)),
        ("medium", (1.0, 0.0)),
        ("medium", (0.0, -3.5)),
        ("medium", (4.8, 6.4)),
        ("medium", (-20.0, 0.0)),
        ("fast", (4.8, 6.4)),
        ("ultrafast", (4.8, 6.4)),
    ],
)
def test_flow_of_a_translation_is_the_translation(
    preset: Literal["ultrafast", "fast", "medium"], moved: tuple[float, float]
) -> None:
    picture = scene(0)
    flow = DisFlow(preset=preset).between(view(picture, 0), view(picture, *moved))
    assert flow.shape == (120, 160, 2)
    assert np.median(flow[..., 0]) == pytest.approx(moved[0], abs=0.1)
    assert np.median(flow[..., 1]) == pytest.approx(moved[1], abs=0.1)
    length = float(np.hypot(*moved))
    assert top_mean(flow, 1.0) == pytest.approx(length, rel=0.05)
    assert top_mean(flow, 0.05) == pytest.approx(length, rel=0.1)


def test_top_mean_takes_the_largest_five_percent_and_at_least_one_pixel() -> None:
    flow = np.zeros((10, 10, 2), np.float32)
    flow[0, 0], flow[9, 9], flow[5, 5] = (3, 4), (0, -10), (0.5, 0)
    assert top_mean(flow, 0.05) == pytest.approx((5 + 10 + 0.5) / 5)
    assert top_mean(flow[:3, :3], 0.05) == 5.0


def test_flow_is_the_same_on_any_number_of_threads() -> None:
    picture, before = scene(1), cv2.getNumThreads()
    frames = view(picture, 0), view(picture, 5, 2)
    try:
        flows = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            flows.append(DisFlow().between(*frames))
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(flows[0], flows[1])


def test_halfway_is_the_frame_between() -> None:
    picture = scene(2)
    before, true, after = (view(picture, x) for x in (0, 4, 8))
    middle = halfway(before, after, DisFlow().between(before, after))
    blend = cv2.addWeighted(before, 0.5, after, 0.5, 0)
    inside = np.s_[16:-16, 16:-16]
    assert cv2.absdiff(true, middle)[inside].mean() < 2
    assert cv2.absdiff(true, blend)[inside].mean() > 10


def test_smoothness_is_vbench_s_formula() -> None:
    given = Given(values=[1.0, 4.0, 4.0])
    bank = FeatureBank(CASE, nowhere(), [given])
    measured = MotionSmoothness(interpolation=given).score(CASE, bank)
    assert measured.value == (255 - 3.0) / 255
    assert measured.detail == {"errors": [1.0, 4.0, 4.0]}


def test_each_odd_frame_between_two_is_predicted(tmp_path: Path) -> None:
    metric = MotionSmoothness(interpolation=FlowInterpolation(flow=DisFlow()))
    for frames, predicted in ((3, 1), (4, 1), (5, 2), (9, 4)):
        detail = measure(metric, pan(0, 2, frames), tmp_path).detail
        assert len(detail["errors"]) == predicted
    still = pan(0, 0, 3)
    assert measure(metric, still, tmp_path).value == 1.0
    changed = [still[0], cv2.add(still[1], (0, 0, 3, 0)), still[2]]
    error = 3 * np.mean(still[1][..., 2] <= 252) / 3
    assert measure(metric, changed, tmp_path).value == pytest.approx(1 - error / 255, abs=1e-4)


@pytest.mark.parametrize("step_px", [0.75, 2.0, 5.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_stutter_is_less_smooth_and_noise_the_least(
    tmp_path: Path, seed: int, step_px: float
) -> None:
    frames = pan(seed, step_px)
    clean = smoothness(frames, tmp_path)
    assert clean > 0.97
    assert smoothness(stuttered(frames), tmp_path) < clean
    assert smoothness(noise(), tmp_path) < 0.85


def other_rule(magnitudes: Sequence[float], width: int, height: int) -> bool:
    """VBench's decision, pair by pair, as its specification reads."""
    sampled = len(magnitudes) + 1
    threshold, count_needed, count = 6.0 * (min(height, width) / 256.0), round(sampled / 4), 0
    for magnitude in magnitudes:
        count += magnitude > threshold
        if count >= count_needed:
            return True
    return False


def some_pairs() -> Iterator[tuple[list[float], int, int]]:
    random = np.random.default_rng(5)
    for sampled in range(3, 60):
        width, height = random.integers(64, 1920, 2).tolist()
        threshold = 6 * min(width, height) / 256
        for _ in range(8):
            share = random.choice([0.1, 0.2, 0.25, 0.3, 0.5])
            moves = random.random(sampled - 1) < share
            yield [threshold * (1.01 if m else 0.99) for m in moves], width, height


def test_dynamic_degree_decides_as_vbench_does() -> None:
    seen = set()
    for magnitudes, width, height in some_pairs():
        value = degree(motion(magnitudes, (width, height))).value
        assert value == float(other_rule(magnitudes, width, height))
        seen.add(value)
    assert seen == {0.0, 1.0}


def test_a_pair_at_the_threshold_does_not_move() -> None:
    found = Motion(magnitudes_px=(11.25, 11.26), pairs=2, threshold_px=11.25, needed=1)
    assert found.moving == 1


def test_looking_stops_when_the_answer_is_known_and_not_before() -> None:
    looked, whole = 0, 0
    for magnitudes, width, height in some_pairs():
        early = motion(magnitudes, (width, height), exhaustive=False)
        exhaustive = motion(magnitudes, (width, height))
        assert degree(early).value == degree(exhaustive).value
        assert early.magnitudes_px == exhaustive.magnitudes_px[: len(early.magnitudes_px)]
        assert early.decided
        assert not replace(early, magnitudes_px=early.magnitudes_px[:-1]).decided
        looked, whole = looked + len(early.magnitudes_px), whole + len(magnitudes)
    assert looked < 0.8 * whole
    fast = motion([100.0] * 40, exhaustive=False)  # 81 frames at 15 a second, all of it moving
    assert (fast.pairs, len(fast.magnitudes_px)) == (40, 10)


@pytest.mark.parametrize(
    ("sampled", "needed"), [(2, 1), (3, 1), (6, 2), (10, 2), (16, 4), (35, 9), (41, 10)]
)
def test_the_pairs_that_dynamic_degree_needs(sampled: int, needed: int) -> None:
    for moving in (needed - 1, needed):
        measured = degree(motion([12.0] * moving + [0.0] * (sampled - 1 - moving)))
        assert measured.value == float(moving == needed)
        assert measured.detail["threshold_px"] == 11.25
        told = {name: measured.detail[name] for name in ("pairs", "moving", "needed")}
        assert told == {"pairs": sampled - 1, "moving": moving, "needed": needed}


@pytest.mark.parametrize(("step_px", "dynamic"), [(0.0, 0.0), (0.5, 0.0), (2.5, 1.0), (8.0, 1.0)])
def test_still_and_slow_videos_are_not_dynamic(
    tmp_path: Path, step_px: float, dynamic: float
) -> None:
    metric = DynamicDegree(motion=PairMotion(flow=DisFlow(), exhaustive=True))
    measured = measure(metric, pan(0, step_px), tmp_path)
    assert measured.detail["threshold_px"] == 2.8125
    assert measured.detail["pairs"] == 4  # every second of 9 frames at 15 a second
    assert measured.value == dynamic
    assert min(measured.detail["magnitudes_px"]) >= 1.9 * step_px


def faded(frame: Frame) -> list[Frame]:
    return [cv2.convertScaleAbs(frame, alpha=1 - index / 8) for index in range(9)]


def flickering(frame: Frame) -> list[Frame]:
    return [cv2.convertScaleAbs(frame, alpha=1 + 0.3 * (-1) ** (i // 2)) for i in range(9)]


def defocused(frame: Frame) -> list[Frame]:
    return [frame, *(cv2.GaussianBlur(frame, (0, 0), 0.75 * index) for index in range(1, 9))]


@pytest.mark.parametrize("change", [faded, flickering, defocused])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_becomes_dark_bright_or_blurred_does_not_move(
    tmp_path: Path, seed: int, change: Callable[[Frame], list[Frame]]
) -> None:
    metric = DynamicDegree(motion=PairMotion(flow=DisFlow(), exhaustive=True))
    measured = measure(metric, change(view(scene(seed), 0)), tmp_path)
    assert measured.value == 0
    assert max(measured.detail["magnitudes_px"]) < 1


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.2])
def test_what_moves_while_its_brightness_changes_still_moves(factor: float) -> None:
    picture = cv2.convertScaleAbs(scene(0), alpha=0.7)
    after = cv2.convertScaleAbs(view(picture, 6, 0), alpha=factor)
    flow = DisFlow().between(view(picture, 0), after)
    assert top_mean(flow, 0.05) > 5


def test_a_flow_counts_where_it_explains_more_than_rest() -> None:
    picture = scene(0)
    before, after = (cv2.cvtColor(view(picture, x), cv2.COLOR_RGB2GRAY) for x in (0, 5))
    right, none = np.zeros((120, 160, 2), np.float32), np.zeros((120, 160, 2), np.float32)
    right[..., 0] = 5
    inside = np.s_[20:-20, 20:-20]
    assert explained(before, after, right)[inside].all()
    assert not explained(before, after, none).any()
    assert not explained(before, before, right).any()
    assert not explained(before, cv2.convertScaleAbs(before, alpha=0.5, beta=30), right).any()


@pytest.mark.parametrize(
    ("metrics", "flows"),
    [(("smoothness",), 4), (("degree",), 4), (("smoothness", "degree"), 4)],
    ids=["smoothness", "degree", "both"],
)
def test_both_metrics_compute_each_flow_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metrics: tuple[str, ...], flows: int
) -> None:
    computed: list[Frame] = []
    compute = DisFlow._compute

    def counted(self: DisFlow, before: Frame, after: Frame) -> Flow:
        computed.append(after)
        return compute(self, before, after)

    monkeypatch.setattr(DisFlow, "_compute", counted)
    flow = DisFlow()
    chosen: dict[str, MotionSmoothness | DynamicDegree] = {
        "smoothness": MotionSmoothness(interpolation=FlowInterpolation(flow=flow)),
        "degree": DynamicDegree(motion=PairMotion(flow=flow, exhaustive=True)),
    }
    video = probe(write_as(tmp_path / "v.mkv", pan(0, 2), "ffv1", "bgr0"))
    bank = FeatureBank(CASE, video, [e for name in metrics for e in chosen[name].extractors])
    for name in metrics:
        chosen[name].score(CASE, bank)
    assert len(computed) == flows


def test_only_the_same_pair_is_remembered() -> None:
    flow, (first, second, third) = DisFlow(), pan(0, 2, 3)
    assert flow.between(second, third) is flow.between(second, third)
    for pair in ((first, third), (first, second), (third, second)):
        assert np.array_equal(flow.between(*pair), DisFlow().between(*pair))


def test_a_worker_process_gets_the_parameters_and_no_frames() -> None:
    flow = DisFlow(preset="fast")
    flow.between(*pan(0, 2, 2))
    sent = pickle.dumps(PairMotion(flow=flow))
    assert len(sent) < 1000
    assert pickle.loads(sent).info == PairMotion(flow=flow).info


def test_what_decides_the_value_is_recorded() -> None:
    medium, fast = DisFlow(), DisFlow(preset="fast")
    assert PairMotion(flow=medium).info.params == {
        "share": 0.05,
        "exhaustive": False,
        "flow": "opencv-dis",
        "preset": "medium",
    }
    assert FlowInterpolation(flow=medium).info != FlowInterpolation(flow=fast).info
    assert {PairMotion(flow=medium).info.version, medium.version} == {"2"}
    assert RaftFlow().version == "1"  # VBench's flow, as it was


@pytest.mark.parametrize("size", [(15, 64), (64, 15), (1, 1)])
def test_frames_too_small_for_flow_are_refused_before_opencv_sees_them(
    size: tuple[int, int],
) -> None:
    frame = np.zeros((*size[::-1], 3), np.uint8)
    with pytest.raises(MetricError, match=f"at least 16 pixels a side, these have {size[0]}x"):
        DisFlow().between(frame, frame.copy())
    least = np.zeros((16, 64, 3), np.uint8)
    assert DisFlow().between(least, least.copy()).shape == (16, 64, 2)
