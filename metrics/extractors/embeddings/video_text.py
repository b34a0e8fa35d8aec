"""What a video shows and what its prompt says, as two vectors that a cosine compares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from a2bench.features import ExtractorInfo
from a2bench.metrics.extractors.embeddings.viclip_sizes import Sizes
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import CheckpointWeights, Weights, lacking
from a2bench.networks.inference import inference
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Frame
from a2bench.types import Case, Video

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer
    from torch import Tensor

    from a2bench.metrics.extractors.embeddings.viclip import ViClipNetwork

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class VideoText:
    """Embeddings (d,) of length 1 of a video and its prompt.

    ``tokens`` counts the prompt's, with the marks of start and end; ``truncated`` says that the
    network read only the first of them.
    """

    video: Floats
    text: Floats
    tokens: int
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class ViClip(LoadsAnew):
    """ViCLIP-L/14 on 8 frames of 224x224 and the first 32 tokens of the prompt, as in VBench.

    A longer prompt loses its end: of the tokens, 31 stay and the end mark follows. Each prompt is
    embedded once.
    """

    weights: Weights = CheckpointWeights(name="viclip-l-14")
    device: str = "cpu"
    sizes: Sizes = Sizes()

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="viclip",
            version="1",
            sampling=f"middle-{self.sizes.frames}",
            params={"image_px": self.sizes.image_px, "tokens": self.sizes.tokens},
            weights=self.weights.hashes(),
            licence=self.weights.licence,
        )

    def start(self, case: Case, video: Video) -> _ViClip:
        return _ViClip(self, case.prompt)

    def missing(self) -> tuple[str, ...]:
        return lacking(self.weights)

    @cached_property
    def network(self) -> ViClipNetwork:
        from a2bench.metrics.extractors.embeddings.viclip import load_viclip

        return load_viclip(self.weights.locate(), self.sizes).to(self.device)

    @cached_property
    def tokenizer(self) -> SimpleTokenizer:
        ensure_torchvision()
        from open_clip.tokenizer import SimpleTokenizer

        return SimpleTokenizer()

    @cached_property
    def text(self) -> Callable[[str], tuple[Floats, int]]:
        """A prompt's embedding (d,) of length 1, and the number of its tokens."""
        return lru_cache(maxsize=1024)(self._text)

    def video(self, frames: list[Tensor]) -> Floats:
        """The embedding (d,) of length 1 of frames as ``clip_pixels`` makes them."""
        import torch

        with inference():
            clip = torch.stack(frames, dim=1)[None].to(self.device)
            return _unit(self.network.vision_encoder(clip))

    def _text(self, prompt: str) -> tuple[Floats, int]:
        import torch

        start, end = self.tokenizer.all_special_ids
        whole = prompt.encode(errors="replace").decode()  # half a character has no bytes
        ids, limit = [start, *self.tokenizer.encode(whole), end], self.sizes.tokens
        row = torch.zeros(1, limit, dtype=torch.long)
        row[0, : len(ids)] = torch.tensor(ids[:limit])
        if len(ids) > limit:
            row[0, -1] = end
        with inference():
            return _unit(self.network.text_encoder(row.to(self.device))), len(ids)


class _ViClip:
    """Keeps the sampled frames of one video, reduced."""

    def __init__(self, extractor: ViClip, prompt: str) -> None:
        self._extractor = extractor
        self._prompt = prompt
        self._frames: list[Tensor] = []

    def push(self, index: int, frame: Frame) -> None:
        from a2bench.metrics.extractors.embeddings.clip_pixels import clip_pixels

        self._frames.append(clip_pixels(frame, self._extractor.sizes.image_px))

    def finish(self) -> VideoText:
        text, tokens = self._extractor.text(self._prompt)
        return VideoText(
            video=self._extractor.video(self._frames),
            text=text,
            tokens=tokens,
            truncated=tokens > self._extractor.sizes.tokens,
        )


def _unit(embeddings: Tensor) -> Floats:
    """The only embedding of a batch, brought to length 1."""
    vector: Floats = embeddings[0].float().cpu().numpy()
    unit: Floats = vector / np.linalg.norm(vector)
    return unit
