"""CLIP by open_clip against OpenAI's own network, and the features of all frames of a video."""

from __future__ import annotations

import json
import pickle
import warnings
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from a2bench.checkpoints.tensors import load_weights
from a2bench.errors import CannotRun
from a2bench.keys import digest, file_sha256
from a2bench.metrics.extractors.embeddings import clip as module
from a2bench.metrics.extractors.embeddings.clip import Clip, ClipFrames, ClipVideo
from a2bench.networks.files import LocalWeights
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.types import Case, Video
from tests.golden import make_clip as public
from tests.golden.make_musiq import clip as make_clip
from tests.golden.make_viclip import layout, shapes_of
from tests.helpers.checkpoints import CLIP_CONFIG
from tests.helpers.makers import make_frames

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))
CASE = Case(id="c", prompt="p", elements=())
VIDEO = Video(path=Path(), sha256="", width=2, height=2, fps=8.0, frames=8, duration_s=1.0)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return public.random_weights({name: tuple(s) for name, s in GOLDEN["shapes"].items()})


@pytest.fixture(scope="module")
def weights(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
    path = tmp_path_factory.mktemp("clip") / "small.pt"
    torch.save({**state, **{name: torch.tensor(size) for name, size in sizes.items()}}, path)
    return path


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> LocalWeights:
    path = tmp_path_factory.mktemp("laion") / "sa_0_4_vit_l_14_linear.pth"
    torch.save(public.head_weights(), path)
    return LocalWeights(path=path, licence="MIT")


@pytest.fixture(scope="module")
def clip(weights: Path) -> Clip:
    return small(weights)


def small(path: Path, batch: int = 16) -> Clip:
    return Clip(weights=LocalWeights(path=path, licence="MIT"), config=CLIP_CONFIG, batch=batch)


def features(extractor: ClipFrames, frames: Any) -> ClipVideo:
    consumer = extractor.start(CASE, VIDEO)
    for index, frame in enumerate(frames):
        consumer.push(index, frame)
    return consumer.finish()


@pytest.mark.parametrize("variant", ["ViT-L-14", "ViT-B-32"])
def test_the_published_sizes_have_the_published_keys_and_shapes(variant: str) -> None:
    ensure_torchvision()
    from open_clip import get_model_config
    from open_clip.model import CLIP

    with torch.device("meta"):
        network = CLIP(**get_model_config(variant))
    found = layout(shapes_of(network))
    assert found == GOLDEN["layouts"][variant]
    parameters = {"ViT-L-14": 427_616_513, "ViT-B-32": 151_277_313}
    assert found["parameters"] == parameters[variant]


@pytest.mark.parametrize(
    ("shape", "golden"),
    list(zip(public.CLIPS, GOLDEN["images"], strict=True)),
    ids=[str(shape) for shape in public.CLIPS],
)
def test_images_are_those_of_openais_network(
    clip: Clip, shape: tuple[int, int, int], golden: list[list[float]]
) -> None:
    found = clip.images(list(make_clip(shape)))
    assert found.shape == (shape[0], public.OUTPUT) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found[:, : public.SHOWN], golden, rtol=1e-4, atol=1e-6)


def test_texts_are_those_of_openais_network_and_tokenizer(clip: Clip) -> None:
    found = clip.texts(public.TEXTS)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found[:, : public.SHOWN], GOLDEN["texts"], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(clip.texts(["A\ud800B"]), clip.texts(["A?B"]))


def test_no_images_have_no_rows(clip: Clip) -> None:
    assert clip.images([]).shape == (0, public.OUTPUT)


def test_a_row_is_that_of_its_picture_whatever_the_batch(clip: Clip, weights: Path) -> None:
    frames = [*make_frames(3), *make_frames(2, size=(30, 90), seed=1)]
    alone = np.concatenate([clip.images([frame]) for frame in frames])
    pairs = small(weights, batch=2)
    sizes: list[int] = []
    pairs.network.visual.register_forward_hook(lambda _, x, out: sizes.append(len(x[0])))
    np.testing.assert_allclose(pairs.images(frames), alone, atol=1e-6)
    assert sizes == [2, 2, 1]
    texts = ["one", "two and more", "three"]
    apart = np.concatenate([clip.texts([text]) for text in texts])
    np.testing.assert_allclose(pairs.texts(texts), apart, atol=1e-6)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("missing", "missing: visual.proj$"),
        ("unexpected", "unexpected: more$"),
        ("shape", "of another shape: visual.proj$"),
    ],
)
def test_other_layouts_are_refused(
    fault: str, told: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    wrong = {
        "missing": {name: value for name, value in state.items() if name != "visual.proj"},
        "unexpected": {**state, "more": torch.zeros(1)},
        "shape": {**state, "visual.proj": torch.zeros(64, 512)},
    }[fault]
    torch.save(wrong, tmp_path / "clip.pt")
    with pytest.raises(CannotRun, match=told):
        small(tmp_path / "clip.pt").images(make_frames(1))


class Holder(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def save_archive(state: dict[str, torch.Tensor], path: Path) -> None:
    """A TorchScript archive with a state dict's keys, as OpenAI's."""
    root = Holder()
    for key, value in state.items():
        *parents, name = key.split(".")
        folder: torch.nn.Module = root
        for parent in parents:
            if parent not in dict(folder.named_children()):
                folder.add_module(parent, Holder())
            folder = folder.get_submodule(parent)
        folder.register_buffer(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(root).save(path)  # type: ignore[no-untyped-call]


def test_the_published_archive_is_a_torchscript_of_known_sha256(
    clip: Clip, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ViT-L-14.pt"
    save_archive(torch.load(weights, weights_only=True), path)
    frames = make_frames(2)
    with pytest.raises(CannotRun, match="TorchScript"):
        small(path).images(frames)
    known = partial(load_weights, trusted={file_sha256(path)})
    monkeypatch.setattr(module, "load_weights", known)
    np.testing.assert_array_equal(small(path).images(frames), clip.images(frames))


@pytest.mark.parametrize("variant", ["ViT-L-14", "ViT-B-32"])
def test_each_variant_has_its_checkpoint(
    variant: Literal["ViT-L-14", "ViT-B-32"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A2BENCH_CHECKPOINTS", str(tmp_path))
    extractor = ClipFrames(clip=Clip(variant=variant))
    (text,) = extractor.missing()
    assert f"{variant}.pt" in text and f"clip-{variant.lower()}" in text
    assert extractor.clip.params == {"clip": variant}


def test_a_video_is_its_frames_each_embedded_once_in_batches(weights: Path) -> None:
    extractor = ClipFrames(clip=small(weights, batch=2))
    sizes: list[int] = []
    extractor.clip.network.visual.register_forward_hook(lambda _, x, out: sizes.append(len(x[0])))
    consumer = extractor.start(CASE, VIDEO)
    frames = make_frames(5)
    for index, frame in enumerate(frames):
        consumer.push(index, frame)
        assert sum(sizes) == 2 * ((index + 1) // 2)  # no more than a batch ever waits
    found = consumer.finish()
    assert sizes == [2, 2, 1]
    assert found.aesthetics is None
    np.testing.assert_allclose(found.embeddings, extractor.clip.images(frames), atol=1e-6)


def test_the_head_is_linear(clip: Clip, head: LocalWeights) -> None:
    found = features(ClipFrames(clip=clip, head=head), make_frames(3))
    state = {name: value.numpy() for name, value in public.head_weights().items()}
    scores = (found.embeddings @ state["weight"][0] + state["bias"]) / 10
    assert found.aesthetics is not None and found.aesthetics.shape == (3,)
    np.testing.assert_allclose(found.aesthetics, scores, rtol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"weight": torch.zeros(1, 768)}, "missing: bias$"),
        ({**public.head_weights(), "more": torch.zeros(1)}, "unexpected: more$"),
        ({**public.head_weights(), "weight": torch.zeros(1, 512)}, "of another shape: weight$"),
    ],
)
def test_another_head_is_refused(
    clip: Clip, wrong: dict[str, torch.Tensor], told: str, tmp_path: Path
) -> None:
    torch.save(wrong, tmp_path / "head.pth")
    extractor = ClipFrames(clip=clip, head=LocalWeights(path=tmp_path / "head.pth"))
    with pytest.raises(CannotRun, match=told):
        features(extractor, make_frames(1))


def test_frames_are_defined_by_clip_head_and_sampling(clip: Clip, head: LocalWeights) -> None:
    info = ClipFrames(clip=clip, head=head).info
    assert info.params == {"clip": "ViT-L-14"} and info.sampling == "all"
    assert set(info.weights) == {"small.pt", "sa_0_4_vit_l_14_linear.pth"}
    assert info.licence == "MIT"
    others = (ClipFrames(clip=clip), ClipFrames(clip=clip, head=head, sampling="linspace-8"))
    assert len({digest(one.identity()) for one in (info, *(other.info for other in others))}) == 3


def test_missing_weights_are_told_before_a_run(head: LocalWeights, tmp_path: Path) -> None:
    extractor = ClipFrames(clip=small(tmp_path / "clip.pt"), head=head)
    assert extractor.missing() == (f"weights are missing: {tmp_path}/clip.pt",)


def test_it_is_pickled_without_the_network(clip: Clip, head: LocalWeights) -> None:
    extractor = ClipFrames(clip=clip, head=head)
    frames = make_frames(1)
    found = features(extractor, frames)
    sent = pickle.dumps(extractor)
    assert len(sent) < 2000
    again = features(pickle.loads(sent), frames)
    np.testing.assert_array_equal(again.embeddings, found.embeddings)
    np.testing.assert_array_equal(again.aesthetics, found.aesthetics)
