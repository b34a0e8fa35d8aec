"""Raters who answer pages of a study, straight in its database."""

from __future__ import annotations

from a2bench.study.database import Database
from a2bench.study.votes import Page, Rater, Vote


def someone(database: Database) -> Rater:
    return database.rater(database.join(database.invite(1)[0]))


def answer(database: Database, rater: Rater, page: Page, score: int = 3) -> None:
    for criterion in page.item.criteria:
        for slot in range(len(page.order)):
            database.save(rater, page.assignment, Vote(criterion=criterion, slot=slot, score=score))


def rate(database: Database, rater: Rater, score: int = 3) -> Page | None:
    """Answers the rater's next page and closes it."""
    page = database.page(rater)
    if page is not None:
        answer(database, rater, page, score)
        database.finish(rater, page.assignment)
    return page
