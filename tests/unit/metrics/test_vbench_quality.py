"""VBench's quality dimensions and total against VBench's own functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.errors import MetricError
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import Metric, metric_identity
from a2bench.metrics.aesthetic_quality import AestheticQuality
from a2bench.metrics.dynamic_degree import DynamicDegree
from a2bench.metrics.extractors.embeddings.clip import Clip, ClipFrames, ClipVideo
from a2bench.metrics.extractors.embeddings.dino import DinoFrames, DinoVideo
from a2bench.metrics.extractors.motion.differences import FrameDifferences
from a2bench.metrics.extractors.motion.pairs import Motion
from a2bench.metrics.image_quality import ImageQuality
from a2bench.metrics.motion_smoothness import MotionSmoothness
from a2bench.metrics.vbench_quality import (
    SCALES,
    FrameConsistency,
    TemporalFlickering,
    VbenchQuality,
    normalised,
)
from a2bench.networks.files import LocalWeights
from a2bench.types import Case
from a2bench.video import probe
from tests.golden import make_clip
from tests.golden import make_vbench_quality as public
from tests.helpers.checkpoints import CLIP_CONFIG, DINO_SIZES, write_dino
from tests.helpers.fakes import NO_VIDEO, Canned, measure
from tests.helpers.makers import write_as

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))
CASE = Case(id="c", prompt="p", elements=())
IDS = [str(shape) for shape in public.CLIPS]


@pytest.fixture(scope="module")
def dimensions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Metric, ...]:
    folder = tmp_path_factory.mktemp("vbench")
    shapes = json.loads(make_clip.PATH.read_text(encoding="utf-8"))["shapes"]
    torch.save(make_clip.random_weights(shapes), folder / "clip.pt")
    clip = Clip(
        variant="ViT-B-32", weights=LocalWeights(path=folder / "clip.pt"), config=CLIP_CONFIG
    )
    dino = LocalWeights(path=write_dino(folder / "dino.pth"))
    return (
        FrameConsistency(of="subject", frames=DinoFrames(weights=dino, sizes=DINO_SIZES)),
        FrameConsistency(of="background", frames=ClipFrames(clip=clip)),
        TemporalFlickering(frames=FrameDifferences()),
    )


@pytest.mark.parametrize("index", range(len(public.CLIPS)), ids=IDS)
def test_values_are_vbenchs(dimensions: tuple[Metric, ...], index: int, tmp_path: Path) -> None:
    frames = list(public.clip(public.CLIPS[index]))
    video = probe(write_as(tmp_path / "v.mkv", frames, "ffv1", "bgr0"))
    bank = FeatureBank(CASE, video, [e for metric in dimensions for e in metric.extractors])
    for metric in dimensions:
        found = metric.score(CASE, bank)
        golden = GOLDEN[metric.info.name.removeprefix("vbench_")][index]
        assert found.value == pytest.approx(golden, rel=1e-4), metric.info.name
        (values,) = found.detail.values()
        assert len(values) == len(frames) - 1
    assert bank.decodes == 1


def consistency(rows: list[list[float]]) -> FrameConsistency:
    embeddings = np.array(rows, np.float32)
    return FrameConsistency(of="subject", frames=Canned(features=DinoVideo(embeddings=embeddings)))


def test_consistency_compares_with_the_first_and_the_one_before_and_never_below_0() -> None:
    rows = [[1.0, 0.0], [0.6, 0.8], [-0.8, 0.6]]  # cosines: .6; 0 with the one before, -.8
    found = measure(consistency(rows), CASE)
    assert found.value == pytest.approx((0.6 + 0) / 2)
    assert found.detail == {"similarities": [0.6, 0.0]}
    assert measure(consistency([[0.6, 0.8]] * 3), CASE).value == pytest.approx(1)


def test_flickering_is_the_mean_difference_of_neighbours() -> None:
    consumer = FrameDifferences().start(CASE, NO_VIDEO)
    for index, level in enumerate((10, 30, 20)):
        consumer.push(index, np.full((2, 2, 3), level, np.uint8))
    differences = consumer.finish()
    assert differences == [20, 10]
    found = measure(TemporalFlickering(frames=Canned(features=differences)), CASE)
    assert found.value == pytest.approx(240 / 255)
    assert found.detail == {"differences": [20, 10]}


@pytest.mark.parametrize(
    "metric", [consistency([[1.0, 0.0]]), TemporalFlickering(frames=Canned(features=[]))]
)
def test_a_single_frame_is_not_applicable(metric: Metric) -> None:
    with pytest.raises(MetricError, match="at least 2 frames, the video has 1"):
        measure(metric, CASE)


def parts(values: tuple[float, ...]) -> tuple[Metric, ...]:
    """The seven metrics on features for which they have these values; the dynamic degree: 0 or 1"""
    subject, background, flickering, smoothness, dynamic, aesthetic, image = values
    clip = ClipVideo(embeddings=pair(background), aesthetics=np.array([aesthetic], np.float32))
    shared: Extractor[ClipVideo] = Canned(features=clip)
    moves = Motion(magnitudes_px=(dynamic,), pairs=1, threshold_px=0.5, needed=1)
    return (
        AestheticQuality(clip=shared),
        FrameConsistency(of="subject", frames=Canned(features=DinoVideo(embeddings=pair(subject)))),
        FrameConsistency(of="background", frames=shared),
        TemporalFlickering(frames=Canned(features=[255 * (1 - flickering)])),
        MotionSmoothness(interpolation=Canned(features=[255 * (1 - smoothness)])),
        DynamicDegree(motion=Canned(features=moves)),
        ImageQuality(frames=Canned(features=[image])),
    )


def pair(cosine: float) -> Any:
    """Two embeddings with this cosine."""
    return np.array([[1, 0], [cosine, (1 - cosine**2) ** 0.5]], np.float32)


@pytest.mark.parametrize(
    ("values", "golden"), list(zip(public.VALUES, GOLDEN["totals"], strict=True))
)
def test_the_total_is_vbenchs(values: tuple[float, ...], golden: float) -> None:
    told = dict(zip(public.DIMENSIONS, values, strict=True))
    assert normalised(told) == pytest.approx(golden, rel=1e-12)
    found = measure(VbenchQuality(parts=parts(values)), CASE)
    assert found.value == pytest.approx(golden, rel=1e-5)
    assert found.detail == pytest.approx(told, rel=1e-5)


def test_its_bounds_are_those_of_its_parts() -> None:
    info = VbenchQuality(parts=parts(public.VALUES[0])).info
    least = -(0.1462 / 0.8538 + 0.2615 / 0.7385 + 0.6293 / 0.3707 + 0.706 / 0.2915) / 6.5
    most = (6 - 1 + 0.5 + 0.294 / 0.2915) / 6.5
    assert info.low == pytest.approx(least, rel=1e-12)
    assert info.high == pytest.approx(most, rel=1e-12)


def test_it_needs_the_seven_and_reads_each_extractor_once() -> None:
    seven = parts(public.VALUES[0])
    assert {metric.info.name for metric in seven} == set(SCALES) == set(public.DIMENSIONS)
    assert len(VbenchQuality(parts=seven).extractors) == 6
    for wrong in (seven[1:], (*seven, seven[0])):
        with pytest.raises(ValueError, match="give one of each: vbench_subject_consistency, "):
            VbenchQuality(parts=wrong)


def test_it_fails_where_a_part_does_and_says_which() -> None:
    still = MotionSmoothness(interpolation=Canned(features=[]))
    kept = [metric for metric in parts(public.VALUES[0]) if metric.info.name != still.info.name]
    with pytest.raises(MetricError, match="motion_smoothness: motion smoothness needs at least"):
        measure(VbenchQuality(parts=(*kept, still)), CASE)


def test_a_changed_part_is_another_metric() -> None:
    quality = VbenchQuality(parts=parts(public.VALUES[0]))
    params = metric_identity(quality)["params"]
    assert params["dynamic_degree"] == ["2", {}]
    assert set(params) == set(SCALES)
    json.dumps(params)
