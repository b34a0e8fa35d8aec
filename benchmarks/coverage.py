"""How often the 95 % intervals of the tables hold the true mean, beside plain percentiles.

For each kind of value and number of cases, many samples of a known mean are drawn; the share of
intervals that hold it should be 0.95. The peer is the plain percentile
bootstrap of the cases' means.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from a2bench.results.ranks import scored
from a2bench.results.recipe import Recipe
from a2bench.results.table import Cell, Line
from a2bench.stats import (
    Interval,
    bootstrap_mean,
    paired_permutation,
    paired_proportions,
    wilson,
)

CASES = (5, 10, 30, 50)
RESAMPLES = 2000

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
"""Values (cases, seeds) of a number of cases."""


def single(p: float) -> Draw:
    """Zeros and ones, one a case."""
    return lambda random, n: (random.random((n, 1)) < p).astype(np.float64)


def clustered(p: float, seeds: int, alike: float) -> Draw:
    """Zeros and ones, whose cases have rates of their own: ``alike`` is their correlation."""
    a, b = p * (1 / alike - 1), (1 - p) * (1 / alike - 1)

    def draw(random: np.random.Generator, n: int) -> Floats:
        rates = random.beta(a, b, (n, 1))
        return (random.random((n, seeds)) < rates).astype(np.float64)

    return draw


def seeds_of_cases(random: np.random.Generator, n: int) -> Floats:
    """Three seeds about each case's own mean."""
    return random.beta(4, 4, (n, 1)) + random.normal(0, 0.05, (n, 3))


MEANS: dict[str, tuple[Draw, float]] = {
    "symmetric": (lambda random, n: random.beta(5, 5, (n, 1)), 0.5),
    "skewed (beta 2, 5)": (lambda random, n: random.beta(2, 5, (n, 1)), 2 / 7),
    "very skewed (beta 0.5, 3)": (lambda random, n: random.beta(0.5, 3, (n, 1)), 1 / 7),
    "a fifth are 0, else 0.7": (
        lambda random, n: np.where(
            random.random((n, 1)) < 0.2, 0.0, random.normal(0.7, 0.05, (n, 1))
        ),
        0.56,
    ),
    "clustered, 3 seeds": (seeds_of_cases, 0.5),
}
PROPORTIONS: dict[str, tuple[Draw, float]] = {
    **{f"p = {p}": (single(p), p) for p in (0.5, 0.9, 0.98)},
    "p = 0.9, 3 seeds, alike 0.5": (clustered(0.9, 3, 0.5), 0.9),
}


Pairs = Callable[[np.random.Generator, int], tuple[Floats, Floats]]
"""Values of two models on the same cases."""


def hard_cases(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """What makes a case hard for one does so for the other."""
    hard = random.beta(5, 5, n)
    return hard + random.normal(0, 0.1, n), hard + random.normal(0, 0.1, n)


def skewed(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Two models that share nothing, each very skewed."""
    return random.beta(0.5, 3, n), random.beta(0.5, 3, n)


def ones(p: float, q: float, alike: float) -> Pairs:
    """Zeros and ones with rates p and q; a share ``alike`` of the cases decides for both."""

    def draw(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        shared, own, other = random.random((3, n))
        same = random.random(n) < alike
        first, second = np.where(same, shared, own) < p, np.where(same, shared, other) < q
        return first.astype(np.float64), second.astype(np.float64)

    return draw


PAIRS: dict[str, tuple[Pairs, float]] = {
    "hard for both": (hard_cases, 0.0),
    "very skewed": (skewed, 0.0),
    "p = 0.9 and 0.9": (ones(0.9, 0.9, 0.5), 0.0),
    "p = 0.9 and 0.6": (ones(0.9, 0.6, 0.5), 0.3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    print(f"Share of 95 % intervals that hold the mean, {trials} samples each; in brackets a")
    print(f"percentile bootstrap. {'cases:':>24}" + "".join(f"{n:>16}" for n in CASES))
    for kind, interval, draws in (
        ("mean", lambda x: bootstrap_mean(x.tolist(), resamples=RESAMPLES), MEANS),
        ("proportion", lambda x: wilson(x.tolist()), PROPORTIONS),
    ):
        for name, (draw, mean) in draws.items():
            cells = [_share(draw, mean, n, interval, trials) for n in CASES]
            print(f"  {kind + ', ' + name:<42}" + "".join(f"{cell:>16}" for cell in cells))
    for name, pair, rare in (
        ("comprehensive score", False, False),
        ("comprehensive, a metric of 4 cases", False, True),
        ("two equal models, not told apart", True, False),
    ):
        cells = [f"{_scores(n, pair, rare, trials):.3f}" for n in CASES]
        print(f"  {name:<42}" + "".join(f"{cell:>16}" for cell in cells))
    for name, (pairs, truth) in PAIRS.items():
        cells = [_pairs(pairs, truth, n, trials) for n in CASES]
        print(f"  {'pairs, ' + name:<42}" + "".join(f"{cell:>16}" for cell in cells))
    for name, (pairs, truth) in PAIRS.items():
        if not truth:
            cells = [f"{_false_positives(pairs, n, trials):.3f}" for n in CASES]
            print(f"  {'p <= 0.05, ' + name:<42}" + "".join(f"{cell:>16}" for cell in cells))


def _share(
    draw: Draw, mean: float, n: int, interval: Callable[[Floats], Interval], trials: int
) -> str:
    random = np.random.default_rng(n)
    held = peer = 0
    for _ in range(trials):
        values = draw(random, n)
        held += _holds(interval(values), mean)
        drawn = random.integers(n, size=(RESAMPLES, n))
        low, high = np.quantile(values.mean(axis=1)[drawn].mean(axis=1), (0.025, 0.975))
        peer += low <= mean <= high
    return f"{held / trials:.3f} ({peer / trials:.3f})"


def _pairs(draw: Pairs, truth: float, n: int, trials: int) -> str:
    """How often the interval of a difference holds it."""
    random, held, peer = np.random.default_rng(n), 0, 0
    for _ in range(trials):
        x, y = draw(random, n)
        if set(x) | set(y) <= {0.0, 1.0}:
            interval = paired_proportions(x.tolist(), y.tolist())
        else:
            interval = bootstrap_mean([[d] for d in (x - y).tolist()], resamples=RESAMPLES)
        held += _holds(interval, truth)
        drawn = (x - y)[random.integers(n, size=(RESAMPLES, n))].mean(axis=1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        peer += low <= truth <= high
    return f"{held / trials:.3f} ({peer / trials:.3f})"


def _false_positives(draw: Pairs, n: int, trials: int) -> float:
    """How often the permutation test finds a difference that there is not."""
    random = np.random.default_rng(n)
    found = (draw(random, n) for _ in range(trials))
    return (
        sum(
            paired_permutation(x.tolist(), y.tolist(), resamples=RESAMPLES) <= 0.05
            for x, y in found
        )
        / trials
    )


def _holds(interval: Interval, mean: float) -> bool:
    if interval.low is None or interval.high is None:
        return True
    return interval.low <= mean <= interval.high


def _scores(n: int, pair: bool, rare: bool, trials: int) -> float:
    """Of a score of three metrics, one of zeros and ones, one that every fourth case lacks.

    With ``rare`` all but four cases lack it. With ``pair``: how often two models that differ by
    chance alone share a rank.
    """
    recipe = Recipe(
        name="r", version="1", title="", note="", divisor=4.0,
        weights={"even": 2.0, "moves": 1.0, "some": 1.0},
    )  # fmt: skip
    truth = (2 * 0.5 + 0.9 + 2 / 7) / 4
    random, held = np.random.default_rng(n), 0
    for _ in range(trials):
        even = random.beta(5, 5, n)
        moves = (random.random(n) < 0.9).astype(np.float64)
        some = random.beta(2, 5, n)
        having = {str(i) for i in range(n) if (i < 4 if rare else i % 4)}
        lines = [_line("one", even, moves, some, having)]
        if pair:
            lines.append(_line("two", even + random.normal(0, 0.1, n), moves, some, having))
        found = scored(lines, recipe)
        if pair:
            held += found[0].rank == found[1].rank
        elif found[0].interval:
            held += _holds(found[0].interval, truth)
    return held / trials


def _line(model: str, even: Floats, moves: Floats, some: Floats, having: set[str]) -> Line:
    by_case = {
        name: {
            str(i): float(value)
            for i, value in enumerate(values)
            if name != "some" or str(i) in having
        }
        for name, values in (("even", even), ("moves", moves), ("some", some))
    }
    cells = {
        name: Cell(
            interval=Interval(low=None, mean=float(np.mean(list(held.values()))), high=None),
            counts={"ok": len(held)},
        )
        for name, held in by_case.items()
    }
    return Line(model=model, profile="p", suite="s", cells=cells, values=by_case)


if __name__ == "__main__":
    main()
