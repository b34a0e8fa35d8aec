"""Twenty raters at once, each in a process of its own, on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random

from a2bench.ratings.answers import Kind
from a2bench.ratings.table import Answer
from a2bench.study import progress as records
from a2bench.study.database import Database
from a2bench.study.votes import Vote
from tests.helpers.study_designs import make_design

RATERS, CASES, VOTES = 20, 12, 5
Sent = dict[tuple[int, str, str, str], tuple[Answer, int | None]]
"""What a rater said last, by page, case, model and criterion."""


def test_no_answer_is_lost_doubled_or_misfiled(study_url: str) -> None:
    with Database(study_url) as database:
        database.create(make_design(cases=CASES, votes=VOTES, pages=CASES))
        invites = database.invite(RATERS)
        start = time.time() + 6  # when all processes have loaded
        with ProcessPoolExecutor(RATERS, mp_context=get_context("spawn")) as pool:
            waits = [pool.submit(rate_all, study_url, invite, start) for invite in invites]
            sent = dict(wait.result() for wait in waits)
        assert len(sent) == RATERS
        kept: dict[str, Sent] = defaultdict(dict)
        found = records.checks(database)
        for one in found:
            place = (one.page, one.video.case, one.video.model, one.criterion)
            assert place not in kept[one.rater], "doubled"
            kept[one.rater][place] = one.answer, one.score
        assert kept == {rater: votes for rater, votes in sent.items() if votes}
        cells: dict[str, set[str]] = defaultdict(set)
        for one in found:
            if one.kind is Kind.RATED:
                cells[one.item].add(one.rater)
        assert Counter(map(len, cells.values())) == {VOTES: CASES}
        progress = records.progress(database)
        assert (progress.missing, progress.spent) == (0, RATERS)
        assert all((i.votes, i.surplus, i.open) == (VOTES, 0, 0) for i in progress.items)
        assert {one.revision for one in found} == {1, 2}


def rate_all(url: str, invite: str, start: float) -> tuple[str, Sent]:
    """A rater from the invitation to the last page; sends each answer twice, changes some."""
    random = Random(invite)
    sent: Sent = {}
    with Database(url) as database:
        database.design()
        time.sleep(max(0.0, start - time.time()))
        rater = database.rater(database.join(invite))
        while (page := database.page(rater)) is not None:
            for criterion in page.item.criteria:
                for slot, clip in enumerate(page.order):
                    for vote in _votes(random, criterion, slot):
                        for _ in range(2):
                            database.save(rater, page.assignment, vote)
                        video = page.item.clips[clip].video
                        place = (page.assignment, video.case, video.model, criterion)
                        sent[place] = vote.answer, vote.score
            database.finish(rater, page.assignment)
            database.finish(rater, page.assignment)
    return rater.name, sent


def _votes(random: Random, criterion: str, slot: int) -> list[Vote]:
    """One answer, or two of which the second differs."""
    first, second = random.sample(range(1, 6), 2)
    votes = [Vote(criterion=criterion, slot=slot, score=first)]
    if random.random() < 0.1:
        votes.append(Vote(criterion=criterion, slot=slot, score=second))
    elif random.random() < 0.1:
        votes.append(Vote(criterion=criterion, slot=slot, answer=Answer.DOES_NOT_APPLY))
    return votes
