"""Aesthetic quality against VBench on the same network, head and frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.errors import MetricError
from a2bench.features import ExtractorInfo, FeatureBank
from a2bench.metric import missing_files
from a2bench.metrics.aesthetic_quality import INFO, AestheticQuality
from a2bench.metrics.extractors.embeddings.clip import Clip, ClipFrames, ClipVideo
from a2bench.networks.files import LocalWeights
from a2bench.pictures import Frame
from a2bench.types import Case, Measurement, Video
from a2bench.video import probe
from tests.golden import make_clip as public
from tests.golden.make_musiq import clip as make_clip
from tests.helpers.checkpoints import CLIP_CONFIG
from tests.helpers.makers import write_as, write_video

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))
CASE = Case(id="c", prompt="p", elements=())


@dataclass(frozen=True)
class Told:
    """CLIP features that are given."""

    aesthetics: Sequence[float] | None
    info = ExtractorInfo(name="told", version="1", sampling="all")

    def start(self, case: Case, video: Video) -> Told:
        return self

    def push(self, index: int, frame: Frame) -> None:
        pass

    def finish(self) -> ClipVideo:
        told = None if self.aesthetics is None else np.array(self.aesthetics, np.float32)
        return ClipVideo(embeddings=np.zeros((3, 2), np.float32), aesthetics=told)


@pytest.fixture(scope="module")
def metric(tmp_path_factory: pytest.TempPathFactory) -> AestheticQuality:
    folder = tmp_path_factory.mktemp("aesthetic")
    shapes = {name: tuple(shape) for name, shape in GOLDEN["shapes"].items()}
    torch.save(public.random_weights(shapes), folder / "clip.pt")
    torch.save(public.head_weights(), folder / "head.pth")
    clip = Clip(weights=LocalWeights(path=folder / "clip.pt"), config=CLIP_CONFIG)
    return AestheticQuality(clip=ClipFrames(clip=clip, head=LocalWeights(path=folder / "head.pth")))


def measure(metric: AestheticQuality, path: Path) -> Measurement:
    return metric.score(CASE, FeatureBank(CASE, probe(path), metric.extractors))


@pytest.mark.parametrize(
    ("shape", "golden"),
    list(zip(public.CLIPS, GOLDEN["scores"], strict=True)),
    ids=[str(shape) for shape in public.CLIPS],
)
def test_the_value_is_vbenchs(
    metric: AestheticQuality, shape: tuple[int, int, int], golden: float, tmp_path: Path
) -> None:
    lossless = write_as(tmp_path / "v.mkv", list(make_clip(shape)), "ffv1", "bgr0")
    found = measure(metric, lossless)
    assert found.value == pytest.approx(golden, rel=1e-4)
    assert len(found.detail["aesthetics"]) == shape[0]


def test_the_value_is_the_mean_over_the_frames(tmp_path: Path) -> None:
    told = Told(aesthetics=(0.5, 0.25, 1.125))
    found = measure(AestheticQuality(clip=told), write_video(tmp_path / "v.mp4"))
    assert found.value == 0.625
    assert found.detail == {"aesthetics": [0.5, 0.25, 1.125]}


def test_a_clip_without_a_head_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="ClipFrames with a head"):
        measure(AestheticQuality(clip=Told(aesthetics=None)), write_video(tmp_path / "v.mp4"))


def test_both_weights_are_asked_for_before_a_run(tmp_path: Path) -> None:
    clip = Clip(weights=LocalWeights(path=tmp_path / "clip.pt"))
    metric = AestheticQuality(
        clip=ClipFrames(clip=clip, head=LocalWeights(path=tmp_path / "head.pth"))
    )
    assert missing_files([metric]) == (
        f"weights are missing: {tmp_path}/clip.pt",
        f"weights are missing: {tmp_path}/head.pth",
    )
    assert metric.info is INFO
