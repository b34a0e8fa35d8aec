"""Milliseconds to save an answer while 20 raters answer at once, on SQLite and PostgreSQL.

``steady``: each rater is a process of its own and answers every half second, as fast as people do
at their fastest. ``flat out``: as soon as the last answer is saved, from 20 processes, or from 20
threads of one server, as the pages do. PostgreSQL is started for this, with its usual durability.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from random import Random

import numpy as np

from a2bench.study.database import Database
from a2bench.study.votes import Vote
from tests.helpers.study_designs import make_design
from tests.helpers.study_postgres import postgresql

RATERS = 20
SECONDS = 8.0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite", f"sqlite:///{folder}/study.sqlite")
    with postgresql(durable=True) as url:
        measure("PostgreSQL", url)


def measure(name: str, url: str) -> None:
    with Database(url) as database:
        database.create(make_design(cases=RATERS, votes=RATERS * 3, pages=RATERS))
        for load, pause_s in (("steady", 0.5), ("flat out", 0.0)):
            with ProcessPoolExecutor(RATERS, mp_context=get_context("spawn")) as pool:
                report(f"{name}, 20 processes, {load}", run(pool, database, url, pause_s))
        with ThreadPoolExecutor(RATERS) as pool:
            report(f"{name}, one server, flat out", run(pool, database, database, 0.0))


def run(pool: Executor, database: Database, reach: str | Database, pause_s: float) -> list[float]:
    """All raters at once; the milliseconds of each answer."""
    codes = [database.join(invite) for invite in database.invite(RATERS)]
    start = time.time() + 8  # when all processes have loaded
    waits = [pool.submit(rate, reach, code, pause_s, start) for code in codes]
    return [ms for wait in waits for ms in wait.result()]


def report(name: str, saved_ms: list[float]) -> None:
    p50, p95, most = np.percentile(saved_ms, [50, 95, 100])
    print(
        f"{name:36} {len(saved_ms) / SECONDS:5.0f} a second: "
        f"p50 {p50:6.1f} ms, p95 {p95:6.1f} ms, slowest {most:6.1f} ms"
    )


def rate(reach: str | Database, code: str, pause_s: float, start: float) -> list[float]:
    """One rater's answers from ``start`` on, in milliseconds each."""
    if isinstance(reach, str):
        with Database(reach) as database:
            return rate(database, code, pause_s, start)
    random = Random(code)
    rater = reach.rater(code)
    time.sleep(max(0.0, start - time.time()))
    taken_ms: list[float] = []
    while (page := reach.page(rater)) is not None:
        for criterion in page.item.criteria:
            for slot in range(len(page.order)):
                time.sleep(random.uniform(0, 2 * pause_s))
                if time.time() > start + SECONDS:
                    return taken_ms
                vote = Vote(criterion=criterion, slot=slot, score=random.randint(1, 5))
                began = time.perf_counter()
                reach.save(rater, page.assignment, vote)
                taken_ms.append(1000 * (time.perf_counter() - began))
        reach.finish(rater, page.assignment)
    return taken_ms


if __name__ == "__main__":
    main()
