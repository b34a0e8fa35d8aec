"""Which raters answered with care: what each did, against what the others did.

Nothing is deleted: who analyses leaves raters out, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from a2bench.ratings.answers import Check, Kind
from a2bench.ratings.reliability import Screened, screen
from a2bench.ratings.table import Rating

LEAST_RIGHT = 0.6
"""Who clicks at random has 2 in 5 of gold pages right and 1 in 5 of traps."""
LEAST_VARIANCE = 0.15
LEAST_PLAYED = 0.5
LEAST_SECONDS = 0.5
FEWEST_ASKED = 3
FEWEST_ANSWERS = 10


class Right(NamedTuple):
    """Right answers among those whose right answer is known."""

    right: int
    asked: int

    @property
    def share(self) -> float | None:
        """None where too little was asked to tell."""
        return self.right / self.asked if self.asked >= FEWEST_ASKED else None

    def __str__(self) -> str:
        return f"{self.right} of {self.asked} right"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one rater did; ``reasons``, in words, say why their ratings should not count.

    ``answers`` are their scores. ``variance`` is that of these, ``played`` the share of answers
    whose video had been played to its end, ``seconds`` the median time of an answer: None for fewer
    than 10 answers. ``played``, ``seconds``, ``gold`` and ``trap`` come from the checks.
    ``correlation`` is with the mean of the others, None where too little is shared.
    """

    rater: str
    answers: int
    gold: Right
    trap: Right
    variance: float | None
    played: float | None
    seconds: float | None
    correlation: float | None
    reasons: tuple[str, ...] = ()


def verdicts(ratings: Sequence[Rating], checks: Sequence[Check] = ()) -> list[Verdict]:
    """Every rater of ``ratings``, by name. Reasons to leave one out:

    - ``reliability.screen``: does not fit the others, or one score for everything;
    - fewer than 60 % of gold or of trap answers right, of three or more, unless most raters fail
      (then the pages are at fault);
    - a variance of the scores below 0.15, half of the answers or more before the video had played
      to its end, or a median of less than 0.5 s an answer: each over 10 answers or more, and only
      below half of the raters' median too, for videos may be much alike, and short.

    The signals, and the variance, are those of Microsoft's crowdsourcing toolkit for P.910.
    """
    screened = screen(ratings)
    found = [_measured(one, ratings, checks) for one in screened]
    right = {name: _usual(getattr(v, name).share for v in found) for name in ("gold", "trap")}
    usual = {
        name: _usual(getattr(v, name) for v in found) for name in ("variance", "played", "seconds")
    }
    return [
        replace(verdict, reasons=tuple(_reasons(verdict, one.fault, right, usual)))
        for verdict, one in zip(found, screened, strict=True)
    ]


def left_out(found: Sequence[Verdict]) -> dict[str, tuple[str, ...]]:
    """The raters to leave out, with the reasons; nobody where all of them have some."""
    faulty = {verdict.rater: verdict.reasons for verdict in found if verdict.reasons}
    return faulty if len(faulty) < len(found) else {}


def _measured(one: Screened, ratings: Sequence[Rating], checks: Sequence[Check]) -> Verdict:
    scores = [r.score for r in ratings if r.rater == one.rater and r.score is not None]
    mine = [check for check in checks if check.rater == one.rater]
    rated = [check for check in mine if check.kind is Kind.RATED]
    enough = len(rated) >= FEWEST_ANSWERS
    return Verdict(
        rater=one.rater,
        answers=len(scores),
        gold=_right(mine, Kind.GOLD),
        trap=_right(mine, Kind.TRAP),
        variance=float(np.var(scores)) if len(scores) >= FEWEST_ANSWERS else None,
        played=sum(check.plays > 0 for check in rated) / len(rated) if enough else None,
        seconds=float(np.median([check.elapsed_ms for check in rated])) / 1000 if enough else None,
        correlation=one.correlation,
    )


def _right(checks: Sequence[Check], kind: Kind) -> Right:
    known = [check.right for check in checks if check.kind is kind and check.right is not None]
    return Right(right=sum(known), asked=len(known))


def _usual(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else 0.0


def _reasons(
    verdict: Verdict, fault: str, right: dict[str, float], usual: dict[str, float]
) -> list[str]:
    def low(name: str, least: float) -> bool:
        value = getattr(verdict, name)
        return value is not None and value < min(least, usual[name] / 2)

    found = [fault] if fault else []
    for name, share in (("gold", verdict.gold), ("trap", verdict.trap)):
        if share.share is not None and share.share < LEAST_RIGHT <= right[name]:
            found.append(f"{name} pages: {share}")
    if low("variance", LEAST_VARIANCE) and "same score" not in fault:
        found.append(f"nearly always the same score (variance {verdict.variance:.2f})")
    if low("played", LEAST_PLAYED):
        found.append(f"played {verdict.played:.0%} of the videos to their end before answering")
    if low("seconds", LEAST_SECONDS):
        found.append(f"{verdict.seconds:.1f} s an answer")
    return found
