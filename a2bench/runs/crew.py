"""Workers that may die: whoever does is replaced, and a step that kills twice is given up.

How workers are hired, heard and dismissed differs between processes and a Ray cluster. Who does
what, what follows a death, and the time limits are the same, and stand here.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from a2bench.errors import CannotRun, StoreError
from a2bench.runs.record import Record
from a2bench.runs.request import Job
from a2bench.runs.worker import Worker
from a2bench.types import Status

MOST_STARTS = 3
"""So many workers in a row that die before they are ready: the next one would, too."""
LONGEST_WAIT_S = 3600.0
"""As long as is listened at once: what waits has limits of its own (``poll``: 24 days)."""


class Said(Enum):
    """What a worker says besides its records."""

    READY = "ready"
    DONE = "done"


@dataclass(frozen=True)
class Died:
    """The last that is heard of a worker."""

    reason: str


@dataclass(frozen=True)
class Unfit:
    """A worker that cannot work here, as no other could."""

    reason: str


Message = Record | Said | Died | Unfit | StoreError


class Seat(Protocol):
    """The place of one worker."""

    def give(self, job: Job) -> None:
        """Hands a job to a worker that is ready or done."""


class Crew(Protocol):
    """Hires workers, hears them and dismisses them.

    Who is not ready after ``start_s``, or a step's time if that is longer, counts as dead.
    """

    start_s: float

    def hire(self) -> Seat: ...

    def hear(self, seats: Collection[Seat], timeout_s: float) -> list[tuple[Seat, Message]]:
        """What is said next; nothing after ``timeout_s``."""

    def dismiss(self, seat: Seat) -> None:
        """Ends a worker and what it started, at once; again for one that was is nothing."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A job and its records."""

    job: Job
    records: tuple[Record, ...]


@dataclass(eq=False)
class _Whole:
    """A job as it was asked for: what came of its parts so far, and how many are open."""

    job: Job
    records: list[Record] = field(default_factory=list)
    open: int = 0


@dataclass(eq=False)
class _Task:
    """A job or, once it killed a worker, one step of it. ``then``: what follows the video."""

    whole: _Whole
    job: Job
    again: bool = False
    then: tuple[str, ...] = ()
    records: list[Record] = field(default_factory=list)
    deadline: float | None = None

    def rest(self) -> Job:
        """What is missing of the job after the records that came."""
        job, done = self.job, set()
        for record in self.records:
            if record.kind == "score":
                done.add(record.metric)
            elif record.status is Status.OK:
                read = record.read or ()
                job = replace(job, video_sha256=record.video_sha256, read=read, unread=False)
            else:
                return replace(job, metrics=())
        return replace(job, metrics=tuple(name for name in job.metrics if name not in done))


class Shift:
    """Jobs done by a crew. ``timeout_s`` bounds a step; a job may take its steps' sum."""

    def __init__(self, crew: Crew, worker: Worker, timeout_s: float | None) -> None:
        self._crew = crew
        self._worker = worker
        self._timeout_s = timeout_s
        self._queue: deque[_Task] = deque()
        self._seats: dict[Seat, _Task | None] = {}
        self._idle: list[Seat] = []
        self._starting: dict[Seat, float] = {}
        self._start_s = max(crew.start_s, timeout_s or 0.0)
        self._lost_starts = 0

    def run(self, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
        """The outcomes as they come, in any order. Raises ``CannotRun`` if nobody can work."""
        for job in jobs:
            self._open(_Task(_Whole(job), job))
        try:
            while self._queue or any(self._seats.values()):
                self._staff(workers)
                for seat, message in self._crew.hear(list(self._seats), self._patience()):
                    yield from self._heard(seat, message)
                yield from self._overdue()
        finally:
            for seat in self._seats:
                self._crew.dismiss(seat)

    def _staff(self, workers: int) -> None:
        while self._idle and self._queue:
            seat, task = self._idle.pop(), self._queue.popleft()
            if self._timeout_s is not None:
                task.deadline = time.monotonic() + self._timeout_s * task.job.steps
            self._seats[seat] = task
            seat.give(task.job)
        while len(self._seats) < workers and len(self._queue) > len(self._starting):
            seat = self._crew.hire()
            self._seats[seat] = None
            self._starting[seat] = time.monotonic() + self._start_s

    def _patience(self) -> float:
        ends = [task.deadline for task in self._seats.values() if task and task.deadline]
        first = min([*ends, *self._starting.values()], default=math.inf)
        return min(LONGEST_WAIT_S, max(0.0, first - time.monotonic()))

    def _heard(self, seat: Seat, message: Message) -> Iterator[Outcome]:
        if seat not in self._seats:  # it died of an earlier message
            return
        task = self._seats[seat]
        if isinstance(message, StoreError):
            raise message
        if isinstance(message, Unfit):
            raise CannotRun(message.reason)
        if isinstance(message, Record):
            if task:
                task.records.append(message)
        elif isinstance(message, Died):
            yield from self._died(seat, message.reason)
        else:
            self._starting.pop(seat, None)
            self._lost_starts = 0
            self._seats[seat] = None
            self._idle.append(seat)
            if task:
                yield from self._close(task)

    def _overdue(self) -> Iterator[Outcome]:
        now = time.monotonic()
        for seat, end in list(self._starting.items()):
            if now >= end:
                yield from self._died(seat, f"not ready after {self._start_s:g} s")
        for seat, task in list(self._seats.items()):
            if task and task.deadline and now >= task.deadline:
                yield from self._died(seat, f"over the time limit of {self._timeout_s:g} s")

    def _died(self, seat: Seat, reason: str) -> Iterator[Outcome]:
        self._crew.dismiss(seat)
        task = self._seats.pop(seat)
        if seat in self._idle:
            self._idle.remove(seat)
        if seat in self._starting:
            del self._starting[seat]
            self._lost_starts += 1
            if self._lost_starts == MOST_STARTS:
                raise CannotRun(
                    f"{MOST_STARTS} workers in a row died while they started: {reason}; what they "
                    "wrote to standard error says more; is there memory for so many --workers?"
                )
        if task:
            yield from self._again(task, reason)

    def _again(self, task: _Task, reason: str) -> Iterator[Outcome]:
        """Tries what a death left, each step by itself, or gives it up."""
        rest = task.rest()
        if rest.steps and task.again:
            task.records.append(self._worker.give_up(rest, f"the worker died twice: {reason}"))
        elif not rest.video_sha256 and rest.steps:
            step = replace(rest, metrics=())
            self._open(_Task(task.whole, step, again=True, then=rest.metrics))
        else:
            for name in rest.metrics:
                self._open(_Task(task.whole, replace(rest, metrics=(name,)), again=True))
        yield from self._close(task)

    def _open(self, task: _Task) -> None:
        task.whole.open += 1
        self._queue.append(task)

    def _close(self, task: _Task) -> Iterator[Outcome]:
        whole = task.whole
        whole.records += task.records
        whole.open -= 1
        made = task.rest()
        if task.then and made.video_sha256:
            self._open(_Task(whole, replace(made, metrics=task.then)))
        if not whole.open:
            yield Outcome(job=whole.job, records=tuple(whole.records))
