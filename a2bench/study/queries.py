"""The questions that the database of a study is asked within a transaction."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from a2bench.ratings.table import Answer
from a2bench.study import tables as t
from a2bench.study.votes import Forbidden, Rater, Vote


def token_hash(token: str) -> str:
    """What is kept of a token. It has 128 random bits: nobody can guess it from this."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def lock(connection: Connection) -> None:
    """Raters and seats change in one transaction at a time. SQLite sees to it by itself."""
    connection.execute(select(t.study.c.id).with_for_update())


def rater_of(connection: Connection, code: str) -> Rater:
    """The rater of a personal code. Raises ``Forbidden``."""
    columns = (t.rater.c.id, t.rater.c.name, t.rater.c.number, t.rater.c.joined_at)
    query = select(*columns).where(t.rater.c.code_sha256 == token_hash(code))
    row = connection.execute(query).first()
    if row is None:
        raise Forbidden("this personal code is unknown: mistyped, or withdrawn")
    return Rater(**row._mapping)


def open_page(connection: Connection, rater_id: int) -> Row[Any] | None:
    """The rater's page that is not finished."""
    mine = and_(t.assignment.c.rater_id == rater_id, t.assignment.c.done_at.is_(None))
    return connection.execute(select(t.assignment).where(mine).order_by(t.assignment.c.id)).first()


def page_of(
    connection: Connection, rater_id: int, assignment: int, *, locked: bool = False
) -> Row[Any]:
    """One of the rater's pages, kept from change if ``locked``. Raises ``Forbidden``."""
    mine = and_(t.assignment.c.id == assignment, t.assignment.c.rater_id == rater_id)
    query = select(t.assignment).where(mine)
    row = connection.execute(query.with_for_update() if locked else query).first()
    if row is None:
        raise Forbidden("this page is not yours")
    return row


def free_seats(connection: Connection, now: float) -> dict[str, int]:
    """How many seats of each item are open: never taken, given back, or not used for long."""
    live = or_(t.assignment.c.done_at.is_not(None), t.assignment.c.lease_until >= now)
    query = (
        select(t.seat.c.item, func.count())
        .select_from(t.seat.outerjoin(t.assignment, and_(_on_seat(), live)))
        .where(t.assignment.c.id.is_(None))
        .group_by(t.seat.c.item)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def take_seat(connection: Connection, item: str, now: float) -> int | None:
    """A seat that nobody holds any more, empty ones first; its last holder loses it."""
    a = t.assignment.c
    lapsed = and_(a.done_at.is_(None), a.lease_until < now)
    query = (
        select(t.seat.c.number, a.id)
        .select_from(t.seat.outerjoin(t.assignment, _on_seat()))
        .where(t.seat.c.item == item, or_(a.id.is_(None), lapsed))
        .order_by(a.id.is_not(None), a.lease_until, t.seat.c.number)
    )
    found = connection.execute(query.limit(1)).first()
    if found is None:
        return None
    number, holder = found
    connection.execute(update(t.assignment).where(a.id == holder).values(seat=None))
    return int(number)


def newest(connection: Connection, assignment: int, criterion: str, slot: int) -> Row[Any] | None:
    """The newest answer to one question."""
    r = t.rating.c
    one = and_(r.assignment_id == assignment, r.criterion == criterion, r.slot == slot)
    query = select(t.rating).where(one).order_by(r.revision.desc()).limit(1)
    return connection.execute(query).first()


def newest_votes(connection: Connection, assignment: int) -> dict[tuple[str, int], Vote]:
    """The newest answers of a page by criterion and slot."""
    names = ("criterion", "slot", "score", "elapsed_ms", "plays", "stalls")
    mine = t.rating.c.assignment_id == assignment
    rows = connection.execute(select(t.rating).where(mine).order_by(t.rating.c.revision))
    return {
        (row.criterion, row.slot): Vote(
            answer=Answer(row.answer), **{name: row._mapping[name] for name in names}
        )
        for row in rows
    }


def _on_seat() -> Any:
    return and_(t.assignment.c.item == t.seat.c.item, t.assignment.c.seat == t.seat.c.number)
