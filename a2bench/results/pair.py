"""What a comparison says of two rows in one metric."""

from __future__ import annotations

import math
from dataclasses import dataclass

from a2bench.metric import ROUNDING
from a2bench.stats import Interval

LEVEL = 0.05
"""Below it a p-value tells two rows apart."""


@dataclass(frozen=True, kw_only=True)
class CaseDifference:
    """What two rows scored in one case."""

    case_id: str
    a: float
    b: float

    @property
    def difference(self) -> float:
        return self.a - self.b


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of two rows, ``a`` less ``b``, over the cases in which both have a value.

    ``difference`` is the mean with its 95 % interval: of paired proportions Newcombe's, else that
    of ``bootstrap_mean``; ``p`` that of the paired permutation test, ``p_holm`` the same adjusted
    for the metrics of the pair. ``effect`` is Cohen's d of the pairs. ``needed`` is how many cases
    would show a difference of this size with a power of 80 % at 5 %, ``detectable`` the difference
    that these cases would show. ``cases`` go from the largest gain of ``a`` to its largest loss.
    ``only_a`` and ``only_b`` are the cases in which one alone has a value: they are left out.
    Without a common case there are no figures.
    """

    metric: str
    a: str
    b: str
    higher_is_better: bool
    cases: tuple[CaseDifference, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    difference: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    effect: float | None = None
    needed: int | None = None
    detectable: float | None = None

    @property
    def n(self) -> int:
        return len(self.cases)

    @property
    def mean_a(self) -> float | None:
        return math.fsum(one.a for one in self.cases) / self.n if self.cases else None

    @property
    def mean_b(self) -> float | None:
        return math.fsum(one.b for one in self.cases) / self.n if self.cases else None

    @property
    def wins(self) -> int:
        """In how many cases ``a`` is better."""
        return sum(self._gain(one) > ROUNDING for one in self.cases)

    @property
    def losses(self) -> int:
        """In how many cases ``b`` is better."""
        return sum(self._gain(one) < -ROUNDING for one in self.cases)

    @property
    def ties(self) -> int:
        """In how many cases neither is."""
        return self.n - self.wins - self.losses

    @property
    def better(self) -> str:
        """The row that is better: the interval lies to one side of 0 and ``p_holm`` is below 5 %.

        Empty where the two cannot be told apart.
        """
        found = self.difference
        if found is None or found.low is None or found.high is None or self.p_holm is None:
            return ""
        if found.low <= 0 <= found.high or self.p_holm >= LEVEL:
            return ""
        return self.a if (found.mean > 0) is self.higher_is_better else self.b

    @property
    def verdict(self) -> str:
        """In words: who is better, or that it cannot be told."""
        if not self.cases:
            return "no case in common"
        return f"{self.better} is better" if self.better else "not distinguishable"

    def _gain(self, one: CaseDifference) -> float:
        return one.difference if self.higher_is_better else -one.difference
