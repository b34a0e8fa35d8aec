"""The page of a rater as the browser sees it: what is shown, and what comes back.

Nothing here tells a model, the kind of a page, or an item: a study is blind, and gold and trap
pages look like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from a2bench.errors import StoreError
from a2bench.ratings.answers import Kind
from a2bench.ratings.table import Answer
from a2bench.study.database import Database
from a2bench.study.design import Design
from a2bench.study.votes import Forbidden, Page, Rater, Vote
from a2bench.types import Json

MEDIA_PATH = "/clip"
"""Where media is served, by name: ``/clip/<random>.mp4``."""
MOST_MESSAGES = 500
"""A browser that sends more at once is none of ours: a page has fewer questions."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the server says to a message of the browser.

    Answers up to number ``heard`` are kept. ``problem`` is what went wrong, in plain words;
    ``refused`` tells that the same message would fail again. ``finished``: the page is closed.
    """

    heard: int = 0
    problem: str = ""
    refused: bool = False
    finished: bool = False


def view(design: Design, page: Page, reply: Reply) -> dict[str, Json]:
    """All that the browser gets to know of a page."""
    item, shown = page.item, design.case(page.item.case)
    answers = {criterion: _given(page, criterion) for criterion in item.criteria}
    training = item.kind is Kind.TRAIN
    complete = all(None not in given for given in answers.values())
    return {
        "page": page.assignment,
        "prompt": shown.prompt,
        "references": [
            {"role": r.role, "name": r.name, "source": f"{MEDIA_PATH}/{r.media}"}
            for r in shown.references
        ],
        "clips": [f"{MEDIA_PATH}/{item.clips[index].media}" for index in page.order],
        "ratio": design.width / design.height,
        "criteria": [dict(design.criterion(name).identity()) for name in item.criteria],
        "answers": answers,
        "exercise": training,
        "hints": _hints(page, answers) if training else {},
        "feedback": item.feedback if training and complete else "",
        "finish": "Finish the exercise" if training else "Finish this page",
        "heard": reply.heard,
        "problem": reply.problem,
        "refused": reply.refused,
    }


def take(database: Database, rater: Rater, page: int, said: Mapping[str, Any] | None) -> Reply:
    """Keeps the answers and events of a message, and closes the page if it says so.

    A message may come twice, or hold answers that came before: they are kept once.
    """
    if not said:
        return Reply()
    try:
        votes, events, number = _read(said)
        for vote in votes:
            database.save(rater, page, vote)
        for kind, detail in events:
            database.event(rater, kind, detail)
        if said.get("done"):
            database.finish(rater, page)
    except StoreError:
        return Reply(problem="Not saved: the study's database does not answer. Trying again …")
    except Forbidden as error:
        return Reply(problem=f"Not saved: {error}. Please reload the page.", refused=True)
    return Reply(heard=number, finished=bool(said.get("done")))


def _read(said: Mapping[str, Any]) -> tuple[list[Vote], list[tuple[str, Json]], int]:
    """Votes, events and number of a message. Raises ``Forbidden`` for what is none."""
    try:
        rows, told = said["votes"], said["events"]
        if len(rows) + len(told) > MOST_MESSAGES:
            raise Forbidden("too much at once")
        votes = [_vote(row) for row in rows]
        events = [(str(row["kind"]), dict(row["detail"])) for row in told]
        return votes, events, int(said["number"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Forbidden("the page sent what is no answer") from error


def _vote(row: Mapping[str, Any]) -> Vote:
    return Vote(
        criterion=row["criterion"],
        slot=row["slot"],
        answer=Answer(row["answer"]),
        score=row["score"],
        elapsed_ms=row["elapsed_ms"],
        plays=row["plays"],
        stalls=row["stalls"],
    )


def _given(page: Page, criterion: str) -> list[int | str | None]:
    """The answer of each slot: a score, another answer, or None."""
    votes = (page.answers.get((criterion, slot)) for slot in range(len(page.order)))
    return [None if v is None else v.score or v.answer.value for v in votes]


def _hints(page: Page, answers: Mapping[str, Sequence[object]]) -> dict[str, Json]:
    """Which scores are right where it is plain, once all slots of a question are answered."""
    return {
        criterion: [_hint(page, criterion, slot) for slot in range(len(page.order))]
        for criterion, given in answers.items()
        if None not in given
    }


def _hint(page: Page, criterion: str, slot: int) -> str:
    bounds = page.item.expected.get((criterion, page.order[slot]))
    vote = page.answers[criterion, slot]
    if bounds is None:
        return ""
    least, most = bounds
    right = f"{least}" if least == most else f"{least} or {most}"
    if vote.score is not None and least <= vote.score <= most:
        return f"✓ {right} is right here"
    return f"{right} would be right here"
