"""What of a ranking depends on the weights, which are a choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from a2bench.results.ranks import Scored, table_of
from a2bench.results.recipe import Recipe

DRAWS = 1000
_TIED = 1e-12


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """The rows of one ranking under drawn weights.

    ``same`` is the share of draws in which all rows stand in the order of their scores, ``first``
    for each row, by its name, the share in which none is above it.
    """

    same: float
    first: Sequence[tuple[str, float]]

    @property
    def told(self) -> str:
        """In words, the rows that are first most often."""
        often = sorted(self.first, key=lambda one: (-one[1], one[0]))
        named = ", ".join(f"{name} in {share:.0%}" for name, share in often[:3] if share >= 0.005)
        return (
            f"The weights are a choice: with {DRAWS:,} others, drawn at random, the order of the "
            f"{len(self.first)} rows is the same in {self.same:.0%} of draws; first are {named}."
        )


def sensitivity(found: Sequence[Scored], recipe: Recipe) -> list[Sensitivity]:
    """Each ranking of two or more rows, with ``DRAWS`` weights of the recipe's metrics.

    Weights are uniform on the simplex (Dirichlet's with 1 for each metric whose weight is not 0);
    metrics are scaled as the recipe scales them. Source of the idea: OECD, Handbook on Constructing
    Composite Indicators (2008), step 7.
    """
    series: dict[tuple[object, ...], list[Scored]] = {}
    for one in found:
        if one.rank is not None:
            series.setdefault((*table_of(one.line), one.letter), []).append(one)
    metrics = [name for name, weight in recipe.weights.items() if weight]
    weights = np.random.default_rng(0).dirichlet(np.ones(len(metrics)), DRAWS)
    told = []
    for rows in series.values():
        if len(rows) < 2:
            continue
        values = np.array([[recipe.scaled(m, row.values[m]) for m in metrics] for row in rows])
        scores = values @ weights.T
        own = np.array([row.score for row in rows])
        above = own[:, None] > own[None] + _TIED
        kept = scores[:, None] > scores[None] - _TIED  # [i, j, draw]: i is not below j
        first = (scores >= scores.max(axis=0) - _TIED).mean(axis=1)
        told.append(
            Sensitivity(
                same=float((kept | ~above[:, :, None]).all(axis=(0, 1)).mean()),
                first=[(r.line.name, float(share)) for r, share in zip(rows, first, strict=True)],
            )
        )
    return told
