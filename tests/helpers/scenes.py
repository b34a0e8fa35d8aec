"""Networks of scenes that go by colour: what they say of a picture is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from a2bench.boxes import Boxes
from a2bench.metrics.extractors.scenes.grounding import Found
from a2bench.metrics.extractors.scenes.segmentation import Masks
from a2bench.networks.files import Weights
from a2bench.pictures import Floats, Frame
from a2bench.types import Json
from tests.helpers.fakes import Histogram

RED, GREEN, BLUE, SKIN = (230, 20, 20), (20, 200, 20), (20, 20, 220), (240, 180, 150)
COLOURS = {"cup": RED, "ball": GREEN, "hat": BLUE, "person": SKIN}


def close(frame: Frame, colour: Sequence[int]) -> Masks:
    near: Masks = np.abs(frame.astype(int) - np.array(colour)).max(axis=-1) < 50
    return near


@dataclass
class ColourDetector:
    """Finds a phrase by its colour; each column of apart pixels is a box.

    Of the box ``least`` must have the colour, so that scattered pixels are none.
    """

    colours: Mapping[str, Sequence[int]] = field(default_factory=lambda: dict(COLOURS))
    params: Mapping[str, Json] = field(default_factory=lambda: {"detector": "colour"})
    files: tuple[Weights, ...] = ()
    captions: list[list[str]] = field(default_factory=list)
    least: float = 0.1

    def find(self, frame: Frame, phrases: Sequence[str]) -> list[Found]:
        self.captions.append(list(phrases))
        return [self.boxes(frame, phrase) for phrase in phrases]

    def boxes(self, frame: Frame, phrase: str) -> Found:
        if phrase not in self.colours:
            return Found(np.zeros((0, 4)), np.zeros(0, np.float32))
        mask = close(frame, self.colours[phrase])
        columns = np.flatnonzero(mask.any(axis=0))
        boxes = []
        for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
            rows = np.flatnonzero(mask[:, run].any(axis=1))
            if len(rows) and mask[rows[0] : rows[-1] + 1, run].mean() > self.least:
                boxes.append([run[0], rows[0], run[-1] + 1, rows[-1] + 1])
        scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
        return Found(np.array(boxes, np.float64).reshape(-1, 4), scores)


@dataclass
class ColourSegmenter:
    """A mask is what in the box has the colour of its middle."""

    params: Mapping[str, Json] = field(default_factory=lambda: {"segmenter": "colour"})
    files: tuple[Weights, ...] = ()
    calls: list[int] = field(default_factory=list)

    def masks(self, frame: Frame, boxes: Boxes) -> Masks:
        self.calls.append(len(boxes))
        masks = np.zeros((len(boxes), *frame.shape[:2]), np.bool_)
        for mask, box in zip(masks, boxes.astype(int), strict=True):
            left, top, right, bottom = box
            colour = frame[(top + bottom) // 2, (left + right) // 2]
            mask[top:bottom, left:right] = close(frame, colour)[top:bottom, left:right]
        return masks


@dataclass
class MiddleSquare(Histogram):
    """Sees the middle square of each picture, as CLIP does."""

    def images(self, frames: Sequence[Frame]) -> Floats:
        return super().images([frame[middle_square(frame)] for frame in frames])


def middle_square(frame: Frame) -> tuple[slice, slice]:
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return slice(top, top + side), slice(left, left + side)
