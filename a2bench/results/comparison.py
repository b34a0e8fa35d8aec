"""Rows compared in pairs: each metric's difference over the cases that both have, and how sure.

The unit is the case, of which a row's value is the mean over its seeds. What a pair says does not
depend on the other rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations

from a2bench.errors import UsageError
from a2bench.keys import digest
from a2bench.metric import read_bounds
from a2bench.results.definitions import base, identity
from a2bench.results.leaderboard import Row, table, with_values
from a2bench.results.pair import CaseDifference, Comparison
from a2bench.results.places import RESAMPLES, Place, places
from a2bench.results.ranks import FEWEST_TO_TELL, scored
from a2bench.results.recipe import Recipe
from a2bench.results.selection import labels
from a2bench.results.table import SCORE, lines_of
from a2bench.stats import (
    Interval,
    bootstrap_mean,
    cases_to_tell,
    effect_size,
    effect_to_tell,
    holm,
    paired_permutation,
    paired_proportions,
    spread_of_differences,
)

DIAGNOSTICS = "diagnostics"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All pairs of some rows, and ``places`` from three on; ``notes`` say what is not compared."""

    names: tuple[str, ...]
    pairs: tuple[Comparison, ...]
    places: tuple[Place, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Side:
    """What is compared of a row: by metric the value of each case, and what the metric is."""

    name: str
    cases: Mapping[str, str]
    values: Mapping[str, Mapping[str, float]]
    metrics: Mapping[str, Mapping[str, object]]


def compare(
    rows: Sequence[Row], *, metrics: Sequence[str] = (), recipe: Recipe | None = None
) -> Compared:
    """Every pair of the rows, metric by metric, in the order of the rows.

    ``metrics`` are columns or names; all but diagnostics if empty. ``recipe`` adds its score.
    Raises ``UsageError`` for fewer than two rows, rows of several profiles and unknown metrics.
    """
    if len(rows) < 2:
        raise UsageError(
            "one row cannot be compared: name two, as STORE:MODEL or as stores that hold several"
        )
    if len(profiles := sorted({row.profile for row in rows})) > 1:
        raise UsageError(
            f"rows of the profiles {' and '.join(profiles)} cannot be compared: --profile names one"
        )
    names = labels(rows)
    sides = [
        _Side(
            name=name,
            cases={work.case_key: work.case_id for work in row.works},
            values={metric: _means(row, metric) for metric in row.metrics},
            metrics=row.metrics,
        )
        for name, row in zip(names, rows, strict=True)
    ]
    columns, notes = _columns(sides, metrics)
    if recipe is not None:
        sides, told = _with_scores(sides, rows, recipe)
        notes += told
        columns = [SCORE, *columns]
    notes += _unlike(sides, columns)
    pairs = [one for a, b in combinations(sides, 2) for one in _pair(a, b, columns)]
    ranked = (
        places(
            metric,
            {side.name: side.values[metric] for side in sides if side.values.get(metric)},
            higher_is_better=_higher(metric, sides),
        )
        for metric in columns
        if len({_kind(side, metric) for side in sides if side.values.get(metric)}) == 1
    )
    notes += _undone(names, rows, columns)
    return Compared(
        names=tuple(names),
        pairs=tuple(pairs),
        places=tuple(chain.from_iterable(ranked)),
        notes=tuple(notes),
    )


def _kind(side: _Side, metric: str) -> str:
    """What two sides must share of a metric: all that decides a value, its bounds, its direction.

    Of a comprehensive score it is the cases: one of others is another score.
    """
    if metric == SCORE:
        return digest(sorted(side.values[SCORE]))
    about = side.metrics[metric]
    return digest([identity(about), *(about[name] for name in ("low", "high", "higher_is_better"))])


def _unlike(sides: Sequence[_Side], columns: Sequence[str]) -> list[str]:
    """A note on each metric that sides do not share."""
    told = []
    for metric in columns:
        held = [side for side in sides if metric in side.metrics and side.values.get(metric)]
        if len({_kind(side, metric) for side in held}) > 1:
            how = "of other cases" if metric == SCORE else "measured in another way"
            names = ", ".join(side.name for side in held)
            told.append(f"{metric} is {how} in some of {names}: these are not compared in it")
    return told


def _undone(names: Sequence[str], rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """A note on works that failed or are missing, and so are in no mean."""
    told = []
    for name, row in zip(names, rows, strict=True):
        parts = [
            f"{metric} ({n} {s})" for (metric, s), n in row.undone().items() if metric in columns
        ]
        if parts:
            told.append(f"{name}: in no mean are {', '.join(parts)}")
    return told


def _higher(metric: str, sides: Sequence[_Side]) -> bool:
    return any(s.metrics.get(metric, {}).get("higher_is_better") for s in sides)


def _means(row: Row, metric: str) -> dict[str, float]:
    return {case: math.fsum(v) / len(v) for case, v in row.by_case(metric).items()}


def _columns(sides: Sequence[_Side], asked: Sequence[str]) -> tuple[list[str], list[str]]:
    """The metrics to compare, and a note on those that only one row has."""
    every = list(dict.fromkeys(metric for side in sides for metric in side.metrics))
    if unknown := [name for name in asked if name not in {*every, *map(base, every)}]:
        raise UsageError(f"not measured: {', '.join(unknown)}; there are {', '.join(every)}")
    if asked:
        columns = [metric for metric in every if metric in asked or base(metric) in asked]
    else:
        columns = [metric for metric in every if _counts(metric, sides)]
    several = [m for m in columns if sum(m in side.metrics for side in sides) > 1]
    known = [m for m in several if any(side.values.get(m) for side in sides)]
    told = {
        "measured alike in no two rows, and not compared": [m for m in columns if m not in several],
        "without a value in any row": [m for m in several if m not in known],
    }
    return known, [f"{why}: {', '.join(which)}" for why, which in told.items() if which]


def _counts(metric: str, sides: Sequence[_Side]) -> bool:
    """Whether a metric is more than a diagnostic."""
    kinds = (side.metrics.get(metric, {}).get("dimension", DIAGNOSTICS) for side in sides)
    return any(kind != DIAGNOSTICS for kind in kinds)


def _with_scores(
    sides: Sequence[_Side], rows: Sequence[Row], recipe: Recipe
) -> tuple[list[_Side], list[str]]:
    """The sides, with what each case says of the comprehensive score, and what lacks one."""
    found = scored(with_values(lines_of(table(rows)), rows), recipe)
    notes = [
        f"{side.name} has no {SCORE} score of recipe {recipe.name}: it lacks {one.lacks}"
        for side, one in zip(sides, found, strict=True)
        if one.lacks
    ]
    with_score = [
        replace(
            side,
            values={**side.values, SCORE: one.by_case},
            metrics={**side.metrics, SCORE: {"higher_is_better": True, "low": None, "high": None}},
        )
        for side, one in zip(sides, found, strict=True)
    ]
    return with_score, notes


def _pair(a: _Side, b: _Side, columns: Sequence[str]) -> Iterator[Comparison]:
    """The metrics that both sides have, measured alike."""
    found = []
    for metric in columns:
        if metric not in a.metrics or metric not in b.metrics:
            continue
        mine, theirs = a.values[metric], b.values[metric]
        if (mine and theirs) and _kind(a, metric) != _kind(b, metric):
            continue
        found.append(_comparison(metric, a, b, mine, theirs))
    tested = [one for one in found if one.p is not None]
    adjusted = iter(holm([one.p for one in tested if one.p is not None]))
    for one in found:
        yield one if one.p is None else replace(one, p_holm=next(adjusted))


def _comparison(
    metric: str, a: _Side, b: _Side, mine: Mapping[str, float], theirs: Mapping[str, float]
) -> Comparison:
    cases = {**a.cases, **b.cases}
    both = sorted(mine.keys() & theirs.keys())
    told = [CaseDifference(case_id=cases[key], a=mine[key], b=theirs[key]) for key in both]
    one = Comparison(
        metric=metric,
        a=a.name,
        b=b.name,
        higher_is_better=_higher(metric, (a,)),
        cases=tuple(sorted(told, key=lambda c: (-c.difference, c.case_id))),
        only_a=tuple(sorted(cases[key] for key in mine.keys() - theirs.keys())),
        only_b=tuple(sorted(cases[key] for key in theirs.keys() - mine.keys())),
    )
    if not both:
        return one
    x, y = [mine[key] for key in both], [theirs[key] for key in both]
    effect = effect_size(x, y)
    return replace(
        one,
        difference=_difference(x, y, read_bounds(a.metrics[metric])),
        p=paired_permutation(x, y, resamples=RESAMPLES),
        effect=effect,
        needed=_needed(effect),
        detectable=spread_of_differences(x, y) * effect_to_tell(len(x))
        if effect is not None
        else None,
    )


def _needed(effect: float | None) -> int | None:
    """The cases that the power asks for, and no fewer than can tell anything."""
    n = None if effect is None else cases_to_tell(effect)
    return None if n is None else max(n, FEWEST_TO_TELL)


def _difference(x: Sequence[float], y: Sequence[float], bounds: tuple[float, float]) -> Interval:
    """The mean difference; as sure as the values' kind allows, and no further than they can be."""
    if bounds == (0, 1) and all(value in (0, 1) for value in (*x, *y)):
        return paired_proportions(x, y)
    found = bootstrap_mean([[mine - other] for mine, other in zip(x, y, strict=True)])
    if found.low is None or found.high is None:
        return found
    span = bounds[1] - bounds[0]
    return replace(found, low=max(found.low, -span), high=min(found.high, span))
