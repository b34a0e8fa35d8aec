"""What happens from each frame to the next: cuts, pictures that stand still, light and contrast."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from a2bench.features import ExtractorInfo
from a2bench.pictures import Floats, Frame
from a2bench.types import Case, Video

REDUCED_PX, SMALL_PX = (208, 120), (64, 36)
"""Width and height to which every frame is brought: for what stands still, and for cuts."""
CELL_PX = 8
TILES = (4, 3)
REACH_PX = (11, 6)
"""How far a tile of the small picture is looked for: a sixth of the frame, right and down."""
UNLIKE, DOUBTFUL, COLOUR = 0.45, 0.8, 8.0
LEAST_CHANGE = 6.0
PLAIN = 1.0
MOST_WEIGHT = 400.0
AFTER = 5
"""So many frames after a cut show whether the new scene lasts."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What was seen of a video's frames, and of each pair of successive ones.

    ``levels`` and ``contrasts`` are the mean and the deviation of each frame's grey levels, 0 to
    255. ``changes`` is for each pair how much the cell that changes most does, in levels. ``cuts``
    are the first frames of new scenes.
    """

    levels: tuple[float, ...]
    contrasts: tuple[float, ...]
    changes: tuple[float, ...]
    cuts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class FrameChanges:
    """Looks at small copies of all frames; nothing is learnt. 1 to 5 ms a frame of 832x480.

    Change: the frame in grey, 208x120, in cells of 8x8 px (32x32 of a frame of 832x480); the mean
    absolute difference of the cell that differs most. The reduction averages what coding adds.

    Likeness of two frames, 64x36: each of 12 tiles of one is looked for in the other, up to a sixth
    of the frame away, by normalised correlation in grey, so that neither light nor contrast counts.
    The mean of the squared correlations, each tile weighed by its variance (at most 400), the
    better of both directions. Two frames are unlike when it is under 0.45, or under 0.8 while
    their colours differ: the sorted levels of Lab's a and b by over 8 in the mean, together. Frames
    that differ by less than 6 levels in the mean are alike.

    A cut is a pair of unlike frames after a pair of like ones (or at the start), if none of the 5
    frames after it is like the frame before it (else it was a flash), and if no more than half of
    the pairs of those frames are unlike (else nothing lasts, as in noise).
    """

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(name="frame_changes", version="1", sampling="all")

    def start(self, case: Case, video: Video) -> _FrameChanges:
        return _FrameChanges()


@dataclass(kw_only=True)
class _Candidate:
    """A pair of unlike frames: the frame before it, its second frame, and the pairs after it."""

    before: Frame
    index: int
    steady: list[bool] = field(default_factory=list)

    @property
    def lasts(self) -> bool:
        return 2 * sum(self.steady) >= len(self.steady)


@dataclass(kw_only=True)
class _FrameChanges:
    levels: list[float] = field(default_factory=list)
    contrasts: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    grey: Frame | None = None
    small: Frame | None = None
    steady: bool = True
    candidate: _Candidate | None = None

    def push(self, index: int, frame: Frame) -> None:
        reduced = cv2.resize(frame, REDUCED_PX, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(reduced, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(reduced, SMALL_PX, interpolation=cv2.INTER_AREA)
        self.levels.append(float(grey.mean()))
        self.contrasts.append(float(grey.std()))
        if self.grey is not None and self.small is not None:
            self.changes.append(most_changed(self.grey, grey))
            self._follow(index, self.small, small)
        self.grey, self.small = grey, small

    def finish(self) -> Changes:
        self._settle()
        return Changes(
            levels=tuple(self.levels),
            contrasts=tuple(self.contrasts),
            changes=tuple(self.changes),
            cuts=tuple(self.cuts),
        )

    def _follow(self, index: int, before: Frame, after: Frame) -> None:
        steady = like(before, after)
        if self.candidate is not None:
            self.candidate.steady.append(steady)
            if like(self.candidate.before, after):
                self.candidate = None
            elif len(self.candidate.steady) == AFTER:
                self._settle()
        elif self.steady and not steady:
            self.candidate = _Candidate(before=before, index=index)
        self.steady = steady

    def _settle(self) -> None:
        if self.candidate is not None and self.candidate.lasts:
            self.cuts.append(self.candidate.index)
        self.candidate = None


def most_changed(before: Frame, after: Frame) -> float:
    """The mean absolute difference of two grey pictures, in the cell where it is greatest."""
    width, height = (side // CELL_PX for side in REDUCED_PX)
    differences = cv2.absdiff(before, after)
    return float(
        cv2.resize(
            differences.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA
        ).max()
    )


def like(one: Frame, other: Frame) -> bool:
    """Whether two small pictures show one scene."""
    if float(cv2.absdiff(one, other).mean()) < LEAST_CHANGE:
        return True
    found = likeness(one, other)
    if UNLIKE <= found < DOUBTFUL:
        return colour_distance(one, other) <= COLOUR
    return found >= DOUBTFUL


def likeness(one: Frame, other: Frame) -> float:
    """How much of one of two small pictures is found in the other, from 0 to 1."""
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (one, other)]
    return max(_found(greys[0], greys[1]), _found(greys[1], greys[0]))


def _found(picture: Frame, within: Frame) -> float:
    (columns, rows), (right, down) = TILES, REACH_PX
    width, height = SMALL_PX[0] // columns, SMALL_PX[1] // rows
    found = weights = 0.0
    for top in range(0, rows * height, height):
        for left in range(0, columns * width, width):
            tile = picture[top : top + height, left : left + width]
            variance = float(tile.var())
            if variance < PLAIN:
                continue
            around = within[
                max(0, top - down) : top + height + down,
                max(0, left - right) : left + width + right,
            ]
            best = float(cv2.matchTemplate(around, tile, cv2.TM_CCOEFF_NORMED).max())
            weight = min(variance, MOST_WEIGHT)
            found += weight * max(0.0, best) ** 2
            weights += weight
    return found / weights if weights else 0.0


def colour_distance(one: Frame, other: Frame) -> float:
    """How far the colours of two pictures are apart, wherever they stand, in levels of a and b."""
    values = [_colours(picture) for picture in (one, other)]
    return float(np.abs(values[0] - values[1]).mean(axis=0).sum())


def _colours(picture: Frame) -> Floats:
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    ordered: Floats = np.sort(lab[..., 1:].reshape(-1, 2).astype(np.float32), axis=0)
    return ordered
