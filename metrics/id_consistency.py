"""ID consistency: do the faces in the video belong to the characters of the case?"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any

from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.faces import Faces
from a2bench.metrics.face_matching import (
    Missing,
    assign,
    counted,
    detail,
    faces_of,
    refuse_other_policies,
)
from a2bench.types import Case, Measurement


@dataclass(frozen=True, kw_only=True)
class IdConsistency:
    """The mean similarity of each character's reference to the face that shows it.

    ``mean_t mean_r c_tr``: in frame t the faces are assigned one to one to the R characters so
    that they count most in sum (Hungarian method), and ``c_tr`` is what the similarity ``s_tr`` of
    the face assigned to r counts, ``max(0, (s_tr - stranger) / (1 - stranger))`` (see
    ``face_matching``), or 0 when there is none. ``missing`` says what becomes of frames without any
    face: ``zero`` counts them as 0, ``skip`` leaves them out, unless no frame has a face: then the
    value is 0. Range [0, 1], higher is better. In the detail: ``minimum``, ``mean_t min_r c_tr``;
    ``detection_rate``, the share of (frame, character) pairs that have a face; ``similarities``,
    all s_tr in order, None where there is no face.

    ``recogniser`` is added to the name, so that several stand side by side:
    ``id_consistency_facexlib``.

    Not applicable to a case without characters, and to a character whose references show no face.

    The paper detects with RetinaFace, embeds with ArcFace and averages cosines over frames; which
    weights, which frames, what of several faces, none or a stranger's, it leaves open. With
    ``DlibFaces`` the numbers are not the paper's. There (50 cases of a2bench-open) the similarity
    of the reference's own face, pasted, is 0.98, of another photograph of the person 0.66-0.92
    (mean 0.84), of another person 0.14-0.71 (mean 0.37); they count 0.96, 0.32-0.84 (0.68), and
    a stranger 0 in most pairs, 0.03 on average, 0.53 at most.
    Source: SkyReels-A2, section 2.5.
    """

    faces: Extractor[Faces]
    missing: Missing = "zero"
    recogniser: str = ""

    def __post_init__(self) -> None:
        refuse_other_policies(self.missing)

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="_".join(filter(None, ("id_consistency", self.recogniser))),
            version="2",
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
        faces = faces_of(case, features, self.faces)
        matched = [assign(f.faces, faces.characters, faces.stranger) for f in faces.frames]
        rows = counted(matched, self.missing, faces.stranger)
        return Measurement(
            value=fsum(map(fsum, rows)) / (len(rows) * faces.characters),
            detail={"minimum": fsum(map(min, rows)) / len(rows), **detail(faces, matched)},
        )
