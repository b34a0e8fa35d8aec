"""The account of calls that cost money: every attempt, what it cost, and whether another may start.

One SQLite file, so that workers of one machine, or of several on one file system that locks, keep
one rate and one budget between them. Replies are kept too: the same question is never paid twice.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from a2bench.errors import StoreError, WorkError

_MINUTE_S = 60.0
_VERSION = 1
MOST_REJECTED = 3
"""So many videos in a row whose requests a service cannot take: it is no fault of the videos."""

_ROW_OF_REJECTED = """
SELECT count(DISTINCT video_sha256), max(error) FROM attempt AS one
WHERE run = :run AND service = :service AND outcome = 'rejected'
AND id > (SELECT coalesce(max(id), 0) FROM attempt WHERE run = :run AND service = :service
          AND outcome IN ('ok', 'contract', 'refused'))
AND NOT EXISTS (SELECT 1 FROM attempt WHERE question = one.question AND run != :run
                AND outcome = 'rejected' AND id < one.id)
"""
"""Since the service last answered; what it rejected in an earlier run, too, says nothing new."""

_SCHEMA = """
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,        -- one command
    service TEXT NOT NULL,    -- who was asked
    question TEXT NOT NULL,   -- sha256 of all that decides the answer
    case_id TEXT NOT NULL,
    video_sha256 TEXT NOT NULL,
    started REAL NOT NULL,    -- seconds since 1970
    seconds REAL,
    outcome TEXT NOT NULL,    -- pending, ok, contract, refused, unavailable, denied, rejected,
                              -- failed
    error TEXT,
    reply TEXT,
    model TEXT,               -- which model answered, in its own words
    tokens_in INTEGER,
    tokens_out INTEGER,
    cost_usd REAL,            -- while pending: the most that it can cost; null: no price is known
    retry_at REAL             -- nobody asks before
);
CREATE INDEX attempt_question ON attempt (question);
PRAGMA user_version = 1;
"""


class Stopped(WorkError):
    """No further call in this run: its cost limit is reached, or it was denied or rejected."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that is about to be made; ``most_usd`` is the most that it can cost."""

    service: str
    question: str
    case_id: str
    video_sha256: str
    most_usd: float | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a call. ``retry_at`` (seconds since 1970): nobody asks this service before."""

    outcome: str
    seconds: float
    error: str | None = None
    reply: str | None = None
    model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    retry_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A row of the ledger."""

    id: int
    run: str
    service: str
    question: str
    case_id: str
    video_sha256: str
    started: float
    outcome: str
    seconds: float | None
    error: str | None
    reply: str | None
    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: float | None
    retry_at: float | None


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The ledger of one run in the file ``path``, made on first use; cheap to send elsewhere.

    ``max_usd`` bounds what this run may cost, ``per_minute`` how many calls all runs start within
    any 60 seconds. ``reuse`` False asks again what was answered before. ``wall_s`` is the clock.
    """

    path: Path
    run: str
    max_usd: float | None = None
    per_minute: int | None = None
    reuse: bool = True
    wall_s: Callable[[], float] = time.time

    def answered(self, question: str) -> Attempt | None:
        """The newest good answer to this very question."""
        if not self.reuse:
            return None
        found = self.attempts("WHERE question = ? AND outcome = 'ok'", question)
        return found[-1] if found else None

    def attempts(self, where: str = "", *values: str) -> list[Attempt]:
        """The attempts in the order in which they were started."""
        if not self.path.exists():
            return []
        with self._open() as db:
            db.row_factory = sqlite3.Row
            rows = db.execute(f"SELECT * FROM attempt {where} ORDER BY id", values)  # noqa: S608
            return [Attempt(**dict(row)) for row in rows]

    def begin(self, call: Call) -> int | float:
        """The attempt's number (int), or how many seconds (float) to wait before asking again.

        Raises ``Stopped`` when this run was denied, when the requests for ``MOST_REJECTED`` videos
        in a row were rejected, or when the call might pass its cost limit: what is under way counts
        with the most that it can cost.
        """
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            self._refuse(db, call)
            wait_s = self._wait(db, call.service)
            if wait_s > 0:
                db.execute("ROLLBACK")
                return wait_s
            names = ("service", "question", "case_id", "video_sha256")
            row = [getattr(call, name) for name in names]
            cursor = db.execute(
                f"INSERT INTO attempt (run, started, outcome, cost_usd, {', '.join(names)}) "  # noqa: S608
                "VALUES (?, ?, 'pending', ?, ?, ?, ?, ?)",
                [self.run, self.wall_s(), call.most_usd, *row],
            )
            db.execute("COMMIT")
            return int(cursor.lastrowid or 0)

    def end(self, attempt: int, result: Result) -> None:
        """Files what came of an attempt."""
        names = tuple(Result.__dataclass_fields__)
        with self._open() as db:
            db.execute(
                f"UPDATE attempt SET {' = ?, '.join(names)} = ? WHERE id = ?",  # noqa: S608
                [*(getattr(result, name) for name in names), attempt],
            )

    def _refuse(self, db: sqlite3.Connection, call: Call) -> None:
        who = {"run": self.run, "service": call.service}
        denied = db.execute(
            "SELECT error FROM attempt "
            "WHERE run = :run AND service = :service AND outcome = 'denied' LIMIT 1",
            who,
        ).fetchone()
        if denied:
            raise Stopped(f"not asked, as this run was denied before: {denied[0]}")
        rejected, error = db.execute(_ROW_OF_REJECTED, who).fetchone()
        if rejected >= MOST_REJECTED:
            raise Stopped(
                f"not asked, as the requests for {rejected} videos in a row were rejected: {error}"
            )
        if self.max_usd is None:
            return
        (spent,) = db.execute(
            "SELECT total(cost_usd) FROM attempt WHERE run = ?", [self.run]
        ).fetchone()
        most = call.most_usd or 0.0
        if spent + most > self.max_usd:
            raise Stopped(
                f"not asked: {spent:.4f} USD are spent or under way, this call may cost "
                f"{most:.4f}, and the limit is {self.max_usd:g}; the next run goes on from here"
            )

    def _wait(self, db: sqlite3.Connection, service: str) -> float:
        now = self.wall_s()
        (retry_at,) = db.execute(
            "SELECT max(retry_at) FROM attempt WHERE service = ?", [service]
        ).fetchone()
        wait_s = (retry_at or now) - now
        if self.per_minute is not None:
            started = db.execute(
                "SELECT started FROM attempt WHERE service = ? AND started > ? AND started <= ? "
                "ORDER BY started DESC LIMIT 1 OFFSET ?",
                [service, now - _MINUTE_S, now, self.per_minute - 1],
            ).fetchone()
            if started:
                wait_s = max(wait_s, started[0] + _MINUTE_S - now)
        return float(wait_s)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as db:
                self._prepare(db)
                yield db
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot use the ledger {self.path}: {error}") from error

    def _prepare(self, db: sqlite3.Connection) -> None:
        if not _version(db):
            db.execute("BEGIN IMMEDIATE")
            if not _version(db):  # another worker may have been first
                for statement in _SCHEMA.split(";\n"):
                    db.execute(statement)
            db.execute("COMMIT")
        if _version(db) != _VERSION:
            raise StoreError(f"{self.path}: version {_version(db)}; this is {_VERSION}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
