"""Who rates what, and what they said: the only truth of a running study.

Every method is one transaction, so a reload, a second tab, another device or a restart of the
server finds what was answered. Tokens are 128 random bits, of which only the sha256 is kept.

A page (assignment) of the kind ``rated`` holds one of its item's seats. A seat that was not used
for ``lease_s`` seconds may be given away; what its first holder says later still counts, on a free
seat if there is one, else as a surplus vote.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, inspect, select, update

from a2bench.errors import StoreError
from a2bench.keys import canonical_json
from a2bench.outputs import make_private
from a2bench.ratings.answers import Kind
from a2bench.study import tables as t
from a2bench.study.design import Design, from_json
from a2bench.study.engine import Transactions
from a2bench.study.migrations import migrate
from a2bench.study.queries import (
    free_seats,
    lock,
    newest,
    newest_votes,
    open_page,
    page_of,
    rater_of,
    take_seat,
    token_hash,
)
from a2bench.study.schedule import next_item, order, pages_left
from a2bench.study.votes import Forbidden, Page, Rater, Vote, check
from a2bench.types import Json


class Database(Transactions):
    """The database of one study. ``clock`` gives seconds since 1970.

    Raises ``Forbidden`` for what a rater may not do, ``StoreError`` when the database fails.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(url)
        self._clock = clock
        self._design: Design | None = None

    def migrate(self) -> None:
        """Makes the tables, or brings those of an older a2bench up to date; keeps all data."""
        with self.write() as connection:
            migrate(connection)

    def check_vacant(self) -> None:
        """Raises ``StoreError`` when the database cannot be reached or holds a study.

        A file of SQLite is made where there is none, for its owner alone.
        """
        if self.file is not None and not self.file.exists():
            make_private(self.file)
        with self.read() as connection:
            there = inspect(connection).has_table(t.study.name)
            held = connection.execute(select(t.study.c.key)).scalar() if there else None
        if held is not None:
            raise StoreError(
                f"the database already holds the study {held[:12]}: each study needs its own"
            )

    def create(self, design: Design) -> None:
        """Makes the tables and files the design. Refuses a database that holds a study."""
        self.check_vacant()
        with self.write() as connection:
            migrate(connection)
            connection.execute(
                insert(t.study).values(id=1, key=design.key, design=design.to_json())
            )
            seats = [
                {"item": item.id, "number": number}
                for item in design.of(Kind.RATED)
                for number in range(1, item.votes + 1)
            ]
            connection.execute(insert(t.seat), seats)

    def now(self) -> float:
        """The time by this database's clock."""
        return self._clock()

    def design(self) -> Design:
        """The frozen design. Raises ``StoreError`` when the database holds no study."""
        if self._design is None:
            with self.read() as connection:
                there = inspect(connection).has_table(t.study.name)
                text = connection.execute(select(t.study.c.design)).scalar() if there else None
            if text is None:
                raise StoreError("the database holds no study; a2bench study new makes one")
            self._design = from_json(text)
        return self._design

    def invite(self, count: int, *, admin: bool = False) -> list[str]:
        """New invitations, shown this once; with ``admin`` codes that open the admin page."""
        tokens = [secrets.token_hex(16) for _ in range(count)]
        rows = [
            {"token_sha256": token_hash(token), "admin": admin, "made_at": self._clock()}
            for token in tokens
        ]
        with self.write() as connection:
            connection.execute(insert(t.invite), rows)
        return tokens

    def is_admin(self, code: str) -> bool:
        """Whether the code is one of ``invite(admin=True)``."""
        known = and_(t.invite.c.token_sha256 == token_hash(code), t.invite.c.admin.is_(True))
        with self.read() as connection:
            return connection.execute(select(t.invite.c.id).where(known)).first() is not None

    def join(self, invite: str) -> str:
        """Spends an invitation, after consent, and makes a rater: returns their personal code.

        The code is the way back after a reload, on another device, and to withdraw.
        """
        code, name = secrets.token_hex(16), f"r-{secrets.token_hex(4)}"
        known = and_(t.invite.c.token_sha256 == token_hash(invite), t.invite.c.admin.is_(False))
        unspent = and_(known, t.invite.c.spent_at.is_(None))
        with self.write() as connection:
            lock(connection)
            now = self._clock()
            if not connection.execute(
                update(t.invite).where(unspent).values(spent_at=now)
            ).rowcount:
                raise Forbidden("this invitation is unknown or was used: ask for another one")
            number = connection.execute(select(func.max(t.rater.c.number))).scalar() or 0
            row = {
                "code_sha256": token_hash(code),
                "name": name,
                "number": number + 1,
                "joined_at": now,
            }
            connection.execute(insert(t.rater).values(row))
        return code

    def rater(self, code: str) -> Rater:
        """The rater of a personal code."""
        with self.read() as connection:
            return rater_of(connection, code)

    def withdraw(self, code: str) -> int:
        """Deletes a rater and all they did, and frees their seats. Returns how many answers."""
        with self.write() as connection:
            lock(connection)
            rater = rater_of(connection, code)
            mine = select(t.assignment.c.id).where(t.assignment.c.rater_id == rater.id)
            theirs = t.rating.c.assignment_id.in_(mine)
            count = connection.execute(select(func.count()).where(theirs)).scalar_one()
            connection.execute(delete(t.rater).where(t.rater.c.id == rater.id))
        return int(count)

    def page(self, rater: Rater) -> Page | None:
        """The rater's open page, its lease renewed, else a new one; None when nothing is left."""
        now = self._clock()
        with self.read() as connection:
            held = open_page(connection, rater.id)
            if held is not None and self._fresh(held, now):
                return self._page(connection, rater, held, now)
        with self.write() as connection:
            lock(connection)
            held = open_page(connection, rater.id)
            if held is not None:
                held = self._renewed(connection, held, now)
            if held is None:
                held = self._lease(connection, rater, now)
            return None if held is None else self._page(connection, rater, held, now)

    def save(self, rater: Rater, assignment: int, vote: Vote) -> int:
        """Keeps an answer and returns its revision; the same answer again makes no new one."""
        now = self._clock()
        with self.write() as connection:
            held = self._held(connection, rater, assignment, now)
            check(self.design().item(held.item), vote)
            last = newest(connection, assignment, vote.criterion, vote.slot)
            if last is not None and (last.answer, last.score) == (vote.answer, vote.score):
                return int(last.revision)
            revision = 1 if last is None else last.revision + 1
            row = {"assignment_id": assignment, "revision": revision, "made_at": now}
            connection.execute(insert(t.rating).values(row | vars(vote)))
        return int(revision)

    def finish(self, rater: Rater, assignment: int) -> None:
        """Closes a page whose every question has an answer; closing it again does nothing."""
        now = self._clock()
        with self.write() as connection:
            held = self._held(connection, rater, assignment, now)
            item = self.design().item(held.item)
            answered = len(newest_votes(connection, assignment))
            if missing := len(item.criteria) * len(item.clips) - answered:
                raise Forbidden(f"{missing} questions of this page have no answer yet")
            mine = and_(t.assignment.c.id == assignment, t.assignment.c.done_at.is_(None))
            connection.execute(update(t.assignment).where(mine).values(done_at=now))

    def event(self, rater: Rater, kind: str, detail: Mapping[str, Json]) -> None:
        """Files what happened on the screen: played, stalled, viewport, back."""
        if not (kind.isascii() and kind.isidentifier()):
            raise Forbidden(f"no kind of event: {kind[:40]!r}")
        try:
            told = json.dumps(detail, allow_nan=False)  # ASCII only
        except (TypeError, ValueError) as error:
            raise Forbidden(f"the detail of an event must be JSON: {error}") from error
        row = {"kind": kind, "detail": told, "made_at": self._clock()}
        with self.write() as connection:
            connection.execute(insert(t.event).values(row | {"rater_id": rater.id}))

    def _page(self, connection: Connection, rater: Rater, held: Row[Any], now: float) -> Page:
        design = self.design()
        mine = t.assignment.c.rater_id == rater.id
        rows = connection.execute(select(t.assignment.c.item, t.assignment.c.done_at).where(mine))
        done = {item: done_at is not None for item, done_at in rows}
        free = free_seats(connection, now)
        left = pages_left(design, number=rater.number, seen=done, free=free)
        return Page(
            assignment=held.id,
            item=design.item(held.item),
            order=tuple(json.loads(held.slots)),
            answers=newest_votes(connection, held.id),
            done=sum(done.values()),
            total=len(done) + left,
        )

    def _lease(self, connection: Connection, rater: Rater, now: float) -> Row[Any] | None:
        """A new page, with a seat if it is a rated one."""
        design = self.design()
        mine = t.assignment.c.rater_id == rater.id
        seen = connection.execute(select(t.assignment.c.item).where(mine)).scalars().all()
        free = free_seats(connection, now)
        item = next_item(design, number=rater.number, seen=seen, free=free)
        if item is None:
            return None
        seat = take_seat(connection, item.id, now) if item.kind is Kind.RATED else None
        row = {
            "rater_id": rater.id,
            "item": item.id,
            "kind": item.kind.value,
            "seat": seat,
            "slots": canonical_json(order(design, item, seat=seat or rater.number)),
            "made_at": now,
            "lease_until": now + design.lease_s,
        }
        made = insert(t.assignment).values(row).returning(t.assignment)
        return connection.execute(made).one()

    def _renewed(self, connection: Connection, held: Row[Any], now: float) -> Row[Any] | None:
        """The page with its lease renewed; None, and gone, if it is lost and nothing was said."""
        self._renew(connection, held, now)
        mine = t.assignment.c.id == held.id
        again = connection.execute(select(t.assignment).where(mine)).one()
        lost = again.seat is None and again.kind == Kind.RATED
        if lost and not newest_votes(connection, held.id):
            connection.execute(delete(t.assignment).where(mine))
            return None
        return again

    def _held(self, connection: Connection, rater: Rater, assignment: int, now: float) -> Row[Any]:
        """The rater's page, kept from change until the transaction ends; its lease renewed.

        Locks are always taken in this order, study and page, so nobody waits in a circle. Most
        answers need that of the page only.
        """
        held = page_of(connection, rater.id, assignment)
        if self._fresh(held, now):
            return page_of(connection, rater.id, assignment, locked=True)
        lock(connection)
        held = page_of(connection, rater.id, assignment, locked=True)
        self._renew(connection, held, now)
        return held

    def _fresh(self, held: Row[Any], now: float) -> bool:
        """Whether nobody can take the page's seat soon, so that its lease need not be renewed."""
        if held.seat is None and held.kind == Kind.RATED:
            return False
        return bool(held.done_at or held.lease_until - now > self.design().lease_s / 2)

    def _renew(self, connection: Connection, held: Row[Any], now: float) -> None:
        """Renews a lease; takes a free seat for a page that has lost its own."""
        values: dict[str, Any] = {"lease_until": now + self.design().lease_s}
        if held.seat is None and held.kind == Kind.RATED:
            values["seat"] = take_seat(connection, held.item, now)
        connection.execute(update(t.assignment).where(t.assignment.c.id == held.id).values(values))
