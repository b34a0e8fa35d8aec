"""What the admin's page draws."""

from __future__ import annotations

from pathlib import Path

from a2bench.app.overview import cells, opinion_rows, shown_rows
from a2bench.ratings.report import Sheet
from a2bench.stats import Interval
from a2bench.study.database import Database
from a2bench.study.progress import progress
from a2bench.study.votes import Vote
from tests.helpers.study_designs import make_design

INTERVAL = Interval(mean=3.4, low=3.0, high=3.8)


def test_votes_are_counted_by_case_and_model(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'study.sqlite'}")
    database.create(make_design(cases=2, votes=2, checks=False))
    who = database.rater(database.join(database.invite(1)[0]))
    page = database.page(who)
    assert page is not None
    for criterion in page.item.criteria:
        for slot in range(4):
            database.save(who, page.assignment, Vote(criterion=criterion, slot=slot, score=1))
    database.finish(who, page.assignment)
    rows = cells(progress(database))
    assert len(rows) == 2 * 4
    done = [row for row in rows if row["case"] == page.item.case]
    assert {row["text"] for row in done} == {"1 of 2"}
    assert {row["text"] for row in rows if row not in done} == {"0 of 2"}
    assert [row["model"] for row in done] == ["m0", "m1", "m2", "m3"]


def test_tables_are_shown_in_words() -> None:
    columns = ("criterion", "model", "mos", "p_holm", "raters", "cases_needed")
    rows = (("a", "m", INTERVAL, 0.0314, 3, None), ("a", "n", None, 0.5, 3, 4))
    sheet = Sheet(name="mos", title="", columns=columns, rows=rows, intervals=("mos",))
    first, second = shown_rows(sheet)
    assert first == {
        "criterion": "a",
        "model": "m",
        "mos": "3.40 [3.00, 3.80]",
        "p holm": "0.031",
        "raters": "3",
        "cases needed": "–",
    }
    assert second["mos"] == "–"
    drawn = opinion_rows(sheet)
    assert drawn == [{"criterion": "a", "model": "m", "mean": 3.4, "low": 3.0, "high": 3.8}]
