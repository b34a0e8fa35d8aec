"""Frames predicted from their neighbours, and how far they are off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import cv2

from a2bench.errors import MetricError
from a2bench.features import ExtractorInfo
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import CheckpointWeights, Weights, lacking
from a2bench.networks.inference import inference
from a2bench.pictures import Frame
from a2bench.types import Case, Video

if TYPE_CHECKING:
    from a2bench.metrics.extractors.motion.amt import AmtNetwork

LEAST_PX = 113  # padded to 128: the coarsest correlations must be two cells a side


@dataclass(frozen=True, kw_only=True)
class AmtInterpolation(LoadsAnew):
    """For each odd frame between two even ones its mean absolute error when AMT-S predicts it.

    In levels of 0 to 255, over pixels and RGB channels, as in VBench: frames are padded to
    multiples of 16 by their edges, never reduced; predictions are cropped again, and cut to whole
    levels. AMT (Li et al., CVPR 2023) sees both frames less the mean of the two, so nothing that it
    computes for a frame serves the next pair. Correlations of frames of n pixels take n^2 / 384
    bytes: 0.4 GB for 832x480, 11 GB for 1920x1080. The weights are CC-BY-NC-4.0.
    """

    weights: Weights = CheckpointWeights(name="amt-s")
    device: str = "cpu"

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="amt_interpolation",
            version="1",
            sampling="even-odd",
            weights=self.weights.hashes(),
            licence=self.weights.licence,
        )

    def missing(self) -> tuple[str, ...]:
        return lacking(self.weights)

    def start(self, case: Case, video: Video) -> InterpolationErrors:
        """Raises ``MetricError`` for frames of fewer than 113 pixels a side."""
        if min(video.width, video.height) < LEAST_PX:
            raise MetricError(
                f"AMT-S needs frames of at least {LEAST_PX} pixels a side, "
                f"these have {video.width}x{video.height}"
            )
        return InterpolationErrors(predict=self.middle)

    @cached_property
    def network(self) -> AmtNetwork:
        from a2bench.metrics.extractors.motion.amt import load_amt

        return load_amt(self.weights.locate()).to(self.device)

    def middle(self, before: Frame, after: Frame) -> Frame:
        """The frame between the two."""
        from a2bench.metrics.extractors.motion.amt import amt_pixels

        with inference():
            levels = 255 * self.network(amt_pixels(before, after).to(self.device))[0]
            predicted: Frame = levels.byte().permute(1, 2, 0).cpu().numpy()
        height, width = before.shape[:2]
        top, left = (predicted.shape[0] - height) // 2, (predicted.shape[1] - width) // 2
        return predicted[top : top + height, left : left + width]


@dataclass(kw_only=True)
class InterpolationErrors:
    """Takes even and odd frames in order; ``predict`` makes the frame between two even ones."""

    predict: Callable[[Frame, Frame], Frame]
    errors: list[float] = field(default_factory=list)
    even: Frame | None = None
    odd: Frame | None = None

    def push(self, index: int, frame: Frame) -> None:
        if index % 2:
            self.odd = frame
            return
        if self.even is not None and self.odd is not None:
            predicted = self.predict(self.even, frame)
            self.errors.append(float(cv2.absdiff(self.odd, predicted).mean()))
        self.even = frame

    def finish(self) -> list[float]:
        return self.errors
