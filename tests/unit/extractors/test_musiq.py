"""MUSIQ against the public network under VBench, as the frames of image quality."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.errors import CannotRun
from a2bench.features import FeatureBank
from a2bench.keys import file_sha256
from a2bench.metric import missing_files
from a2bench.metrics.extractors.quality.frames import MusiqFrames
from a2bench.metrics.extractors.quality.musiq import MusiqNetwork, load_musiq, musiq_pixels
from a2bench.metrics.image_quality import ImageQuality
from a2bench.networks.files import LocalWeights
from a2bench.pictures import Frame
from a2bench.types import Case, Video
from a2bench.video import probe
from tests.golden import make_musiq as public
from tests.golden.make_viclip import layout, shapes_of
from tests.helpers.makers import make_frames, write_as

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))
CASE = Case(id="c", prompt="p", elements=())
VIDEO = Video(path=Path(), sha256="", width=2, height=2, fps=8.0, frames=8, duration_s=1.0)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        shapes = shapes_of(MusiqNetwork())
    return public.random_weights(shapes)


@pytest.fixture(scope="module")
def weights(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("musiq") / "musiq_spaq_ckpt-358bb6af.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def musiq(weights: Path) -> MusiqFrames:
    return MusiqFrames(weights=LocalWeights(path=weights))


def qualities(musiq: MusiqFrames, frames: list[Frame]) -> list[float]:
    consumer = musiq.start(CASE, VIDEO)
    for index, frame in enumerate(frames):
        consumer.push(index, frame)
    return consumer.finish()


def test_the_published_layout() -> None:
    with torch.device("meta"):
        found = layout(shapes_of(MusiqNetwork()))
    assert found == GOLDEN["layout"]
    assert found["parameters"] == 27_125_825


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("missing", "missing: head.bias$"),
        ("unexpected", "unexpected: a, b, c and 1 more$"),
        ("shape", "of another shape: head.bias$"),
    ],
)
def test_other_layouts_are_refused(
    fault: str, told: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    wrong = {
        "missing": {name: value for name, value in state.items() if name != "head.bias"},
        "unexpected": {**state, **{name: torch.zeros(1) for name in "dcba"}},
        "shape": {**state, "head.bias": torch.zeros(10)},
    }[fault]
    torch.save(wrong, tmp_path / "musiq.pth")
    with pytest.raises(CannotRun, match=told) as refused:
        load_musiq(tmp_path / "musiq.pth")
    assert str(refused.value).startswith(str(tmp_path / "musiq.pth"))


@pytest.mark.parametrize(
    ("shape", "golden"),
    list(zip(public.CLIPS, GOLDEN["scores"], strict=True)),
    ids=[str(shape) for shape in public.CLIPS],
)
def test_scores_are_those_of_the_public_network_under_vbench(
    musiq: MusiqFrames, shape: tuple[int, int, int], golden: float
) -> None:
    found = qualities(musiq, list(public.clip(shape)))
    assert len(found) == shape[0]
    assert 100 * float(np.mean(found)) == pytest.approx(golden, rel=1e-4)


def test_the_golden_scores_differ_by_far_more_than_the_tolerance() -> None:
    assert np.diff(sorted(GOLDEN["scores"])).min() > 0.1


def test_a_frame_is_reduced_to_the_longer_side_and_never_enlarged() -> None:
    frame = np.zeros((480, 832, 3), np.uint8)
    assert musiq_pixels(frame, 512).shape == (3, 295, 512)  # VBench's int(480 * 512 / 832)
    assert musiq_pixels(frame, 832).shape == (3, 480, 832)
    assert musiq_pixels(np.full((1, 2000, 3), 255, np.uint8), 512).shape == (3, 1, 512)
    whole = public.clip((1, 24, 32))[0]
    assert np.array_equal(musiq_pixels(whole, 512).permute(1, 2, 0).numpy() * 255, whole)


def test_a_thread_of_a_frame_has_a_score(musiq: MusiqFrames) -> None:
    assert np.isfinite(qualities(musiq, [np.full((1, 2000, 3), 255, np.uint8)])).all()


def test_image_quality_reads_it(musiq: MusiqFrames, tmp_path: Path) -> None:
    metric = ImageQuality(frames=musiq)
    frames = make_frames(3)
    video = probe(write_as(tmp_path / "v.mkv", frames, "ffv1", "bgr0"))
    value = metric.score(CASE, FeatureBank(CASE, video, metric.extractors)).value
    assert value == pytest.approx(np.mean(qualities(musiq, frames)), abs=1e-7)


def test_each_frame_passes_once_in_batches_while_the_video_is_read(weights: Path) -> None:
    musiq, sizes = MusiqFrames(weights=LocalWeights(path=weights), batch=2), []
    musiq.network.register_forward_hook(lambda _, images, out: sizes.append(len(images[0])))
    consumer = musiq.start(CASE, VIDEO)
    for index, frame in enumerate(make_frames(5)):
        consumer.push(index, frame)
        assert sum(sizes) == 2 * ((index + 1) // 2)  # no more than a batch ever waits
    assert len(consumer.finish()) == 5
    assert sizes == [2, 2, 1]


def test_a_score_does_not_depend_on_its_batch(musiq: MusiqFrames, weights: Path) -> None:
    alone = MusiqFrames(weights=LocalWeights(path=weights), batch=1)
    frames = make_frames(3)
    np.testing.assert_allclose(qualities(musiq, frames), qualities(alone, frames), atol=1e-6)


def test_it_is_defined_by_its_weights_and_size(weights: Path) -> None:
    info = MusiqFrames(weights=LocalWeights(path=weights, licence="L"), device="cuda").info
    assert info.params == {"longer_px": 512} and info.sampling == "all"
    assert info.weights == {"musiq_spaq_ckpt-358bb6af.pth": file_sha256(weights)}
    assert info.licence == "L"


def test_missing_weights_are_told_before_a_run(tmp_path: Path) -> None:
    musiq = MusiqFrames(weights=LocalWeights(path=tmp_path / "musiq.pth"))
    (text,) = missing_files([ImageQuality(frames=musiq)])
    assert text == f"weights are missing: {tmp_path}/musiq.pth"


def test_it_is_pickled_without_the_network(musiq: MusiqFrames) -> None:
    assert musiq.network is musiq.network
    sent = pickle.dumps(musiq)
    assert len(sent) < 1000
    assert pickle.loads(sent) == musiq
