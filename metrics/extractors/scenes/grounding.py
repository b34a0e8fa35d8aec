"""Boxes of what is named: text to boxes in a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from a2bench.boxes import Boxes
from a2bench.checkpoints.tensors import load_weights
from a2bench.errors import MetricError
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import CheckpointWeights, Weights
from a2bench.networks.inference import in_batches
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Floats, Frame
from a2bench.types import Json

if TYPE_CHECKING:
    from torch import Tensor

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


Span = tuple[int, int]
"""From the first token to the one after the last."""


class Found(NamedTuple):
    """The boxes of one phrase in pixels of the frame (n, 4), and their scores (n,), best first."""

    boxes: Boxes
    scores: Floats


class Detector(Protocol):
    """A way to find what is named."""

    @property
    def params(self) -> Mapping[str, Json]:
        """What its boxes depend on besides the weights."""
        ...

    @property
    def files(self) -> tuple[Weights, ...]: ...

    def find(self, frame: Frame, phrases: Sequence[str]) -> list[Found]:
        """What was found of each phrase."""
        ...


class Caption(NamedTuple):
    """Phrases as one text: its tokens, and from which to which each phrase goes."""

    tokens: list[int]
    spans: list[Span]


@dataclass(frozen=True, kw_only=True)
class GroundingDino(LoadsAnew):
    """Grounding DINO (Liu et al., ECCV 2024), Swin-T, as transformers runs it.

    ``folder`` is that of the hub: sizes, vocabulary and weights. With ``weights``, GroundingDINO's
    own ``groundingdino_swint_ogc.pth``, those are loaded instead; sizes and vocabulary still come
    from ``folder``, as that file has none.

    One forward a frame, with all phrases in one caption (lower case, each ended by a full stop).
    The short side is brought to ``short_px`` unless the long one then passes ``long_px``. A box
    shows each phrase of which a token is over ``threshold``; its best token's is its score there.

    Grounded-SAM has one phrase in its caption: a box counts when any token of the caption is over
    0.3, and its label is each word over 0.25. With all phrases in one caption that rule would take
    a person's box (0.85) for a bear at 0.27, and a box whose best token is a full stop for both. So
    a phrase's own words must pass the 0.3, and marks count for nothing; one caption for each phrase
    would cost a forward each. Phrases in one caption do not read each other as text, but share the
    picture's features and the 900 queries, so scores may differ a little from those of a caption of
    one phrase.
    """

    folder: Weights = CheckpointWeights(name="grounding-dino-tiny")
    weights: Weights | None = None
    device: str = "cpu"
    threshold: float = 0.3
    short_px: int = 800
    long_px: int = 1333

    @property
    def params(self) -> Mapping[str, Json]:
        return {
            "detector": "grounding-dino",
            "threshold": self.threshold,
            "short_px": self.short_px,
            "long_px": self.long_px,
        }

    @property
    def files(self) -> tuple[Weights, ...]:
        return (self.folder, self.weights) if self.weights else (self.folder,)

    def find(self, frame: Frame, phrases: Sequence[str]) -> list[Found]:
        """What was found of each phrase.

        Raises ``MetricError`` for more tokens than the network reads, 256.
        """
        caption = self.caption(phrases)
        probabilities, boxes = self.forward(frame, caption.tokens)
        size = np.array([frame.shape[1], frame.shape[0]])
        middles, halves = boxes[:, :2] * size, boxes[:, 2:] * size / 2
        corners = np.concatenate([middles - halves, middles + halves], axis=1)
        return [
            Found(corners[chosen], probabilities[chosen, start:end].max(axis=1, initial=0))
            for (start, end), chosen in zip(
                caption.spans, self.chosen(probabilities, caption.spans), strict=True
            )
        ]

    def chosen(self, probabilities: Floats, spans: Sequence[Span]) -> list[NDArray[np.intp]]:
        """The queries (rows) that show the phrase of each span (of columns), best first."""
        chosen = []
        for start, end in spans:
            scores = probabilities[:, start:end].max(axis=1, initial=0)
            order = np.argsort(-scores, kind="stable")
            chosen.append(order[scores[order] > self.threshold])
        return chosen

    def caption(self, phrases: Sequence[str]) -> Caption:
        """The tokens of all phrases, each ended by a full stop, between the marks of the text."""
        end, stop = self.tokenizer.convert_tokens_to_ids(["[SEP]", "."])
        tokens: list[int] = self.tokenizer.convert_tokens_to_ids(["[CLS]"])
        spans = []
        for phrase in phrases:
            words = phrase.lower().replace(".", " ").replace("?", " ")  # they would part it
            ids = self.tokenizer(words, add_special_tokens=False)["input_ids"]
            spans.append((len(tokens), len(tokens) + len(ids)))
            tokens += [*ids, stop]
        most = self.network.config.max_text_len
        if len(tokens) >= most:
            raise MetricError(f"the elements' names are {len(tokens)} tokens; {most} can be read")
        return Caption([*tokens, end], spans)

    def forward(self, frame: Frame, tokens: list[int]) -> tuple[Floats, Floats]:
        """For each query its probabilities by token (q, 256) and its box (q, 4).

        A box is its middle, width and height as shares of the frame.
        """
        import torch

        ids = torch.tensor([tokens], device=self.device)

        def network(pixels: Tensor) -> Tensor:
            told = self.network(pixel_values=pixels, input_ids=ids)
            return torch.cat([told.logits.sigmoid(), told.pred_boxes], dim=-1)

        pixels = torch.from_numpy(self._pixels(frame))[None].to(self.device)
        both: NDArray[np.float32] = in_batches(network, pixels, 1)[0].float().cpu().numpy()
        return both[:, :-4], both[:, -4:]

    @cached_property
    def network(self) -> Any:
        """A ``GroundingDinoForObjectDetection``."""
        ensure_torchvision()
        from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

        from a2bench.metrics.extractors.scenes.published_keys import (
            GROUNDING_DINO,
            GROUNDING_DINO_UNUSED,
            renamed,
        )
        from a2bench.networks.ported import load_ported

        folder = self.folder.locate()
        config = GroundingDinoConfig.from_pretrained(folder, local_files_only=True)
        config.disable_custom_kernels = True  # it would compile one, or fetch one
        path, state = folder, None
        if self.weights:
            path = self.weights.locate()
            bare = {k.removeprefix("module."): v for k, v in load_weights(path).items()}
            used = {k: v for k, v in bare.items() if not k.startswith(GROUNDING_DINO_UNUSED)}
            state = renamed(used, GROUNDING_DINO)
        return load_ported(GroundingDinoForObjectDetection, path, config, state).to(self.device)

    @cached_property
    def tokenizer(self) -> Any:
        """A ``BertTokenizer``."""
        ensure_torchvision()
        from transformers import BertTokenizer

        return BertTokenizer.from_pretrained(self.folder.locate(), local_files_only=True)

    def _pixels(self, frame: Frame) -> Floats:
        """The resized, normalised picture (3, h, w)."""
        short, long = sorted(frame.shape[:2])
        side = self.short_px
        if long / short * side > self.long_px:
            side = round(self.long_px * short / long)
        height, width = (
            side if edge == short else int(side * edge / short) for edge in frame.shape[:2]
        )
        picture = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
        scaled = (np.asarray(picture, np.float32) / 255 - MEAN) / DEVIATION
        return np.ascontiguousarray(scaled.transpose(2, 0, 1))
