"""Image quality: do single frames look clean?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.types import Case, Measurement


@dataclass(frozen=True, kw_only=True)
class ImageQuality:
    """The mean quality of the sampled frames.

    ``mean(q_t)``, with the quality q of frame t as ``frames`` gives it; range [0, 1], higher is
    better. The paper follows VBench: MUSIQ (SPAQ weights) / 100 over all frames, ``MusiqFrames``,
    whose range is that of the ratings that it learnt and no bound. With ``Piqe`` the numbers are
    not the paper's: PIQE sees blur, blocking and noise, not content.
    Source: SkyReels-A2, section 2.5; VBench, imaging quality.
    """

    frames: Extractor[Sequence[float]]

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="image_quality",
            version="1",
            dimension="visual quality",
            low=0.0,
            high=1.0,
            higher_is_better=True,
            needs=("video",),
            licence="Apache-2.0",
            source="arXiv:2504.02436, section 2.5; VBench, imaging quality",
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.frames,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        qualities = features[self.frames]
        return Measurement(
            value=fsum(qualities) / len(qualities),
            detail={"qualities": [round(quality, 4) for quality in qualities]},
        )
