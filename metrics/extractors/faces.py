"""Faces in the sampled frames, and how like the case's characters they are."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a2bench.features import ExtractorInfo
from a2bench.types import Case, Element, Video
from a2bench.video import Frame

from .component import LoadsAnew
from .embedding import Box, resized
from .references import by_subject, over_white, read_rgba
from .weights import PackagedWeights, hashes, lacking, licences

Embedding = NDArray[np.float64]
"""What a recogniser makes of a face."""
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
MAX_ENLARGEMENT = 2.0


@dataclass(frozen=True, kw_only=True)
class Face:
    """A face in a frame: its box, the detector's score, its similarity to each character."""

    box: Box
    score: float
    similarities: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class FaceFrame:
    """The faces of one sampled frame, the surest first."""

    index: int
    faces: tuple[Face, ...]


@dataclass(frozen=True, kw_only=True)
class Faces:
    """The sampled frames in order; ``characters`` counts the case's.

    Photographs of one subject are one character, and the best of them counts. ``faceless`` names
    the characters in whose references no face was found; nothing is similar to them.
    """

    frames: tuple[FaceFrame, ...]
    characters: int
    faceless: tuple[str, ...] = ()


class Found(NamedTuple):
    """A detection in an image, with its embedding where one was asked for."""

    box: Box
    score: float
    embedding: Embedding | None


class FaceExtractor(LoadsAnew, ABC):
    """Compares the faces of each frame with the characters of the case.

    A frozen dataclass that says how faces are found in an image, and how alike two of them are.
    """

    @property
    @abstractmethod
    def info(self) -> ExtractorInfo: ...

    @abstractmethod
    def missing(self) -> tuple[str, ...]: ...

    @abstractmethod
    def find(self, image: Frame, *, embed: bool) -> list[Found]:
        """The faces of an image, the surest first."""

    @abstractmethod
    def similarity(self, one: Embedding, other: Embedding) -> float:
        """How alike two faces are, higher for more alike."""

    def find_in_reference(self, image: Frame) -> list[Found]:
        """The faces of a reference image, embedded."""
        return self.find(image, embed=True)

    def start(self, case: Case, video: Video) -> FaceConsumer:
        return FaceConsumer(self, case)

    def compare(self, one: Element, other: Element) -> float | None:
        """The similarity of the largest faces of two references; None where one has none."""
        a, b = self.reference(one), self.reference(other)
        return None if a is None or b is None else self.similarity(a, b)

    @cached_property
    def reference(self) -> Callable[[Element], Embedding | None]:
        """The embedding of a reference's largest face, if it has one; each is computed once."""
        return lru_cache(maxsize=256)(self._reference)

    def _reference(self, element: Element) -> Embedding | None:
        found = self.find_in_reference(over_white(read_rgba(element)))
        return max(found, key=lambda face: area(face.box)).embedding if found else None


class FaceConsumer:
    """Compares the faces of each frame with the characters of one case."""

    def __init__(self, extractor: FaceExtractor, case: Case) -> None:
        self._extractor = extractor
        groups = by_subject(case.of("character"))
        references = [[extractor.reference(e) for e in group] for group in groups]
        self._characters = [[r for r in group if r is not None] for group in references]
        self._faceless = tuple(
            group[0].id for group, found in zip(groups, self._characters, strict=True) if not found
        )
        self._frames: list[FaceFrame] = []

    def push(self, index: int, frame: Frame) -> None:
        found = self._extractor.find(frame, embed=any(self._characters))
        faces = [
            Face(box=f.box, score=f.score, similarities=self._similarities(f.embedding))
            for f in found
        ]
        self._frames.append(FaceFrame(index=index, faces=tuple(faces)))

    def finish(self) -> Faces:
        return Faces(
            frames=tuple(self._frames), characters=len(self._characters), faceless=self._faceless
        )

    def _similarities(self, embedding: Embedding | None) -> tuple[float, ...]:
        if embedding is None:
            return (0.0,) * len(self._characters)
        alike = self._extractor.similarity
        return tuple(
            max((alike(embedding, reference) for reference in group), default=0.0)
            for group in self._characters
        )


def area(box: Box) -> float:
    """The area of a box in square pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


@dataclass(frozen=True, kw_only=True)
class DlibFaces(FaceExtractor):
    """Faces by dlib: HOG detector, 5 landmarks, 128-d ResNet embedding.

    Similarity ``2 ** -((d / 0.6) ** 2)`` for the Euclidean distance d of two embeddings: 1 for the
    same image, 0.5 at dlib's same-person threshold, above 0 always.

    Images are brought to about ``pixels`` pixels, at most doubled: the detector's smallest face, 80
    px, is 51 px in a frame of 832x480. At most ``most_faces`` a frame, the surest, are embedded.
    The 68-point landmarks of the same package are not used: their data is non-commercial.
    """

    sampling: str = "linspace-8"
    pixels: int = 1_000_000
    most_faces: int = 8

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="dlib_faces",
            version="1",
            sampling=self.sampling,
            params={"pixels": self.pixels, "most_faces": self.most_faces},
            weights=hashes(LANDMARKS, RECOGNITION),
            licence=licences(LANDMARKS, RECOGNITION),
        )

    def missing(self) -> tuple[str, ...]:
        return lacking(LANDMARKS, RECOGNITION)

    def similarity(self, one: Embedding, other: Embedding) -> float:
        return similarity(one, other)

    def find(self, image: Frame, *, embed: bool) -> list[Found]:
        height, width = image.shape[:2]
        scale = min(MAX_ENLARGEMENT, (self.pixels / (width * height)) ** 0.5)
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
