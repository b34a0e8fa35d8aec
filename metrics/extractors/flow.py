"""Dense optical flow, and what the motion metrics read from it.

Both extractors take frames two apart at 15 frames a second; give them one ``DisFlow``, and each
flow is computed once for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from a2bench.errors import NotApplicable
from a2bench.features import ExtractorInfo
from a2bench.types import Case, Json, Video
from a2bench.video import Frame

Flow = NDArray[np.float32]
"""Shape (height, width, 2): pixels by which each pixel of the first frame moves right and down."""


@dataclass(kw_only=True)
class DisFlow:
    """Dense inverse search (Kroeger et al., ECCV 2016; OpenCV's), on grey frames, full resolution.

    For a photograph of 832x480 moved by 1 to 80 px the median flow is within 0.1 px of it with each
    preset; ``medium`` errs least at edges and in small frames, and takes 35 ms a pair (``fast``:
    8 ms). The last pair, told by the identity of its frames, is remembered.
    """

    preset: Literal["ultrafast", "fast", "medium"] = "medium"

    _last: tuple[Frame, Frame, Flow] | None = field(default=None, init=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    @property
    def params(self) -> Mapping[str, Json]:
        return {"flow": "opencv-dis", "preset": self.preset}

    def between(self, before: Frame, after: Frame) -> Flow:
        """The flow from ``before`` to ``after``.

        Raises ``NotApplicable`` for frames with fewer pixels a side than the coarsest search needs.
        """
        if self._last is None or self._last[0] is not before or self._last[1] is not after:
            self._last = (before, after, self._compute(before, after))
        return self._last[2]

    def _compute(self, before: Frame, after: Frame) -> Flow:
        presets = {
            "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
            "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
            "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
        }
        search = cv2.DISOpticalFlow.create(presets[self.preset])
        least_px = search.getPatchSize() << search.getFinestScale()
        height, width = before.shape[:2]
        if min(height, width) < least_px:  # OpenCV 5.0 reads outside of the picture and crashes
            raise NotApplicable(
                f"optical flow needs frames of at least {least_px} pixels a side, "
                f"these have {width}x{height}"
            )
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)]
        flow: Flow = search.calc(grey[0], grey[1], None)
        return flow


@dataclass(frozen=True, kw_only=True)
class TopFlow:
    """For each pair of successive frames the mean of its ``share`` largest flow magnitudes, px.

    One number fewer than there are sampled frames; at least one pixel of a pair counts.
    """

    flow: DisFlow
    sampling: str = "fps-8"
    share: float = 0.05

    @property
    def info(self) -> ExtractorInfo:
        params = {"share": self.share, **self.flow.params}
        return ExtractorInfo(name="top_flow", version="1", sampling=self.sampling, params=params)

    def start(self, case: Case, video: Video) -> _TopFlow:
        return _TopFlow(flow=self.flow, share=self.share)


@dataclass(kw_only=True)
class _TopFlow:
    flow: DisFlow
    share: float
    magnitudes_px: list[float] = field(default_factory=list)
    last: Frame | None = None

    def push(self, index: int, frame: Frame) -> None:
        if self.last is not None:
            self.magnitudes_px.append(top_mean(self.flow.between(self.last, frame), self.share))
        self.last = frame

    def finish(self) -> list[float]:
        return self.magnitudes_px


@dataclass(frozen=True, kw_only=True)
class FlowInterpolation:
    """For each odd frame between two even ones its mean absolute error when predicted from them.

    In levels of 0 to 255, over pixels and RGB channels.
    """

    flow: DisFlow

    @property
    def info(self) -> ExtractorInfo:
        params = self.flow.params
        return ExtractorInfo(
            name="flow_interpolation", version="1", sampling="even-odd", params=params
        )

    def start(self, case: Case, video: Video) -> _FlowInterpolation:
        return _FlowInterpolation(flow=self.flow)


@dataclass(kw_only=True)
class _FlowInterpolation:
    flow: DisFlow
    errors: list[float] = field(default_factory=list)
    even: Frame | None = None
    odd: Frame | None = None

    def push(self, index: int, frame: Frame) -> None:
        if index % 2:
            self.odd = frame
            return
        if self.even is not None and self.odd is not None:
            predicted = halfway(self.even, frame, self.flow.between(self.even, frame))
            self.errors.append(float(cv2.absdiff(self.odd, predicted).mean()))
        self.even = frame

    def finish(self) -> list[float]:
        return self.errors


def top_mean(flow: Flow, share: float) -> float:
    """The mean of the ``int(pixels * share)`` largest magnitudes of a flow, at least one."""
    magnitudes = cv2.magnitude(flow[..., 0], flow[..., 1]).ravel()
    count = max(1, int(magnitudes.size * share))
    return float(np.partition(magnitudes, -count)[-count:].mean(dtype=np.float64))


def halfway(before: Frame, after: Frame, flow: Flow) -> Frame:
    """The frame in the middle: ``(before(x - flow(x) / 2) + after(x + flow(x) / 2)) / 2``.

    The flow is read where the pixel is in the middle, not where it came from; that is exact where
    neighbours move alike. (Flows of both directions with a choice of the better one for each pixel
    gained at most 0.0005 of the score on four clips, for 2.5 times the time.)
    """
    height, width = flow.shape[:2]
    half = flow / 2
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    ways = [
        cv2.remap(
            frame,
            columns + sign * half[..., 0],
            rows + sign * half[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for frame, sign in ((before, -1), (after, 1))
    ]
    middle: Frame = cv2.addWeighted(ways[0], 0.5, ways[1], 0.5, 0)
    return middle
