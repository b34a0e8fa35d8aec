"""What the ratings say: mean opinion scores, position effect, and which models differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from a2bench.criteria import LEAST, MOST
from a2bench.errors import CannotRun
from a2bench.ratings.annex_e import annex_e
from a2bench.ratings.table import ALL, Answer, Rating, votes
from a2bench.stats import Floats, Interval, bootstrap_mean, holm, paired_permutation
from a2bench.types import VideoId

Qualities = Mapping[str, Mapping[VideoId, float]]
"""The quality of each video on each criterion, and on ``all``: the mean over its criteria."""


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """The mean opinion score of a model on a criterion, 1 to 5; the case is the unit drawn anew.

    ``plain`` is the mean of the votes as they were given, raters' biases and all.
    """

    model: str
    criterion: str
    mos: Interval
    plain: float
    cases: int
    videos: int
    raters: int
    answers: Mapping[Answer, int]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two models on the cases that both have: mean of first less second, and its p-value.

    ``sd`` is the standard deviation of the cases' differences, None for one case; ``adjusted`` the
    p-value after Holm, over all lines of the table.
    """

    criterion: str
    first: str
    second: str
    difference: Interval
    sd: float | None
    cases: int
    p_value: float
    adjusted: float


@dataclass(frozen=True, kw_only=True)
class Position:
    """How much higher a video is rated at a place on the screen than by raters elsewhere."""

    position: int
    effect: Interval
    raters: int
    adjusted: float


def without(ratings: Sequence[Rating], raters: Sequence[str]) -> list[Rating]:
    """The ratings of all others. Raises ``CannotRun`` for a rater who is not there."""
    if unknown := sorted(set(raters) - {r.rater for r in ratings}):
        raise CannotRun(f"no rater {', '.join(unknown)} in the ratings")
    return [r for r in ratings if r.rater not in raters]


def qualities(ratings: Sequence[Rating]) -> Qualities:
    """Each video's quality by P.910 Annex E, one criterion at a time.

    Raises ``CannotRun`` when no answer is a score.
    """
    return _of_videos(ratings, lambda scores: annex_e(scores).quality)


def opinions(ratings: Sequence[Rating]) -> list[Opinion]:
    """The mean opinion scores, by criterion and model; ``all`` last. Cut at 1 and 5."""
    means = _of_videos(ratings, lambda scores: np.nanmean(scores, axis=1))
    found = []
    for criterion, values in qualities(ratings).items():
        asked = [r for r in ratings if criterion in (r.criterion, ALL)]
        for model in sorted({video.model for video in values}):
            cases = _by_case(values, model)
            plain = _by_case(means[criterion], model)
            mine = [r for r in asked if r.video.model == model]
            found.append(
                Opinion(
                    model=model,
                    criterion=criterion,
                    mos=_cut(bootstrap_mean(list(cases.values()))),
                    plain=math.fsum(math.fsum(v) / len(v) for v in plain.values()) / len(plain),
                    cases=len(cases),
                    videos=sum(map(len, cases.values())),
                    raters=len({r.rater for r in mine if r.score is not None}),
                    answers=Counter(r.answer for r in mine),
                )
            )
    return found


def differences(ratings: Sequence[Rating]) -> list[Difference]:
    """Every two models on every criterion and on all, on the cases that both have."""
    found: list[tuple[str, str, str, list[float], float]] = []
    for criterion, values in qualities(ratings).items():
        means = {
            model: {case: math.fsum(v) / len(v) for case, v in _by_case(values, model).items()}
            for model in sorted({video.model for video in values})
        }
        for first, second in combinations(means, 2):
            both = sorted(means[first].keys() & means[second].keys())
            if not both:
                continue
            a, b = ([means[model][case] for case in both] for model in (first, second))
            apart = [x - y for x, y in zip(a, b, strict=True)]
            found.append((criterion, first, second, apart, paired_permutation(a, b)))
    adjusted = holm([line[-1] for line in found])
    return [
        Difference(
            criterion=criterion,
            first=first,
            second=second,
            difference=bootstrap_mean([[value] for value in apart]),
            sd=float(np.std(apart, ddof=1)) if len(apart) > 1 else None,
            cases=len(apart),
            p_value=p_value,
            adjusted=after,
        )
        for (criterion, first, second, apart, p_value), after in zip(found, adjusted, strict=True)
    ]


def positions(ratings: Sequence[Rating]) -> list[Position]:
    """The effect of the place on the screen; empty when no places are known.

    A score less the mean of what the others gave that video, averaged by rater and place; the rater
    is the unit drawn anew. The p-values are of no effect, after Holm.
    """
    given: dict[tuple[VideoId, str], list[int]] = {}
    for r in ratings:
        if r.score is not None:
            given.setdefault((r.video, r.criterion), []).append(r.score)
    apart: dict[int, dict[str, list[float]]] = {}
    for r in ratings:
        scores = given.get((r.video, r.criterion), [])
        if r.score is not None and r.position is not None and len(scores) > 1:
            others = (sum(scores) - r.score) / (len(scores) - 1)
            apart.setdefault(r.position, {}).setdefault(r.rater, []).append(r.score - others)
    effects = {
        place: [math.fsum(v) / len(v) for _, v in sorted(raters.items())]
        for place, raters in sorted(apart.items())
    }
    tests = [paired_permutation(means, [0.0] * len(means)) for means in effects.values()]
    return [
        Position(
            position=place,
            effect=bootstrap_mean([[mean] for mean in means]),
            raters=len(means),
            adjusted=after,
        )
        for (place, means), after in zip(effects.items(), holm(tests), strict=True)
    ]


def _of_videos(ratings: Sequence[Rating], value: Callable[[Floats], Floats]) -> Qualities:
    """A value of each video from its row of votes, and the mean over criteria as ``all``."""
    found: dict[str, dict[VideoId, float]] = {}
    for criterion, held in votes(ratings).items():
        found[criterion] = dict(zip(held.videos, value(held.scores).tolist(), strict=True))
    if not found:
        raise CannotRun(f"none of {len(ratings)} answers is a score: there is nothing to analyse")
    videos = sorted({video for values in found.values() for video in values})
    every = {v: [values[v] for values in found.values() if v in values] for v in videos}
    found[ALL] = {video: math.fsum(values) / len(values) for video, values in every.items()}
    return found


def _by_case(values: Mapping[VideoId, float], model: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for video in sorted(values):
        if video.model == model:
            found.setdefault(video.case, []).append(values[video])
    return found


def _cut(interval: Interval) -> Interval:
    """Within the scale, which no mean can leave; a quality less a bias may by a little."""
    low, mean, high = (
        None if value is None else min(float(MOST), max(float(LEAST), value))
        for value in (interval.low, interval.mean, interval.high)
    )
    assert mean is not None
    return Interval(low=low, mean=mean, high=high)
