"""Clips of a camera to triplets (section 2.4 of the paper): what is on them has to be found first.

A video is cut where its picture changes; a captioner says what a clip shows; detector and segmenter
find it; references are taken from other frames and clips of the same video, alike enough to
show the same subject and unlike enough that to copy them does not help.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from a2bench.generators.skyreels_a2.conditioning import MAX_REFERENCES, Reference
from a2bench.generators.skyreels_a2.training.clips_composed import Floats, Triplet, Video
from a2bench.pictures import Frame, bounds, shown_on_white
from a2bench.types import ROLES, Role

Masks = NDArray[np.bool_]
Boxes = NDArray[np.float64]
HISTOGRAM = (8, 8, 8)


class Found(Protocol):
    """Boxes (n, 4) of a phrase in pixels (left, top, right, bottom), best first."""

    @property
    def boxes(self) -> Boxes: ...


class Detector(Protocol):
    """Finds what is named in a frame: an answer for each phrase."""

    def find(self, frame: Frame, phrases: Sequence[str]) -> Sequence[Found]: ...


class Segmenter(Protocol):
    """A mask (n, height, width) for each box (n, 4) of a frame."""

    def masks(self, frame: Frame, boxes: Boxes) -> Masks: ...


class Embedder(Protocol):
    """A vector of a picture: faces or whole pictures, CLIP's for instance."""

    def embed(self, picture: Frame) -> Floats: ...


@dataclass(frozen=True, kw_only=True)
class Caption:
    """What a clip shows in a sentence, and its subjects by name: characters and objects."""

    text: str
    subjects: Mapping[str, Role]


class Captioner(Protocol):
    """Says what a clip shows."""

    def describe(self, clip: Video) -> Caption: ...


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The models, given by the caller; ``embedders`` by role."""

    captioner: Captioner
    detector: Detector
    segmenter: Segmenter
    embedders: Mapping[Role, Embedder]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is kept.

    A cut is where colour histograms of neighbours correlate less than ``cut_below``; a clip has
    ``shortest`` frames or more. ``looks`` frames of a clip are searched. A subject covers a share
    of the frame in ``area``. The cosine of a reference with the subject of the clip is in
    ``likeness``: below it is another subject, above it a copy. A background is a part of
    ``scene_share`` of the frame or more without subjects.
    """

    cut_below: float = 0.6
    shortest: int = 33
    looks: int = 5
    area: tuple[float, float] = (0.01, 0.7)
    likeness: tuple[float, float] = (0.6, 0.97)
    scene_share: float = 0.25


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """A subject in a frame of a clip: on white, its mask, and the vector of what is seen."""

    clip: int
    frame: int
    image: Frame
    mask: Masks
    vector: Floats


def cut(video: Video, rules: Rules) -> list[Video]:
    """The clips of a video: between the places where the picture changes at once."""
    histograms = [_histogram(frame) for frame in video]
    changes = [
        index
        for index in range(1, len(video))
        if cv2.compareHist(histograms[index - 1], histograms[index], cv2.HISTCMP_CORREL)
        < rules.cut_below
    ]
    ends = [0, *changes, len(video)]
    parts = [video[start:end] for start, end in pairwise(ends)]
    return [part for part in parts if len(part) >= rules.shortest]


def triplets(video: Video, tools: Tools, rules: Rules) -> Iterator[Triplet]:
    """The triplets of a video: one for each clip of which a reference was found."""
    clips = cut(video, rules)
    captions = [tools.captioner.describe(clip) for clip in clips]
    seen: dict[str, list[Sighting]] = {}
    for index, (clip, caption) in enumerate(zip(clips, captions, strict=True)):
        for name, sighting in _sightings(index, clip, caption, tools, rules):
            seen.setdefault(name, []).append(sighting)
    for index, (clip, caption) in enumerate(zip(clips, captions, strict=True)):
        references = []
        for name, role in sorted(caption.subjects.items(), key=lambda one: ROLES.index(one[1])):
            if chosen := choose(index, seen.get(name, []), rules):
                references.append(Reference(role=role, image=Image.fromarray(chosen.image)))
        if references:
            here = [s for name in caption.subjects for s in seen.get(name, ()) if s.clip == index]
            scene = background(clip, here, rules)
            references = references[: MAX_REFERENCES - 1] + ([scene] if scene else [])
            yield Triplet(references=tuple(references), prompt=caption.text, video=clip)


def choose(clip: int, seen: Sequence[Sighting], rules: Rules) -> Sighting | None:
    """The reference of a subject for a clip; none when nothing is fit.

    Compared with every sighting in the clip: the nearest of them must not be a copy, and must be
    the same subject. Of those that are fit, other clips' come first, then the least alike.
    """
    shown = [one for one in seen if one.clip == clip]
    if not shown:
        return None
    low, high = rules.likeness
    fit = []
    for one in seen:
        others = [s for s in shown if s is not one]
        nearest = max((_cosine(one.vector, s.vector) for s in others), default=-1.0)
        if low <= nearest <= high:
            fit.append((one.clip == clip, nearest, one.clip, one.frame, one))
    return min(fit, key=lambda item: item[:4])[-1] if fit else None


def background(clip: Video, seen: Sequence[Sighting], rules: Rules) -> Reference | None:
    """The largest part beside all subjects, of the frame where they cover least."""
    covered: dict[int, Masks] = {}
    for one in seen:
        covered[one.frame] = covered.get(one.frame, np.zeros_like(one.mask)) | one.mask
    if not covered:
        return None
    number = min(covered, key=lambda frame: (covered[frame].sum(), frame))
    mask = covered[number]
    rows, columns = bounds(mask)
    frame = clip[number]
    sides = (
        frame[: rows.start],
        frame[rows.stop :],
        frame[:, : columns.start],
        frame[:, columns.stop :],
    )
    largest = max(sides, key=lambda part: part.shape[0] * part.shape[1])
    if largest.shape[0] * largest.shape[1] < rules.scene_share * mask.size:
        return None
    return Reference(role="background", image=Image.fromarray(np.ascontiguousarray(largest)))


def _sightings(
    number: int, clip: Video, caption: Caption, tools: Tools, rules: Rules
) -> Iterator[tuple[str, Sighting]]:
    names = list(caption.subjects)
    for index in np.linspace(0, len(clip) - 1, rules.looks).round().astype(int).tolist():
        frame = clip[index]
        for name, found in zip(names, tools.detector.find(frame, names), strict=True):
            if not len(found.boxes):
                continue
            mask = tools.segmenter.masks(frame, found.boxes[:1])[0]
            if not rules.area[0] <= mask.mean() <= rules.area[1]:
                continue
            image = shown_on_white(frame, mask)
            vector = tools.embedders[caption.subjects[name]].embed(image)
            yield name, Sighting(clip=number, frame=index, image=image, mask=mask, vector=vector)


def _histogram(frame: Frame) -> Floats:
    found: Floats = cv2.calcHist([frame], [0, 1, 2], None, list(HISTOGRAM), [0, 256] * 3)
    return found


def _cosine(one: Floats, other: Floats) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
