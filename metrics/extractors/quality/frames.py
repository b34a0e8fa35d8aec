"""Quality of single frames without a reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
from pypiqe import piqe

from a2bench.errors import MetricError
from a2bench.features import ExtractorInfo
from a2bench.metrics.extractors.batches import Batches
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import CheckpointWeights, Weights, lacking
from a2bench.networks.inference import in_batches
from a2bench.pictures import Frame
from a2bench.types import Case, Video

if TYPE_CHECKING:
    from torch import Tensor

    from a2bench.metrics.extractors.quality.musiq import MusiqNetwork

BLOCK_PX = 16


@dataclass(frozen=True, kw_only=True)
class Piqe:
    """``1 - PIQE / 100`` of each sampled frame: 1 is undistorted, 0 is the worst.

    PIQE (Venkatanath et al., NCC 2015) is the share of distortion (blocking, noise) in the blocks
    of 16x16 px that have structure, in [0, 100]; a frame without any, blurred or of one colour, has
    100. Nothing is learnt. 0.1 s a frame of 832x480.
    """

    sampling: str = "linspace-16"

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="piqe", version="2", sampling=self.sampling, params={"package": "pypiqe==1.2"}
        )

    def start(self, case: Case, video: Video) -> _Piqe:
        """Raises ``MetricError`` for frames that hold no whole block."""
        if min(video.width, video.height) < BLOCK_PX:
            raise MetricError(
                f"PIQE needs frames of at least {BLOCK_PX} pixels a side, "
                f"these have {video.width}x{video.height}"
            )
        return _Piqe()


@dataclass
class _Piqe:
    qualities: list[float] = field(default_factory=list)

    def push(self, index: int, frame: Frame) -> None:
        # pypiqe takes three channels as BGR, and divides by the largest level
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        distortion = float(piqe(grey)[0]) if grey.any() else 100.0
        self.qualities.append(1 - min(max(distortion, 0.0), 100.0) / 100)

    def finish(self) -> list[float]:
        return self.qualities


@dataclass(frozen=True, kw_only=True)
class MusiqFrames(LoadsAnew):
    """``MUSIQ / 100`` of each sampled frame, as VBench has it: about 0 to 1, higher is better.

    MUSIQ (Ke et al., ICCV 2021) with SPAQ's weights rates a picture from 0 to 100 as people rated
    photographs of phones. A frame whose longer side is over ``longer_px`` is reduced to it first.
    """

    weights: Weights = CheckpointWeights(name="musiq-spaq")
    device: str = "cpu"
    sampling: str = "all"
    longer_px: int = 512
    batch: int = 4

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="musiq",
            version="1",
            sampling=self.sampling,
            params={"longer_px": self.longer_px},
            weights=self.weights.hashes(),
            licence=self.weights.licence,
        )

    def start(self, case: Case, video: Video) -> Batches[float, list[float]]:
        from a2bench.metrics.extractors.quality.musiq import musiq_pixels

        return Batches(
            prepare=lambda frame: musiq_pixels(frame, self.longer_px),
            run=self.rate,
            conclude=list,
            size=self.batch,
        )

    def missing(self) -> tuple[str, ...]:
        return lacking(self.weights)

    @cached_property
    def network(self) -> MusiqNetwork:
        from a2bench.metrics.extractors.quality.musiq import load_musiq

        return load_musiq(self.weights.locate()).to(self.device)

    def rate(self, pixels: list[Tensor]) -> list[float]:
        """The qualities of frames of one size, as ``musiq_pixels`` makes them."""
        import torch

        ratings = in_batches(
            lambda part: self.network(part.to(self.device)).cpu(), torch.stack(pixels), self.batch
        )
        return [float(rating) / 100 for rating in ratings]
