"""Aesthetic quality: would people like the frames as pictures?"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any

from a2bench.errors import MetricError
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.embeddings.clip import ClipVideo
from a2bench.types import Case, Measurement

INFO = MetricInfo(
    name="aesthetic_quality",
    version="1",
    dimension="visual quality",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    needs=("video",),
    licence="Apache-2.0",
    source="arXiv:2504.02436, section 2.5; VBench, aesthetic quality",
)


@dataclass(frozen=True, kw_only=True)
class AestheticQuality:
    """The mean of LAION's aesthetic predictor over the sampled frames.

    ``mean(a_t)``, with a the predictor's score / 10 of frame t's CLIP ViT-L/14 embedding, as
    ``clip`` gives it. The predictor is linear, so the range [0, 1] is that of the ratings that it
    was fitted to and no bound; in practice 0.3 to 0.75, higher is better. Raises ``MetricError``
    for a ``clip`` without a predictor. Source: SkyReels-A2, section 2.5; VBench, aesthetic quality.
    """

    clip: Extractor[ClipVideo]

    @property
    def info(self) -> MetricInfo:
        return INFO

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.clip,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        scores = features[self.clip].aesthetics
        if scores is None:
            raise MetricError("aesthetic quality needs a ClipFrames with a head")
        aesthetics = [float(score) for score in scores]
        return Measurement(
            value=fsum(aesthetics) / len(aesthetics),
            detail={"aesthetics": [round(score, 4) for score in aesthetics]},
        )
