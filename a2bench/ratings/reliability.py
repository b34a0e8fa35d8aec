"""Do raters agree: Krippendorff's alpha, ICC(2,k), split halves, and who does not fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from a2bench.ratings.annex_e import annex_e
from a2bench.ratings.table import ALL, Rating, Votes, votes
from a2bench.stats import Floats, Interval
from a2bench.types import VideoId

LEAST_CORRELATION = 0.5
FEWEST_SHARED = 5


@dataclass(frozen=True, kw_only=True)
class Screened:
    """One rater: votes that others share, the correlation with their mean, and what is wrong."""

    rater: str
    shared: int
    correlation: float | None
    fault: str


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How far raters agree on a criterion, with 95 % intervals when cases are drawn anew.

    ``votes`` is the mean number of scores a video has; ``alpha`` speaks of one rater, ``icc`` and
    ``halves`` (``split_half``) of the mean of a video's raters. None where there is no such value.
    """

    criterion: str
    videos: int
    raters: int
    votes: float
    alpha: Interval | None
    icc: Interval | None
    halves: Interval | None


def alpha(scores: Floats) -> float | None:
    """Krippendorff's alpha for ordered levels, of videos x raters with NaN for no vote.

    ``1 - observed / expected disagreement``; two levels c < k differ by
    ``(n_c / 2 + n_(c+1) + ... + n_(k-1) + n_k / 2)²``, n_c the votes of level c. 1 is full
    agreement, 0 what chance gives. None without two votes of one video, or when all votes are
    equal. Source: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011).
    """
    counts = (~np.isnan(scores)).sum(axis=1)
    kept = scores[counts > 1]
    levels = np.unique(kept[~np.isnan(kept)])
    if len(levels) < 2:
        return None
    votes_of = np.stack([(kept == level).sum(axis=1) for level in levels], axis=1)
    weights = 1 / (votes_of.sum(axis=1) - 1)
    together = (votes_of * weights[:, None]).T @ votes_of - np.diag(weights @ votes_of)
    totals = votes_of.sum(axis=0)
    middles = np.cumsum(totals) - totals / 2
    apart = np.subtract.outer(middles, middles) ** 2
    observed = float(np.sum(together * apart))
    expected = float(np.sum(np.outer(totals, totals) * apart)) / (totals.sum() - 1)
    return float(1 - observed / expected)


def icc2k(scores: Floats) -> float | None:
    """ICC(2,k): how far the mean of k raters of a video agrees with that of k others.

    ``V / (V + (R + E) / k)`` with the variances between videos (V), between raters (R) and of the
    rest (E), and k the harmonic mean of the votes a video has. When all raters rated all videos it
    is case 2 of Shrout and Fleiss, Psychological Bulletin 86 (1979); else the variances are those
    of Henderson's method 3 (Biometrics 9, 1953), and k that of ten Hove et al., Psychological
    Methods 29 (2024). At most 1; negative when videos differ less than chance makes them. None
    where the votes cannot tell the variances apart, or are all equal.
    """
    held = ~np.isnan(scores)
    held, scores = held[:, held.any(axis=0)], scores[:, held.any(axis=0)]
    held, scores = held[held.any(axis=1)], scores[held.any(axis=1)]
    videos, raters = held.shape
    votes_of, count = held.sum(axis=1), int(held.sum())
    if videos < 2 or raters < 2:
        return None
    within = scores - np.nanmean(scores, axis=1, keepdims=True)
    same = np.diag(held.sum(axis=0)) - (held / votes_of[:, None]).T @ held
    aim = np.nansum(within, axis=0)
    sizes, axes = np.linalg.eigh(same)
    told = sizes > 1e-9 * sizes[-1]
    rank = int(told.sum())  # raters less groups that share no video
    by_raters = float(np.sum((axes.T @ aim)[told] ** 2 / sizes[told]))
    freedom = count - videos - rank
    if freedom < 1 or count <= raters:
        return None
    rest = float(np.nansum(within**2)) - by_raters
    by_videos = float(np.nansum((scores - np.nanmean(scores, axis=0)) ** 2)) - rest
    e = max(0.0, rest / freedom)
    v = (by_videos - (videos + rank - raters) * e) / (count - raters)
    r = (by_raters - rank * e) / (count - videos)
    whole = v + (r + e) * float(np.mean(1 / votes_of))
    return v / whole if whole > 1e-12 else None


def split_half(scores: Floats, *, splits: int = 100, seed: int = 0) -> float | None:
    """The reliability of the videos' mean votes, their raters' biases taken off.

    The votes of each video are halved at random; ``2 r / (1 + r)`` with the mean correlation r of
    the two halves' means (Spearman and Brown). Needs no rater to see every video. Its square root
    is the highest correlation that any score can be expected to have with these means. None for
    fewer than three videos of two votes, or where the halves do not vary. 0 when r is negative.
    """
    held = _shared_votes(scores)
    if len(held) < 3:
        return None
    return _halves(_nameless(held - annex_e(held).bias), splits, seed)


def _shared_votes(scores: Floats) -> Floats:
    """The videos with two votes or more, and who rated them."""
    held = scores[(~np.isnan(scores)).sum(axis=1) > 1]
    shared: Floats = held[:, (~np.isnan(held)).any(axis=0)]
    return shared


def _nameless(held: Floats) -> Floats:
    """The same votes of each video in as few columns as can be: no longer one a rater."""
    most = int((~np.isnan(held)).sum(axis=1).max())
    order = np.argsort(np.isnan(held), axis=1, kind="stable")
    return np.take_along_axis(held, order, axis=1)[:, :most]


def _halves(held: Floats, splits: int, seed: int) -> float | None:
    random, found = np.random.default_rng(seed), []
    half = (~np.isnan(held)).sum(axis=1, keepdims=True) // 2
    for _ in range(splits):
        order = np.argsort(np.where(np.isnan(held), np.inf, random.random(held.shape)), axis=1)
        first = np.argsort(order, axis=1) < half
        a = np.nanmean(np.where(first, held, np.nan), axis=1)
        b = np.nanmean(np.where(first, np.nan, held), axis=1)
        r = pearson(a, b)
        if r is None:
            return None
        found.append(r)
    r = max(0.0, math.fsum(found) / splits)
    return 2 * r / (1 + r)


def over_cases(
    held: Votes, statistic: Callable[[Floats], float | None], *, resamples: int = 500, seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % percentile interval of a statistic when cases are drawn anew.

    None for fewer than two cases, or when half of the draws have no value.
    """
    cases = [video.case for video in held.videos]
    rows = [np.flatnonzero([case == name for case in cases]) for name in sorted(set(cases))]
    if len(rows) < 2:
        return None
    random, found = np.random.default_rng(seed), []
    for _ in range(resamples):
        drawn = random.integers(len(rows), size=len(rows))
        value = statistic(held.scores[np.concatenate([rows[i] for i in drawn])])
        if value is not None:
            found.append(value)
    if len(found) <= resamples // 2:
        return None
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def screen(ratings: Sequence[Rating]) -> list[Screened]:
    """Every rater against the mean of the others, over all videos and criteria.

    Scores count as their distance from their criterion's mean. A correlation below 0.5 and below
    half of the raters' median is a fault (where videos are much alike, honest raters fall below 0.5
    too), and so is always the same score; a rater who shares fewer than 5 votes with others is not
    judged. Nothing is left out here: who analyses decides, and says so.
    """
    shared = _shared(ratings)
    judged = {rater: len(mine) >= FEWEST_SHARED for rater, (mine, _) in shared.items()}
    found = {rater: pearson(*shared[rater]) if judged[rater] else None for rater in shared}
    known = [r for r in found.values() if r is not None]
    least = min(LEAST_CORRELATION, float(np.median(known)) / 2) if known else 0.0
    constant = _constant(ratings)
    lines = []
    for rater, r in sorted(found.items()):
        fault = f"correlates {r:.2f} with the others" if r is not None and r < least else ""
        if judged[rater] and rater in constant:
            fault = "always the same score"
        count = len(shared[rater][0])
        lines.append(Screened(rater=rater, shared=count, correlation=r, fault=fault))
    return lines


def _shared(ratings: Sequence[Rating]) -> dict[str, tuple[Floats, Floats]]:
    """For each rater the scores that others share, and the mean of the others."""
    own: dict[str, list[Floats]] = {}
    others: dict[str, list[Floats]] = {}
    for held in votes(ratings).values():
        centred = held.scores - np.nanmean(held.scores)
        sums, counts = np.nansum(centred, axis=1), (~np.isnan(centred)).sum(axis=1)
        for column, rater in enumerate(held.raters):
            rows = ~np.isnan(centred[:, column]) & (counts > 1)
            mine = centred[rows, column]
            own.setdefault(rater, []).append(mine)
            others.setdefault(rater, []).append((sums[rows] - mine) / (counts[rows] - 1))
    return {rater: (np.concatenate(own[rater]), np.concatenate(others[rater])) for rater in own}


def pearson(a: Floats, b: Floats) -> float | None:
    """Pearson's correlation, in [-1, 1]; None where a side does not vary.

    Not ``scipy.stats.pearsonr``: it differs in the last bit (see ``stats.kendall``), warns where a
    side hardly varies, and computes a p-value with each of thousands of draws: 12 times the time.
    """
    x, y = a - a.mean(), b - b.mean()
    size = math.sqrt(float(np.sum(x * x)) * float(np.sum(y * y)))
    return float(np.sum(x * y)) / size if size > 1e-12 else None


def _constant(ratings: Sequence[Rating]) -> set[str]:
    """The raters who gave one score only."""
    scores: dict[str, set[int]] = {}
    for rating in ratings:
        if rating.score is not None:
            scores.setdefault(rating.rater, set()).add(rating.score)
    return {rater for rater, given in scores.items() if len(given) == 1}


def overall(ratings: Sequence[Rating]) -> Votes:
    """The mean of each rater's scores of a video, all criteria together."""
    given: dict[tuple[VideoId, str], list[int]] = {}
    for rating in ratings:
        if rating.score is not None:
            given.setdefault((rating.video, rating.rater), []).append(rating.score)
    videos = tuple(sorted({video for video, _ in given}))
    raters = tuple(sorted({rater for _, rater in given}))
    means = {key: math.fsum(scores) / len(scores) for key, scores in given.items()}
    rows = [[means.get((video, rater), math.nan) for rater in raters] for video in videos]
    scores = np.array(rows, np.float64).reshape(len(videos), len(raters))
    return Votes(videos=videos, raters=raters, scores=scores)


def ceiling(ratings: Sequence[Rating]) -> float | None:
    """The highest correlation that a score can be expected to have with the videos' qualities.

    The square root of ``split_half`` over the mean of each rater's scores of a video, all criteria
    together. None when that is.
    """
    found = split_half(overall(ratings).scores)
    return None if found is None else math.sqrt(found)


def reliabilities(ratings: Sequence[Rating]) -> list[Reliability]:
    """One line a criterion, and one for ``all`` (the mean of a rater's scores of a video)."""
    tables = votes(ratings)
    return [_reliability(name, held) for name, held in (tables | {ALL: overall(ratings)}).items()]


def _reliability(criterion: str, held: Votes) -> Reliability:
    shared = (~np.isnan(held.scores)).sum(axis=1) > 1
    halves = None
    if shared.sum() > 2:
        # the biases are taken off once, not for each draw of cases: each has most of the votes
        unbiased = _nameless((held.scores - annex_e(held.scores).bias)[shared])
        videos = tuple(video for video, kept in zip(held.videos, shared, strict=True) if kept)
        again = over_cases(
            replace(held, videos=videos, scores=unbiased), partial(_halves, splits=5, seed=0)
        )
        halves = _interval(split_half(held.scores), again)
    given = int((~np.isnan(held.scores)).sum())
    return Reliability(
        criterion=criterion,
        videos=len(held.videos),
        raters=len(held.raters),
        votes=given / max(1, len(held.videos)),
        alpha=_interval(alpha(held.scores), over_cases(held, alpha)),
        icc=_interval(icc2k(held.scores), over_cases(held, icc2k)),
        halves=halves,
    )


def _interval(value: float | None, bounds: tuple[float, float] | None) -> Interval | None:
    if value is None:
        return None
    low, high = bounds or (None, None)
    return Interval(low=low, mean=value, high=high)
