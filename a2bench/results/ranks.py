"""Lines of a leaderboard with their comprehensive scores: how sure, and which ranks they have."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np

from a2bench.metric import within
from a2bench.results.cells import Limits, known_limits
from a2bench.results.definitions import base, label
from a2bench.results.recipe import Recipe
from a2bench.results.table import UNDONE, Line
from a2bench.stats import Interval, bootstrap_mean, wilson

if TYPE_CHECKING:
    pass


FEWEST_TO_TELL = 6
"""With fewer cases, all of one sign are no surprise: 2 of 32 for five."""
_Values = Mapping[str, Mapping[str, float]]
"""The metrics of a line that have a weight: the value of each case."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A line with its comprehensive score, or what it lacks, in words.

    ``by_case`` is what each case says of the score, whose mean it is; empty where the values of
    single cases are not known, and then the ``interval`` over cases has no bounds. ``fewest`` is of
    how many cases the rarest of its metrics is: of one, there are none either. ``rank`` 1 is best:
    one more than the lines that are better. ``alike`` names those of which it cannot be told.
    ``unranked`` says why a line that has a score has no rank, ``letter`` which ranks belong
    together where there are several series. ``columns`` are those that the recipe's metrics were
    read from: a metric may be measured in several ways in one table, and a line have one.
    """

    line: Line
    lacks: str
    columns: Mapping[str, str]
    interval: Interval | None = None
    by_case: Mapping[str, float] = field(default_factory=dict)
    fewest: int = 0
    rank: int | None = None
    letter: str = ""
    alike: tuple[str, ...] = ()
    unranked: str = ""

    @property
    def score(self) -> float | None:
        return self.interval.mean if self.interval else None

    @property
    def cases(self) -> int | None:
        """How many cases the score is of, where they are known."""
        return len(self.by_case) or None

    @property
    def reach(self) -> str:
        """The cases for reading, and those of the rarest metric where it has fewer."""
        rare = self.fewest < len(self.by_case)
        return f"{self.cases or '–'}{f' (of one metric {self.fewest})' if rare else ''}"

    @property
    def values(self) -> dict[str, float]:
        """The mean of each of the recipe's metrics that has one."""
        means = self.line.means
        return {name: means[column] for name, column in self.columns.items() if column in means}

    @property
    def place(self) -> str:
        """The rank for reading, or why there is none."""
        if self.rank is None:
            return f"lacks {self.lacks}" if self.lacks else f"not ranked: {self.unranked}"
        told = f"{self.rank}{self.letter}"
        return f"{told}, not distinguishable from {', '.join(self.alike)}" if self.alike else told

    def shown(self, metric: str) -> str:
        """A mean, and by whom or how it was measured where the table has several ways."""
        column = self.columns.get(metric, metric)
        told = label(column) if column != metric else ""
        return decimal(self.values.get(metric)) + (f" ({told})" if told else "")


def scored(lines: Sequence[Line], recipe: Recipe) -> list[Scored]:
    """The comprehensive score of each line, its interval and its rank.

    The interval (``bootstrap_mean``) is of cases drawn anew, each with all its metrics. A line is
    better than another when the 95 % interval of the difference, over cases that are drawn for both
    at once, lies above zero; where the values of single cases are not known, when its score is.

    Ranks count only among lines of one profile and suite whose metrics of the recipe were measured
    alike, on the same cases (``Row.measured``, else versions and counts). Of several such series
    of lines those with most cases are ranked, a line that is alone in its series only if every one
    is; where several have as many cases, each has a letter. A line that has a metric in several
    ways, as by two judges, is not scored by a recipe that does not say which.
    """
    known = known_limits()
    found = [_interval(_unranked(line, recipe, known), recipe) for line in lines]
    tables: dict[tuple[str, ...], dict[_Series, list[int]]] = {}
    for i, one in enumerate(found):
        if one.interval:
            series = tables.setdefault(table_of(one.line), {})
            series.setdefault(_series(one, recipe), []).append(i)
    for series in tables.values():
        shared = [key for key in series if len(series[key]) > 1] or list(series)
        most = max(map(_reach, shared))
        full = [key for key in shared if _reach(key) == most]
        peers = [key for key in full if len(full) == 1 or len(series[key]) > 1]
        for key, rows in series.items():
            own = [found[i] for i in rows]
            if key in peers:
                letter = _letter(peers.index(key)) if len(full) > 1 else ""
                own = [replace(one, letter=letter) for one in _ranked(own)]
            else:
                own = [replace(one, unranked=_apart(key, series)) for one in own]
            for i, one in zip(rows, own, strict=True):
                found[i] = one
    return found


_Series = tuple[tuple[str, str, str], ...]
"""Lines that are ranked together: of each metric of the recipe the column, the definition, and the
cases that it applies to, which begin with their number.
"""


def table_of(line: Line) -> tuple[str, str, str, str]:
    """What lines must share to stand in one ranking."""
    return line.profile, line.suite, line.suite_version, line.suite_sha256


def _series(one: Scored, recipe: Recipe) -> _Series:
    """What the recipe's metrics of a line are; versions and counts where the table says no more."""
    versions = dict(text.rpartition("@")[::2] for text in one.line.versions)
    found = []
    for name in recipe.weights:
        column = one.columns[name]
        counts = one.line.cells[column].counts
        applies = sum(counts.values()) - counts.get("not_applicable", 0)
        known = f"{versions.get(name, '')}/{applies}"
        definition, _, cases = one.line.measured.get(column, known).partition("/")
        found.append((column, definition, cases))
    return tuple(found)


def _number_of(cases: str) -> int:
    return int(cases.partition("-")[0])


def _reach(series: _Series) -> int:
    return sum(_number_of(cases) for *_, cases in series)


def _letter(index: int) -> str:
    """From a to z, then from aa to zz."""
    return ascii_lowercase[index % 26] * (index // 26 + 1)


def _apart(own: _Series, others: Iterable[_Series]) -> str:
    """Why the lines of a series are not ranked: what they do not share with the fullest other."""
    other = max((one for one in others if one != own), key=_reach)
    told: dict[str, list[str]] = {}
    for mine, theirs in zip(own, other, strict=True):
        if mine[:2] != theirs[:2]:
            why = "measured otherwise"
        elif (own_count := _number_of(mine[2])) != (other_count := _number_of(theirs[2])):
            why = f"on {own_count} cases, others on {other_count}"
        elif mine[2] != theirs[2]:
            why = "on other cases"
        else:
            continue
        told.setdefault(why, []).append(base(mine[0]))
    every = len(own) > 1 and any(len(names) == len(own) for names in told.values())
    parts = (f"{'all' if every else ', '.join(names)} {why}" for why, names in told.items())
    return "; ".join(parts)


def _interval(one: Scored, recipe: Recipe) -> Scored:
    """A line that has a score, with its interval where the values of single cases are known."""
    held = {
        name: one.line.values.get(column, {})
        for name, column in one.columns.items()
        if recipe.weights[name]
    }
    mean = one.score
    if mean is None or not all(held.values()):
        return one
    fewest = min(map(len, held.values()))
    values = _by_case(one, recipe, held, mean)
    drawn = bootstrap_mean([[value] for value in values.values()], fewest=fewest)
    if drawn.low is None or drawn.high is None:
        interval = replace(drawn, mean=mean)
    else:
        below, above = _unseen(recipe, held)
        low = mean - math.hypot(mean - drawn.low, below)
        high = mean + math.hypot(drawn.high - mean, above)
        lowest, highest = recipe.range
        low, high = min(mean, max(low, lowest)), max(mean, min(high, highest))
        interval = Interval(low=low, mean=mean, high=high)
    return replace(one, interval=interval, by_case=values, fewest=fewest)


def _by_case(one: Scored, recipe: Recipe, held: _Values, score: float) -> dict[str, float]:
    """What each case says of the score: values of which the score is the mean.

    ``score + sum_m w_m * c_m * n / n_m * (x_m - mean_m)`` over the metrics m that the case has, of
    n cases, n_m of them with m: the score's linear part in each case. ``c_m``, 1 where all have m,
    makes of the spread over n cases what Student's would be over n_m.
    """
    cases = sorted({case for values in held.values() for case in values})
    found = dict.fromkeys(cases, score)
    for name, values in held.items():
        n, own = len(cases), len(values)
        correction = math.sqrt(own * (n - 1) / (max(own - 1, 1) * n)) if own < n else 1.0
        weight = _weight(recipe, name) * correction * n / own
        for case, value in values.items():
            found[case] += weight * (value - one.values[name])
    return found


def _unseen(recipe: Recipe, held: _Values) -> tuple[float, float]:
    """How far below and above the score may lie for want of cases, though all say the same.

    A metric that is 0, or 1, for every case does not vary when cases are drawn anew; its own
    interval (``wilson``) does, and the widths of several add up by their squares.
    """
    below, above = [], []
    for name, values in held.items():
        if set(values.values()) in ({0.0}, {1.0}):
            own = wilson([[value] for value in values.values()])
            assert own.low is not None
            assert own.high is not None
            below.append(_weight(recipe, name) * (own.mean - own.low))
            above.append(_weight(recipe, name) * (own.high - own.mean))
    return math.hypot(*below), math.hypot(*above)


def _weight(recipe: Recipe, name: str) -> float:
    """By how much the score grows with a metric."""
    low, high = recipe.bounds.get(name, (0.0, 1.0))
    return recipe.weights[name] / (high - low) / recipe.divisor


def _ranked(peers: Sequence[Scored]) -> list[Scored]:
    """The lines of a series with their ranks."""
    better = np.zeros((len(peers), len(peers)), np.int_)  # 1: the row's line is, -1: the column's
    for i, j in combinations(range(len(peers)), 2):
        better[i, j] = _difference(peers[i], peers[j])
        better[j, i] = -better[i, j]
    return [
        replace(
            one,
            rank=1 + int(np.sum(better[:, i] > 0)),
            alike=tuple(
                other.line.name
                for j, other in enumerate(peers)
                if j != i and not better[i, j] and one.by_case and other.by_case
            ),
        )
        for i, one in enumerate(peers)
    ]


def _difference(one: Scored, other: Scored) -> int:
    """1 if a line is better than another, -1 if worse, 0 if it cannot be told."""
    mine, theirs = one.by_case, other.by_case
    if not mine or mine.keys() != theirs.keys():
        a, b = one.score or 0.0, other.score or 0.0
        return (a > b) - (a < b)
    if len(mine) < FEWEST_TO_TELL:
        return 0
    interval = bootstrap_mean([[mine[case] - theirs[case]] for case in mine], fewest=one.fewest)
    if interval.low is None or interval.high is None:
        return 0
    return (interval.low > 0) - (interval.high < 0)


def _unranked(line: Line, recipe: Recipe, known: Limits) -> Scored:
    """A line with its score, or with what it lacks: metrics without a value, out of
    bounds, or in part.
    """
    lacks, columns, means = [], {}, line.means
    for name in recipe.weights:
        ways = [
            column for column in line.cells if line.cells[column].asked and base(column) == name
        ]
        ways = [name] if name in line.cells and line.cells[name].asked else ways
        if len(ways) > 1:
            lacks.append(f"{name} (of {len(ways)}, name one: {', '.join(map(label, ways))})")
        elif not ways or ways[0] not in means:
            lacks.append(name)
        else:
            columns[name] = ways[0]
            value, bounds = means[ways[0]], known.get(base(name), (-math.inf, math.inf))
            if not within(value, bounds):
                lacks.append(f"{name} ({value:.12g} is outside {bounds[0]:g} to {bounds[1]:g})")
            counts = line.cells[ways[0]].counts
            lacks += [f"{name} ({n} {status})" for status in UNDONE if (n := counts.get(status, 0))]
    one = Scored(line=line, lacks=" ".join(lacks), columns=columns)
    if lacks:
        return one
    return replace(one, interval=Interval(low=None, mean=recipe.score(one.values), high=None))


def decimal(value: float | None) -> str:
    """Three decimals, or a dash."""
    return "–" if value is None else f"{value:.3f}"
