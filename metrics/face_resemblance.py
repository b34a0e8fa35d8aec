"""Face resemblance: is the one character of the case the person in the video?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from a2bench.boxes import area
from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.faces import Face, Faces
from a2bench.metrics.face_matching import (
    Missing,
    Row,
    counted,
    detail,
    faces_of,
    refuse_other_policies,
)
from a2bench.types import Case, Measurement


@dataclass(frozen=True, kw_only=True)
class FaceResemblance:
    """The mean cosine of the subject's reference to the largest face of each frame, as for Lynx.

    ``mean_t c_t``: what the similarity of the largest face of frame t counts (see
    ``face_matching``: a cosine itself, 0 for a negative one), or 0 when there is none. ``missing``
    says what becomes of frames without a face: ``zero`` or ``skip``, which leaves them out, unless
    no frame has a face: then the value is 0. Range [0, 1], higher is better. In the detail:
    ``detection_rate`` and ``similarities``.

    ``recogniser`` is added to the name: the paper shows one column for each, ``facexlib``,
    ``insightface`` and an unpublished one.

    Not applicable to a case of no or several characters, and to one whose references show no face.

    The paper states: the cosine, with three recognisers side by side, one reference a subject.
    Inferred: the mean over sampled frames, the largest face, 0 for none and for a
    negative cosine. Weights, detection and
    frames are unpublished: the paper's figures are not reproduced by it.
    Source: Lynx, section 5.1.
    """

    faces: Extractor[Faces]
    missing: Missing = "zero"
    recogniser: str = ""

    def __post_init__(self) -> None:
        refuse_other_policies(self.missing)

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="_".join(filter(None, ("face_resemblance", self.recogniser))),
            version="2",
            dimension="composition consistency",
            low=0.0,
            high=1.0,
            higher_is_better=True,
            needs=("video", "character"),
            licence="Apache-2.0",
            source="arXiv:2509.15496, section 5.1",
            params={"missing": self.missing},
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.faces,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        faces = faces_of(case, features, self.faces)
        if faces.characters > 1:
            raise NotApplicable(f"the case has {faces.characters} characters, not one")
        rows = [largest(frame.faces) for frame in faces.frames]
        similarities = [fsum(row) for row in counted(rows, self.missing, faces.stranger)]
        return Measurement(value=fsum(similarities) / len(similarities), detail=detail(faces, rows))


def largest(faces: Sequence[Face]) -> Row:
    """The similarity of the largest face to the one character; None without a face."""
    if not faces:
        return [None]
    return [max(faces, key=lambda face: area(face.box)).similarities[0]]
