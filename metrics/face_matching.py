"""Which face shows which character, and for how much: what the metrics of identity share.

A similarity s counts ``max(0, (s - stranger) / (1 - stranger))``: 1 for the same picture, and 0
from ``stranger`` down, the similarity up to which the recogniser takes two faces for two people's
(0 for cosines, 0.5 for dlib). A character without a face counts 0. So nobody is never better than
somebody else; and one right person beside a missing one is worse than two wrong ones only where
the recogniser takes strangers for the characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metrics.extractors.faces import Face, Faces
from a2bench.types import Case, Json

Row = list[float | None]
"""In one frame, the similarity of each character to the face that shows it; None without one."""

Missing = Literal["zero", "skip"]
"""Frames without any face count 0, or are left out; where no frame has one, all count 0."""

TIE = 1e-6
"""What a similarity weighs beside what it counts: it decides between faces that count the same."""


def refuse_other_policies(missing: str) -> None:
    """Raises ``ValueError`` for what is no ``Missing``."""
    if missing not in ("zero", "skip"):
        raise ValueError(f"missing is 'zero' or 'skip', not {missing!r}")


def faces_of(case: Case, features: FeatureBank, extractor: Extractor[Faces]) -> Faces:
    """The faces of a case with characters that all have a face in their references.

    Raises ``NotApplicable`` for another case.
    """
    if not case.of("character"):
        raise NotApplicable("the case has no character")
    faces = features[extractor]
    if faces.faceless:
        raise NotApplicable(f"no face in the reference of {', '.join(faces.faceless)}")
    return faces


def worth(similarities: Any, stranger: float) -> Any:
    """For how much a similarity counts, or each of an array: 0 from ``stranger`` down, 1 for 1."""
    return np.maximum((np.asarray(similarities) - stranger) / (1 - stranger), 0)


def assign(faces: Sequence[Face], characters: int, stranger: float) -> Row:
    """Faces to characters, one to one, for the greatest sum of what counts (Hungarian method).

    Of the similarities themselves the sum would be moved by strangers, who count nothing.
    """
    row: Row = [None] * characters
    if faces:
        table = np.array([face.similarities for face in faces])
        weights = worth(table, stranger) + TIE * table
        for face, character in zip(*linear_sum_assignment(weights, maximize=True), strict=True):
            row[character] = float(table[face, character])
    return row


def assign_greedily(faces: Sequence[Face], characters: int) -> Row:
    """Faces to characters, one to one: the most similar pair first, then the next that is left."""
    row: Row = [None] * characters
    pairs = [(s, f, r) for f, face in enumerate(faces) for r, s in enumerate(face.similarities)]
    taken: set[int] = set()
    for similarity, face, character in sorted(pairs, key=lambda pair: -pair[0]):
        if face not in taken and row[character] is None:
            row[character] = similarity
            taken.add(face)
    return row


def counted(rows: Sequence[Row], missing: Missing, stranger: float) -> list[list[float]]:
    """The rows that count, as what they count; 0 for a character without a face.

    With ``skip`` a video without any face keeps all its rows: it shows nobody, and that is 0.
    """
    seen = [row for row in rows if any(similarity is not None for similarity in row)]
    kept = seen if missing == "skip" and seen else rows
    return [[0.0 if s is None else float(worth(s, stranger)) for s in row] for row in kept]


def detail(faces: Faces, rows: Sequence[Row]) -> Mapping[str, Json]:
    """``detection_rate``, the share of (frame, character) with a face; ``frames``;
    ``similarities``, all rows, as the recogniser gives them; ``boxes`` (left, top, right, bottom in
    pixels) of all faces of each frame.
    """
    seen = [similarity is not None for row in rows for similarity in row]
    return {
        "detection_rate": sum(seen) / len(seen),
        "frames": [frame.index for frame in faces.frames],
        "similarities": [[None if s is None else round(s, 4) for s in row] for row in rows],
        "boxes": [
            [[round(side, 1) for side in face.box] for face in frame.faces]
            for frame in faces.frames
        ],
    }
