"""Metrics to one score as people see it: non-negative weights with an affine link, shrunk to equal.

Each metric is scaled with fixed bounds first. Unlike the least and greatest of the models at hand,
these change no old score when a model is added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from a2bench.criteria import criteria
from a2bench.errors import CannotRun
from a2bench.metric import read_bounds
from a2bench.ratings.annex_e import annex_e
from a2bench.ratings.reliability import pearson
from a2bench.ratings.table import Votes
from a2bench.results.definitions import JUDGE, base
from a2bench.results.leaderboard import Row, judges
from a2bench.stats import Floats
from a2bench.types import VideoId

SCALES = {"motion_smoothness": (0.706, 0.9975), "text_similarity": (0.0, 0.364)}
"""VBench's fixed bounds, for metrics that use little of their own range."""

MOST_LACKING = 0.1
SAME = 0.999


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Rated videos with all metrics: scaled ``values`` (videos x metrics) and human ``target``.

    ``judge`` is the mean of the judge's scores of each video, or None; it is compared with, and is
    no metric. ``left_out`` says which metrics and how many videos are not used. ``votes`` are the
    raters' mean scores of each video less their biases (videos x raters, NaN for none), or None.
    """

    metrics: tuple[str, ...]
    bounds: Mapping[str, tuple[float, float]]
    videos: tuple[VideoId, ...]
    values: Floats
    target: Floats
    judge: Floats | None = None
    left_out: str = ""
    votes: Floats | None = None

    @property
    def cases(self) -> NDArray[np.str_]:
        return np.array([video.case for video in self.videos])

    @property
    def models(self) -> NDArray[np.str_]:
        return np.array([video.model for video in self.videos])

    def redrawn(self, random: np.random.Generator) -> Floats:
        """The target if other raters had come: these, drawn anew. NaN where none of them rated."""
        if self.votes is None:
            return self.target
        raters = self.votes.shape[1]
        counts = np.bincount(random.integers(raters, size=raters), minlength=raters)
        total = ~np.isnan(self.votes) @ counts
        drawn = np.nan_to_num(self.votes) @ counts / np.where(total > 0, total, np.nan)
        shifted: Floats = self.target + drawn - np.nanmean(self.votes, axis=1)
        return shifted


@dataclass(frozen=True, kw_only=True)
class Fit:
    """``target ~ intercept + slope * values @ weights``; weights are 0 or more and sum to 1.

    ``reason`` says why the weights are equal, where they could not be fitted.
    """

    weights: Floats
    slope: float
    intercept: float
    reason: str = ""

    def predict(self, values: Floats) -> Floats:
        return self.intercept + self.slope * (values @ self.weights)


def with_votes(samples: Samples, held: Votes) -> Samples:
    """The samples with the votes of ``reliability.overall``, in which every video is."""
    place = {video: row for row, video in enumerate(held.videos)}
    unbiased = held.scores - annex_e(held.scores).bias
    return replace(samples, votes=unbiased[[place[video] for video in samples.videos]])


def inflation(values: Floats) -> Floats:
    """The variance inflation factor of each metric: 1 where no others say what it says.

    The diagonal of the inverse of the correlation matrix; infinite where others say it all, NaN
    with a metric of one value. From about 5 on, how such metrics share weight hangs on chance.
    """
    k = values.shape[1]
    if np.any(np.ptp(values, axis=0) < 1e-9):
        return np.full(k, np.nan)
    correlation = np.corrcoef(values, rowvar=False).reshape(k, k)
    if np.linalg.matrix_rank(correlation) < k:
        return np.full(k, np.inf)
    found: Floats = np.diag(np.linalg.inv(correlation)).copy()
    return found


def fit(values: Floats, target: Floats, shrink: float) -> Fit:
    """Affine non-negative least squares, drawn towards equal weights.

    Minimises ``sum((y - a - X b)²) + shrink * n * |b - mean(b)|²`` over ``a`` and ``b >= 0``; the
    weights are ``b / sum(b)``. 0 fits freely, infinity gives equal weights. Where the data cannot
    tell the weights apart, or people like a video the less the higher its metrics are, the weights
    are equal and ``reason`` says so.
    """
    from scipy.optimize import nnls

    n, k = values.shape
    if reason := _untold(values, target):
        return _linked(values, target, np.full(k, 1 / k), reason)
    if math.isinf(shrink):
        return _linked(values, target, np.full(k, 1 / k), "")
    centred, aim = values - values.mean(axis=0), target - target.mean()
    towards_equal = math.sqrt(shrink * n) * (np.eye(k) - 1 / k)
    slopes = nnls(np.vstack([centred, towards_equal]), np.concatenate([aim, np.zeros(k)]))[0]
    return _linked(values, target, slopes / slopes.sum(), "")


def equal(values: Floats, target: Floats) -> Fit:
    """Equal weights, with the best affine link."""
    k = values.shape[1]
    return _linked(values, target, np.full(k, 1 / k), "")


def best_single(values: Floats, target: Floats) -> Fit:
    """The metric that alone fits best, with the best affine link."""
    fits = [_linked(values, target, row, "") for row in np.eye(values.shape[1])]
    return min(fits, key=lambda f: float(np.sum((target - f.predict(values)) ** 2)))


def _linked(values: Floats, target: Floats, weights: Floats, reason: str) -> Fit:
    """The least-squares line, which never falls, for given weights."""
    mixed = values @ weights
    spread = float(np.sum((mixed - mixed.mean()) ** 2))
    rise = float(np.sum((mixed - mixed.mean()) * (target - target.mean())))
    slope = max(0.0, rise / spread) if spread > 1e-12 else 0.0
    intercept = float(target.mean() - slope * mixed.mean())
    return Fit(weights=weights, slope=slope, intercept=intercept, reason=reason)


def _untold(values: Floats, target: Floats) -> str:
    """Why no weights can be told from these samples; empty when they can."""
    n, k = values.shape
    if n <= k + 1:
        return f"{n} videos cannot tell {k} weights apart"
    if np.ptp(target) < 1e-9:
        return "people gave every video the same"
    if constant := int(np.sum(np.ptp(values, axis=0) < 1e-9)):
        return f"metrics with one value for all videos: {constant}"
    for i in range(k):
        for j in range(i):
            r = pearson(values[:, i], values[:, j])
            if r is not None and abs(r) > SAME:
                return "two of the metrics say the same"
    rises = (values - values.mean(axis=0)).T @ (target - target.mean())
    return "" if np.any(rises > 0) else "no metric rises with the ratings"


def collect_samples(rows: Sequence[Row], target: Mapping[VideoId, float]) -> Samples:
    """The rated videos of some rows of a leaderboard, with their metrics.

    Takes metrics with bounds of which higher is better and which lack for at most a tenth of the
    rated videos, and the videos that have them all. Raises ``CannotRun`` when no rated video is
    there, or when two rows measured one video.
    """
    measured: dict[VideoId, Mapping[str, float]] = {}
    infos: dict[str, Mapping[str, object]] = {}
    asked = judges(rows)
    for row in rows:
        infos |= {name: info for name, info in row.metrics.items() if info["higher_is_better"]}
        for work in row.works:
            video = VideoId(work.case_id, str(row.model["name"]), work.seed)
            values = {n: r.value for n, r in work.scores.items() if r.value is not None}
            if video in target and values:
                if video in measured:
                    raise CannotRun(f"{video.model} was measured twice: name one run and profile")
                measured[video] = values
    if not measured:
        raise CannotRun(
            f"none of {len(target)} rated videos is in the run: names of models, cases and seeds "
            "must be the same"
        )
    names = [n for n in infos if not n.startswith(JUDGE)]
    lacking = {n: sum(n not in values for values in measured.values()) for n in names}
    metrics = tuple(
        n
        for n in names
        if lacking[n] <= MOST_LACKING * len(measured) and (n in SCALES or _is_bounded(infos[n]))
    )
    videos = tuple(v for v in sorted(measured) if all(n in measured[v] for n in metrics))
    if not metrics or not videos:
        raise CannotRun(f"no metric has values for the rated videos; lacking: {lacking}")
    bounds = {n: SCALES[n] if n in SCALES else read_bounds(infos[n]) for n in metrics}
    low, high = (np.array([bounds[n][i] for n in metrics]) for i in (0, 1))
    raw = np.array([[measured[v][n] for n in metrics] for v in videos])
    dropped = [n for n in names if n not in metrics]
    return Samples(
        metrics=metrics,
        bounds=bounds,
        videos=videos,
        values=(raw - low) / (high - low),
        target=np.array([target[v] for v in videos]),
        judge=None if len(asked) > 1 else _judged([measured[v] for v in videos]),
        left_out=f"{len(target) - len(videos)} videos; metrics: {', '.join(dropped) or 'none'}"
        + (f"; of several judges: {', '.join(asked)}" if len(asked) > 1 else ""),
    )


def _judged(measured: Sequence[Mapping[str, float]]) -> Floats | None:
    """The mean of the judge's scores; None unless every video has some."""
    asked = {f"{JUDGE}{criterion.id}" for criterion in criteria()}
    scores = [[v for n, v in values.items() if base(n) in asked] for values in measured]
    return np.array([math.fsum(s) / len(s) for s in scores]) if all(scores) else None


def _is_bounded(info: Mapping[str, object]) -> bool:
    return all(math.isfinite(end) for end in read_bounds(info))
