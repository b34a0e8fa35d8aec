"""Where jobs run: in this process, in others, or on a Ray cluster. The records are the same.

A worker uses one thread: parallelism comes from workers, and the same frames give the same bits
whatever the number of cores.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from a2bench.errors import UsageError
from a2bench.metric import Profile
from a2bench.runs.crew import Outcome, Shift
from a2bench.runs.request import Job
from a2bench.runs.worker import Worker


class Executor(Protocol):
    """Runs jobs somewhere, in any order. Raises ``StoreError`` where no record can be kept."""

    def run(self, worker: Worker, jobs: Sequence[Job]) -> Generator[Outcome, None, None]: ...


@dataclass(frozen=True, kw_only=True)
class Serial:
    """One job after the other, in this process, whose threads are given back afterwards.

    What ends the process ends the run, and there is no time limit.
    """

    def run(self, worker: Worker, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        with one_thread_for_now():
            for job in jobs:
                yield Outcome(job=job, records=tuple(worker.perform(job)))


@dataclass(frozen=True, kw_only=True)
class Processes:
    """``workers`` processes. One that dies or hangs is replaced; the others do not notice.

    ``timeout_s`` bounds each step (making the video, one score); a job may take its steps' sum.
    """

    workers: int
    timeout_s: float | None = None

    def run(self, worker: Worker, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        from a2bench.runs.processes import ProcessCrew

        with closing(ProcessCrew(worker)) as crew:
            yield from Shift(crew, worker, self.timeout_s).run(jobs, self.workers)


@dataclass(frozen=True, kw_only=True)
class Ray:
    """A Ray cluster (``pip install a2bench[ray]``) whose machines share the store's file system.

    ``address`` None starts Ray on this machine with ``workers`` processors. Deaths and
    ``timeout_s`` are as for ``Processes``.
    """

    workers: int
    address: str | None = None
    timeout_s: float | None = None

    def run(self, worker: Worker, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        from a2bench.runs.cluster import joined

        with joined(self.address, self.workers, worker) as crew:
            yield from Shift(crew, worker, self.timeout_s).run(jobs, self.workers)


def executor(
    workers: int | None, *, timeout_s: float | None = None, ray: str | None = None
) -> Executor:
    """The executor for what the user asked for: ``workers`` None works in this process.

    ``ray`` is an address, or ``local``. Raises ``UsageError`` for what cannot be meant.
    """
    if timeout_s is not None and not (math.isfinite(timeout_s) and timeout_s > 0):
        raise UsageError(f"a time limit of {timeout_s:g} s: give seconds above 0")
    if ray is not None:
        return Ray(
            workers=workers or 1, address=None if ray == "local" else ray, timeout_s=timeout_s
        )
    if workers is None:
        if timeout_s is not None:
            raise UsageError("a time limit needs a process to end: give a number of workers")
        return Serial()
    return Processes(workers=workers, timeout_s=timeout_s)


_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


def most_workers(profile: Profile, device: str) -> int:
    """As many as there are cores, and as have room; one for each GPU that was named."""
    if device != "cpu":
        return 1
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    if hasattr(os, "sysconf"):
        memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        cores = min(cores, int(memory_gib / profile.worker_gib))
    return max(1, cores)


def single_thread() -> None:
    """Holds the numeric libraries of this process, loaded or not, to one thread."""
    for name in _THREAD_VARIABLES:
        os.environ[name] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)


@contextmanager
def one_thread_for_now() -> Iterator[None]:
    """As ``single_thread``, for a process that goes on with other work."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    threads = torch.get_num_threads() if torch else 0, cv2.getNumThreads() if cv2 else 0
    single_thread()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if torch:
            torch.set_num_threads(threads[0])
        if cv2:
            cv2.setNumThreads(threads[1])
