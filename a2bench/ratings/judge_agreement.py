"""How far a judge agrees with people who rated the same videos on the same criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import fsum
from pathlib import Path
from typing import NamedTuple

from a2bench.errors import CannotRun
from a2bench.ratings.table import read
from a2bench.results.definitions import JUDGE
from a2bench.results.leaderboard import Row, judges
from a2bench.stats import Interval, bootstrap_mean, kendall, spearman
from a2bench.types import VideoId


class Rated(NamedTuple):
    """One criterion of one video."""

    video: VideoId
    criterion: str


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Judge and people on one criterion, or on all (``criterion`` is then ``all``).

    ``bias`` is the mean of judge less mean of people, cases drawn anew. ``spearman`` and
    ``kendall`` (tau-b) compare the judge's score with the mean of people's, over videos; None where
    a side is constant. ``exact`` is the share of ratings that equal the judge's rounded score,
    ``exact_people`` that of pairs of ratings of one video that equal each other: None without such
    pairs. What people do not agree on, no judge can meet.
    """

    criterion: str
    videos: int
    ratings: int
    bias: Interval
    spearman: float | None
    kendall: float | None
    exact: float
    exact_people: float | None


def read_ratings(path: Path) -> dict[Rated, list[int]]:
    """The scores of a table of ratings (``study.ratings``), which need not name its raters."""
    found: dict[Rated, list[int]] = {}
    for r in read(path, anonymous=True):
        if r.score is not None:
            found.setdefault(Rated(r.video, r.criterion), []).append(r.score)
    return found


def judged(rows: Sequence[Row], judge: str = "") -> dict[Rated, float]:
    """What the one judge of some rows gave, or the one that is called ``judge`` there.

    Raises ``CannotRun`` where there are several, not this one, or where two rows differ.
    """
    named = judges(rows)
    if judge and judge not in named:
        raise CannotRun(f"no judge {judge!r} there: {', '.join(named) or 'nothing was judged'}")
    if len(named) > 1 and not judge:
        raise CannotRun(f"several judges: {'; '.join(named)}. Say which is meant with --judge NAME")
    found: dict[Rated, float] = {}
    for row in rows:
        for work in row.works:
            for name, record in work.scores.items():
                if record.value is None or row.judges.get(name) != (judge or named[0]):
                    continue
                criterion = record.metric.removeprefix(JUDGE)
                video = VideoId(work.case_id, str(row.model["name"]), work.seed)
                if found.setdefault(Rated(video, criterion), record.value) != record.value:
                    raise CannotRun(
                        f"{video.model} has two judged scores of {video.case}: name stores in "
                        "which one judge saw one revision of each model"
                    )
    return found


def agreements(
    judge: Mapping[Rated, float], people: Mapping[Rated, Sequence[int]]
) -> list[Agreement]:
    """One line for each criterion that both rated, and one for all. Empty when there is none."""
    both = sorted(judge.keys() & people.keys())
    found = []
    for criterion in dict.fromkeys(video.criterion for video in both):
        videos = [video for video in both if video.criterion == criterion]
        found.append(_agreement(criterion, videos, judge, people))
    return [*found, _agreement("all", both, judge, people)] if both else []


def _agreement(
    criterion: str,
    videos: Sequence[Rated],
    judge: Mapping[Rated, float],
    people: Mapping[Rated, Sequence[int]],
) -> Agreement:
    scores = [judge[video] for video in videos]
    means = [fsum(people[video]) / len(people[video]) for video in videos]
    by_case: dict[str, list[float]] = {}
    for video, score, mean in zip(videos, scores, means, strict=True):
        by_case.setdefault(video.video.case, []).append(score - mean)
    equal = [int(rating == _rounded(judge[video])) for video in videos for rating in people[video]]
    pairs = [a == b for video in videos for a, b in combinations(people[video], 2)]
    return Agreement(
        criterion=criterion,
        videos=len(videos),
        ratings=len(equal),
        bias=bootstrap_mean(list(by_case.values())),
        spearman=spearman(scores, means),
        kendall=kendall(scores, means),
        exact=sum(equal) / len(equal),
        exact_people=sum(pairs) / len(pairs) if pairs else None,
    )


def _rounded(score: float) -> int:
    """To the nearest whole number, halves up."""
    return int(score + 0.5)
