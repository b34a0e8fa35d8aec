"""The database of a study, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from a2bench.errors import CannotRun, StoreError, UsageError
from a2bench.ratings.answers import Kind
from a2bench.ratings.table import Answer, read, to_csv
from a2bench.study import progress as records
from a2bench.study.database import Database
from a2bench.study.folder import DESIGN, open_study
from a2bench.study.migrations import NEWEST, migrate
from a2bench.study.tables import metadata
from a2bench.study.votes import Forbidden, Vote
from tests.helpers.study_designs import CRITERIA, make_design
from tests.helpers.study_pages import answer, rate, someone


@dataclass
class Clock:
    """A clock that goes when it is told to."""

    time: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(study_url: str, clock: Clock) -> Iterator[Database]:
    """A study of four cases and three votes, with checks."""
    made = Database(study_url, clock=clock)
    made.create(make_design())
    yield made
    made.close()


@pytest.mark.slow
def test_a_study_from_the_first_invitation_to_the_export(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    design = database.design()
    raters = [someone(database) for _ in range(4)]
    for rater in raters[:3]:
        pages = 0
        while page := rate(database, rater, score=2 + rater.number):
            assert (page.done, page.total) == (pages, 7)
            pages += 1
        assert pages == 7
    assert database.page(raters[3]) is None
    found = records.export(database)
    assert len(found) == 3 * 4 * 4 * len(CRITERIA)
    assert {(r.rater, r.score) for r in found} == {(r.name, 2 + r.number) for r in raters[:3]}
    assert Counter(r.video for r in found).most_common()[-1][1] == 3 * len(CRITERIA)
    assert {r.study for r in found} == {design.key}
    out = tmp_path / "ratings.csv"
    out.write_text(to_csv(found), encoding="utf-8")
    assert read(out) == found


def test_what_a_slot_shows_is_what_its_answer_is_filed_under(database: Database) -> None:
    rater = someone(database)
    for _ in range(7):
        page = database.page(rater)
        assert page is not None
        for slot, clip in enumerate(page.order):
            model = page.item.clips[clip].video.model
            for criterion in page.item.criteria:
                vote = Vote(criterion=criterion, slot=slot, score=1 + int(model[1:]))
                database.save(rater, page.assignment, vote)
        database.finish(rater, page.assignment)
    assert {(r.video.model, r.score) for r in records.export(database)} == {
        ("m0", 1), ("m1", 2), ("m2", 3), ("m3", 4),
    }  # fmt: skip
    for check in records.checks(database):
        known = check.kind is not Kind.RATED and check.criterion == "video_quality"
        assert check.right is (True if known and check.video.model == "m0" else None)


def test_a_new_answer_is_a_revision_and_the_same_one_is_not(database: Database) -> None:
    rater = someone(database)
    page = database.page(rater)
    assert page is not None
    for vote, revision in (
        (Vote(criterion="video_quality", slot=0, score=3), 1),
        (Vote(criterion="video_quality", slot=0, score=3, plays=4), 1),
        (Vote(criterion="video_quality", slot=0, score=5), 2),
        (Vote(criterion="video_quality", slot=0, answer=Answer.CANNOT_PLAY), 3),
        (Vote(criterion="video_quality", slot=0, answer=Answer.CANNOT_PLAY), 3),
        (Vote(criterion="face_consistency", slot=0, score=5, elapsed_ms=12, stalls=1), 1),
    ):
        assert database.save(rater, page.assignment, vote) == revision
    again = database.page(rater)
    assert again is not None
    assert again.answers == {
        ("video_quality", 0): Vote(criterion="video_quality", slot=0, answer=Answer.CANNOT_PLAY),
        ("face_consistency", 0): vote,
    }
    assert records.progress(database).raters[0].answers == 2
    with pytest.raises(Forbidden, match="6 questions"):
        database.finish(rater, page.assignment)


@pytest.mark.slow
def test_a_seat_that_is_not_used_is_given_away_and_nothing_said_is_lost(
    database: Database, clock: Clock
) -> None:
    early = [someone(database) for _ in range(3)]
    for rater in early:
        rate(database, rater)  # training
    pages = [database.page(rater) for rater in early]
    rated = [(r, p) for r, p in zip(early, pages, strict=True) if p and p.item.votes]
    rater, page = rated[0]
    database.save(rater, page.assignment, Vote(criterion="video_quality", slot=0, score=1))
    clock.time += 101
    for _ in range(3):
        late = someone(database)
        while rate(database, late):
            clock.time += 60  # less than a lease
    answer(database, rater, page, score=1)
    database.finish(rater, page.assignment)
    (cell,) = (i for i in records.progress(database).items if i.item.id == page.item.id)
    assert (cell.votes, cell.wanted, cell.surplus, cell.open) == (3, 3, 1, 0)
    mine = [r for r in records.export(database) if r.rater == rater.name]
    assert {r.score for r in mine} == {1} and len(mine) == 4 * len(CRITERIA)


def test_who_comes_back_late_keeps_the_page_if_nobody_took_it(
    database: Database, clock: Clock
) -> None:
    rater = someone(database)
    page = database.page(rater)
    assert page is not None
    clock.time += 1000
    again = database.page(rater)
    assert again is not None and again.assignment == page.assignment
    answer(database, rater, page)
    database.finish(rater, page.assignment)
    database.finish(rater, page.assignment)
    assert records.progress(database).raters[0].pages == 1


def test_a_page_that_was_given_away_untouched_is_replaced(study_url: str, clock: Clock) -> None:
    database = Database(study_url, clock=clock)
    database.create(make_design(cases=2, votes=1, checks=False))
    first, second = someone(database), someone(database)
    page = database.page(first)
    assert page is not None
    clock.time += 101
    assert rate(database, second) is not None and rate(database, second) is not None
    assert database.page(first) is None
    database.close()


def test_leases_are_counted_while_they_last(database: Database, clock: Clock) -> None:
    raters = [someone(database) for _ in range(5)]
    for rater in raters:
        rate(database, rater)
        database.page(rater)
    progress = records.progress(database)
    held = [p for p in (database.page(r) for r in raters) if p and p.item.votes]
    assert sum(item.open for item in progress.items) == len(held) > 0
    assert (progress.wanted, progress.missing) == (12, 12)
    assert (progress.invitations, progress.spent) == (5, 5)
    clock.time += 101
    assert sum(item.open for item in records.progress(database).items) == 0


@pytest.mark.slow
def test_withdrawal_deletes_all_of_a_rater_and_frees_the_seats(database: Database) -> None:
    code = database.join(database.invite(1)[0])
    rater, other = database.rater(code), someone(database)
    for one in (rater, other):
        while rate(database, one):
            database.event(one, "viewport", {"width": 1280})
    assert database.withdraw(code) == 7 * 4 * len(CRITERIA)
    with pytest.raises(Forbidden, match="withdrawn"):
        database.withdraw(code)
    with pytest.raises(Forbidden, match="not yours"):
        database.save(rater, 1, Vote(criterion="video_quality", slot=0, score=1))
    with pytest.raises(Forbidden):
        database.event(rater, "back", {})
    assert {c.rater for c in records.checks(database)} == {other.name}
    assert {e.rater for e in records.events(database)} == {other.name}
    assert records.progress(database).missing == 2 * 4
    with database.read() as connection:
        for table in ("assignment", "rating", "event"):
            count = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            assert count == {"assignment": 7, "rating": 56, "event": 7}[table]


def test_tokens_are_kept_as_hashes_only(database: Database, study_url: str) -> None:
    invites = database.invite(2)
    admin = database.invite(1, admin=True)[0]
    code = database.join(invites[0])
    assert len({*invites, admin, code}) == 4 and all(len(t) == 32 for t in (*invites, admin, code))
    with database.read() as connection:
        held = [
            str(row)
            for table in metadata.sorted_tables
            for row in connection.execute(table.select()).all()
        ]
    for token in (*invites, admin, code):
        assert all(token not in row for row in held)
    assert database.is_admin(admin) and not database.is_admin(invites[1])
    assert not database.is_admin("")
    for spent in (invites[0], admin, code, ""):
        with pytest.raises(Forbidden, match="ask for another"):
            database.join(spent)


def test_events_come_back_in_order(database: Database, clock: Clock) -> None:
    rater = someone(database)
    database.event(rater, "viewport", {"width": 1280, "text": "'; DROP TABLE rating; --"})
    clock.time += 1
    database.event(rater, "stalled", {})
    first, second = records.events(database)
    assert first.detail == {"width": 1280, "text": "'; DROP TABLE rating; --"}
    assert (first.rater, second.kind) == (rater.name, "stalled")
    assert first.time < second.time
    assert records.progress(database).raters[0].last_seen == clock.time


def test_a_database_holds_one_study(database: Database) -> None:
    with pytest.raises(StoreError, match="already holds"):
        database.create(make_design())
    with pytest.raises(StoreError, match="already holds"):
        database.create(make_design(cases=5))


def test_migration_from_the_first_version_keeps_all_data(study_url: str) -> None:
    database = Database(study_url)
    with database.write() as connection:
        migrate(connection, to=1)
        design = make_design()
        values = {"key": design.key, "json": design.to_json()}
        for statement in ROWS:
            connection.execute(text(statement), values if ":key" in statement else {})
    assert not inspect_tables(database) >= {"event"}
    database.migrate()
    database.migrate()
    with database.read() as connection:
        held = connection.execute(text("SELECT max(version) FROM schema_version")).scalar()
    assert held == NEWEST
    assert inspect_tables(database) == {table.name for table in metadata.sorted_tables}
    (rating,) = records.export(database)
    assert (rating.rater, rating.score, rating.video.case) == ("r-1", 4, "c0")
    rater = database.rater(database.join(database.invite(1)[0]))
    database.event(rater, "viewport", {})
    assert rate(database, rater) is not None
    database.close()


ROWS = (
    "INSERT INTO study VALUES (1, :key, :json)",
    "INSERT INTO seat VALUES ('p000', 1), ('p000', 2), ('p000', 3)",
    "INSERT INTO rater (code_sha256, name, number, joined_at) VALUES ('c', 'r-1', 1, 1.0)",
    "INSERT INTO assignment (rater_id, item, kind, seat, slots, made_at, lease_until) "
    "VALUES (1, 'p000', 'rated', 1, '[0, 1, 2, 3]', 1.0, 2.0)",
    "INSERT INTO rating VALUES (1, 'video_quality', 0, 1, 'rated', 4, 9, 1, 0, 1.5)",
)


def inspect_tables(database: Database) -> set[str]:
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


def test_the_queries_know_the_tables_as_they_are(database: Database) -> None:
    with database.read() as connection:
        found = inspect(connection)
        for table in metadata.sorted_tables:
            columns = {column["name"] for column in found.get_columns(table.name)}
            assert columns == {column.name for column in table.columns}


def test_a_database_of_a_newer_a2bench_is_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO schema_version VALUES (99)"))
    with pytest.raises(StoreError, match="update it"):
        database.migrate()


def test_no_message_tells_the_password(postgres: str) -> None:
    with Database(postgres.replace("correct", "wrong")) as database:
        assert "wrong" not in repr(database) and "study:***@" in repr(database)
        with pytest.raises(StoreError) as told:
            database.design()
    assert "password authentication failed" in str(told.value)
    assert "wrong-horse" not in str(told.value)
    for bad in ("nonsense", "mysql://me:secret@host/x", "postgresql://me:secret@host:no/x"):
        with pytest.raises(UsageError) as refused:
            Database(bad)
        assert "secret" not in str(refused.value)


def test_a_folder_and_its_database_belong_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = make_design()
    with pytest.raises(CannotRun, match="is no study"):
        open_study(tmp_path)
    (tmp_path / DESIGN).write_text(design.to_json(), encoding="utf-8")
    with pytest.raises(CannotRun, match="does not exist"):
        open_study(tmp_path)
    elsewhere = f"sqlite:///{tmp_path / 'other.sqlite'}"
    with Database(elsewhere) as database:
        database.create(design)
    with open_study(tmp_path, elsewhere) as database:
        assert database.design() == design
    monkeypatch.setenv("A2BENCH_STUDY_DATABASE", elsewhere)
    with open_study(tmp_path) as database:
        assert database.design() == design
    (tmp_path / DESIGN).write_text(make_design(cases=5).to_json(), encoding="utf-8")
    with pytest.raises(CannotRun, match="but the database holds"):
        open_study(tmp_path)


def test_an_empty_database_says_so(study_url: str) -> None:
    with Database(study_url) as database, pytest.raises(StoreError, match="holds no study"):
        database.design()
