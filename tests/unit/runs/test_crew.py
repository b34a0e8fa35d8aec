"""Who does what when workers die: with a crew that does as it is told."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from a2bench.errors import CannotRun, StoreError
from a2bench.runs.crew import (
    LONGEST_WAIT_S,
    Crew,
    Died,
    Message,
    Outcome,
    Said,
    Seat,
    Shift,
    Unfit,
)
from a2bench.runs.loop import Policy, plan
from a2bench.runs.record import Record
from a2bench.runs.request import Job
from a2bench.runs.store import RunStore
from a2bench.runs.worker import Worker
from a2bench.types import Status
from tests.helpers.fakes import Level
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask


@dataclass(eq=False)
class FakeSeat(Seat):
    """What its worker will say."""

    says: list[Message]
    crew: FakeCrew

    def give(self, job: Job) -> None:
        self.says += self.crew.answers(job)


@dataclass
class FakeCrew(Crew):
    """Does jobs at once. ``deadly``: how often a step kills, by case and metric ("": the video).

    ``hangs`` are such steps that never end; ``starts`` is what the first workers say at first, None
    for nothing at all.
    """

    worker: Worker
    deadly: dict[tuple[str, str], int] = field(default_factory=dict)
    hangs: Collection[tuple[str, str]] = ()
    starts: list[Message | None] = field(default_factory=list)
    start_s: float = math.inf
    hired: int = 0
    seats: list[FakeSeat] = field(default_factory=list)

    def hire(self) -> Seat:
        self.hired += 1
        first = self.starts.pop(0) if self.starts else Said.READY
        seat = FakeSeat([first] if first else [], self)
        self.seats.append(seat)
        return seat

    def hear(self, seats: Collection[Seat], timeout_s: float) -> list[tuple[Seat, Message]]:
        said = [(seat, seat.says.pop(0)) for seat in self.seats if seat in seats and seat.says]
        assert said or timeout_s < LONGEST_WAIT_S, "everybody waits for ever"
        return list(said)

    def dismiss(self, seat: Seat) -> None:
        assert isinstance(seat, FakeSeat)
        seat.says.clear()
        if seat in self.seats:
            self.seats.remove(seat)

    def answers(self, job: Job) -> list[Message]:
        said: list[Message] = []
        for step in self._steps(job):
            name = (job.case.id, step)
            if self.deadly.get(name, 0):
                self.deadly[name] -= 1
                return [*said, Died("exit code -9")]
            if name in self.hangs:
                return said
            part = replace(job, metrics=(step,) if step else ())
            if job.video_sha256 or not step:
                said += self.worker.perform(part)
                if not step:
                    (made,) = (one for one in said if isinstance(one, Record))
                    job = replace(job, video_sha256=made.video_sha256, read=made.read or ())
        return [*said, Said.DONE]

    def _steps(self, job: Job) -> list[str]:
        return [*([] if job.video_sha256 else [""]), *job.metrics]


@dataclass
class Run:
    """A run of two cases and three metrics on two workers."""

    folder: Path
    deadly: Mapping[tuple[str, str], int] = field(default_factory=dict)
    hangs: Collection[tuple[str, str]] = ()
    starts: list[Message | None] = field(default_factory=list)
    start_s: float = math.inf
    timeout_s: float | None = None

    def outcomes(self) -> list[Outcome]:
        metrics = [Level(name=name) for name in "abc"]
        request = ask(make_suite(self.folder / "s", 2), *metrics)
        self.store = RunStore(self.folder / "store").create()
        worker = Worker(request, self.store, revision=1)
        self.crew = FakeCrew(worker, dict(self.deadly), self.hangs, self.starts, self.start_s)
        jobs = plan(request, {}, Policy.ONLY_MISSING).jobs
        return list(Shift(self.crew, worker, self.timeout_s).run(jobs, 2))

    def failed(self) -> dict[tuple[str, str], str | None]:
        records = self.store.records().values()
        return {(r.case_id, r.metric): r.error for r in records if r.status is Status.FAILED}


ONE = "case-001"


def test_each_job_is_done_once_by_workers_that_live(tmp_path: Path) -> None:
    run = Run(tmp_path)
    found = run.outcomes()
    assert sorted(one.job.case.id for one in found) == ["case-001", "case-002"]
    assert [[r.metric for r in one.records] for one in found] == [["", "a", "b", "c"]] * 2
    assert (run.crew.hired, run.failed(), run.crew.seats) == (2, {}, [])


@pytest.mark.parametrize("step", ["", "a", "b", "c"])
def test_a_step_that_kills_once_is_done_by_the_next_worker(tmp_path: Path, step: str) -> None:
    run = Run(tmp_path, deadly={(ONE, step): 1})
    found = run.outcomes()
    assert run.failed() == {}
    assert len(run.store.records()) == 8
    assert sorted(len(one.records) for one in found) == [4, 4]  # one outcome a job, with all of it


@pytest.mark.parametrize("step", ["a", "b", "c"])
def test_a_score_that_kills_twice_costs_itself_alone(tmp_path: Path, step: str) -> None:
    run = Run(tmp_path, deadly={(ONE, step): 2})
    run.outcomes()
    assert run.failed() == {(ONE, step): "the worker died twice: exit code -9"}
    assert len(run.store.records()) == 8


def test_a_video_that_kills_twice_costs_its_case(tmp_path: Path) -> None:
    run = Run(tmp_path, deadly={(ONE, ""): 2})
    found = run.outcomes()
    assert run.failed() == {(ONE, ""): "the worker died twice: exit code -9"}
    assert sorted(len(one.records) for one in found) == [1, 4]


def test_several_killers_cost_themselves(tmp_path: Path) -> None:
    run = Run(tmp_path, deadly={(ONE, "a"): 2, (ONE, "c"): 2, ("case-002", "b"): 9})
    run.outcomes()
    assert set(run.failed()) == {(ONE, "a"), (ONE, "c"), ("case-002", "b")}
    assert len(run.store.records()) == 8


def test_a_step_that_hangs_is_ended_at_its_time(tmp_path: Path) -> None:
    run = Run(tmp_path, hangs=[(ONE, "b")], timeout_s=0.05)
    run.outcomes()
    assert run.failed() == {(ONE, "b"): "the worker died twice: over the time limit of 0.05 s"}


def test_a_worker_that_dies_at_its_start_is_replaced(tmp_path: Path) -> None:
    run = Run(tmp_path, starts=[Died("exit code -9"), Died("exit code -9")])
    assert len(run.outcomes()) == 2
    assert run.failed() == {}


def test_if_every_worker_dies_at_its_start_the_run_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path, starts=[Died("exit code -9")] * 3)
    with pytest.raises(CannotRun, match="3 workers in a row died while they started: exit code -9"):
        run.outcomes()


def test_a_worker_that_hangs_while_it_starts_is_replaced(tmp_path: Path) -> None:
    run = Run(tmp_path, starts=[None, None], start_s=0.05)
    assert len(run.outcomes()) == 2
    assert (run.crew.hired, run.failed(), run.crew.seats) == (4, {}, [])


def test_if_every_worker_hangs_while_it_starts_the_run_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path, starts=[None] * 9, start_s=0.05)
    with pytest.raises(CannotRun, match=r"died while they started: not ready after 0\.05 s"):
        run.outcomes()


def test_a_start_may_take_as_long_as_a_step(tmp_path: Path) -> None:
    run = Run(tmp_path, starts=[None] * 9, start_s=0.01, timeout_s=0.06)
    with pytest.raises(CannotRun, match=r"not ready after 0\.06 s"):
        run.outcomes()


@pytest.mark.parametrize("limit_s", [3e6, 1e300, sys.float_info.max])
def test_no_limit_is_longer_than_what_can_be_waited_for(tmp_path: Path, limit_s: float) -> None:
    run = Run(tmp_path, hangs=[(ONE, "b")], timeout_s=limit_s)
    with pytest.raises(AssertionError, match="everybody waits for ever"):
        run.outcomes()


def test_a_worker_that_cannot_load_the_request_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="no module named x"):
        Run(tmp_path, starts=[Unfit("no module named x")]).outcomes()


def test_a_store_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path, starts=[StoreError("cannot write it")])
    with pytest.raises(StoreError, match="cannot write it"):
        run.outcomes()
    assert run.crew.seats == []  # everybody was dismissed
