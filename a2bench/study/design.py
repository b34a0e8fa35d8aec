"""The frozen design of a study: which videos are shown together, to how many raters, and why.

It is one JSON document, ``study.json``. It holds the blind map from slots to models, so it stays
on the server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import NamedTuple

from a2bench.criteria import Criterion
from a2bench.errors import CannotRun
from a2bench.keys import canonical_json, digest
from a2bench.ratings.answers import Kind
from a2bench.types import Json, VideoId

SCHEMA = 1


class Reference(NamedTuple):
    """A reference picture of a case; ``media`` is its file in the study's ``media`` folder."""

    role: str
    name: str
    media: str


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A video, the file of its playback copy, and the sha256 of its original bytes."""

    video: VideoId
    media: str
    sha256: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a rater reads and sees of a case."""

    case: str
    prompt: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One page: clips of one case, which are rated side by side on some criteria.

    ``votes`` raters are wanted; it is 0 for training, gold and traps, which every rater may get.
    ``expected`` are the least and the greatest right score of a (criterion, clip index), where one
    is known; ``feedback`` is what a rater reads after a training page.
    """

    id: str
    kind: Kind
    case: str
    clips: tuple[Clip, ...]
    criteria: tuple[str, ...]
    votes: int = 0
    expected: Mapping[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    feedback: str = ""

    @property
    def group(self) -> tuple[str, int]:
        """Case and seed. A rater gets one page of a group at most, so no video twice."""
        return self.case, self.clips[0].video.seed


@dataclass(frozen=True, kw_only=True)
class Design:
    """A study. ``pages`` is how many rated pages one rater gets at most.

    A page that is not touched for ``lease_s`` seconds may be given to somebody else. ``width``,
    ``height`` (pixels) and ``fps`` are those of every playback copy. ``criteria`` are kept with
    their words, so that all raters read the same.
    """

    name: str
    created: str
    seed: int
    at_once: int
    votes: int
    pages: int
    lease_s: float
    width: int
    height: int
    fps: float
    suite: Mapping[str, Json]
    criteria: tuple[Criterion, ...]
    items: tuple[Item, ...]
    shown: tuple[Shown, ...]

    @cached_property
    def key(self) -> str:
        """The sha256 of the design: the study's id."""
        return digest(self._document())

    @cached_property
    def _items(self) -> dict[str, Item]:
        return {item.id: item for item in self.items}

    def item(self, item_id: str) -> Item:
        return self._items[item_id]

    def of(self, kind: Kind) -> tuple[Item, ...]:
        """The items of one kind, in order."""
        return tuple(item for item in self.items if item.kind is kind)

    def case(self, case_id: str) -> Shown:
        return next(shown for shown in self.shown if shown.case == case_id)

    def criterion(self, criterion_id: str) -> Criterion:
        return next(c for c in self.criteria if c.id == criterion_id)

    def to_json(self) -> str:
        """Canonical JSON, of which ``key`` is the sha256."""
        return canonical_json(self._document())

    def _document(self) -> dict[str, Json]:
        return {
            "schema": SCHEMA,
            **asdict(self),
            "items": [_item_json(item) for item in self.items],
            "criteria": [_criterion_json(c) for c in self.criteria],
        }


def from_json(text: str) -> Design:
    """The design of ``Design.to_json``.

    Raises ``CannotRun`` for another version or damage, with every field that is wrong.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        row = json.loads(text)
        if (schema := row.pop("schema")) != SCHEMA:
            raise CannotRun(f"the study is of version {schema}; this a2bench reads {SCHEMA}")
        for item in row["items"]:
            item["expected"] = {(c, clip): bounds for c, clip, *bounds in item["expected"]}
        return TypeAdapter(Design).validate_python(row, extra="forbid")
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise CannotRun(f"the design of the study is damaged: {'; '.join(faults)}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotRun(f"the design of the study is damaged: {error!r}") from error


def _item_json(item: Item) -> dict[str, Json]:
    expected = [[*place, *bounds] for place, bounds in sorted(item.expected.items())]
    return {**asdict(item), "expected": expected}


def _criterion_json(criterion: Criterion) -> dict[str, Json]:
    anchors = {str(level): text for level, text in criterion.anchors.items()}
    return {**asdict(criterion), "anchors": anchors}
