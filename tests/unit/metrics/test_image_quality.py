from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pypiqe import piqe

from a2bench.features import FeatureBank
from a2bench.metrics.extractors.quality.frames import Piqe
from a2bench.metrics.image_quality import ImageQuality
from a2bench.pictures import Frame
from a2bench.types import Case, Measurement
from a2bench.video import probe
from tests.helpers import ROOT
from tests.helpers.makers import write_as

CASE = Case(id="c", prompt="p", elements=())
BACKGROUNDS = sorted((ROOT / "references" / "backgrounds").glob("*.jpg"))


def measure(frames: list[Frame], tmp_path: Path, sampling: str = "linspace-16") -> Measurement:
    metric = ImageQuality(frames=Piqe(sampling=sampling))
    video = probe(write_as(tmp_path / "v.mkv", frames, "ffv1", "bgr0"))
    return metric.score(CASE, FeatureBank(CASE, video, metric.extractors))


def photograph(path: Path) -> Frame:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((416, 240), Image.Resampling.LANCZOS))


def blurred(frame: Frame) -> Frame:
    soft: Frame = cv2.GaussianBlur(frame, (0, 0), 3).astype(np.uint8)
    return soft


def compressed(frame: Frame) -> Frame:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=5)
    return np.asarray(Image.open(file))


def noisy(frame: Frame) -> Frame:
    noise = np.random.default_rng(0).normal(0, 25, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [blurred, compressed, noisy])
@pytest.mark.parametrize("path", BACKGROUNDS[::3], ids=lambda path: path.stem)
def test_a_clean_photograph_beats_a_spoiled_one(
    tmp_path: Path, path: Path, spoil: Callable[[Frame], Frame]
) -> None:
    frame = photograph(path)
    assert measure([frame], tmp_path).value > measure([spoil(frame)], tmp_path).value


def test_the_value_is_piqe_of_the_frame_in_the_order_that_pypiqe_expects(tmp_path: Path) -> None:
    frame = photograph(BACKGROUNDS[0])
    right, wrong = (piqe(pixels)[0] for pixels in (np.ascontiguousarray(frame[..., ::-1]), frame))
    assert right != wrong
    assert measure([frame], tmp_path).value == pytest.approx(1 - right / 100, abs=1e-12)


def test_the_value_is_the_mean_over_the_sampled_frames(tmp_path: Path) -> None:
    frame = photograph(BACKGROUNDS[1])[:48, :64]
    frames = [frame, blurred(frame), frame, np.zeros_like(frame)] * 5
    alone = [measure([frame], tmp_path).value for frame in frames[:4]]
    assert measure(frames[:4], tmp_path).value == pytest.approx(np.mean(alone), abs=1e-12)
    assert len(measure(frames, tmp_path).detail["qualities"]) == 16
    few = measure(frames, tmp_path, sampling="linspace-3").detail["qualities"]
    assert few == [round(alone[i], 4) for i in (0, 1, 3)]


@pytest.mark.parametrize("shape", [(16, 16), (17, 33), (96, 128)])
def test_patterns_stay_in_the_range(tmp_path: Path, shape: tuple[int, int]) -> None:
    rows, columns = np.indices(shape)
    patterns = [
        (rows + columns) % 2,
        columns % 2,
        rows // 8 % 2,
        (rows % 16 == 8) & (columns % 16 == 8),
        np.random.default_rng(0).integers(0, 2, shape),
    ]
    frames = [np.repeat((p * 255).astype(np.uint8)[..., None], 3, axis=2) for p in patterns]
    qualities = measure(frames, tmp_path).detail["qualities"]
    assert len(qualities) == 5
    assert all(0 <= quality <= 1 for quality in qualities)


@pytest.mark.parametrize(("told", "value"), [(-0.5, 1.0), (100.5, 0.0)])
def test_a_piqe_beyond_its_range_is_taken_as_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: float, value: float
) -> None:
    monkeypatch.setattr("a2bench.metrics.extractors.quality.frames.piqe", lambda grey: (told,))
    assert measure([photograph(BACKGROUNDS[0])], tmp_path).value == value
