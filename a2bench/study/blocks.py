"""Orders and blocks: which models stand side by side, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

Block = tuple[int, ...]
"""Indices of models, ascending."""


def williams(n: int) -> tuple[tuple[int, ...], ...]:
    """Orders of ``n`` things: each at each place, and each right after each other, equally often.

    ``n`` rows for an even ``n``, ``2 n`` for an odd one (Williams 1949).
    """
    zigzag = [(i + 1) // 2 if i % 2 else n - i // 2 for i in range(n)]
    rows = [tuple((step + shift) % n for step in zigzag) for shift in range(n)]
    return tuple(rows if n % 2 == 0 else rows + [row[::-1] for row in rows])


def cells(n: int, k: int, *, votes: int, cases: int) -> list[Counter[Block]]:
    """For each case its blocks of ``k`` out of ``n`` models, and how many raters get each.

    Every model gets ``votes`` raters a case at least; models that stood together least stand
    together next, over all cases. So each two meet about equally often (``meetings``), as in a
    balanced incomplete block design, but with no more pages in a case than its votes need.
    """
    met: Counter[Block] = Counter()
    found = []
    for _ in range(cases):
        chosen: Counter[Block] = Counter()
        covered = [0] * n
        while min(covered) < votes:
            block = _strangers(met, covered, min(n, k))
            met.update(combinations(block, 2))
            chosen[block] += 1
            for model in block:
                covered[model] += 1
        found.append(chosen)
    return found


def meetings(n: int, found: Iterable[Counter[Block]]) -> tuple[int, int]:
    """How often the two models that meet least, and most, stand side by side."""
    met: Counter[Block] = Counter()
    for case in found:
        for block, raters in case.items():
            met.update(dict.fromkeys(combinations(block, 2), raters))
    counts = [met[pair] for pair in combinations(range(n), 2)]
    return min(counts, default=0), max(counts, default=0)


def _strangers(met: Counter[Block], covered: Sequence[int], k: int) -> Block:
    """A block in which each next model is the one that met those before it least."""
    block: list[int] = []
    while len(block) < k:
        rest = [model for model in range(len(covered)) if model not in block]
        block.append(min(rest, key=lambda one: (_met(met, one, block), covered[one], one)))
    return tuple(sorted(block))


def _met(met: Counter[Block], model: int, block: Sequence[int]) -> int:
    return sum(met[min(model, other), max(model, other)] for other in block)
