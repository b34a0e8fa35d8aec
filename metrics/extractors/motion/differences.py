"""How much adjacent frames differ."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2

from a2bench.features import ExtractorInfo
from a2bench.pictures import Frame
from a2bench.types import Case, Video


@dataclass(frozen=True, kw_only=True)
class FrameDifferences:
    """The mean absolute difference of each pair of adjacent frames.

    In levels of 0 to 255, over pixels and RGB channels.
    """

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(name="frame_differences", version="1", sampling="all")

    def start(self, case: Case, video: Video) -> _FrameDifferences:
        return _FrameDifferences()


@dataclass(kw_only=True)
class _FrameDifferences:
    differences: list[float] = field(default_factory=list)
    last: Frame | None = None

    def push(self, index: int, frame: Frame) -> None:
        if self.last is not None:
            self.differences.append(float(cv2.absdiff(frame, self.last).mean()))
        self.last = frame

    def finish(self) -> list[float]:
        return self.differences
