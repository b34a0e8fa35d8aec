"""Faces in the sampled frames, and how like the case's characters they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from a2bench.boxes import Box
from a2bench.faces.finder import FaceFinder
from a2bench.faces.models import Embedding
from a2bench.features import ExtractorInfo, Mark
from a2bench.networks.files import hashes, licences
from a2bench.pictures import Frame
from a2bench.types import Case, Element, Video


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
    the characters in whose references no face was found; nothing is similar to them. ``stranger``
    is the similarity up to which a face is that of another person: 0 for cosines.
    """

    frames: tuple[FaceFrame, ...]
    characters: int
    faceless: tuple[str, ...] = ()
    stranger: float = 0.0


@dataclass(frozen=True, kw_only=True)
class FaceExtractor:
    """Compares the faces that ``finder`` finds in each frame with the characters of the case.

    The papers say only "frames"; published evaluations take 16 (ConsisID), 24 (Ingredients) or 32
    (OpenS2V-Eval), evenly with both ends: 16 here unless told.
    """

    finder: FaceFinder
    sampling: str = "linspace-16"

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name=self.finder.name,
            version=self.finder.version,
            sampling=self.sampling,
            params=self.finder.params,
            weights=hashes(*self.finder.files),
            licence=licences(*self.finder.files),
        )

    def missing(self) -> tuple[str, ...]:
        return self.finder.missing()

    def start(self, case: Case, video: Video) -> FaceConsumer:
        return FaceConsumer(self, case)

    def marks(self, features: Faces) -> Mapping[int, Sequence[Mark]]:
        return {
            frame.index: [Mark(_label(face), face.box) for face in frame.faces]
            for frame in features.frames
        }

    def compare(self, one: Element, other: Element) -> float | None:
        return self.finder.compare(one, other)


def _label(face: Face) -> str:
    alike = ", ".join(f"{similarity:.2f}" for similarity in face.similarities) or "nobody asked for"
    return f"face: {alike} (score {face.score:.2f})"


class FaceConsumer:
    """Compares the faces of each frame with the characters of one case."""

    def __init__(self, extractor: FaceExtractor, case: Case) -> None:
        self._extractor = extractor
        groups = case.subjects("character")
        references = [[extractor.finder.reference(e) for e in group] for group in groups]
        self._characters = [[r for r in group if r is not None] for group in references]
        self._faceless = tuple(
            group[0].id for group, found in zip(groups, self._characters, strict=True) if not found
        )
        self._frames: list[FaceFrame] = []

    def push(self, index: int, frame: Frame) -> None:
        people = max(1, len(self._characters))
        found = self._extractor.finder.find(frame, embed=any(self._characters), least=people)
        faces = [
            Face(box=f.box, score=f.score, similarities=self._similarities(f.embedding))
            for f in found
        ]
        self._frames.append(FaceFrame(index=index, faces=tuple(faces)))

    def finish(self) -> Faces:
        return Faces(
            frames=tuple(self._frames),
            characters=len(self._characters),
            faceless=self._faceless,
            stranger=self._extractor.finder.stranger,
        )

    def _similarities(self, embedding: Embedding | None) -> tuple[float, ...]:
        if embedding is None:
            return (0.0,) * len(self._characters)
        alike = self._extractor.finder.similarity
        return tuple(
            max((alike(embedding, reference) for reference in group), default=0.0)
            for group in self._characters
        )
