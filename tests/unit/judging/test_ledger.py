from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from a2bench.errors import StoreError
from a2bench.judging.ledger import Call, Ledger, Result, Stopped
from tests.helpers.clocks import Clock

CALL = Call(service="s", question="q", case_id="c", video_sha256="v", most_usd=0.4)
GOOD = Result(outcome="ok", seconds=1.0, reply="yes", cost_usd=0.1)


def ledger(folder: Path, clock: Clock, **limits: float) -> Ledger:
    found = Ledger(path=folder / "l.sqlite", run="one", wall_s=clock.now_s)
    return replace(found, **limits)  # type: ignore[arg-type]


def test_a_good_answer_is_found_again_and_no_other(tmp_path: Path) -> None:
    book = ledger(tmp_path, Clock())
    assert book.answered("q") is None
    for outcome in ("contract", "refused", "unavailable", "denied", "failed"):
        other = replace(book, run=outcome)
        other.end(int(other.begin(CALL)), replace(GOOD, outcome=outcome))
    assert book.answered("q") is None
    book.end(int(book.begin(CALL)), GOOD)
    found = book.answered("q")
    assert found is not None
    assert (found.reply, found.cost_usd, found.outcome) == ("yes", 0.1, "ok")
    assert replace(book, reuse=False).answered("q") is None
    assert len(book.attempts()) == 6


def test_a_call_that_might_pass_the_limit_is_not_made(tmp_path: Path) -> None:
    book = ledger(tmp_path, Clock(), max_usd=0.9)
    first, second = book.begin(CALL), book.begin(CALL)
    with pytest.raises(Stopped, match=r"the limit is 0\.9"):
        book.begin(CALL)  # two under way may cost 0.8
    for attempt in (first, second):
        book.end(int(attempt), GOOD)
    assert isinstance(book.begin(CALL), int)  # they cost 0.2
    assert isinstance(replace(book, run="two", max_usd=0.5).begin(CALL), int)


def test_the_rate_is_held_by_all_runs_together(tmp_path: Path) -> None:
    clock = Clock()
    one = ledger(tmp_path, clock, per_minute=2)
    two = replace(one, run="two")
    assert [isinstance(book.begin(CALL), int) for book in (one, two)] == [True, True]
    clock.at_s += 20
    assert one.begin(CALL) == two.begin(CALL) == pytest.approx(40.0)
    assert isinstance(one.begin(replace(CALL, service="another")), int)
    clock.at_s += 40.5
    assert isinstance(one.begin(CALL), int)


def test_a_service_that_says_when_is_asked_by_nobody_before(tmp_path: Path) -> None:
    clock = Clock()
    book = ledger(tmp_path, clock)
    told = Result(outcome="unavailable", seconds=1.0, retry_at=clock.at_s + 30)
    book.end(int(book.begin(CALL)), told)
    assert replace(book, run="two").begin(CALL) == pytest.approx(30.0)


def test_workers_that_start_together_make_one_ledger_and_keep_its_limits(tmp_path: Path) -> None:
    book = ledger(tmp_path, Clock(), per_minute=5)
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: book.begin(CALL), range(16)))
    assert sum(isinstance(one, int) for one in begun) == 5
    assert len(book.attempts()) == 5


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    book = ledger(tmp_path, Clock())
    book.path.write_bytes(b"not a database, but long enough to look like a file of something")
    with pytest.raises(StoreError, match=r"cannot use the ledger .*l\.sqlite"):
        book.begin(CALL)
    book.path.unlink()
    book.begin(CALL)
    with sqlite3.connect(book.path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(StoreError, match="version 9; this is 1"):
        book.attempts()
