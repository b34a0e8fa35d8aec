"""Multi-identity face similarity: is every character of the case in the video?"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any

from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.faces import Faces
from a2bench.metrics.face_matching import (
    Missing,
    assign_greedily,
    counted,
    detail,
    faces_of,
    refuse_other_policies,
)
from a2bench.types import Case, Measurement


@dataclass(frozen=True, kw_only=True)
class MultiIdentity:
    """The similarity of the worst shown character, as the paper of Ingredients measures it.

    ``mean_t min_r c_tr``: in frame t faces and characters are matched greedily, the most similar
    pair first, and ``c_tr`` is what the similarity of the face matched to character r counts (see
    ``face_matching``), or 0 when none is left. Frames without any face count as ``missing`` says
    (``zero`` or ``skip``). Range [0, 1], higher is better. In the detail: ``mean``, ``mean_t mean_r
    c_tr``; ``detection_rate`` and ``similarities`` as in ``IdConsistency``, whose ``minimum`` is
    the same with the best matching.

    A missing person is never better than a wrong one here either. But a minimum is blind to all
    others: one missing person makes the frame 0, whoever else is right, and a stranger nearly 0. So
    one right person beside a missing one stands no higher than two strangers, and below them where
    both pass ``stranger`` by chance (with dlib 2 % of draws, by 0.08 there). Read ``mean`` beside
    it: there one right person counts.

    Not applicable as ``IdConsistency`` is.

    The paper states: all detected faces, FaceNet, greedy matching to the references, the minimum
    over all matches. Inferred: the minimum is taken in each frame and then averaged; a character
    without a face, and one whose face is no more alike than a stranger's, count 0. The recogniser
    is that of ``faces``; FaceNet's weights are not offered.
    The paper's code differs (the maximum over all pairs, no matching) and is not followed.
    Source: Ingredients, section 4.1.
    """

    faces: Extractor[Faces]
    missing: Missing = "zero"
    recogniser: str = ""

    def __post_init__(self) -> None:
        refuse_other_policies(self.missing)

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="_".join(filter(None, ("multi_identity", self.recogniser))),
            version="2",
            dimension="composition consistency",
            low=0.0,
            high=1.0,
            higher_is_better=True,
            needs=("video", "character"),
            licence="Apache-2.0",
            source="arXiv:2501.01790, section 4.1",
            params={"missing": self.missing},
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.faces,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        faces = faces_of(case, features, self.faces)
        matched = [assign_greedily(frame.faces, faces.characters) for frame in faces.frames]
        rows = counted(matched, self.missing, faces.stranger)
        mean = fsum(map(fsum, rows)) / (len(rows) * faces.characters)
        return Measurement(
            value=fsum(map(min, rows)) / len(rows),
            detail={"mean": mean, **detail(faces, matched)},
        )
