"""Identity swaps: do two people exchange places from one sampled frame to the next?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import hypot
from typing import Any, NamedTuple

from a2bench.boxes import Box, overlap
from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.diagnostics import diagnostic
from a2bench.metrics.extractors.faces import Face, Faces
from a2bench.metrics.face_matching import faces_of
from a2bench.types import Case, Measurement

LEAD = 0.1
OVERLAP = 0.1
LEAP = 2.0


class Seen(NamedTuple):
    """Where the characters of one sampled frame are, those that can be told."""

    at: int
    boxes: Mapping[int, Box]


@dataclass(frozen=True, kw_only=True)
class IdentitySwaps:
    """How often two characters exchange their places from one sampled frame to the next.

    A face shows the character to which it is most similar, if by 0.1 more than to any other, and no
    other face of the frame is more similar to that character. Of two successive frames in which
    both characters are seen, they have swapped when each one's face box now lies where the other's
    was (intersection over union of at least 0.1: heads differ in size), unless they walk: in the
    step before or after, which is no exchange itself, the slower of the two moves at half that
    speed or more. Range [0, inf). In the detail: ``frames``, the first after each swap; ``seen``,
    in how many sampled frames at least two characters are told. With fewer than two of those there
    is nothing to see, and the value is 0.

    Not applicable to a case of fewer than two characters, or where a reference shows no face.
    """

    faces: Extractor[Faces]

    @property
    def info(self) -> MetricInfo:
        return diagnostic("identity_swaps", needs=("character",))

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.faces,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        if len(case.subjects("character")) < 2:
            raise NotApplicable("the case has fewer than two characters")
        faces = faces_of(case, features, self.faces)
        seen = [Seen(frame.index, _told(frame.faces)) for frame in faces.frames]
        frames = sorted(
            index
            for pair in combinations(range(faces.characters), 2)
            for index in _swaps([one for one in seen if one.boxes.keys() >= set(pair)], *pair)
        )
        told = sum(len(one.boxes) >= 2 for one in seen)
        return Measurement(value=float(len(frames)), detail={"frames": frames, "seen": told})


def _told(faces: Sequence[Face]) -> dict[int, Box]:
    """The box of each character that a face shows without doubt."""
    found: dict[int, Face] = {}
    for face in faces:
        first, second = sorted(range(len(face.similarities)), key=lambda r: -face.similarities[r])[
            :2
        ]
        if face.similarities[first] - face.similarities[second] >= LEAD and (
            first not in found or face.similarities[first] > found[first].similarities[first]
        ):
            found[first] = face
    return {character: face.box for character, face in found.items()}


def _swaps(seen: Sequence[Seen], a: int, b: int) -> list[int]:
    """The frames before which two characters swapped; both are in all of ``seen``."""
    steps = list(pairwise(seen))
    exchanged = [
        min(overlap(one.boxes[a], two.boxes[b]), overlap(one.boxes[b], two.boxes[a])) >= OVERLAP
        for one, two in steps
    ]
    speeds = [min(_speed(*step, who) for who in (a, b)) for step in steps]
    found = []
    for i, (_, two) in enumerate(steps):
        walks = [speeds[j] for j in (i - 1, i + 1) if 0 <= j < len(steps) and not exchanged[j]]
        if exchanged[i] and speeds[i] > LEAP * max(walks, default=0.0):
            found.append(two.at)
    return found


def _speed(one: Seen, two: Seen, who: int) -> float:
    """How far the middle of a character's face moves, in pixels a frame."""
    (left, top, right, bottom), other = one.boxes[who], two.boxes[who]
    twice = (other[0] + other[2] - left - right, other[1] + other[3] - top - bottom)
    return hypot(*twice) / 2 / (two.at - one.at)
