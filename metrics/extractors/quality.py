"""Quality of single frames without a reference."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
from pypiqe import piqe

from a2bench.errors import NotApplicable
from a2bench.features import ExtractorInfo
from a2bench.types import Case, Video
from a2bench.video import Frame

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
            name="piqe", version="1", sampling=self.sampling, params={"package": "pypiqe==1.2"}
        )

    def start(self, case: Case, video: Video) -> _Piqe:
        """Raises ``NotApplicable`` for frames that hold no whole block."""
        if min(video.width, video.height) < BLOCK_PX:
            raise NotApplicable(
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
