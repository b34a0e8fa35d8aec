"""Is it enough: are models told apart, or shown to be alike, and what would it take if not?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from a2bench.ratings.opinions import Difference
from a2bench.ratings.table import ALL, Rating

WORTH = 0.25
"""Levels of the scale: a smaller difference of two models is not worth more votes."""
CONFIDENCE = 0.95
POWER = 0.8
MOST_VOTES = 100


class State(StrEnum):
    """What is known of two models on a criterion."""

    APART = "told apart"
    ALIKE = "alike"
    OPEN = "open"


@dataclass(frozen=True, kw_only=True)
class Adequacy:
    """Whether two models have been compared often enough on a criterion.

    Apart: the p-value after Holm is below 0.05. Alike: the interval of the difference lies within
    0.25 levels of 0; ``half_width`` is half of it. ``aim`` is how far the difference seen is from
    0, or from 0.25 if that is farther: what must be told from chance to settle it. ``power`` is the
    chance that such a study does so, at 5 % over the number of lines; ``cases_needed``, or
    ``votes_needed`` a video on the cases as they are, would make it 80 %, where it is open.
    ``votes`` is how many raters of a case saw both models, on average. None where one case cannot
    tell, and for ``votes_needed`` where 100 votes would not do: then only cases help.
    """

    criterion: str
    first: str
    second: str
    difference: float
    half_width: float | None
    adjusted: float
    state: State
    cases: int
    votes: float
    aim: float
    power: float | None
    cases_needed: int | None
    votes_needed: int | None


def adequacy(ratings: Sequence[Rating], differences: Sequence[Difference]) -> list[Adequacy]:
    """A line for each of ``analysis.differences``, which come from the same ratings."""
    apart = _apart(ratings)
    level = (1 - CONFIDENCE) / max(1, len(differences))
    return [_line(d, apart.get((d.criterion, d.first, d.second), {}), level) for d in differences]


def power(aim: float, sd: float, cases: int, level: float = 1 - CONFIDENCE) -> float:
    """The chance that a two-sided paired test at ``level`` finds a true mean difference ``aim``.

    ``Phi(aim / sd * sqrt(cases - z² / 2) - z)``, with z the normal quantile of ``1 - level / 2``
    and ``sd`` that of the cases' differences: Guenther's approximation of the noncentral t, The
    American Statistician 35 (1981), within 0.01 at 5 % from ten cases on.
    """
    z = NormalDist().inv_cdf(1 - level / 2)
    left = cases - z * z / 2
    if left <= 0:
        return 0.0
    return NormalDist().cdf(aim / sd * math.sqrt(left) - z) if sd > 0 else 1.0


def cases_for(aim: float, sd: float, level: float = 1 - CONFIDENCE) -> int:
    """The fewest cases with a ``power`` of 80 %: ``((z + z_0.8) * sd / aim)² + z² / 2``.

    At least as many as the sign-flipping test needs to reach ``level`` at all: with n pairs its
    smallest p-value is ``2 / 2 ** n``.
    """
    z = NormalDist().inv_cdf(1 - level / 2)
    fewest = math.ceil(1 - math.log2(level))
    return max(fewest, math.ceil(((z + NormalDist().inv_cdf(POWER)) * sd / aim) ** 2 + z * z / 2))


def votes_for(
    aim: float, between: float, within: float, cases: int, level: float = 1 - CONFIDENCE
) -> int | None:
    """The fewest votes a video with a ``power`` of 80 % on these cases; None beyond 100.

    The variance of a case's difference is ``between + within / votes``: of the cases' true
    differences, and of the raters' around them (two-stage sampling: Cochran, Sampling Techniques,
    1977, chapter 10). It is solved for the variance at which ``cases_for`` gives ``cases``.
    """
    z = NormalDist().inv_cdf(1 - level / 2)
    left = cases - z * z / 2
    room = left * (aim / (z + NormalDist().inv_cdf(POWER))) ** 2 - between
    if left <= 0 or room <= 0 or within / room > MOST_VOTES:
        return None
    return max(1, math.ceil(within / room))


def summary(lines: Sequence[Adequacy]) -> list[str]:
    """Plain sentences: is it enough over all criteria, and on each, and what is missing?"""
    found = []
    for criterion in dict.fromkeys(line.criterion for line in lines):
        mine = [line for line in lines if line.criterion == criterion]
        missing = [line for line in mine if line.state is State.OPEN]
        what = "all criteria together" if criterion == ALL else criterion
        text = f"{what}: {len(mine) - len(missing)} of {len(mine)} pairs of models are settled"
        if missing:
            names = ", ".join(f"{line.first} and {line.second}" for line in missing[:3])
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            text += f"; open: {names}{more}{_remedy(missing)}"
        found.append(text)
    return found


def _remedy(missing: Sequence[Adequacy]) -> str:
    cases = [line.cases_needed for line in missing if line.cases_needed is not None]
    votes = [line.votes_needed for line in missing]
    if not cases:
        return "; one case cannot tell how many more are needed"
    known = [count for count in votes if count is not None]
    by_votes = f", or {max(known)} votes a video" if len(known) == len(votes) else ""
    return f"; about {max(cases)} cases{by_votes} would settle them"


def _line(d: Difference, apart: Mapping[str, Sequence[float]], level: float) -> Adequacy:
    low, high = d.difference.low, d.difference.high
    aim = max(abs(d.difference.mean), WORTH - abs(d.difference.mean))
    state, seen = _state(d), [len(values) for values in apart.values()]
    chance = cases_needed = votes_needed = half_width = None
    if d.sd is not None and low is not None and high is not None:
        half_width = (high - low) / 2
        chance = power(aim, d.sd, d.cases, level)
        cases_needed = cases_for(aim, d.sd, level) if state is State.OPEN else None
        if state is State.OPEN and (within := _within(apart)):
            noise = within * float(np.mean([1 / count for count in seen]))
            votes_needed = votes_for(aim, max(0.0, d.sd**2 - noise), within, d.cases, level)
    return Adequacy(
        criterion=d.criterion,
        first=d.first,
        second=d.second,
        difference=d.difference.mean,
        half_width=half_width,
        adjusted=d.adjusted,
        state=state,
        cases=d.cases,
        votes=sum(seen) / len(seen) if seen else 0.0,
        aim=aim,
        power=chance,
        cases_needed=cases_needed,
        votes_needed=votes_needed,
    )


def _state(d: Difference) -> State:
    if d.adjusted < 1 - CONFIDENCE:
        return State.APART
    low, high = d.difference.low, d.difference.high
    if low is not None and high is not None and -WORTH < low <= high < WORTH:
        return State.ALIKE
    return State.OPEN


def _within(apart: Mapping[str, Sequence[float]]) -> float | None:
    """The variance of raters' differences around their case's mean; None without two of a case."""
    squares = sum(len(values) * float(np.var(values)) for values in apart.values())
    freedom = sum(len(values) - 1 for values in apart.values())
    return squares / freedom if freedom else None


def _apart(
    ratings: Sequence[Rating],
) -> dict[tuple[str, str, str], dict[str, list[float]]]:
    """First less second by criterion and models, then by case: one value for each rater of both."""
    given: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    for r in ratings:
        if r.score is not None:
            for criterion in (r.criterion, ALL):
                by_model = given.setdefault((criterion, r.video.case, r.rater), {})
                by_model.setdefault(r.video.model, []).append(r.score)
    found: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for (criterion, case, _), by_model in sorted(given.items()):
        models = sorted(by_model)
        means = {model: sum(by_model[model]) / len(by_model[model]) for model in models}
        for i, first in enumerate(models):
            for second in models[i + 1 :]:
                values = found.setdefault((criterion, first, second), {})
                values.setdefault(case, []).append(means[first] - means[second])
    return found
