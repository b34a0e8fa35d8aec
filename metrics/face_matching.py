"""Which face shows which character: what the metrics of identity share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metrics.extractors.faces import Face, Faces
from a2bench.types import Case, Json

Row = list[float | None]
"""In one frame, the similarity of each character to the face that shows it; None without one."""

Missing = Literal["zero", "skip"]
"""Frames without any face count 0, or are left out."""


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


def assign(faces: Sequence[Face], characters: int) -> Row:
    """Faces to characters, one to one, for the greatest sum (Hungarian method)."""
    row: Row = [None] * characters
    if faces:
        table = np.array([face.similarities for face in faces])
        for face, character in zip(*linear_sum_assignment(table, maximize=True), strict=True):
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


def counted(rows: Sequence[Row], missing: Missing) -> list[list[float]]:
    """The rows that count, with 0 for a character without a face.

    Raises ``NotApplicable`` when none is left.
    """
    kept = [row for row in rows if missing == "zero" or any(s is not None for s in row)]
    if not kept:
        raise NotApplicable("no face in any sampled frame, and missing='skip'")
    return [[0.0 if similarity is None else similarity for similarity in row] for row in kept]


def detail(faces: Faces, rows: Sequence[Row]) -> Mapping[str, Json]:
    """``detection_rate``, the share of (frame, character) with a face; ``frames``;
    ``similarities``, all rows.
    """
    seen = [similarity is not None for row in rows for similarity in row]
    return {
        "detection_rate": sum(seen) / len(seen),
        "frames": [frame.index for frame in faces.frames],
        "similarities": [[None if s is None else round(s, 4) for s in row] for row in rows],
    }
