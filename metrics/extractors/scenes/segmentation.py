"""Masks of what lies in given boxes of a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from a2bench.boxes import Boxes
from a2bench.checkpoints.tensors import load_weights
from a2bench.errors import CannotRun
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import CheckpointWeights, Weights
from a2bench.networks.inference import in_batches, inference
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Frame
from a2bench.types import Json

if TYPE_CHECKING:
    from torch import Tensor

Masks = NDArray[np.bool_]
"""Shape (n, height, width)."""

MEAN = np.array([123.675, 116.28, 103.53], np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)


class Segmenter(Protocol):
    """A way to find the pixels of what a box shows."""

    @property
    def params(self) -> Mapping[str, Json]:
        """What its masks depend on besides the weights."""
        ...

    @property
    def files(self) -> tuple[Weights, ...]: ...

    def masks(self, frame: Frame, boxes: Boxes) -> Masks:
        """A mask for each box (n, 4)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Sam(LoadsAnew):
    """Segment Anything (Kirillov et al., ICCV 2023), as transformers runs it; one mask a box.

    ``weights`` is a folder of the hub, or one of segment-anything's own files
    (``sam_vit_b_01ec64.pth``, ``sam_vit_h_4b8939.pth``), which tells its sizes by its tensors. The
    picture is encoded once a frame, at 1024 px of the long side; all its boxes are decoded
    together. A frame without boxes costs nothing.
    """

    weights: Weights = CheckpointWeights(name="sam-vit-base")
    device: str = "cpu"

    @property
    def params(self) -> Mapping[str, Json]:
        return {"segmenter": "sam"}

    @property
    def files(self) -> tuple[Weights, ...]:
        return (self.weights,)

    def masks(self, frame: Frame, boxes: Boxes) -> Masks:
        """A mask for each box (n, 4)."""
        masks = np.zeros((len(boxes), *frame.shape[:2]), np.bool_)
        if len(boxes):
            for mask, coarse in zip(masks, self.coarse(frame, boxes), strict=True):
                mask[:] = (self.fine(coarse, frame) > 0).cpu().numpy()
        return masks

    def coarse(self, frame: Frame, boxes: Boxes) -> Tensor:
        """The logits of each box's mask, (n, s, s), of the padded picture: s is 256."""
        import torch

        width, height = self._size(frame)
        scales = np.array([width / frame.shape[1], height / frame.shape[0]] * 2)
        prompts = torch.from_numpy((boxes * scales).astype(np.float32))[None].to(self.device)
        pixels = torch.from_numpy(self._pixels(frame))[None].to(self.device)
        picture = in_batches(self.network.get_image_embeddings, pixels, 1)

        def decode(prompts: Tensor) -> Tensor:
            masks: Tensor = self.network(
                image_embeddings=picture, input_boxes=prompts, multimask_output=False
            ).pred_masks
            return masks[:, :, 0]

        return in_batches(decode, prompts, 1)[0]

    def fine(self, coarse: Tensor, frame: Frame) -> Tensor:
        """The logits (s, s) of one mask at the size of the frame."""
        from torch.nn.functional import interpolate

        width, height = self._size(frame)
        with inference():
            padded = interpolate(coarse[None, None], (self._side, self._side), mode="bilinear")
            picture = padded[..., :height, :width]
            return interpolate(picture, frame.shape[:2], mode="bilinear")[0, 0]

    @cached_property
    def network(self) -> Any:
        """A ``SamModel``."""
        ensure_torchvision()
        from transformers import SamConfig, SamModel

        from a2bench.metrics.extractors.scenes.published_keys import SAM, renamed, sam_sizes
        from a2bench.networks.ported import load_ported

        path = self.weights.locate()
        if path.is_dir():
            config = SamConfig.from_pretrained(path, local_files_only=True)
            return load_ported(SamModel, path, config).to(self.device)
        published = load_weights(path)
        try:
            sizes: dict[str, Any] = sam_sizes(published)
        except LookupError as error:
            raise CannotRun(f"{path} holds no weights of Segment Anything") from error
        config, state = SamConfig(**sizes), renamed(published, SAM)
        return load_ported(SamModel, path, config, state).to(self.device)

    @property
    def _side(self) -> int:
        side: int = self.network.config.vision_config.image_size
        return side

    def _size(self, frame: Frame) -> tuple[int, int]:
        """(width, height) of the frame as the network sees it."""
        height, width = frame.shape[:2]
        scale = self._side / max(height, width)
        return int(width * scale + 0.5), int(height * scale + 0.5)

    def _pixels(self, frame: Frame) -> NDArray[np.float32]:
        """The resized, normalised picture, padded to a square with zeros: (3, side, side)."""
        width, height = self._size(frame)
        picture = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
        square = np.zeros((3, self._side, self._side), np.float32)
        scaled = (np.asarray(picture, np.float32) - MEAN) / DEVIATION
        square[:, :height, :width] = scaled.transpose(2, 0, 1)
        return square
