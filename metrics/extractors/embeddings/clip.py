"""CLIP (Radford et al., ICML 2021) by open_clip, with OpenAI's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from a2bench.checkpoints.tensors import load_weights
from a2bench.features import ExtractorInfo
from a2bench.metrics.extractors.batches import Batches
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import CheckpointWeights, Weights, hashes, lacking, licences
from a2bench.networks.inference import in_batches
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Frame
from a2bench.types import Case, Json, Video

if TYPE_CHECKING:
    from collections.abc import Callable

    from open_clip.model import CLIP
    from open_clip.tokenizer import SimpleTokenizer
    from torch import Tensor

Floats = NDArray[np.float32]

NO_WEIGHTS = frozenset({"input_resolution", "context_length", "vocab_size"})
"""Entries of OpenAI's state dict that repeat its sizes."""


@dataclass(frozen=True, kw_only=True)
class Clip(LoadsAnew):
    """Pictures and texts as vectors of length 1 that a cosine compares; nothing is remembered.

    Pictures are prepared as VBench does (``clip_pixels``: short side to 224, the middle square);
    of a text, 77 tokens are read. ``weights`` are the variant's of the table unless told;
    ``config`` is an open_clip model config for other sizes than the variant's.
    """

    variant: Literal["ViT-L-14", "ViT-B-32"] = "ViT-L-14"
    weights: Weights | None = None
    device: str = "cpu"
    batch: int = 16
    config: Mapping[str, Any] | None = field(default=None, hash=False)

    @property
    def params(self) -> Mapping[str, Json]:
        """What its vectors depend on besides the weights."""
        return {"clip": self.variant}

    @property
    def files(self) -> tuple[Weights, ...]:
        name = f"clip-{self.variant.lower()}"
        return (CheckpointWeights(name=name) if self.weights is None else self.weights,)

    def missing(self) -> tuple[str, ...]:
        return lacking(*self.files)

    def images(self, frames: Sequence[Frame]) -> Floats:
        """(n, d), rows of length 1, for RGB pictures of any sizes, each (height, width, 3)."""
        return self.embed([self.pixels(frame) for frame in frames])

    def texts(self, prompts: Sequence[str]) -> Floats:
        """(n, d), rows of length 1. A longer text loses its end; the end mark stays."""
        whole = [_whole(prompt) for prompt in prompts]
        ids = self.tokenizer(whole, context_length=self.network.context_length)
        return self._unit(self.network.encode_text, ids)

    def tokens(self, prompt: str) -> int:
        """How many tokens a text has, with the marks of start and end."""
        return len(self.tokenizer.encode(_whole(prompt))) + 2

    def pixels(self, frame: Frame) -> Tensor:
        """A picture as ``embed`` takes it: what to keep of a frame until a batch is full."""
        from a2bench.metrics.extractors.embeddings.clip_pixels import clip_pixels

        return clip_pixels(frame, self.network.visual.image_size[0], whole=False)

    def embed(self, pixels: Sequence[Tensor]) -> Floats:
        """(n, d), rows of length 1, for what ``pixels`` gave; ``batch`` at a time."""
        import torch

        if not pixels:
            return np.zeros((0, self.dimensions), np.float32)
        return self._unit(self.network.encode_image, torch.stack(list(pixels)))

    @property
    def dimensions(self) -> int:
        return int(self.network.visual.output_dim)

    @cached_property
    def network(self) -> CLIP:
        ensure_torchvision()
        import torch
        from open_clip import get_model_config
        from open_clip.model import CLIP

        from a2bench.networks.strict import load_strictly

        path = self.files[0].locate()
        state = {k: v for k, v in load_weights(path).items() if k not in NO_WEIGHTS}
        with torch.device("meta"):
            network = CLIP(**(self.config or get_model_config(self.variant)), quick_gelu=True)
        load_strictly(network, state, path)
        # no weight, so no file holds it: a token sees none that come after it
        side = network.context_length
        network.attn_mask = torch.full((side, side), -torch.inf).triu(1)
        return network.to(self.device)

    @cached_property
    def tokenizer(self) -> SimpleTokenizer:
        ensure_torchvision()
        from open_clip.tokenizer import SimpleTokenizer

        return SimpleTokenizer()

    def _unit(self, encode: Callable[..., Tensor], items: Tensor) -> Floats:
        rows = in_batches(
            lambda part: encode(part.to(self.device), normalize=True).float().cpu(),
            items,
            self.batch,
        )
        embeddings: Floats = rows.numpy()
        return embeddings


def _whole(text: str) -> str:
    """The text without half characters."""
    return text.encode(errors="replace").decode()


@dataclass(frozen=True, kw_only=True)
class ClipPrompt:
    """A prompt as CLIP reads it.

    ``embedding`` (d,) of length 1. ``tokens`` counts the prompt's, with the marks of start and end;
    ``truncated`` says that they are more than CLIP reads, and that the end of the prompt was lost.
    """

    embedding: Floats
    tokens: int
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class ClipVideo:
    """The sampled frames in order, and the case's prompt where one was asked for.

    ``embeddings`` (n, d), rows of length 1; ``aesthetics`` (n,), the predictor's score / 10, or
    None without a predictor.
    """

    embeddings: Floats
    aesthetics: Floats | None
    prompt: ClipPrompt | None = None


@dataclass(frozen=True, kw_only=True)
class ClipFrames(LoadsAnew):
    """CLIP of each sampled frame: give all metrics this one, and each frame is embedded once.

    ``head`` is LAION's linear predictor of how much people like a picture: one number from 768, on
    a scale of 1 to 10, for ViT-L-14. ``prompt`` also embeds the case's prompt.
    """

    clip: Clip = Clip()
    head: Weights | None = None
    sampling: str = "all"
    prompt: bool = False

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="clip_frames",
            version="1",
            sampling=self.sampling,
            params={**self.clip.params, **({"prompt": True} if self.prompt else {})},
            weights=hashes(*self._files),
            licence=licences(*self._files),
        )

    def start(self, case: Case, video: Video) -> Batches[Floats, ClipVideo]:
        return Batches(
            prepare=self.clip.pixels,
            run=lambda pixels: list(self.clip.embed(pixels)),
            conclude=lambda rows: self._concluded(np.stack(rows), case),
            size=self.clip.batch,
        )

    def missing(self) -> tuple[str, ...]:
        return lacking(*self._files)

    def aesthetics(self, embeddings: Floats) -> Floats | None:
        """The predictor's score / 10 (n,) of embeddings (n, d)."""
        if self.predictor is None:
            return None
        weight, bias = self.predictor
        return ((embeddings @ weight + bias) / 10).astype(np.float32)

    def _concluded(self, embeddings: Floats, case: Case) -> ClipVideo:
        return ClipVideo(
            embeddings=embeddings,
            aesthetics=self.aesthetics(embeddings),
            prompt=self.text(case.prompt) if self.prompt else None,
        )

    @cached_property
    def text(self) -> Callable[[str], ClipPrompt]:
        """A prompt's embedding; each is computed once."""
        return lru_cache(maxsize=256)(self._text)

    def _text(self, prompt: str) -> ClipPrompt:
        tokens, limit = self.clip.tokens(prompt), self.clip.network.context_length
        embedding = self.clip.texts([prompt])[0]
        return ClipPrompt(embedding=embedding, tokens=tokens, truncated=tokens > limit)

    @cached_property
    def predictor(self) -> tuple[Floats, Floats] | None:
        """The weight (d,) and the bias (1,)."""
        if self.head is None:
            return None
        import torch

        from a2bench.networks.strict import load_strictly

        path = self.head.locate()
        linear = torch.nn.Linear(self.clip.dimensions, 1, device="meta")
        load_strictly(linear, load_weights(path), path)
        return linear.weight[0].numpy(), linear.bias.numpy()

    @property
    def _files(self) -> tuple[Weights, ...]:
        return (*self.clip.files, self.head) if self.head else self.clip.files
