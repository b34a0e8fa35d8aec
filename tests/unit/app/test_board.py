"""What the browser of a rater gets to know, and what is taken from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from a2bench.app.board import Reply, take, view
from a2bench.errors import StoreError
from a2bench.ratings.answers import Kind
from a2bench.study.database import Database
from a2bench.study.votes import Page, Rater
from tests.helpers.study_designs import make_design


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'study.sqlite'}")
    made.create(make_design())
    return made


@pytest.fixture
def rater(database: Database) -> Rater:
    return database.rater(database.join(database.invite(1)[0]))


def _page(database: Database, rater: Rater) -> Page:
    page = database.page(rater)
    assert page is not None
    return page


def _said(number: int, *votes: dict[str, Any], done: bool = False) -> dict[str, Any]:
    return {"number": number, "votes": list(votes), "events": [], "done": done}


def _vote(criterion: str, slot: int, score: int | None, answer: str = "rated") -> dict[str, Any]:
    row: dict[str, Any] = {"criterion": criterion, "slot": slot, "answer": answer, "score": score}
    return {**row, "elapsed_ms": 900, "plays": 1, "stalls": 0, "number": 1}


def _all(page: Page) -> list[dict[str, Any]]:
    return [_vote(c, slot, 3) for c in page.item.criteria for slot in range(len(page.order))]


def test_a_page_is_blind(database: Database, rater: Rater) -> None:
    """On pages of every kind: no model, kind, item or expectation, in the order of the slots."""
    kinds = set()
    while (page := database.page(rater)) is not None:
        seen = view(database.design(), page, Reply())
        names = {clip.video.model for clip in page.item.clips}
        words = json.dumps({**seen, "clips": [], "references": []})
        assert not [name for name in (*names, *Kind, page.item.id) if f'"{name}"' in words]
        assert seen["clips"] == [f"/clip/{page.item.clips[i].media}" for i in page.order]
        assert (seen["hints"], seen["feedback"]) == ({}, "")
        kinds.add(page.item.kind)
        take(database, rater, page.assignment, _said(1, *_all(page), done=True))
    assert kinds == set(Kind)


def test_rated_gold_and_trap_pages_look_alike(database: Database, rater: Rater) -> None:
    """Also once they are answered, nothing tells them apart."""
    shapes = set()
    while (page := database.page(rater)) is not None:
        take(database, rater, page.assignment, _said(1, *_all(page)))
        seen = view(database.design(), _page(database, rater), Reply())
        if page.item.kind is not Kind.TRAIN:
            told = (seen["hints"], seen["feedback"], seen["finish"], sorted(seen))
            shapes.add(json.dumps(told))
        database.finish(rater, page.assignment)
    assert len(shapes) == 1


def test_training_tells_only_after_all_videos_of_a_question(
    database: Database, rater: Rater
) -> None:
    page = _page(database, rater)
    assert page.item.kind is Kind.TRAIN
    right = page.order.index(0)  # of the first clip 1 or 2 is right
    for slot in range(4):
        seen = view(database.design(), _page(database, rater), Reply())
        assert seen["hints"] == {}
        take(database, rater, page.assignment, _said(slot, _vote("video_quality", slot, 2)))
    seen = view(database.design(), _page(database, rater), Reply())
    hints = ["", "", "", ""]
    hints[right] = "✓ 1 or 2 is right here"
    assert seen["hints"] == {"video_quality": hints}
    take(database, rater, page.assignment, _said(9, _vote("video_quality", right, 5)))
    seen = view(database.design(), _page(database, rater), Reply())
    assert seen["hints"]["video_quality"][right] == "1 or 2 would be right here"
    assert seen["feedback"] == ""
    take(database, rater, page.assignment, _said(10, *_all(page)))
    assert view(database.design(), _page(database, rater), Reply())["feedback"] == "Look closely."


def test_a_message_that_comes_twice_is_kept_once(database: Database, rater: Rater) -> None:
    page = _page(database, rater)
    said = _said(7, _vote("video_quality", 0, 4), _vote("video_quality", 1, None, "cannot_play"))
    assert take(database, rater, page.assignment, said) == Reply(heard=7)
    assert take(database, rater, page.assignment, said) == Reply(heard=7)
    answers = view(database.design(), _page(database, rater), Reply())["answers"]
    assert answers["video_quality"] == [4, "cannot_play", None, None]
    assert answers["face_consistency"] == [None] * 4


def test_a_page_closes_only_when_all_is_answered(database: Database, rater: Rater) -> None:
    page = _page(database, rater)
    reply = take(database, rater, page.assignment, _said(1, *_all(page)[1:], done=True))
    assert reply.refused
    assert "no answer yet" in reply.problem
    reply = take(database, rater, page.assignment, _said(2, *_all(page), done=True))
    assert reply == Reply(heard=2, finished=True)
    assert _page(database, rater).assignment != page.assignment


@pytest.mark.slow
@pytest.mark.parametrize(
    "said",
    [
        {"number": 1},
        {"number": "x", "votes": [], "events": []},
        {"number": 1, "votes": [{}], "events": []},
        {"number": 1, "votes": [_vote("video_quality", 0, 6)], "events": []},
        {"number": 1, "votes": [_vote("video_quality", 9, 1)], "events": []},
        {"number": 1, "votes": [_vote("video_quality", 0, 1, "perhaps")], "events": []},
        {"number": 1, "votes": [_vote("video_quality", 0, 1)] * 501, "events": []},
        {"number": 1, "votes": [], "events": [{"kind": "x", "detail": 1}]},
    ],
)
def test_what_is_no_answer_is_refused(
    database: Database, rater: Rater, said: dict[str, Any]
) -> None:
    page = _page(database, rater)
    reply = take(database, rater, page.assignment, said)
    assert reply.refused
    assert reply.heard == 0
    assert "reload" in reply.problem
    assert not _page(database, rater).answers


def test_the_page_of_another_rater_is_refused(database: Database, rater: Rater) -> None:
    other = database.rater(database.join(database.invite(1)[0]))
    page = _page(database, rater)
    assert take(database, other, page.assignment, _said(1, *_all(page))).refused


def test_a_database_that_fails_asks_to_try_again(
    database: Database, rater: Rater, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is not heard, so the browser sends it again."""
    page = _page(database, rater)

    def fail(*_: object) -> int:
        raise StoreError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(database, "save", fail)
        reply = take(database, rater, page.assignment, _said(3, *_all(page), done=True))
    assert (reply.heard, reply.refused, reply.finished) == (0, False, False)
    assert "Trying again" in reply.problem
    assert take(database, rater, page.assignment, _said(4, *_all(page))) == Reply(heard=4)
