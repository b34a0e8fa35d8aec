"""Fault 32: the GPU runs out of memory on one video."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from a2bench.metrics.extractors.quality.frames import MusiqFrames
from a2bench.metrics.image_quality import ImageQuality
from a2bench.networks.files import LocalWeights
from a2bench.runs.store import RunStore
from a2bench.types import Status
from tests.helpers.fakes import Level
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do


class SmallGpu:
    """A network that has room for so many frames of one forward of a video."""

    def __init__(self, rooms: list[int]) -> None:
        self.rooms = rooms
        self.batches: list[int] = []

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(pixels))
        if len(pixels) > self.rooms[0]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return torch.full((len(pixels), 1), 50.0)


def test_fault_32_out_of_memory_on_one_video_fails_that_one_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    (tmp_path / "musiq.pth").write_bytes(b"weights")
    frames = MusiqFrames(weights=LocalWeights(path=tmp_path / "musiq.pth"), batch=8)
    gpu = SmallGpu(rooms=[4])
    frames.__dict__["network"] = gpu
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 3)
    quality = ImageQuality(frames=frames)

    first = do(ask(suite, quality, Level()), store)
    assert {r.status for r in first} == {Status.OK}  # half a batch fits
    assert gpu.batches[:3] == [8, 4, 4]
    assert len(emptied) == 3

    gpu.rooms = [0]
    other = RunStore(tmp_path / "other")
    failed = [r for r in do(ask(suite, quality, Level()), other) if r.metric == "image_quality"]
    assert {r.status for r in failed} == {Status.FAILED}
    assert {(r.error or "")[:13] for r in failed} == {"out of memory"}
    assert {r.status for r in other.records().values() if r.metric == "level"} == {Status.OK}

    gpu.rooms = [8]  # there is memory again: only what failed is tried again
    again = do(ask(suite, quality, Level()), other)
    assert {(r.metric, r.status) for r in again} == {("image_quality", Status.OK)}
    assert len(again) == 3
