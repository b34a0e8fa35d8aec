"""Motion smoothness: can each odd frame be told from its two neighbours?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from a2bench.errors import MetricError
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.types import Case, Measurement


@dataclass(frozen=True, kw_only=True)
class MotionSmoothness:
    """How well an interpolator predicts the odd frames from the even ones.

    ``(255 - mean |frame - prediction|) / 255`` over all odd frames that have both neighbours;
    ``interpolation`` gives the mean absolute error of each, in levels of 0 to 255. Range [0, 1],
    higher is better. A still video has about 1, so read it beside the dynamic degree; the same
    motion at fewer frames a second has less. Raises ``MetricError`` for a video of fewer than 3
    frames, which has no such frame, and for frames that are too small for the interpolator. The
    paper follows VBench, whose interpolator is AMT-S (``AmtInterpolation``): with another one the
    numbers are not the paper's. AMT-S takes 1.7 s a pair of 832x480 on one CPU thread, about 70 s
    for 81 frames, and its weights are CC-BY-NC-4.0, for non-commercial use only.
    Source: SkyReels-A2, section 2.5; VBench, motion smoothness.
    """

    interpolation: Extractor[Sequence[float]]
    interpolator: str = ""

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="_".join(filter(None, ("motion_smoothness", self.interpolator))),
            version="2",
            dimension="visual quality",
            low=0.0,
            high=1.0,
            higher_is_better=True,
            needs=("video",),
            licence="Apache-2.0",
            source="arXiv:2504.02436, section 2.5; VBench, motion smoothness",
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.interpolation,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        errors = features[self.interpolation]
        if not errors:
            frames = features.video.frames
            raise MetricError(f"motion smoothness needs at least 3 frames, the video has {frames}")
        return Measurement(
            value=(255 - fsum(errors) / len(errors)) / 255,
            detail={"errors": [round(error, 3) for error in errors]},
        )
