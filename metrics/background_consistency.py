"""Background consistency: is what surrounds the subjects the background of the case?"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np

from a2bench.boxes import Box
from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.faces import Faces
from a2bench.metrics.extractors.scenes.base import SceneFrame, Scenes, cosine, described
from a2bench.metrics.extractors.scenes.regions import uncovered
from a2bench.pictures import Floats
from a2bench.types import Case, Measurement

LEAST_VISIBLE = 0.05
"""The share of a frame that must be visible for it to show a background at all."""
LEAST_OF_PART = 0.25
"""The share of a part that must be visible for it to count, where one part has as much."""
BODY_ABOVE, BODY_BELOW = 1.0, 10.0
"""Where a person begins and ends about the face box's upper edge, in heights of it."""
BODY_WIDTHS = (4.0, 3.0, 2.0)
"""How wide a person is, in widths of the face box: the first that leaves ``LEFT`` of the frame."""
LEFT = 0.2


@dataclass(frozen=True, kw_only=True)
class BackgroundConsistency:
    """The mean similarity of what no subject covers to the background's reference.

    ``mean_t max_b sum_p v_tp max_q cos(D(t, p), D(b, q)) / sum_p v_tp``: frame t and reference b
    are cut into ninths; D is the mean and the standard deviation of each feature (``describe``)
    over the cells of ninth p that neither an object's region nor a person covers, in a reference
    over all of ninth q; ``v_tp`` is how much of p is visible, 0 for less than a quarter. q is the
    same ninth or one that shares a side with it: so the camera may pan and zoom by a third, but
    what belongs at the left or above must be about there. A frame of which less than 5 % is visible
    shows nothing of the background and counts 0, as a video does in which that is every frame.
    Range [-1, 1], higher is better. In the detail: ``visible``, the mean share that is visible, and
    ``similarities`` in order.

    ``faces`` says where people are: each face makes a body of 4 face widths and 11 face heights
    around and below it, or of 3 or 2 widths in a close-up of which less than a fifth would stay. A
    person whose face is not seen stays in. Leave it out for scenes in which people are already
    covered. It must sample as ``scenes`` does.

    Not applicable to a case without a background.

    The paper masks by detection and segmentation and embeds with CLIP: ``GroundedScenes``, which
    needs no ``faces``; it has one cell, so the whole frame is one part, and the deviation is 0.
    With ``Lite0Scenes`` the numbers are not the paper's. There (frames of 16 cases of a2bench-open;
    in brackets 16 of other pictures) the right background has 0.88-0.96, mean 0.92 (0.87), the same
    in shuffled tiles 0.74 (0.74), another one 0.39-0.73, mean 0.51 (0.55); leaving out the person
    gains 0.014 (0.048; at most 0.13). Of the reference's own picture a crop of two thirds has 0.88,
    of half 0.80, of one side 0.85, its mirror image 0.90. Source: SkyReels-A2, section 2.5.
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
            version="3",
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
        faces = self._faces(features)
        similarities: list[float] = []
        shares: list[float] = []
        for frame in scenes.frames:
            visible = _visible(frame, faces.get(frame.index, []))
            shares.append(float(visible.mean()))
            seen = shares[-1] >= LEAST_VISIBLE
            alike = (likeness(frame.cells, visible, b) for b in scenes.backgrounds if seen)
            similarities.append(max(alike, default=0.0))
        count = len(scenes.frames)
        return Measurement(
            value=fsum(similarities) / count,
            detail={
                "visible": fsum(shares) / count,
                "frames": [frame.index for frame in scenes.frames],
                "similarities": [round(one, 4) for one in similarities],
            },
        )

    def _faces(self, features: FeatureBank) -> dict[int, list[Box]]:
        """The boxes of faces, by frame."""
        if self.faces is None:
            return {}
        frames = features[self.faces].frames
        return {frame.index: [face.box for face in frame.faces] for frame in frames}


def body(face: Box, widths: float) -> Box:
    """The box of the person of a face, so many times as wide."""
    left, top, right, bottom = face
    half, height, middle = (right - left) * widths / 2, bottom - top, (left + right) / 2
    return middle - half, top - BODY_ABOVE * height, middle + half, top + BODY_BELOW * height


def likeness(cells: Floats, visible: Floats, reference: Floats) -> float:
    """How like a reference, of which this is the descriptor, a frame's visible cells are."""
    rows, columns = grid = reference.shape[:-1] if reference.ndim == 3 else (1, 1)
    seen, shares = described(cells, visible, grid)
    alike = cosine(seen.reshape(rows * columns, 1, -1), reference.reshape(rows * columns, -1))
    y, x = np.divmod(np.arange(rows * columns), columns)
    near = abs(y[:, None] - y) + abs(x[:, None] - x) <= 1
    best = np.where(near, alike, -1).max(axis=1)
    counted = np.where(shares >= min(LEAST_OF_PART, shares.max()), shares, 0)
    return float(np.average(best, weights=counted.ravel()))


def _visible(frame: SceneFrame, faces: list[Box]) -> Floats:
    """How much of each cell shows the background: no object and no person."""
    rows, columns = frame.visible.shape
    for widths in BODY_WIDTHS:
        free = uncovered((rows, columns), frame.size, [body(face, widths) for face in faces])
        if free.mean() >= LEFT:
            break
    return frame.visible * free
