"""Faults 35 and 36: what raters and their browsers do to a study, on either database."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any, TypeVar

import pytest
from sqlalchemy import text

from a2bench.errors import StoreError
from a2bench.ratings.table import Answer
from a2bench.study import engine
from a2bench.study import progress as records
from a2bench.study.database import Database
from a2bench.study.votes import Forbidden, Page, Rater, Vote
from tests.helpers.study_designs import CRITERIA, make_design

T = TypeVar("T")
QUALITY = "video_quality"


@pytest.fixture
def database(study_url: str) -> Iterator[Database]:
    with Database(study_url) as made:
        made.create(make_design(cases=3, votes=2, checks=False))
        yield made


@pytest.fixture
def tab(study_url: str, database: Database) -> Iterator[Database]:
    """The same study from another tab or server."""
    with Database(study_url) as other:
        other.design()
        yield other


def someone(database: Database) -> tuple[Rater, Page]:
    """A new rater and their first page."""
    rater = database.rater(database.join(database.invite(1)[0]))
    page = database.page(rater)
    assert page is not None
    return rater, page


def at_once(*calls: Callable[[], T]) -> list[T]:
    """What calls return that start at the same moment, each in a thread."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def rows(database: Database) -> list[tuple[Any, ...]]:
    query = "SELECT criterion, slot, revision, score FROM rating ORDER BY made_at, revision"
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_fault_35_double_clicks_make_one_rating(database: Database, tab: Database) -> None:
    rater, page = someone(database)
    vote = Vote(criterion=QUALITY, slot=1, score=4)
    saves = [lambda one=one: one.save(rater, page.assignment, vote) for one in (database, tab) * 4]
    assert at_once(*saves) == [1] * 8
    assert rows(database) == [(QUALITY, 1, 1, 4)]


def test_fault_35_two_tabs_share_one_page_and_lose_nothing(
    database: Database, tab: Database
) -> None:
    rater = database.rater(database.join(database.invite(1)[0]))
    pages = at_once(*[lambda one=one: one.page(rater) for one in (database, tab) * 4])
    assert len({page.assignment for page in pages if page}) == 1
    page = pages[0]
    assert page is not None and None not in pages

    def save(one: Database, slot: int, score: int) -> int:
        return one.save(rater, page.assignment, Vote(criterion=QUALITY, slot=slot, score=score))

    calls = [
        lambda one=one, slot=slot, score=score: save(one, slot, score)
        for slot in range(4)
        for one, score in ((database, 2), (tab, 5))
    ]
    assert Counter(at_once(*calls)) == {1: 4, 2: 4}
    assert len(rows(database)) == 8
    again = tab.page(rater)
    assert again is not None and set(again.answers) == {(QUALITY, slot) for slot in range(4)}


def test_fault_35_reload_and_back_find_the_place_again(study_url: str, database: Database) -> None:
    code = database.join(database.invite(1)[0])
    rater = database.rater(code)
    first = database.page(rater)
    assert first is not None
    for criterion in CRITERIA:
        for slot in range(4):
            with Database(study_url) as reloaded:  # as after a restart, or on another device
                rater = reloaded.rater(code)
                page = reloaded.page(rater)
                assert page is not None and page.assignment == first.assignment
                vote = Vote(criterion=criterion, slot=slot, score=3)
                assert (criterion, slot) not in page.answers
                assert reloaded.save(rater, page.assignment, vote) == 1
    database.finish(rater, first.assignment)
    second = database.page(rater)
    assert second is not None and second.assignment != first.assignment
    back = Vote(criterion=QUALITY, slot=0, score=1)
    assert database.save(rater, first.assignment, back) == 2
    assert database.page(rater) == second
    changed = [r.score for r in records.export(database) if r.criterion == QUALITY]
    assert sorted(score or 0 for score in changed) == [1, 3, 3, 3]


@pytest.mark.slow
def test_fault_35_expired_leases_never_seat_two(database: Database, tab: Database) -> None:
    held = [someone(database) for _ in range(6)]
    with database.write() as connection:
        connection.execute(text("UPDATE assignment SET lease_until = 1"))
    newcomers = [database.rater(database.join(i)) for i in database.invite(6)]
    late = [lambda r=r, p=p: tab.save(r, p.assignment, VOTE) for r, p in held]
    new = [lambda r=r: database.page(r) for r in newcomers]
    at_once(*late, *new)
    query = "SELECT item, seat FROM assignment WHERE seat IS NOT NULL"
    with database.read() as connection:
        seats = [tuple(row) for row in connection.execute(text(query))]
    assert len(seats) == len(set(seats)) == 6
    assert len(records.export(database)) == 6


VOTE = Vote(criterion=QUALITY, slot=0, score=2)


def test_fault_35_a_restarted_server_is_found_again(postgres: str) -> None:
    from tests.helpers.study_postgres import new_database

    url = new_database(postgres)
    with Database(url) as database, Database(url) as other:
        database.create(make_design(checks=False))
        rater, page = someone(database)
        with other.write() as connection:  # all other connections die, as in a restart
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
            own = "pg_backend_pid() AND datname = current_database()"
            connection.execute(text(end + own))
        assert database.save(rater, page.assignment, VOTE) == 1


@pytest.mark.slow
@pytest.mark.parametrize("study_url", ["sqlite"], indirect=True)
def test_fault_35_a_database_locked_for_three_seconds_is_waited_for(
    database: Database, tab: Database
) -> None:
    rater, page = someone(database)
    locked = Barrier(2)

    def hold() -> None:
        with tab.write():
            locked.wait()
            time.sleep(3)

    thread = Thread(target=hold)
    thread.start()
    locked.wait()
    assert database.save(rater, page.assignment, VOTE) == 1
    thread.join()
    assert len(rows(database)) == 1


@pytest.mark.parametrize("study_url", ["sqlite"], indirect=True)
def test_fault_35_a_database_locked_for_good_is_told(
    study_url: str, tab: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_S", 0.1)
    with Database(study_url) as hasty:
        rater, page = someone(hasty)
        with tab.write(), pytest.raises(StoreError, match="nothing was kept: database is locked"):
            hasty.save(rater, page.assignment, VOTE)
        assert hasty.save(rater, page.assignment, VOTE) == 1


@pytest.mark.parametrize("token", ["", "0" * 32, "' OR '1'='1", "\x00", "\ud800", "x" * 10**6])
def test_fault_36_forged_tokens_open_nothing(database: Database, token: str) -> None:
    someone(database)
    for call in (database.join, database.rater, database.withdraw):
        with pytest.raises(Forbidden):
            call(token)
    assert not database.is_admin(token)


def test_fault_36_the_page_of_another_rater_is_closed(database: Database) -> None:
    mine, page = someone(database)
    other, _ = someone(database)
    for assignment in (page.assignment, 999, -1):
        with pytest.raises(Forbidden, match="not yours"):
            database.save(other, assignment, VOTE)
        with pytest.raises(Forbidden, match="not yours"):
            database.finish(other, assignment)
    assert rows(database) == []
    assert database.save(mine, page.assignment, VOTE) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        {"score": 6}, {"score": 0}, {"score": -1}, {"score": None}, {"score": True},
        {"score": 3.0}, {"score": "3"}, {"score": 10**30},
        {"answer": Answer.CANNOT_PLAY}, {"answer": "maybe"}, {"answer": "rated' --"},
        {"slot": 4}, {"slot": -1}, {"slot": "0"}, {"slot": True},
        {"criterion": "rationality"}, {"criterion": "x'; DROP TABLE rating; --"},
        {"elapsed_ms": -1}, {"elapsed_ms": 1.5}, {"plays": 10**20}, {"stalls": "1"},
    ],
)  # fmt: skip
def test_fault_36_impossible_answers_are_refused(database: Database, wrong: Any) -> None:
    rater, page = someone(database)
    with pytest.raises(Forbidden):
        database.save(rater, page.assignment, Vote(**{**vars(VOTE), **wrong}))
    assert rows(database) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        "'video_quality', 0, 1, 'rated', 6", "'video_quality', 0, 1, 'rated', 0",
        "'video_quality', 0, 1, 'rated', NULL", "'video_quality', 0, 1, 'cannot_play', 3",
        "'video_quality', 0, 1, 'maybe', 3", "'video_quality', -1, 1, 'rated', 3",
        "'video_quality', 0, 0, 'rated', 3", "'video_quality', 2, 1, 'rated', 3",
    ],
)  # fmt: skip
def test_fault_36_the_database_itself_refuses_them(database: Database, values: str) -> None:
    rater, page = someone(database)
    vote = Vote(criterion=QUALITY, slot=2, score=3)
    database.save(rater, page.assignment, vote)
    statement = f"INSERT INTO rating VALUES ({page.assignment}, {values}, 0, 0, 0, 1.0)"
    with pytest.raises(Forbidden, match="refused"), database.write() as connection:
        connection.execute(text(statement))
    assert len(rows(database)) == 1


def test_fault_36_a_cell_cannot_be_overfilled(database: Database) -> None:
    rater, page = someone(database)
    other, _ = someone(database)
    for seat, item in ((1, page.item.id), (3, page.item.id), (1, "p999")):
        values = f"({other.id}, '{item}', 'rated', {seat}, '[]', 1.0, 1.0)"
        columns = "(rater_id, item, kind, seat, slots, made_at, lease_until)"
        with pytest.raises(Forbidden, match="refused"), database.write() as connection:
            connection.execute(text("DELETE FROM assignment WHERE rater_id <> " + str(rater.id)))
            connection.execute(text(f"INSERT INTO assignment {columns} VALUES {values}"))


def test_fault_36_foreign_text_stays_text(database: Database) -> None:
    rater, _ = someone(database)
    nasty = "'); DROP TABLE rating; -- \x00 \ud800 <script>"
    database.event(rater, "comment", {nasty: nasty})
    assert records.events(database)[0].detail == {nasty: nasty}
    for kind, detail in (
        (nasty, {}), ("", {}), ("x" * 41, {}), ("big", {"x": "x" * 5000}), ("nan", {"x": 1e999}),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            database.event(rater, kind, detail)
    assert len(records.events(database)) == 1
