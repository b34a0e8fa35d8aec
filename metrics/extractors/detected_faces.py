"""Faces by a detector with five landmarks and a recogniser, each chosen by itself.

Give several ``DetectedFaces`` one detector, and each frame is searched once for all of them::

    scrfd = Scrfd()
    DetectedFaces(detector=scrfd, recogniser=ArcFace())
    DetectedFaces(detector=scrfd, recogniser=CurricularFace())
    DetectedFaces(detector=RetinaFace(), recogniser=FacexlibArcFace())
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import ClassVar, NamedTuple

import numpy as np

from a2bench.features import ExtractorInfo
from a2bench.types import Json
from a2bench.video import Frame

from .component import LoadsAnew
from .embedding import Box, Floats
from .faces import Embedding, FaceExtractor, Found
from .weights import Weights, hashes, lacking, licences

Points = Floats
"""The eyes, the tip of the nose and the corners of the mouth, left before right as the image
shows them: (5, 2), x and y in pixels."""

MARGIN_SHARE, MARGIN_LEVEL = 0.25, 128


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


@dataclass(frozen=True, kw_only=True)
class DetectedFaces(FaceExtractor):
    """Faces found by ``detector`` and compared by the cosine of ``recogniser``'s embeddings.

    Similarities are in [-1, 1] and not clipped at 0: strangers are near 0 on either side. Of each
    frame the ``most_faces`` surest are embedded. A face that fills its picture escapes detectors:
    a reference without a face is searched again with a grey margin of 25 % (as in OpenS2V-Eval and
    ConsisID). References are reduced to 1024 px first; published evaluations take them whole.

    The papers say only "frames"; published evaluations take 16 (ConsisID), 24 (Ingredients) or 32
    (OpenS2V-Eval), evenly with both ends: 16 here unless told.
    """

    detector: Detector
    recogniser: Recogniser
    sampling: str = "linspace-16"
    most_faces: int = 8

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="detected_faces",
            version="1",
            sampling=self.sampling,
            params={
                **self.detector.params,
                **self.recogniser.params,
                "most_faces": self.most_faces,
            },
            weights=hashes(*self._files),
            licence=licences(*self._files),
        )

    def missing(self) -> tuple[str, ...]:
        needed = dict.fromkeys((*self.detector.requires, *self.recogniser.requires))
        absent = [package for package in needed if find_spec(package.partition("=")[0]) is None]
        told = [f"the package {one} is not installed; pip install {one}" for one in absent]
        return (*told, *lacking(*self._files))

    def similarity(self, one: Embedding, other: Embedding) -> float:
        return float(np.clip(one @ other, -1, 1))

    def find(self, image: Frame, *, embed: bool) -> list[Found]:
        return self._found(image, self.detector.detect(image)[: self.most_faces], embed=embed)

    def find_in_reference(self, image: Frame) -> list[Found]:
        faces = self.detector.detect(image) or self._detect_with_margin(image)
        return self._found(image, faces[: self.most_faces], embed=True)

    def _detect_with_margin(self, image: Frame) -> tuple[Detection, ...]:
        top, left = (int(side * MARGIN_SHARE) for side in image.shape[:2])
        margins = ((top, top), (left, left), (0, 0))
        corner = np.array((left, top), np.float32)
        faces = self.detector.detect(np.pad(image, margins, constant_values=MARGIN_LEVEL))
        return tuple(
            Detection((x0 - left, y0 - top, x1 - left, y1 - top), score, points - corner)
            for (x0, y0, x1, y1), score, points in faces
        )

    def _found(self, image: Frame, faces: Sequence[Detection], *, embed: bool) -> list[Found]:
        if not embed:
            return [Found(face.box, face.score, None) for face in faces]
        embeddings = self.recogniser.embed(image, [face.points for face in faces])
        return [
            Found(face.box, face.score, embedding)
            for face, embedding in zip(faces, embeddings, strict=True)
        ]

    @property
    def _files(self) -> tuple[Weights, ...]:
        return tuple(dict.fromkeys((self.detector.weights, self.recogniser.weights)))
