from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.errors import CannotRun
from a2bench.features import FeatureBank
from a2bench.keys import file_sha256
from a2bench.metrics.extractors.embeddings.viclip import load_viclip
from a2bench.metrics.extractors.embeddings.viclip_sizes import Sizes
from a2bench.metrics.extractors.embeddings.video_text import ViClip, VideoText
from a2bench.networks.files import LocalWeights
from a2bench.types import Case, Video
from a2bench.video import probe
from tests.golden import make_viclip as public
from tests.helpers.checkpoints import VICLIP_SIZES, empty_viclip
from tests.helpers.makers import write_video

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text())
VIDEO = Video(path=Path(), sha256="", width=2, height=2, fps=8.0, frames=8, duration_s=1.0)


def case(prompt: str) -> Case:
    return Case(id="c", prompt=prompt, elements=())


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("viclip") / "small.pth"
    torch.save({"model": public.random_weights(public.shapes_of(empty_viclip(VICLIP_SIZES)))}, path)
    return path


@pytest.fixture(scope="module")
def viclip(weights: Path) -> ViClip:
    return ViClip(weights=LocalWeights(path=weights), sizes=VICLIP_SIZES)


def features(viclip: ViClip, shape: tuple[int, int, int], prompt: str) -> VideoText:
    consumer = viclip.start(case(prompt), VIDEO)
    for index, frame in enumerate(public.clip(shape)):
        consumer.push(index, frame)
    return consumer.finish()


def test_the_published_size_has_the_published_keys_and_shapes() -> None:
    layout = public.layout(public.shapes_of(empty_viclip(Sizes())))
    assert layout == GOLDEN["layout"]
    assert layout["parameters"] == 427_590_145


@pytest.mark.parametrize(
    ("text", "ids"), list(zip(public.TEXTS, GOLDEN["ids"], strict=True)), ids=ascii
)
def test_tokens_are_those_of_the_public_tokenizer(
    viclip: ViClip, text: str, ids: list[int]
) -> None:
    assert viclip.tokenizer.encode(text) == ids


def test_half_a_character_is_no_failure(viclip: ViClip) -> None:
    np.testing.assert_array_equal(viclip.text("A\ud800B")[0], viclip.text("A?B")[0])


@pytest.mark.parametrize("p", range(len(public.PROMPTS)))
@pytest.mark.parametrize("v", range(len(public.CLIPS)))
def test_embeddings_and_cosine_are_those_of_the_public_network(
    viclip: ViClip, v: int, p: int
) -> None:
    found = features(viclip, public.CLIPS[v], public.PROMPTS[p])
    # Resized pixels are whole levels: torch's loops without AVX2 turn the rounding of 60 of
    # 1,204,224 by a level, which moves a video by 1e-4 and a cosine by 2e-5 (measured; with AVX2 by
    # 5e-7). Frames in the wrong order move the video by 0.017, swapped channels by 0.14.
    assert np.linalg.norm(found.video - GOLDEN["videos"][v]) < 5e-4
    assert np.linalg.norm(found.text - GOLDEN["texts"][p]) < 1e-4
    assert float(found.video @ found.text) == pytest.approx(GOLDEN["cosines"][v][p], abs=5e-4)


def test_the_golden_embeddings_differ_among_themselves() -> None:
    videos, texts = np.array(GOLDEN["videos"]), np.array(GOLDEN["texts"])
    assert np.linalg.norm(videos[0] - videos[1]) > 0.03
    assert min(np.linalg.norm(texts[i] - texts[i - 1]) for i in range(3)) > 0.03


@pytest.mark.parametrize(
    ("prompt", "tokens", "truncated"),
    list(zip(public.PROMPTS, (12, 32, 50), (False, False, True), strict=True)),
)
def test_a_prompt_of_more_than_32_tokens_is_told_as_truncated(
    viclip: ViClip, prompt: str, tokens: int, truncated: bool
) -> None:
    found = features(viclip, (8, 48, 64), prompt)
    assert (found.tokens, found.truncated) == (tokens, truncated)


def test_only_the_first_31_tokens_of_a_long_prompt_count(viclip: ViClip) -> None:
    word = "dog "
    long, longer, other = (
        viclip.text(word * n + end)[0] for n, end in ((31, ""), (40, ""), (29, "cat"))
    )
    np.testing.assert_array_equal(long, longer)
    assert np.linalg.norm(long - other) > 1e-3


def test_a_prompt_is_embedded_once(weights: Path) -> None:
    viclip = ViClip(weights=LocalWeights(path=weights), sizes=VICLIP_SIZES)
    runs: list[int] = []
    viclip.network.text_encoder.register_forward_hook(lambda *_: runs.append(1))
    for prompt in ("a dog", "a cat", "a dog"):
        viclip.text(prompt)
    assert len(runs) == 2


def test_a_short_video_is_padded_with_its_last_frame(viclip: ViClip, tmp_path: Path) -> None:
    video = probe(write_video(tmp_path / "v.mp4", 3))
    found = FeatureBank(case("a dog"), video, [viclip])[viclip]
    assert np.linalg.norm(found.video) == pytest.approx(1, abs=1e-6)
    assert viclip.info.sampling == "middle-8"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temp", None),
        ("vision_encoder.extra", torch.zeros(1)),
        ("text_encoder.positional_embedding", torch.zeros(77, 32)),
    ],
    ids=["missing", "unexpected", "shape"],
)
def test_weights_of_another_layout_do_not_load(
    weights: Path, tmp_path: Path, key: str, value: torch.Tensor | None
) -> None:
    state = torch.load(weights, weights_only=True)["model"]
    if value is None:
        del state[key]
    else:
        state[key] = value
    torch.save({"model": state}, tmp_path / "w.pth")
    with pytest.raises(CannotRun, match=key):
        load_viclip(tmp_path / "w.pth", VICLIP_SIZES)


def test_half_precision_weights_run_in_single_precision(
    viclip: ViClip, weights: Path, tmp_path: Path
) -> None:
    state = torch.load(weights, weights_only=True)["model"]
    torch.save({"model": {name: value.half() for name, value in state.items()}}, tmp_path / "w.pth")
    network = load_viclip(tmp_path / "w.pth", VICLIP_SIZES)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_copy_in_another_process_loads_for_itself(viclip: ViClip) -> None:
    before = features(viclip, (8, 48, 64), "a dog")
    assert viclip.info.weights
    data = pickle.dumps(viclip)
    copy: ViClip = pickle.loads(data)
    assert len(data) < 2000
    assert "network" not in vars(copy)
    assert copy == viclip
    np.testing.assert_array_equal(features(copy, (8, 48, 64), "a dog").video, before.video)


def test_the_weights_are_part_of_the_identity(viclip: ViClip, weights: Path) -> None:
    assert viclip.missing() == ()
    assert viclip.info.weights == {"small.pth": file_sha256(weights)}


def test_missing_weights_are_named(tmp_path: Path) -> None:
    viclip = ViClip(weights=LocalWeights(path=tmp_path / "w.pth"))
    assert viclip.missing() == (f"weights are missing: {tmp_path / 'w.pth'}",)
    with pytest.raises(CannotRun, match=r"w\.pth"):
        _ = viclip.info
