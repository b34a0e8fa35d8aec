"""Dense optical flow, and frames predicted by it.

``FlowInterpolation`` and ``motion.PairMotion`` take frames two apart at 15 frames a second; give
them one engine, and each flow is computed once for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from a2bench.errors import MetricError
from a2bench.features import ExtractorInfo
from a2bench.metrics.extractors.motion.interpolation import InterpolationErrors
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import CheckpointWeights, Weights, hashes, lacking, licences
from a2bench.networks.inference import inference
from a2bench.pictures import Floats, Frame, Mask
from a2bench.types import Case, Json, Video

if TYPE_CHECKING:
    from torch import Tensor

    from a2bench.metrics.extractors.motion.raft import RaftNetwork

Flow = NDArray[np.float32]
"""Shape (height, width, 2): pixels by which each pixel of the first frame moves right and down."""
AROUND_PX = 30
"""The side of the neighbourhood in which a flow is held against rest."""
BETTER = 0.7
"""The share of what rest leaves unexplained that a flow may leave."""
ROUNDING = 1.0
"""Variance in levels of 0 to 255, squared, that rounding and a codec leave anyway."""


class FlowEngine(Protocol):
    """A way to compute flow. It remembers the last pair of frames, told by their identity.

    ``version`` rises when its flows change; extractors that read them take it as their own.
    """

    @property
    def version(self) -> str: ...

    @property
    def params(self) -> Mapping[str, Json]:
        """What its flows depend on besides the weights."""
        ...

    @property
    def files(self) -> tuple[Weights, ...]: ...

    def between(self, before: Frame, after: Frame) -> Flow:
        """The flow from ``before`` to ``after``; ``MetricError`` for frames too small for it."""
        ...


@dataclass(kw_only=True)
class DisFlow(LoadsAnew):
    """Dense inverse search (Kroeger et al., ECCV 2016; OpenCV's), on grey frames, full resolution.

    For a photograph of 832x480 moved by 1 to 80 px the median flow is within 0.1 px of it with each
    preset; ``medium`` errs least at edges and in small frames, and takes 35 ms a pair (``fast``:
    8 ms). The last pair, told by the identity of its frames, is remembered.

    The method takes every pixel to keep its brightness, so fades, flicker and blur look like
    motion. Hence a flow counts only where it explains the second frame better than rest does,
    brightness and contrast aside, and is 0 elsewhere (``explained``).
    """

    version: ClassVar[str] = "2"

    preset: Literal["ultrafast", "fast", "medium"] = "medium"

    _last: tuple[Frame, Frame, Flow] | None = field(default=None, init=False, repr=False)

    @property
    def params(self) -> Mapping[str, Json]:
        return {"flow": "opencv-dis", "preset": self.preset}

    @property
    def files(self) -> tuple[Weights, ...]:
        return ()

    def between(self, before: Frame, after: Frame) -> Flow:
        """The flow from ``before`` to ``after``.

        Raises ``MetricError`` for frames with fewer pixels a side than the coarsest search needs.
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
            raise MetricError(
                f"optical flow needs frames of at least {least_px} pixels a side, "
                f"these have {width}x{height}"
            )
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)]
        flow: Flow = search.calc(grey[0], grey[1], None)
        flow[~explained(grey[0], grey[1], flow)] = 0
        return flow


def explained(before: NDArray[np.uint8], after: NDArray[np.uint8], flow: Flow) -> Mask:
    """Where a flow between two grey frames says more of the second than rest does.

    In the neighbourhood of each pixel (about 30 px a side, at half the resolution) the first frame
    is fitted to the second by a factor and a term, once as it is and once with the second brought
    back along the flow. What stays of the variance, ``(1 - r^2) min(var a, var b)`` plus 1 for
    rounding, must with the flow be less than 0.7 of what it is without.
    """
    height, width = flow.shape[:2]
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    back = cv2.remap(after, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    size = max(1, width // 2), max(1, height // 2)
    first, rest, moved = (
        cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        for grey in (before, after, back)
    )
    better = _unexplained(first, moved) < BETTER * _unexplained(first, rest)
    spread = cv2.resize(better.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(spread > 0)


def _unexplained(one: Floats, other: Floats) -> Floats:
    """The variance that the best factor and term between two pictures leave, around each pixel."""
    side = (AROUND_PX // 2, AROUND_PX // 2)
    mean_one, mean_other = cv2.blur(one, side), cv2.blur(other, side)
    var_one = cv2.blur(one * one, side) - mean_one**2
    var_other = cv2.blur(other * other, side) - mean_other**2
    shared = np.maximum(cv2.blur(one * other, side) - mean_one * mean_other, 0)
    share = shared**2 / np.maximum(var_one * var_other, 1e-6)
    left: Floats = (1 - np.minimum(share, 1)) * np.minimum(var_one, var_other) + ROUNDING
    return left


@dataclass(kw_only=True)
class RaftFlow(LoadsAnew):
    """RAFT (Teed and Deng, ECCV 2020), from the published ``raft-things.pth``, as in VBench.

    Frames are padded to multiples of 8 by their edges, half on each side; the flow is cropped
    again. (VBench also scores the padding: another number where a side is no multiple of 8.)
    The correlations of a frame of n pixels take n^2 / 771 bytes: 0.2 GB for 832x480. The last pair
    and the last frame's features, told by the identity of the frames, are remembered.
    """

    version: ClassVar[str] = "1"

    weights: Weights = CheckpointWeights(name="raft-things")
    device: str = "cpu"
    iterations: int = 20

    _last: tuple[Frame, Frame, Flow] | None = field(default=None, init=False, repr=False)
    _seen: tuple[Frame, Tensor] | None = field(default=None, init=False, repr=False)

    @property
    def params(self) -> Mapping[str, Json]:
        return {"flow": "raft", "iterations": self.iterations}

    @property
    def files(self) -> tuple[Weights, ...]:
        return (self.weights,)

    @cached_property
    def network(self) -> RaftNetwork:
        from a2bench.metrics.extractors.motion.raft import load_raft

        return load_raft(self.weights.locate()).to(self.device)

    def between(self, before: Frame, after: Frame) -> Flow:
        """The flow from ``before`` to ``after``.

        Raises ``MetricError`` for frames of fewer than 121 pixels a side: the coarsest
        correlations must be two cells a side, as positions are scaled by the side less one.
        """
        if self._last is None or self._last[0] is not before or self._last[1] is not after:
            self._last = (before, after, self._compute(before, after))
        return self._last[2]

    def _compute(self, before: Frame, after: Frame) -> Flow:
        from a2bench.metrics.extractors.motion.raft import raft_pixels

        height, width = before.shape[:2]
        if min(height, width) < 121:  # padded to 128
            raise MetricError(
                f"RAFT needs frames of at least 121 pixels a side, these have {width}x{height}"
            )
        with inference():
            pixels = raft_pixels(before).to(self.device)
            ends = self._features(before), self._features(after)
            flow = self.network(pixels, *ends, self.iterations)[0].permute(1, 2, 0)
        top, left = (-height % 8) // 2, (-width % 8) // 2
        inside: Flow = flow[top : top + height, left : left + width].contiguous().cpu().numpy()
        return inside

    def _features(self, frame: Frame) -> Tensor:
        from a2bench.metrics.extractors.motion.raft import raft_pixels

        if self._seen is None or self._seen[0] is not frame:
            self._seen = (frame, self.network.fnet(raft_pixels(frame).to(self.device)))
        return self._seen[1]


@dataclass(frozen=True, kw_only=True)
class FlowInterpolation:
    """For each odd frame between two even ones its mean absolute error when predicted from them.

    In levels of 0 to 255, over pixels and RGB channels.
    """

    flow: FlowEngine

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="flow_interpolation",
            version=self.flow.version,
            sampling="even-odd",
            params=self.flow.params,
            weights=hashes(*self.flow.files),
            licence=licences(*self.flow.files),
        )

    def missing(self) -> tuple[str, ...]:
        return lacking(*self.flow.files)

    def start(self, case: Case, video: Video) -> InterpolationErrors:
        return InterpolationErrors(predict=self.middle)

    def middle(self, before: Frame, after: Frame) -> Frame:
        """The frame between the two."""
        return halfway(before, after, self.flow.between(before, after))


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
