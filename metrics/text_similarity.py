"""Text similarity: does the video show what the prompt says?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.embeddings.video_text import VideoText
from a2bench.types import Case, Measurement

INFO = MetricInfo(
    name="text_similarity",
    version="1",
    dimension="prompt following",
    low=-1.0,
    high=1.0,
    higher_is_better=True,
    needs=("video", "prompt"),
    licence="Apache-2.0",
    source="arXiv:2504.02436, section 2.5; VBench, overall consistency",
)


@dataclass(frozen=True, kw_only=True)
class TextSimilarity:
    """The cosine of the embeddings of the video and of the prompt.

    ``v . t`` for v and t (d,) of length 1, as ``video_text`` gives them; range [-1, 1], in practice
    0.2 to 0.3, higher is better. The paper's tables show it times 100. ViCLIP reads 32 tokens: the
    detail tells the prompt's ``tokens`` and whether it was ``truncated``. Source: SkyReels-A2,
    section 2.5 (prompt following); VBench, overall consistency.
    """

    video_text: Extractor[VideoText]

    @property
    def info(self) -> MetricInfo:
        return INFO

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.video_text,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        both = features[self.video_text]
        return Measurement(
            value=min(max(float(both.video @ both.text), -1.0), 1.0),
            detail={"tokens": both.tokens, "truncated": both.truncated},
        )
