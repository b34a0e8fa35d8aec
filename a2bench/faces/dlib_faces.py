"""Faces by dlib: small models that pip installs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from a2bench.faces.finder import FaceFinder, Found
from a2bench.faces.models import Embedding
from a2bench.networks.files import PackagedWeights, Weights
from a2bench.pictures import Frame, resized
from a2bench.types import Json

LANDMARKS = PackagedWeights(
    package="face_recognition_models",
    release="face-recognition-models==0.3.0",
    path="models/shape_predictor_5_face_landmarks.dat",
    sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    licence="CC0-1.0",
)
RECOGNITION = PackagedWeights(
    package="face_recognition_models",
    release="face-recognition-models==0.3.0",
    path="models/dlib_face_recognition_resnet_model_v1.dat",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    licence="CC0-1.0",
)
SAME_PERSON = 0.6
"""The distance up to which dlib takes two faces for one person."""
CHIP_PX, CHIP_PADDING = 150, 0.25
"""The aligned face that dlib's network was trained on."""
MAX_ENLARGEMENT = 3.0


@dataclass(frozen=True, kw_only=True)
class DlibFaces(FaceFinder):
    """Faces by dlib: HOG detector, 5 landmarks, 128-d ResNet embedding.

    Similarity ``2 ** -((d / 0.6) ** 2)`` for the Euclidean distance d of two embeddings: 1 for the
    same image, 0.5 at dlib's same-person threshold, above 0 always.

    Images are brought to about ``pixels`` pixels, and where fewer faces are found than are looked
    for, to ``more_pixels``, at most to three times their sides: the detector's smallest face, some
    75 px, is about 50 px and then 33 px in a frame of 832x480, that of a whole person of two thirds
    of the frame's height. At most ``most_faces`` a frame, the surest, are embedded.

    The 68-point landmarks of the same package are not used: their data is non-commercial.
    """

    pixels: int = 1_000_000
    more_pixels: int = 2_000_000
    most_faces: int = 8

    name = "dlib_faces"
    version = "2"

    @property
    def params(self) -> Mapping[str, Json]:
        return {
            "pixels": self.pixels,
            "more_pixels": self.more_pixels,
            "most_faces": self.most_faces,
        }

    @property
    def files(self) -> tuple[Weights, ...]:
        return LANDMARKS, RECOGNITION

    @property
    def stranger(self) -> float:
        return 0.5

    def similarity(self, one: Embedding, other: Embedding) -> float:
        return similarity(one, other)

    def find(self, image: Frame, *, embed: bool, least: int = 1) -> list[Found]:
        found = self._find(image, self.pixels, embed=embed)
        if len(found) >= least:
            return found
        return max(found, self._find(image, self.more_pixels, embed=embed), key=len)

    def _find(self, image: Frame, pixels: int, *, embed: bool) -> list[Found]:
        """The faces of an image of about so many pixels."""
        height, width = image.shape[:2]
        scale = min(MAX_ENLARGEMENT, (pixels / (width * height)) ** 0.5)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = resized(image, size)
        rectangles, scores, _ = self._models.detector.run(image, 0, 0.0)
        found = sorted(zip(scores, rectangles, strict=True), key=lambda pair: -pair[0])
        return [
            Found(
                (r.left() / scale, r.top() / scale, r.right() / scale, r.bottom() / scale),
                score,
                self._models.embed(image, r) if embed else None,
            )
            for score, r in found[: self.most_faces]
        ]

    @cached_property
    def _models(self) -> _Models:
        return _Models()


def similarity(one: Embedding, other: Embedding) -> float:
    """From the distance of two dlib embeddings to (0, 1]."""
    distance = float(np.linalg.norm(one - other))
    return math.exp2(-((distance / SAME_PERSON) ** 2))


class _Models:
    """dlib's models, loaded from verified files."""

    def __init__(self) -> None:
        import dlib

        self.detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(LANDMARKS.locate()))
        self._recognition = dlib.face_recognition_model_v1(str(RECOGNITION.locate()))
        self._cut_chip = dlib.get_face_chip

    def embed(self, image: Frame, rectangle: Any) -> Embedding:
        chip = self._cut_chip(image, self._landmarks(image, rectangle), CHIP_PX, CHIP_PADDING)
        return np.array(self._recognition.compute_face_descriptor(chip))
