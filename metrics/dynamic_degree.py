"""Dynamic degree: does the video move?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.motion.pairs import Motion
from a2bench.types import Case, Measurement


@dataclass(frozen=True, kw_only=True)
class DynamicDegree:
    """1.0 for a video in which enough pairs of frames move enough, 0.0 for another.

    Of n frames at about 8 a second, a pair of successive ones moves when the mean of its largest
    5 % flow magnitudes (``motion``, px) exceeds ``6 * min(height, width) / 256``; the video is
    dynamic when at least ``round(4 * n / 16)`` pairs do (halves to the even number). Higher is
    more motion, not always better. In the detail: ``magnitudes_px`` of the pairs that were looked
    at, in order: as many as settle the answer, or all. With n = 1 (a video of one frame, or shorter
    than about 1/8 s) there is no pair: nothing moves, and the value is 0.0, as in VBench. One
    departure from VBench: n = 2 would need no pair and count every video as dynamic, here one pair
    is the least. Raises ``MetricError`` for frames that are too small for the flow. The paper
    follows VBench, whose flow is RAFT (``RaftFlow``): with another one the numbers are not the
    paper's. Source: SkyReels-A2, section 2.5; VBench, dynamic degree.
    """

    motion: Extractor[Motion]

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="dynamic_degree",
            version="2",
            dimension="visual quality",
            low=0.0,
            high=1.0,
            higher_is_better=True,
            needs=("video",),
            licence="Apache-2.0",
            source="arXiv:2504.02436, section 2.5; VBench, dynamic degree",
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.motion,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        motion = features[self.motion]
        return Measurement(
            value=float(motion.moving >= motion.needed),
            detail={
                "pairs": motion.pairs,
                "moving": motion.moving,
                "needed": motion.needed,
                "threshold_px": motion.threshold_px,
                "magnitudes_px": [round(magnitude, 2) for magnitude in motion.magnitudes_px],
            },
        )
