"""What a study holds so far: its progress, its ratings, and what tells careful raters apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, and_, func, select

from a2bench.ratings.answers import Check, Kind
from a2bench.ratings.table import Answer, Rating
from a2bench.study import tables as t
from a2bench.study.database import Database
from a2bench.study.design import Item
from a2bench.types import Json


@dataclass(frozen=True, kw_only=True)
class ItemProgress:
    """One rated page: ``votes`` finished of ``wanted``, ``open`` ones being rated now.

    ``surplus`` are pages that came back after their seat was given away; they count as well.
    """

    item: Item
    wanted: int
    votes: int
    open: int
    surplus: int

    @property
    def missing(self) -> int:
        return max(0, self.wanted - self.votes)


@dataclass(frozen=True, kw_only=True)
class RaterProgress:
    """One rater: finished pages, answers, and the sum of the time that these took."""

    name: str
    joined_at: float
    last_seen: float
    pages: int
    answers: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a study is. ``invitations`` were made, ``spent`` of them used."""

    items: tuple[ItemProgress, ...]
    raters: tuple[RaterProgress, ...]
    invitations: int
    spent: int

    @property
    def wanted(self) -> int:
        return sum(item.wanted for item in self.items)

    @property
    def missing(self) -> int:
        return sum(item.missing for item in self.items)


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened on a rater's screen."""

    rater: str
    kind: str
    detail: Mapping[str, Json]
    time: str


def checks(database: Database) -> list[Check]:
    """Every newest answer, in the order of raters and pages, those of withdrawn raters aside."""
    design = database.design()
    a, r = t.assignment.c, t.rating.c
    newest = (
        select(r.assignment_id, r.criterion, r.slot, func.max(r.revision).label("revision"))
        .group_by(r.assignment_id, r.criterion, r.slot)
        .subquery()
    )
    same = [r[name] == newest.c[name] for name in ("assignment_id", "criterion", "slot")]
    columns = (t.rating, t.rater.c.name, a.item, a.slots, a.id.label("page"))
    query = (
        select(*columns)
        .select_from(t.rating)
        .join(newest, and_(*same, r.revision == newest.c.revision))
        .join(t.assignment, a.id == r.assignment_id)
        .join(t.rater, t.rater.c.id == a.rater_id)
        .order_by(t.rater.c.number, a.id, r.made_at, r.criterion, r.slot)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [_check(design.item(row.item), row) for row in rows]


def export(database: Database) -> list[Rating]:
    """The ratings: the newest answers of the pages that are rated."""
    key = database.design().key
    return [
        Rating(
            rater=one.rater,
            video=one.video,
            criterion=one.criterion,
            score=one.score,
            answer=one.answer,
            position=one.slot + 1,
            time=one.time,
            study=key,
        )
        for one in checks(database)
        if one.kind is Kind.RATED
    ]


def events(database: Database) -> list[Event]:
    """What screens reported, the oldest first."""
    e = t.event.c
    query = select(t.rater.c.name, e.kind, e.detail, e.made_at).join(t.rater).order_by(e.id)
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [
        Event(rater=row[0], kind=row[1], detail=json.loads(row[2]), time=_iso(row[3]))
        for row in rows
    ]


def progress(database: Database) -> Progress:
    """How far the study is, by item and by rater."""
    design, now = database.design(), database.now()
    a = t.assignment.c
    with database.read() as connection:
        held = connection.execute(select(a.item, a.seat, a.done_at, a.lease_until)).all()
        raters = connection.execute(_raters()).all()
        asked = select(func.count(), func.count(t.invite.c.spent_at)).where(
            t.invite.c.admin.is_(False)
        )
        made, spent = connection.execute(asked).one()
    pages: dict[str, list[Any]] = {}
    for row in held:
        pages.setdefault(row.item, []).append(row)
    return Progress(
        items=tuple(_item(item, pages.get(item.id, []), now) for item in design.of(Kind.RATED)),
        raters=tuple(_rater(row) for row in raters),
        invitations=made,
        spent=spent,
    )


def _item(item: Item, pages: list[Any], now: float) -> ItemProgress:
    done = [page for page in pages if page.done_at is not None]
    votes = sum(page.seat is not None for page in done)
    return ItemProgress(
        item=item,
        wanted=item.votes,
        votes=votes,
        open=sum(page.done_at is None and page.lease_until >= now for page in pages),
        surplus=len(done) - votes,
    )


def _raters() -> Any:
    """Each rater with their counts, by sub-queries: a join of all would multiply the rows."""
    a, r, e = t.assignment.c, t.rating.c, t.event.c
    mine = a.rater_id == t.rater.c.id
    pages = select(func.count(a.done_at)).where(mine)
    first = r.revision == 1  # each answered question has one
    rated = select(func.count()).select_from(t.rating.join(t.assignment)).where(mine, first)
    spent = select(func.coalesce(func.sum(r.elapsed_ms), 0)).select_from(
        t.rating.join(t.assignment)
    )
    answered = select(func.max(r.made_at)).select_from(t.rating.join(t.assignment)).where(mine)
    reported = select(func.max(e.made_at)).where(e.rater_id == t.rater.c.id)
    return select(
        t.rater.c.name,
        t.rater.c.joined_at,
        pages.scalar_subquery().label("pages"),
        rated.scalar_subquery().label("answers"),
        spent.where(mine).scalar_subquery().label("elapsed_ms"),
        answered.scalar_subquery().label("answered_at"),
        reported.scalar_subquery().label("reported_at"),
    ).order_by(t.rater.c.number)


def _rater(row: Row[Any]) -> RaterProgress:
    seen = (row.joined_at, row.answered_at, row.reported_at)
    return RaterProgress(
        name=row.name,
        joined_at=row.joined_at,
        last_seen=max(at for at in seen if at is not None),
        pages=row.pages,
        answers=row.answers,
        seconds=float(row.elapsed_ms) / 1000,
    )


def _check(item: Item, row: Row[Any]) -> Check:
    clip = json.loads(row.slots)[row.slot]
    least, most = item.expected.get((row.criterion, clip), (None, None))
    return Check(
        rater=row.name,
        kind=item.kind,
        item=item.id,
        page=row.page,
        video=item.clips[clip].video,
        criterion=row.criterion,
        slot=row.slot,
        answer=Answer(row.answer),
        score=row.score,
        least=least,
        most=most,
        elapsed_ms=row.elapsed_ms,
        plays=row.plays,
        stalls=row.stalls,
        duration_s=item.clips[clip].duration_s,
        revision=row.revision,
        time=_iso(row.made_at),
    )


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
