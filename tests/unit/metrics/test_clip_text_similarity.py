"""CLIP text similarity: one forward a frame serves it and VBench's background consistency."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.errors import MetricError
from a2bench.features import FeatureBank
from a2bench.metrics.clip_text_similarity import ClipTextSimilarity
from a2bench.metrics.extractors.embeddings.clip import Clip, ClipFrames, ClipPrompt, ClipVideo
from a2bench.metrics.vbench_quality import FrameConsistency
from a2bench.networks.files import LocalWeights
from a2bench.types import Case
from a2bench.video import probe
from tests.golden import make_clip as public
from tests.helpers.checkpoints import CLIP_CONFIG
from tests.helpers.fakes import Canned, measure
from tests.helpers.makers import make_frames, write_as

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))
CASE = Case(id="c", prompt="A woman walks her dog.", elements=())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("clip") / "clip.pt"
    torch.save(public.random_weights(GOLDEN["shapes"]), path)
    return Clip(variant="ViT-B-32", weights=LocalWeights(path=path), config=CLIP_CONFIG)


def test_the_value_is_the_mean_cosine_of_rgb_frames_and_prompt(clip: Clip, tmp_path: Path) -> None:
    frames = make_frames(3)
    video = probe(write_as(tmp_path / "v.mkv", frames, "ffv1", "bgr0"))
    metric = ClipTextSimilarity(clip=ClipFrames(clip=clip, prompt=True))
    found = metric.score(CASE, FeatureBank(CASE, video, metric.extractors))
    cosines = clip.images(frames) @ clip.texts([CASE.prompt])[0]
    assert found.value == pytest.approx(float(cosines.mean()), rel=1e-5)
    assert found.detail == {
        "similarities": pytest.approx(cosines.tolist(), abs=1e-4),
        "tokens": 8,
        "truncated": False,
    }


def test_background_consistency_shares_its_forward_and_each_prompt_is_read_once(
    clip: Clip, tmp_path: Path
) -> None:
    frames = ClipFrames(clip=clip, prompt=True)
    metrics = (ClipTextSimilarity(clip=frames), FrameConsistency(of="background", frames=frames))
    seen, read = [], []
    hooks = (
        clip.network.visual.register_forward_hook(lambda _, x, out: seen.append(len(x[0]))),
        clip.network.ln_final.register_forward_hook(lambda _, x, out: read.append(len(x[0]))),
    )
    video = probe(write_as(tmp_path / "v.mkv", make_frames(3), "ffv1", "bgr0"))
    for _ in range(2):  # two seeds of a case
        bank = FeatureBank(CASE, video, [e for metric in metrics for e in metric.extractors])
        for metric in metrics:
            metric.score(CASE, bank)
    for hook in hooks:
        hook.remove()
    assert (seen, read) == ([3, 3], [1])


@pytest.mark.parametrize(("words", "tokens", "truncated"), [(75, 77, False), (76, 78, True)])
def test_a_prompt_over_77_tokens_is_told(
    clip: Clip, words: int, tokens: int, truncated: bool
) -> None:
    found = ClipFrames(clip=clip, prompt=True).text("dog " * words)
    assert (found.tokens, found.truncated) == (tokens, truncated)


def test_the_prompt_is_embedded_only_where_it_is_asked_for(clip: Clip) -> None:
    assert "prompt" not in ClipFrames(clip=clip).info.params
    assert ClipFrames(clip=clip, prompt=True).info.params["prompt"] is True
    alone = Canned(features=ClipVideo(embeddings=np.ones((1, 1), np.float32), aesthetics=None))
    with pytest.raises(MetricError, match="prompt=True"):
        measure(ClipTextSimilarity(clip=alone), CASE)


def test_opposite_and_equal_embeddings_are_the_bounds() -> None:
    prompt = ClipPrompt(embedding=np.array([0, 1], np.float32), tokens=3, truncated=False)
    for sign in (-1, 1):
        rows = np.array([[0, sign]] * 2, np.float32)
        video = ClipVideo(embeddings=rows, aesthetics=None, prompt=prompt)
        assert measure(ClipTextSimilarity(clip=Canned(features=video)), CASE).value == sign
