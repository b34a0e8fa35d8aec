"""CLIP text similarity: do the frames show what the prompt says?"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np

from a2bench.errors import MetricError
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.embeddings.clip import ClipVideo
from a2bench.types import Case, Measurement


@dataclass(frozen=True, kw_only=True)
class ClipTextSimilarity:
    """The mean cosine of the sampled frames and the prompt.

    ``mean_t v_t . p`` for the frames' and the prompt's embeddings v_t and p of length 1, as
    ``clip`` gives them; range [-1, 1], higher is better. The paper's table shows it times 100 (24.3
    to 28.3). It names CLIP-B and no frames: with ``ClipFrames`` of ViT-B-32 over all frames, those
    of VBench's background consistency serve for both. (The authors' code takes 24 frames, and gives
    them to CLIP as BGR: not copied.) CLIP reads 77 tokens: the detail tells the prompt's ``tokens``
    and whether it was ``truncated``. Raises ``MetricError`` for a ``clip`` without the prompt.
    Source: Ingredients, section 4.1.
    """

    clip: Extractor[ClipVideo]

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="clip_text_similarity",
            version="1",
            dimension="prompt following",
            low=-1.0,
            high=1.0,
            higher_is_better=True,
            needs=("video", "prompt"),
            licence="Apache-2.0",
            source="arXiv:2501.01790, section 4.1",
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.clip,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        video = features[self.clip]
        if video.prompt is None:
            raise MetricError("CLIP text similarity needs a ClipFrames with prompt=True")
        similarities = np.clip(video.embeddings @ video.prompt.embedding, -1, 1).tolist()
        return Measurement(
            value=fsum(similarities) / len(similarities),
            detail={
                "similarities": [round(similarity, 4) for similarity in similarities],
                "tokens": video.prompt.tokens,
                "truncated": video.prompt.truncated,
            },
        )
