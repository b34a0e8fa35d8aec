"""What passes between the screen and the database: raters, pages, answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from a2bench.criteria import LEAST, MOST
from a2bench.errors import UsageError
from a2bench.ratings.table import Answer
from a2bench.study.design import Item

MOST_COUNT = 10**9


class Forbidden(UsageError):
    """A forged, spent or foreign token or page, or an answer that cannot be: nothing was kept."""


@dataclass(frozen=True, kw_only=True)
class Rater:
    """A person, of whom nothing is known: a pseudonym, and the order in which they came."""

    id: int
    name: str
    number: int
    joined_at: float


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One answer to one criterion of the clip in one slot (from 0).

    Since the question was shown: ``elapsed_ms`` is how long the answer took, ``plays`` how often
    the clip was played, ``stalls`` how often it stopped to load.
    """

    criterion: str
    slot: int
    answer: Answer = Answer.RATED
    score: int | None = None
    elapsed_ms: int = 0
    plays: int = 0
    stalls: int = 0


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a rater has before them. ``order[slot]`` is the index of the clip that a slot shows.

    ``answers`` are the newest by (criterion, slot); ``done`` of ``total`` pages are finished.
    """

    assignment: int
    item: Item
    order: tuple[int, ...]
    answers: Mapping[tuple[str, int], Vote]
    done: int
    total: int


def check(item: Item, vote: Vote) -> None:
    """Raises ``Forbidden`` for a vote that this page cannot have."""
    if vote.criterion not in item.criteria:
        raise Forbidden(f"this page does not ask for {vote.criterion!r}")
    if type(vote.slot) is not int or not 0 <= vote.slot < len(item.clips):
        raise Forbidden(f"this page has no slot {vote.slot!r}")
    if vote.answer not in set(Answer):
        raise Forbidden(f"there is no answer {vote.answer!r}")
    score = type(vote.score) is int and LEAST <= vote.score <= MOST
    if not (score if vote.answer == Answer.RATED else vote.score is None):
        raise Forbidden(f"the score {vote.score!r} does not go with the answer {vote.answer}")
    for name in ("elapsed_ms", "plays", "stalls"):
        value = getattr(vote, name)
        if type(value) is not int or not 0 <= value <= MOST_COUNT:
            raise Forbidden(f"{name} cannot be {value!r}")
