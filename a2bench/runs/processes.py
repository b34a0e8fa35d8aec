"""Workers that are processes of this machine."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from a2bench.errors import CannotRun, StoreError, UsageError
from a2bench.generators import warden
from a2bench.runs.crew import Crew, Died, Message, Said, Seat, Unfit
from a2bench.runs.executors import one_thread_for_now, single_thread
from a2bench.runs.request import Job
from a2bench.runs.worker import Worker
from a2bench.waiting.signals import undisturbed

GONE_S = 10.0
"""So long is waited for the end of what was killed."""


class ProcessSeat(Seat):
    """A process, and the pipe to it."""

    def __init__(self, process: Any, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe

    def give(self, job: Job) -> None:
        with suppress(OSError):  # it is dead, which will be heard
            self.pipe.send(job)


class ProcessCrew(Crew):
    """Each process has a group of its own, which ends with it: also what a model started there.

    On Linux they are forked from one small process that holds the modules, so that to replace one
    takes milliseconds; that one starts no thread and opens no device. It may die with all of the
    run's group, as of ``timeout``; workers do not, and are dismissed.
    """

    start_s = 600.0

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._hired: list[ProcessSeat] = []
        self._context: Any = get_context("forkserver" if sys.platform == "linux" else "spawn")
        if sys.platform == "linux":
            self._context.set_forkserver_preload([__name__])

    def hire(self) -> ProcessSeat:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs,))
        seat = ProcessSeat(process, ours)
        self._hired.append(seat)
        try:
            with _interrupts_blocked(), one_thread_for_now():
                process.start()
        except (OSError, EOFError) as error:
            raise CannotRun(f"cannot start a worker: {_why(error)}") from error
        theirs.close()
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # which will be heard
                ours.send(dict(os.environ))  # they were forked from an older process
                ours.send(self._worker)
        except Exception as error:
            raise UsageError(
                f"the model or a metric cannot be sent to a worker process ({error}): keep what "
                "cannot be pickled out of it until it first works, or use --in-process"
            ) from error
        return seat

    def hear(self, seats: Collection[Seat], timeout_s: float) -> list[tuple[Seat, Message]]:
        mine = [seat for seat in seats if isinstance(seat, ProcessSeat)]
        by_handle: dict[Any, ProcessSeat] = {}
        for seat in mine:
            by_handle[seat.pipe] = by_handle[seat.process.sentinel] = seat
        ready = dict.fromkeys(by_handle[handle] for handle in wait([*by_handle], timeout_s))
        return [(seat, message) for seat in ready for message in self._said(seat)]

    def _said(self, seat: ProcessSeat) -> Iterator[Message]:
        ended = bool(wait([seat.process.sentinel], 0))
        try:
            while seat.pipe.poll():
                yield seat.pipe.recv()
            if not ended:
                return
        except (EOFError, OSError):
            pass
        seat.process.join()
        yield Died(f"exit code {seat.process.exitcode}")

    def dismiss(self, seat: Seat) -> None:
        assert isinstance(seat, ProcessSeat)
        pid = seat.process.pid
        if pid is not None:
            if sys.platform != "win32":
                with suppress(ProcessLookupError, PermissionError):  # it has no group yet, or none
                    os.killpg(pid, signal.SIGKILL)
            seat.process.kill()
            seat.process.join()
            if sys.platform == "linux":
                _see_off(pid)
        seat.pipe.close()
        with suppress(ValueError):
            self._hired.remove(seat)

    def close(self) -> None:
        """Dismisses whoever is left, as where a signal came between two others' dismissals."""
        for seat in list(self._hired):
            self.dismiss(seat)


def _see_off(pid: int) -> None:
    """Waits until a worker that was killed is dead, with its group and the wardens of its programs.

    They write to the store, which is tidied up next. Who forked the worker, and would tell, may be
    dead itself.
    """
    give_up = time.monotonic() + GONE_S
    while time.monotonic() < give_up and any(
        pid in (number, group) or name == warden.name_of(pid)
        for number, name, _, group in warden.processes()
    ):
        time.sleep(0.005)


def _why(error: Exception) -> str:
    """Why a worker cannot be started, and what helps."""
    if "AF_UNIX path too long" in str(error):
        where = tempfile.gettempdir()
        return f"{where} is too long a path for the sockets in it: set TMPDIR to a shorter one"
    return f"{error}; fewer --workers need less"


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process that starts now sees no Ctrl-C, which it would answer with a traceback.

    A terminal sends it to every process of the group. This process, which sees it afterwards, ends
    the others.
    """
    with undisturbed():
        if not hasattr(signal, "pthread_sigmask"):
            yield
            return
        resource_tracker.ensure_running()  # started by a worker's start, it would unblock them
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stand_alone() -> None:
    """A group of its own, which a terminal tells nothing; and programs see a Ctrl-C again."""
    if sys.platform != "win32":
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _work(pipe: Connection) -> None:
    """The life of a worker process: takes the worker, then one job after the other."""
    _stand_alone()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        environment: dict[str, str] = pipe.recv()
        os.environ.clear()
        os.environ.update(environment)
        single_thread()
        worker: Worker = pipe.recv()
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - whatever a foreign module raises when it is loaded
        pipe.send(Unfit(f"a worker process cannot load the request: {error!r}"))
        return
    pipe.send(Said.READY)
    while True:
        try:
            job: Job = pipe.recv()
        except EOFError:
            return
        try:
            for record in worker.perform(job):
                pipe.send(record)
        except StoreError as error:
            pipe.send(error)
            return
        pipe.send(Said.DONE)


def _end_with_parent() -> None:
    """Nobody works on for a run that was killed."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    if sys.platform == "win32":
        os._exit(1)
    os.killpg(0, signal.SIGKILL)
