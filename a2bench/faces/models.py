"""What a face model is: a detector with five landmarks, or a recogniser that reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a2bench.boxes import Box
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import Weights
from a2bench.pictures import Floats, Frame
from a2bench.types import Json

Points = Floats
"""The eyes, the tip of the nose and the corners of the mouth, left before right as the image
shows them: (5, 2), x and y in pixels."""
Embedding = NDArray[np.float64]
"""What a recogniser makes of a face."""


class Detection(NamedTuple):
    """A face in an image."""

    box: Box
    score: float
    points: Points


@dataclass(kw_only=True)
class FaceModel(LoadsAnew, ABC):
    """A network that loads on first use, as ``network``.

    ``requires`` names packages that the rest of the project does without, as pip takes them.
    """

    weights: Weights
    device: str = "cpu"

    requires: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def params(self) -> Mapping[str, Json]:
        """What its answers depend on besides the weights."""


@dataclass(kw_only=True)
class Detector(FaceModel):
    """Finds faces. The last image, told by its identity, is remembered."""

    _last: tuple[Frame, tuple[Detection, ...]] | None = field(default=None, init=False, repr=False)

    def detect(self, image: Frame) -> tuple[Detection, ...]:
        """The faces of an RGB image, the surest first."""
        if self._last is None or self._last[0] is not image:
            self._last = (image, self.search(image))
        return self._last[1]

    @abstractmethod
    def search(self, image: Frame) -> tuple[Detection, ...]:
        """As ``detect``, without memory."""


@dataclass(kw_only=True)
class Recogniser(FaceModel):
    """Tells people apart by the cosine of embeddings."""

    def embed(self, image: Frame, faces: Sequence[Points]) -> Embedding:
        """The embeddings (n, d), each of length 1, of n faces of an RGB image."""
        if not faces:
            return np.zeros((0, 0))
        rows = self.vectors(image, faces).astype(np.float64)
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))

    @abstractmethod
    def vectors(self, image: Frame, faces: Sequence[Points]) -> Floats:
        """The embeddings of any length of one face or more."""
