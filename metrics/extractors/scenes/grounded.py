"""Scenes as in A2-Bench: what is named is detected, segmented, and compared by CLIP."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from a2bench.boxes import Box, apart
from a2bench.features import ExtractorInfo, Mark
from a2bench.metrics.extractors.embeddings.clip import Clip
from a2bench.metrics.extractors.scenes.base import (
    Region,
    SceneFrame,
    Scenes,
    cosine,
    describe,
    scene_marks,
)
from a2bench.metrics.extractors.scenes.grounding import Detector, Found, GroundingDino
from a2bench.metrics.extractors.scenes.segmentation import Masks, Sam, Segmenter
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import Weights, lacking, licences
from a2bench.pictures import (
    OPAQUE,
    Floats,
    Frame,
    Mask,
    over_white,
    read_rgba,
    shown_on_white,
    subject_only,
)
from a2bench.types import Case, Element, Json, Video

PERSON = "person"
SAME = 0.5
"""Intersection over union above which two boxes show one object."""
DUPLICATE = 0.8
"""Intersection over union above which two boxes of a phrase are one."""
GREY = (122, 116, 104)
"""CLIP's mean colour: the network sees zeros."""
WHOLE = np.ones((1, 1), np.float32)


class Embedder(Protocol):
    """A way to compare pictures."""

    @property
    def params(self) -> Mapping[str, Json]: ...

    @property
    def files(self) -> tuple[Weights, ...]: ...

    def images(self, frames: Sequence[Frame]) -> Floats:
        """(n, d), rows of length 1, for RGB pictures of any sizes."""
        ...


@dataclass(frozen=True, kw_only=True)
class GroundedScenes(LoadsAnew):
    """Scenes by Grounded-SAM and CLIP, as A2-Bench names them; what it leaves open is chosen here.

    Each sampled frame goes through the detector once, with a caption of all that the case shows:
    each object's name, "person", and each character's name. At most ``most_boxes`` boxes of each
    phrase are segmented, in one pass.

    An object is the best box of its name: what the mask shows inside the box, cropped to it, on
    white, made square by white. Its reference is treated alike: cropped to the subject, by its
    transparency or its plain page; a photograph is searched for the object's name and segmented as
    a frame is, and stays whole if nothing is found there, which ``Scenes.whole`` tells. The
    similarity is the cosine of their CLIP embeddings, the greatest over several pictures of one
    object. Objects of the same name share its best boxes one to one, so that the sum of
    similarities is greatest. An object without a box is None.

    For the background the masks of all boxes, of people, characters and objects, are filled with
    one colour: ``mean``, that of the pixels that stay, ``grey``, CLIP's mean colour, or ``white``.
    CLIP sees squares, and of a wide frame the middle one is where the subject stands. So the frame
    is seen in ``squares``, the fewest that cover it from end to end: two for 832x480. It has one
    cell, the mean of their embeddings, each weighted by the share of the square that stays, and the
    cell's visible share is that of all pixels that stay. A reference is seen in squares too, all of
    one weight.
    """

    detector: Detector = field(default_factory=GroundingDino)
    segmenter: Segmenter = field(default_factory=Sam)
    clip: Embedder = field(default_factory=Clip)
    sampling: str = "linspace-16"
    fill: Literal["mean", "grey", "white"] = "mean"
    most_boxes: int = 8

    def __post_init__(self) -> None:
        if self.fill not in ("mean", "grey", "white"):
            raise ValueError(f"fill is 'mean', 'grey' or 'white', not {self.fill!r}")

    @property
    def info(self) -> ExtractorInfo:
        parts: dict[str, Detector | Segmenter | Embedder]
        parts = {"detector": self.detector, "segmenter": self.segmenter, "clip": self.clip}
        return ExtractorInfo(
            name="grounded_scenes",
            version="2",
            sampling=self.sampling,
            params={
                "fill": self.fill,
                "most_boxes": self.most_boxes,
                **{name: dict(part.params) for name, part in parts.items()},
            },
            weights={
                f"{name}/{file}": sha256  # two of them have a model.safetensors
                for name, part in parts.items()
                for weights in part.files
                for file, sha256 in weights.hashes().items()
            },
            licence=licences(*self._files),
        )

    def start(self, case: Case, video: Video) -> GroundedConsumer:
        return GroundedConsumer(self, case)

    def marks(self, features: Scenes) -> Mapping[int, Sequence[Mark]]:
        return scene_marks(features)

    def missing(self) -> tuple[str, ...]:
        return lacking(*self._files)

    def compare(self, one: Element, other: Element) -> float | None:
        """The similarity of the objects of two references; None for other roles."""
        if {one.role, other.role} != {"object"}:
            return None
        return float(cosine(self.subject(one).embedding, self.subject(other).embedding))

    @cached_property
    def subject(self) -> Callable[[Element], Subject]:
        """What is compared of an object's reference; each is computed once."""
        return lru_cache(maxsize=256)(self._subject)

    @cached_property
    def background(self) -> Callable[[Element], Floats]:
        """The descriptor of a background's reference; each is computed once."""
        return lru_cache(maxsize=256)(self._background)

    def _subject(self, element: Element) -> Subject:
        whole = read_rgba(element)
        subject = subject_only(whole)
        picture = squared(over_white(subject))
        photograph = subject.shape == whole.shape and bool((subject[..., 3] > OPAQUE).all())
        found = self._segmented(over_white(whole), element.name) if photograph else picture
        embedding = self.clip.images([picture if found is None else found])[0]
        return Subject(embedding=embedding, whole=found is None)

    def _segmented(self, picture: Frame, name: str) -> Frame | None:
        """The best of a name in a photograph, cut out; None if nothing is found."""
        (found,) = self.detector.find(picture, [phrase(name)])
        boxes = best(found, 1).boxes
        if not len(boxes):
            return None
        return cut_out(picture, self.segmenter.masks(picture, boxes)[0], _box(boxes[0]))

    def _background(self, element: Element) -> Floats:
        picture = over_white(read_rgba(element))
        seen = [picture[square] for square in squares(picture)]
        return describe(pooled(self.clip.images(seen), np.ones(len(seen), np.float32)), WHOLE)

    @property
    def _files(self) -> tuple[Weights, ...]:
        return (*self.detector.files, *self.segmenter.files, *self.clip.files)


class Subject(NamedTuple):
    """An object's reference as it is compared.

    ``whole`` says that it is a photograph in which the object was not found.
    """

    embedding: Floats
    whole: bool


class GroundedConsumer:
    """Finds what one case shows in each frame."""

    def __init__(self, extractor: GroundedScenes, case: Case) -> None:
        self._extractor = extractor
        groups = case.subjects("object")
        self._names = [phrase(group[0].name) for group in groups]
        subjects = [[extractor.subject(e) for e in group] for group in groups]
        self._references = [np.stack([s.embedding for s in group]) for group in subjects]
        self._whole = tuple(e.id for group in groups for e in group if extractor.subject(e).whole)
        people = [phrase(element.name) for element in case.of("character")]
        self._phrases = list(dict.fromkeys([*self._names, PERSON, *people]))
        self._backgrounds = tuple(extractor.background(e) for e in case.of("background"))
        self._frames: list[SceneFrame] = []

    def push(self, index: int, frame: Frame) -> None:
        extractor, most = self._extractor, self._extractor.most_boxes
        found = [best(f, most) for f in extractor.detector.find(frame, self._phrases)]
        masks = extractor.segmenter.masks(frame, np.concatenate([f.boxes for f in found]))
        parted = np.split(masks, np.cumsum([len(f.boxes) for f in found])[:-1])
        cuts = {
            name: self._cuts(frame, name, mine, shapes)
            for name, mine, shapes in zip(self._phrases, found, parted, strict=True)
            if name in self._names
        }
        covered: Mask = np.any(masks, axis=0)
        background, parts = filled(frame, covered, extractor.fill), squares(frame)
        pictures = [picture for cut in cuts.values() for _, picture in cut]
        rows = extractor.clip.images([*pictures, *(background[part] for part in parts)])
        embeddings = iter(rows)
        likely = {name: [(box, next(embeddings)) for box, _ in cut] for name, cut in cuts.items()}
        shares = np.array([1 - covered[part].mean() for part in parts], np.float32)
        self._frames.append(
            SceneFrame(
                index=index,
                size=(frame.shape[1], frame.shape[0]),
                objects=self._objects(likely),
                cells=pooled(rows[-len(parts) :], shares),
                visible=np.full((1, 1), 1 - covered.mean(), np.float32),
            )
        )

    def finish(self) -> Scenes:
        return Scenes(frames=tuple(self._frames), backgrounds=self._backgrounds, whole=self._whole)

    def _cuts(self, frame: Frame, name: str, found: Found, masks: Masks) -> list[tuple[Box, Frame]]:
        """What may be the objects of a name: the best box for one, more for more of that name."""
        chosen = apart(found.boxes, found.scores, SAME, count=self._names.count(name))
        boxes = [_box(found.boxes[i]) for i in chosen]
        pictures = [cut_out(frame, masks[i], box) for i, box in zip(chosen, boxes, strict=True)]
        pairs = zip(boxes, pictures, strict=True)
        return [(box, picture) for box, picture in pairs if picture is not None]

    def _objects(
        self, likely: Mapping[str, Sequence[tuple[Box, Floats]]]
    ) -> tuple[Region | None, ...]:
        """The region of each object, from the boxes and embeddings found for its name."""
        regions: list[Region | None] = [None] * len(self._names)
        for name, seen in likely.items():
            mine = [i for i, other in enumerate(self._names) if other == name]
            similarities = np.array(
                [[cosine(self._references[i], row).max() for _, row in seen] for i in mine]
            )
            for one, other in np.transpose(linear_sum_assignment(similarities, maximize=True)):
                similarity = float(similarities[one, other])
                regions[mine[one]] = Region(box=seen[int(other)][0], similarity=similarity)
        return tuple(regions)


def phrase(name: str) -> str:
    """An element's name as the caption has it."""
    return " ".join(name.lower().split())


def best(found: Found, count: int) -> Found:
    """The best ``count`` boxes, without those that repeat a better one."""
    chosen = apart(found.boxes, found.scores, DUPLICATE, count=count)
    return Found(found.boxes[chosen], found.scores[chosen])


def cut_out(frame: Frame, mask: Mask, box: Box) -> Frame | None:
    """What the mask shows inside the box, on a white square; None if it shows nothing there."""
    height, width = mask.shape
    left, top = max(int(box[0]), 0), max(int(box[1]), 0)
    right, bottom = min(math.ceil(box[2]), width), min(math.ceil(box[3]), height)
    inside = mask[top:bottom, left:right]
    return squared(shown_on_white(frame[top:bottom, left:right], inside)) if inside.any() else None


def squares(picture: Frame) -> list[tuple[slice, slice]]:
    """The rows and columns of the fewest squares that cover a picture, evenly from end to end."""
    height, width = picture.shape[:2]
    side = min(height, width)
    count = -(-max(height, width) // side)
    starts = np.linspace(0, max(height, width) - side, count).round().astype(int).tolist()
    ends = [slice(start, start + side) for start in starts]
    all_of_it = slice(0, side)
    return [(all_of_it, end) if width > height else (end, all_of_it) for end in ends]


def pooled(embeddings: Floats, weights: Floats) -> Floats:
    """The mean of embeddings (n, d), weighted, as one cell (1, 1, d); 0 for weights of 0."""
    mean: Floats = weights @ embeddings / max(float(weights.sum()), 1e-6)
    return mean[None, None]


def squared(picture: Frame) -> Frame:
    """The picture in the middle of a white square."""
    height, width = picture.shape[:2]
    side = max(height, width)
    page = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    page[top : top + height, left : left + width] = picture
    return page


def filled(frame: Frame, covered: Mask, fill: str) -> Frame:
    """The frame with what is covered in one colour."""
    if fill == "mean" and not covered.all():
        colour = frame[~covered].mean(axis=0).round()
    else:
        colour = np.array((255, 255, 255) if fill == "white" else GREY)
    return np.where(covered[..., None], colour.astype(np.uint8), frame)


def _box(row: NDArray[np.float64]) -> Box:
    left, top, right, bottom = (float(side) for side in row)
    return left, top, right, bottom
