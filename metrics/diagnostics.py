"""Diagnostics of a video beside its scores: cuts, standing pictures, fades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.motion.changes import Changes
from a2bench.types import Case, Measurement

DIMENSION = "diagnostics"
FROZEN, CODED, BESIDE = 1.0, 4.0, 0.2
FADED = 0.3
REBOUND, FLOOR = 0.1, 1.0
MOST_AT_ONCE = 0.4
OFF_BALANCE = 0.15


def diagnostic(name: str, high: float = float("inf"), needs: tuple[str, ...] = ()) -> MetricInfo:
    """The definition of a diagnostic: 0 is unremarkable, and no recipe reads it."""
    return MetricInfo(
        name=name,
        version="1",
        dimension=DIMENSION,
        low=0.0,
        high=high,
        higher_is_better=False,
        needs=("video", *needs),
        licence="Apache-2.0",
        source="a2bench, docs/metrics.md",
    )


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """How many hard cuts a video has: changes of scene from one frame to the next.

    ``changes`` says where; the last step of a fast fade is none. Range [0, inf). In the
    detail: ``frames``, the first of each new scene. What is no cut: pans, shakes, flicker, fades,
    a flash (what was before it comes back within 5 frames), noise and strobing (nothing lasts).
    """

    changes: Extractor[Changes]

    @property
    def info(self) -> MetricInfo:
        return diagnostic("cuts")

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.changes,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        seen = features[self.changes]
        faded = fades(seen)
        frames = [
            cut for cut in seen.cuts if not any(_goes_on(f, cut, seen.contrasts) for f in faded)
        ]
        return Measurement(value=float(len(frames)), detail={"frames": frames})


@dataclass(frozen=True, kw_only=True)
class FrozenShare:
    """The share of pairs of successive frames that show the same picture.

    A pair does when no part of the picture changes by more than 1 of 255 levels (``changes``),
    or, as a coded video may not repeat a picture exactly while all moves, by more than 4 or more
    than a fifth of the second greatest change in the two pairs before and the two after.
    Range [0, 1]: about 0.5 where the second half stands still, 0.25 where every fourth frame is
    repeated; 1 for a still video, also of a single frame, in which nothing moves. In the detail:
    ``longest``, the first and the last frame of the longest run, None without one.
    """

    changes: Extractor[Changes]

    @property
    def info(self) -> MetricInfo:
        return diagnostic("frozen_share", high=1.0)

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.changes,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        frozen = repeated(features[self.changes].changes)
        value = sum(frozen) / len(frozen) if frozen else 1.0
        return Measurement(value=value, detail={"longest": _longest(frozen)})


@dataclass(frozen=True, kw_only=True)
class Fades:
    """How many fades to or from black or white a video has; one that dips counts 2.

    See ``fades``. Range [0, inf). In the detail: ``fades``, each with its first and last frame and
    whether it is ``to`` or ``from`` ``black`` or ``white``. Dissolves between two scenes are not
    told from other slow changes, and one into a much darker or lighter scene may count.
    """

    changes: Extractor[Changes]

    @property
    def info(self) -> MetricInfo:
        return diagnostic("fades")

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.changes,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        found = fades(features[self.changes])
        return Measurement(
            value=float(len(found)), detail={"fades": [list(fade) for fade in found]}
        )


def repeated(changes: Sequence[float]) -> list[bool]:
    """Of each pair of frames, by how much it changes, whether it shows one picture."""
    found = []
    for i, change in enumerate(changes):
        around = sorted([*changes[max(0, i - 2) : i], *changes[i + 1 : i + 3], 0.0, 0.0])
        found.append(change <= FROZEN or change <= min(CODED, BESIDE * around[-2]))
    return found


class Fade(NamedTuple):
    """A fade from its first frame to its last: ``to black``, ``from white``."""

    first: int
    last: int
    kind: str


def fades(seen: Changes) -> list[Fade]:
    """The fades in the mean grey levels and the contrasts of a video's frames, scene by scene.

    In a fade to black a share a of the picture is left, which falls: the contrast and the distance
    of the mean level from black (or white) both shrink to a. A fade is a fall of the contrast to
    0.3 or less that does not rebound by a tenth on its way, of which no step takes over two fifths,
    and in which what is left of the distance exceeds a by no more than 0.15. A fade from black is
    one to black in reverse.
    """
    found = []
    for start, end in pairwise([0, *seen.cuts, len(seen.levels)]):
        levels, contrasts = seen.levels[start:end], seen.contrasts[start:end]
        for i, j, name in _falls(levels, contrasts):
            found.append(Fade(start + i, start + j, f"to {name}"))
        for i, j, name in _falls(levels[::-1], contrasts[::-1]):
            found.append(Fade(end - 1 - j, end - 1 - i, f"from {name}"))
    return sorted(found)


def _goes_on(fade: Fade, cut: int, contrasts: Sequence[float]) -> bool:
    """Whether a cut is only the step by which a fast fade comes to its end, or begins."""
    if fade.kind.startswith("to"):
        return fade.last == cut - 1 and contrasts[cut] < contrasts[cut - 1]
    return fade.first == cut and contrasts[cut - 1] < contrasts[cut]


def _falls(levels: Sequence[float], contrasts: Sequence[float]) -> list[tuple[int, int, str]]:
    """The first frame, the last, and the end of each fade to black or white."""
    found = []
    for high, low in _descents(contrasts):
        fall = contrasts[high] - contrasts[low]
        steps = [contrasts[i] - contrasts[i + 1] for i in range(high, low)]
        if contrasts[low] > FADED * contrasts[high] or max(steps) > MOST_AT_ONCE * fall:
            continue
        left = contrasts[low] / contrasts[high]
        for end, name in ((0.0, "black"), (255.0, "white")):
            if abs(levels[low] - end) / max(FLOOR, abs(levels[high] - end)) <= left + OFF_BALANCE:
                found.append((high, low, name))
    return found


def _descents(values: Sequence[float]) -> list[tuple[int, int]]:
    """From each peak to the lowest value before a rebound by a tenth, and by more than one level.

    Where values stay about the same before and after, they are left out.
    """
    found = []
    high = low = 0
    for i, value in enumerate(values):
        if value < values[low]:
            low = i
        elif value > values[low] + max(FLOOR, REBOUND * values[low]) or value > values[high]:
            found.append(_trimmed(values, high, low))
            high = low = i
    found.append(_trimmed(values, high, low))
    return [(high, low) for high, low in found if low > high]


def _trimmed(values: Sequence[float], high: int, low: int) -> tuple[int, int]:
    fall = values[high] - values[low]
    most, least = values[high] - 0.05 * fall, values[low] + min(FLOOR, 0.02 * fall)
    first = max(i for i in range(high, low + 1) if values[i] >= most)
    last = min(i for i in range(high, low + 1) if values[i] <= least)
    return first, last


def _longest(frozen: Sequence[bool]) -> list[int] | None:
    """The first and the last frame of the longest run of frozen pairs."""
    best: list[int] | None = None
    start = None
    for i, still in enumerate([*frozen, False]):
        if still:
            start = i if start is None else start
        elif start is not None:
            if best is None or i - start > best[1] - best[0]:
                best = [start, i]
            start = None
    return best
