from __future__ import annotations

import numpy as np
import pytest

from a2bench.metrics.extractors.embeddings.video_text import VideoText
from a2bench.metrics.text_similarity import INFO, TextSimilarity
from a2bench.types import Case, Measurement
from tests.helpers.fakes import Canned, measure


def similarity(video: list[float], text: list[float], tokens: int = 9) -> Measurement:
    both = VideoText(
        video=np.array(video, np.float32),
        text=np.array(text, np.float32),
        tokens=tokens,
        truncated=tokens > 32,
    )
    metric = TextSimilarity(video_text=Canned(features=both))
    assert metric.info is INFO
    return measure(metric, Case(id="c", prompt="a dog", elements=()))


def test_the_value_is_the_raw_cosine_and_may_be_negative() -> None:
    assert similarity([0.6, 0.8], [1, 0]).value == pytest.approx(0.6, abs=1e-6)
    assert similarity([0.6, 0.8], [-1, 0]).value == pytest.approx(-0.6, abs=1e-6)


def test_rounding_does_not_leave_the_range() -> None:
    assert similarity([1.000001, 0], [1, 0]).value == 1.0
    assert similarity([1.000001, 0], [-1, 0]).value == -1.0


@pytest.mark.parametrize(("tokens", "truncated"), [(32, False), (33, True)])
def test_the_detail_tells_the_tokens_and_whether_some_were_cut(
    tokens: int, truncated: bool
) -> None:
    detail = similarity([1, 0], [1, 0], tokens).detail
    assert detail == {"tokens": tokens, "truncated": truncated}
