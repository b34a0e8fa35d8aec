"""How far things move from one sampled frame to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from a2bench.features import ExtractorInfo, Mark
from a2bench.metrics.extractors.motion.flow import Flow, FlowEngine
from a2bench.networks.files import hashes, lacking, licences
from a2bench.pictures import Frame
from a2bench.types import Case, Video
from a2bench.video import sampled


@dataclass(frozen=True, kw_only=True)
class Motion:
    """How far each looked-at pair of successive frames moves, and what makes a video dynamic.

    There are ``pairs`` in all; ``frames`` are the second frames of those that were looked at. A
    pair moves when its magnitude exceeds ``threshold_px``; the video is dynamic when at least
    ``needed`` pairs move.
    """

    magnitudes_px: tuple[float, ...]
    pairs: int
    threshold_px: float
    needed: int
    frames: tuple[int, ...] = ()

    @property
    def moving(self) -> int:
        return sum(magnitude > self.threshold_px for magnitude in self.magnitudes_px)

    @property
    def decided(self) -> bool:
        """Whether the pairs that were not looked at can no longer change the answer."""
        left = self.pairs - len(self.magnitudes_px)
        return self.moving >= self.needed or self.moving + left < self.needed


@dataclass(frozen=True, kw_only=True)
class PairMotion:
    """The mean of the ``share`` largest flow magnitudes of each pair of successive frames, in px.

    Of n sampled frames a pair moves when that exceeds ``6 * min(height, width) / 256``, and
    ``round(4 * n / 16)`` pairs are needed (halves to the even number), at least one. At least one
    pixel of a pair counts. Pairs are looked at in order until the answer is known, all of them if
    ``exhaustive``.
    """

    flow: FlowEngine
    sampling: str = "fps-8"
    share: float = 0.05
    exhaustive: bool = False

    @property
    def info(self) -> ExtractorInfo:
        own = {"share": self.share, "exhaustive": self.exhaustive}
        return ExtractorInfo(
            name="pair_motion",
            version=self.flow.version,
            sampling=self.sampling,
            params={**own, **self.flow.params},
            weights=hashes(*self.flow.files),
            licence=licences(*self.flow.files),
        )

    def missing(self) -> tuple[str, ...]:
        return lacking(*self.flow.files)

    def marks(self, features: Motion) -> Mapping[int, Sequence[Mark]]:
        looked_at = zip(features.frames, features.magnitudes_px, strict=True)
        needs = f"moves if over {features.threshold_px:.1f}"
        return {i: [Mark(f"flow since the last: {px:.1f} px; {needs}")] for i, px in looked_at}

    def start(self, case: Case, video: Video) -> _PairMotion:
        frames = len(sampled(self.sampling, video))
        return _PairMotion(
            extractor=self,
            pairs=frames - 1,
            threshold_px=6.0 * min(video.height, video.width) / 256,
            needed=max(1, round(4 * frames / 16)),
        )


@dataclass(kw_only=True)
class _PairMotion:
    extractor: PairMotion
    pairs: int
    threshold_px: float
    needed: int
    magnitudes_px: list[float] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    last: Frame | None = None

    def push(self, index: int, frame: Frame) -> None:
        if self.last is not None and (self.extractor.exhaustive or not self.finish().decided):
            flow = self.extractor.flow.between(self.last, frame)
            self.magnitudes_px.append(top_mean(flow, self.extractor.share))
            self.frames.append(index)
        self.last = frame

    def finish(self) -> Motion:
        return Motion(
            magnitudes_px=tuple(self.magnitudes_px),
            pairs=self.pairs,
            threshold_px=self.threshold_px,
            needed=self.needed,
            frames=tuple(self.frames),
        )


def top_mean(flow: Flow, share: float) -> float:
    """The mean of the ``int(pixels * share)`` largest magnitudes of a flow, at least one."""
    magnitudes = cv2.magnitude(flow[..., 0], flow[..., 1]).ravel()
    count = max(1, int(magnitudes.size * share))
    return float(np.partition(magnitudes, -count)[-count:].mean(dtype=np.float64))
