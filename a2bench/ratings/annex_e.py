"""Quality of videos, bias and inconsistency of raters, from votes: ITU-T P.910, Annex E."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from a2bench.ratings.table import Floats

FLOOR = 0.5
"""About the inconsistency of the steadiest raters of P.910's own sample (0.45 of 26 raters).

With 5 votes a video (120 videos, 18 raters) simulated raters give qualities that are 0.37 off the
truth with this floor, 0.42 with one of 0.29, 0.50 with one of 0.1; the plain mean is 0.39 off.
"""
FEWEST_VOTES = 5


@dataclass(frozen=True, kw_only=True)
class AnnexE:
    """What the model finds; ``bias`` has mean 0. Units: levels of the scale.

    ``quality`` and ``error`` (its standard error) are per video, ``bias`` and ``inconsistency``
    (standard deviation) per rater. The error of a video with one vote is NaN.
    """

    quality: Floats
    error: Floats
    bias: Floats
    inconsistency: Floats
    iterations: int


def annex_e(scores: Floats, *, floor: float = FLOOR, most_iterations: int = 1000) -> AnnexE:
    """Fits ``score = quality + bias + N(0, inconsistency)`` by alternating projection.

    ``scores`` is videos x raters, NaN where there is no vote; each row and column has one. In turn,
    until the qualities move by less than 1e-8: a rater's inconsistency is the standard deviation of
    the residuals; a video's quality is the mean of the votes less their raters' biases, weighted by
    1 / inconsistency²; a rater's bias is the mean residual. Beyond the source, an inconsistency
    counts as ``floor`` at least (with few votes a video, the model else follows one rater), and
    that of a rater of fewer than 5 votes is that of all together. Raters that share no video, even
    through others, are compared only as far as their mean biases are equal. Source: ITU-T P.910
    (10/2023), Annex E.
    """
    present = ~np.isnan(scores)
    if not present.any(axis=0).all() or not present.any(axis=1).all():
        raise ValueError("every video and every rater needs a vote")
    few = present.sum(axis=0) < FEWEST_VOTES
    quality = np.nanmean(scores, axis=1)
    bias = np.nanmean(scores - quality[:, None], axis=0)
    for iterations in range(1, most_iterations + 1):  # noqa: B007 - told to the caller
        before = quality
        residuals = scores - quality[:, None] - bias
        inconsistency = np.nanstd(residuals, axis=0)
        inconsistency[few] = np.nanstd(residuals)
        spread = np.nanstd(residuals, axis=1)
        weights = present / np.maximum(inconsistency, floor) ** 2
        quality = np.nansum((scores - bias) * weights, axis=1) / weights.sum(axis=1)
        bias = np.nanmean(scores - quality[:, None], axis=0)
        if np.linalg.norm(before - quality) < 1e-8:
            break
    counts = present.sum(axis=1)
    error = np.where(counts > 1, spread / np.sqrt(counts), np.nan)
    shift = bias.mean()
    return AnnexE(
        quality=quality + shift,
        error=error,
        bias=bias - shift,
        inconsistency=inconsistency,
        iterations=iterations,
    )
