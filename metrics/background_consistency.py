"""Background consistency: is what surrounds the subjects the background of the case?"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any

from a2bench.boxes import Box
from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.faces import Faces
from a2bench.metrics.extractors.scenes.base import SceneFrame, Scenes, cosine, describe
from a2bench.metrics.extractors.scenes.regions import uncovered
from a2bench.pictures import Floats
from a2bench.types import Case, Measurement

LEAST_VISIBLE = 0.05
"""The share of a frame that must be visible for it to be compared."""
BODY = (-1.5, -0.8, 1.5, 10.0)
"""A person's box about the middle of the face box's upper edge, in widths and heights of it."""


@dataclass(frozen=True, kw_only=True)
class BackgroundConsistency:
    """The mean similarity of what no subject covers to the background's reference.

    ``mean_t max_b cos(D(t), D(b))``: D is the mean and the standard deviation of each feature
    (``describe``), for frame t over the cells that neither an object's region nor a person covers,
    for a reference b over the whole picture. Pooled features do not depend on where things are, so
    the camera may pan and zoom. Range [-1, 1], higher is better. In the detail: ``visible``, the
    mean share of the compared frames; ``similarities`` in order, None for a frame of which less
    than 5 % is visible, which does not count.

    ``faces`` says where people are: each face makes a body of 3 face widths and 10 face heights
    below it. A person whose face is not seen stays in. Leave it out for scenes in which people are
    already covered. It must sample as ``scenes`` does.

    Not applicable to a case without a background, or when no frame shows any.

    The paper masks by detection and segmentation and embeds with CLIP: ``GroundedScenes``, which
    needs no ``faces``; of its one cell the deviation is 0. With ``Lite0Scenes`` the numbers are not
    the paper's. There (50 cases of a2bench-open) the right background has 0.88-0.98
    (mean 0.94), another one 0.56-0.83 (0.72), noise 0.31-0.53. Source: SkyReels-A2, section 2.5.
    """

    scenes: Extractor[Scenes]
    faces: Extractor[Faces] | None = None

    def __post_init__(self) -> None:
        if self.faces and self.faces.info.sampling != self.scenes.info.sampling:
            raise ValueError(
                f"faces are sampled by {self.faces.info.sampling} and scenes by "
                f"{self.scenes.info.sampling}; give both the same policy"
            )

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="background_consistency",
            version="1",
            dimension="composition consistency",
            low=-1.0,
            high=1.0,
            higher_is_better=True,
            needs=("video", "background"),
            licence="Apache-2.0",
            source="arXiv:2504.02436, section 2.5",
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.scenes, self.faces) if self.faces else (self.scenes,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        if not case.of("background"):
            raise NotApplicable("the case has no background")
        scenes = features[self.scenes]
        people = self._people(features)
        similarities: list[float | None] = []
        shares: list[float] = []
        for frame in scenes.frames:
            visible = _visible(frame, people.get(frame.index, []))
            if visible.mean() < LEAST_VISIBLE:
                similarities.append(None)
                continue
            seen = describe(frame.cells, visible)
            similarities.append(max(float(cosine(seen, b)) for b in scenes.backgrounds))
            shares.append(float(visible.mean()))
        compared = [similarity for similarity in similarities if similarity is not None]
        if not compared:
            raise NotApplicable("the subjects cover the background in every sampled frame")
        return Measurement(
            value=fsum(compared) / len(compared),
            detail={
                "visible": fsum(shares) / len(shares),
                "frames": [frame.index for frame in scenes.frames],
                "similarities": [None if s is None else round(s, 4) for s in similarities],
            },
        )

    def _people(self, features: FeatureBank) -> dict[int, list[Box]]:
        """The boxes of people, by frame."""
        if self.faces is None:
            return {}
        frames = features[self.faces].frames
        return {frame.index: [body(face.box) for face in frame.faces] for frame in frames}


def body(face: Box) -> Box:
    """The box of the person below a face."""
    left, top, right, bottom = face
    width, height, middle = right - left, bottom - top, (left + right) / 2
    return (
        middle + BODY[0] * width,
        top + BODY[1] * height,
        middle + BODY[2] * width,
        top + BODY[3] * height,
    )


def _visible(frame: SceneFrame, people: list[Box]) -> Floats:
    rows, columns = frame.visible.shape
    return frame.visible * uncovered((rows, columns), frame.size, people)
