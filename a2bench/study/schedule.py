"""Which page a rater gets next, and in which order its clips stand. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random

from a2bench.keys import digest
from a2bench.ratings.answers import Kind
from a2bench.study.blocks import williams
from a2bench.study.design import Design, Item

CHECK_EVERY = 10
"""Among so many rated pages there are one gold and one trap page, at places drawn by rater."""


def next_item(
    design: Design, *, number: int, seen: Collection[str], free: Mapping[str, int]
) -> Item | None:
    """The next page of rater ``number``; None when no rated page is left for them.

    ``seen`` are the ids of the pages they had, ``free`` the open seats of each rated item. Of the
    rated pages the one with the smallest share of its votes comes first, so that a study is
    balanced whenever it stops; ties go by a hash, differently for each rater.
    """
    open_items = _open(design, seen, free)
    if not open_items:
        return None
    kind = _kind_at(design, number, len(seen))
    if kind is not Kind.RATED:
        unseen = [item for item in design.of(kind) if item.id not in seen]
        if unseen and kind is Kind.TRAIN:
            return unseen[0]
        if unseen:
            return min(unseen, key=lambda item: _draw(design, number, item))
    return min(
        open_items,
        key=lambda item: (-free[item.id] / item.votes, _draw(design, number, item)),
    )


def pages_left(
    design: Design, *, number: int, seen: Collection[str], free: Mapping[str, int]
) -> int:
    """How many pages the rater would still get, if nobody else took a seat."""
    groups = {item.group for item in _open(design, seen, free)}
    rated = sum(item.kind is Kind.RATED and item.id in seen for item in design.items)
    rated_left = min(design.pages - rated, len(groups))
    left = {
        kind: sum(item.id not in seen for item in design.of(kind))
        for kind in (Kind.TRAIN, Kind.GOLD, Kind.TRAP)
    }
    count = 0
    while rated_left > 0:
        kind = _kind_at(design, number, len(seen) + count)
        if left.get(kind, 0):
            left[kind] -= 1
        else:
            rated_left -= 1
        count += 1
    return count


def order(design: Design, item: Item, *, seat: int) -> tuple[int, ...]:
    """The clip index that each slot shows, for the rater on ``seat`` (from 1) of the item."""
    rows = williams(len(item.clips))
    return rows[(design.items.index(item) + seat - 1) % len(rows)]


def _open(design: Design, seen: Collection[str], free: Mapping[str, int]) -> list[Item]:
    had = [item for item in design.of(Kind.RATED) if item.id in seen]
    if len(had) >= design.pages:
        return []
    groups = {item.group for item in had}
    return [
        item for item in design.of(Kind.RATED) if free.get(item.id, 0) and item.group not in groups
    ]


def _kind_at(design: Design, number: int, page: int) -> Kind:
    """What the rater's page ``page`` (from 0) is for, unless that kind has run out."""
    page -= len(design.of(Kind.TRAIN))
    if page < 0:
        return Kind.TRAIN
    groups = len({item.group for item in design.of(Kind.RATED)})
    size = min(CHECK_EVERY, design.pages, groups) + 2
    random = Random(f"{design.seed}/{number}/{page // size}")  # noqa: S311
    gold, trap = random.sample(range(size - 1), 2)  # never the last page, which may be the end
    return {gold: Kind.GOLD, trap: Kind.TRAP}.get(page % size, Kind.RATED)


def _draw(design: Design, number: int, item: Item) -> str:
    return digest([design.seed, number, item.id])
