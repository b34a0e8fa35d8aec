"""ID consistency: do the faces in the video belong to the characters of the case?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.types import Case, Measurement

from .extractors.faces import Face, Faces


@dataclass(frozen=True, kw_only=True)
class IdConsistency:
    """The mean similarity of each character's reference to the face that shows it.

    ``mean_t mean_r s_tr``: in frame t the faces are assigned one to one to the R characters so
    that the sum of similarities is greatest (Hungarian method), and ``s_tr`` is the similarity of
    the face assigned to r, or 0 when there is none. ``missing`` says what becomes of frames
    without any face: ``zero`` counts them as 0, ``skip`` leaves them out. Range [0, 1] for
    similarities in [0, 1], higher is better. In the detail: ``minimum``, ``mean_t min_r s_tr``;
    ``detection_rate``, the share of (frame, character) pairs that have a face; ``similarities``,
    all s_tr in order, None where there is no face.

    Not applicable to a case without characters, to a character whose references show no face, and
    with ``skip`` to a video without a face.

    The paper detects with RetinaFace and embeds with ArcFace; with ``DlibFaces`` the numbers are
    not the paper's. There (50 cases of a2bench-open) the reference's own face, pasted, has 0.98,
    another photograph of the person 0.66-0.92 (mean 0.84), another person 0.14-0.71 (mean 0.37).
    Source: SkyReels-A2, section 2.5.
    """

    faces: Extractor[Faces]
    missing: Literal["zero", "skip"] = "zero"

    def __post_init__(self) -> None:
        if self.missing not in ("zero", "skip"):
            raise ValueError(f"missing is 'zero' or 'skip', not {self.missing!r}")

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="id_consistency",
            version="1",
            dimension="composition consistency",
            low=0.0,
            high=1.0,
            higher_is_better=True,
            needs=("video", "character"),
            licence="Apache-2.0",
            source="arXiv:2504.02436, section 2.5",
            params={"missing": self.missing},
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.faces,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        if not case.of("character"):
            raise NotApplicable("the case has no character")
        faces = features[self.faces]
        if faces.faceless:
            raise NotApplicable(f"no face in the reference of {', '.join(faces.faceless)}")
        matched = [assign(frame.faces, faces.characters) for frame in faces.frames]
        counted = [row for row in matched if self.missing == "zero" or any_face(row)]
        if not counted:
            raise NotApplicable("no face in any sampled frame, and missing='skip'")
        rows = [[similarity or 0.0 for similarity in row] for row in counted]
        seen = [similarity is not None for row in matched for similarity in row]
        return Measurement(
            value=fsum(map(fsum, rows)) / (len(rows) * faces.characters),
            detail={
                "minimum": fsum(map(min, rows)) / len(rows),
                "detection_rate": sum(seen) / len(seen),
                "frames": [frame.index for frame in faces.frames],
                "similarities": [[_rounded(s) for s in row] for row in matched],
            },
        )


def assign(faces: Sequence[Face], characters: int) -> list[float | None]:
    """The similarity of each character to the face assigned to it; None where no face is left."""
    row: list[float | None] = [None] * characters
    if faces:
        table = np.array([face.similarities for face in faces])
        for face, character in zip(*linear_sum_assignment(table, maximize=True), strict=True):
            row[character] = float(table[face, character])
    return row


def any_face(row: Sequence[float | None]) -> bool:
    """Whether a character has a face in the frame."""
    return any(similarity is not None for similarity in row)


def _rounded(similarity: float | None) -> float | None:
    return None if similarity is None else round(similarity, 4)
