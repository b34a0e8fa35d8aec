"""Where jobs run: in this process, in several, or on a Ray cluster. The records are the same.

A worker uses one thread: parallelism comes from workers, and the same frames give the same bits
whatever the number of cores.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker

from a2bench.errors import UsageError
from a2bench.metric import Profile
from a2bench.runs.loop import Executor, Outcome
from a2bench.runs.request import Job
from a2bench.runs.store import Record
from a2bench.runs.worker import Worker

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


@dataclass(frozen=True, kw_only=True)
class Serial:
    """One job after the other, in this process, whose threads are given back afterwards."""

    def run(self, worker: Worker, jobs: Sequence[Job]) -> Iterator[Outcome]:
        with _one_thread_for_now():
            for job in jobs:
                yield Outcome(job=job, records=worker.perform(job))


@dataclass(frozen=True, kw_only=True)
class Processes:
    """``workers`` processes. One that dies or hangs is replaced; the others do not notice.

    ``timeout_s`` bounds each step (making the video, one score); a job may take its steps' sum.
    """

    workers: int
    timeout_s: float | None = None

    def run(self, worker: Worker, jobs: Sequence[Job]) -> Iterator[Outcome]:
        from pebble import ProcessExpired, ProcessPool

        pool = ProcessPool(
            max_workers=min(self.workers, len(jobs)) or 1,
            context=get_context("spawn"),
            initializer=_start,
            initargs=(worker, os.getpid()),
        )
        try:
            futures: dict[Future[tuple[Record, ...]], Job] = {}
            with _interrupts_blocked():
                for job in jobs:
                    limit_s = self.timeout_s and self.timeout_s * job.steps
                    futures[pool.schedule(_perform, args=(job,), timeout=limit_s)] = job
            for future in as_completed(futures):
                job = futures[future]
                try:
                    yield Outcome(job=job, records=future.result())
                except TimeoutError:
                    yield Outcome(job=job, died=f"over the time limit of {self.timeout_s:g} s")
                except ProcessExpired as error:
                    yield Outcome(job=job, died=f"exit code {error.exitcode}")
        finally:
            pool.stop()
            pool.join()


@dataclass(frozen=True, kw_only=True)
class Ray:
    """A Ray cluster (``pip install a2bench[ray]``) whose machines share the store's file system.

    ``address`` None starts Ray on this machine with ``workers`` processors.
    """

    workers: int
    address: str | None = None

    def run(self, worker: Worker, jobs: Sequence[Job]) -> Iterator[Outcome]:
        try:
            import ray
        except ImportError as error:
            raise UsageError("Ray is not installed: pip install 'a2bench[ray]'") from error
        started = not ray.is_initialized()
        if started:
            cpus = {} if self.address else {"num_cpus": self.workers}
            ray.init(self.address, include_dashboard=False, log_to_driver=False, **cpus)
        try:
            actors = [ray.remote(_Actor).remote(worker) for _ in range(self.workers)]
            pool = ray.util.ActorPool(actors)
            yield from pool.map_unordered(lambda actor, job: actor.perform.remote(job), jobs)
        finally:
            if started:
                ray.shutdown()


class _Actor:
    def __init__(self, worker: Worker) -> None:
        single_thread()
        self._worker = worker

    def perform(self, job: Job) -> Outcome:
        return Outcome(job=job, records=self._worker.perform(job))


def executor(workers: int, *, timeout_s: float | None = None, ray: str | None = None) -> Executor:
    """The executor for what the user asked for; ``ray`` is an address, or ``local``."""
    if ray is not None:
        return Ray(workers=workers, address=None if ray == "local" else ray)
    if workers == 1 and timeout_s is None:
        return Serial()
    return Processes(workers=workers, timeout_s=timeout_s)


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
def _one_thread_for_now() -> Iterator[None]:
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


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """What is started now, the pool's threads and through them its processes, never sees Ctrl-C.

    A terminal sends it to every process of the group; one that is still starting would answer with
    a traceback. This process, which sees it afterwards, ends the others.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started later, by a worker's start, it would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: Worker | None = None  # a worker process serves one request; there is no other place for it


def _start(worker: Worker, parent: int) -> None:
    global _worker
    single_thread()
    _worker = worker
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _perform(job: Job) -> tuple[Record, ...]:
    assert _worker is not None
    return _worker.perform(job)


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone, so that nobody works for a run that was killed."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
