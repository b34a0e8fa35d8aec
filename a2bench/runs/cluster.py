"""Workers that are actors of a Ray cluster."""

from __future__ import annotations

import math
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from a2bench.errors import CannotRun, StoreError, UsageError
from a2bench.runs.crew import Crew, Died, Message, Said, Seat
from a2bench.runs.executors import single_thread
from a2bench.runs.record import Record
from a2bench.runs.request import Job
from a2bench.runs.worker import Worker

CONNECT_S = 10.0


class _Actor:
    """A worker, as Ray holds it."""

    def __init__(self, worker: Worker) -> None:
        single_thread()
        self._worker = worker

    def ready(self) -> Iterator[Said]:
        yield Said.READY

    def perform(self, job: Job) -> Iterator[Record | Said | StoreError]:
        try:
            yield from self._worker.perform(job)
        except StoreError as error:
            yield error
        yield Said.DONE


class ActorSeat(Seat):
    """An actor, and what it was asked last."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.asked: Any = actor.ready.options(num_returns="streaming").remote()

    def give(self, job: Job) -> None:
        self.asked = self.actor.perform.options(num_returns="streaming").remote(job)


class RayCrew(Crew):
    """Actors with one processor each; an actor that dies, or whose machine does, is replaced.

    They may wait for ever for a place in a full cluster.
    """

    start_s = math.inf

    def __init__(self, ray: Any, worker: Worker) -> None:
        self._ray = ray
        self._worker = ray.put(worker)
        self._actors = ray.remote(_Actor)

    def hire(self) -> ActorSeat:
        return ActorSeat(self._actors.remote(self._worker))

    def hear(self, seats: Collection[Seat], timeout_s: float) -> list[tuple[Seat, Message]]:
        asked = {s.asked: s for s in seats if isinstance(s, ActorSeat) and s.asked is not None}
        ready, _ = self._ray.wait([*asked], num_returns=1, timeout=timeout_s, fetch_local=False)
        return [(asked[stream], self._said(asked[stream])) for stream in ready]

    def _said(self, seat: ActorSeat) -> Message:
        try:
            said: Message = self._ray.get(next(seat.asked))
        except (StopIteration, self._ray.exceptions.RayError) as error:
            return Died(str(error).strip().partition("\n")[0] or "no more is heard of it")
        if isinstance(said, Said):
            seat.asked = None
        return said

    def dismiss(self, seat: Seat) -> None:
        assert isinstance(seat, ActorSeat)
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(seat.actor)


@contextmanager
def joined(address: str | None, workers: int, worker: Worker) -> Iterator[RayCrew]:
    """The crew of a cluster; None starts one here, with as many processors as workers.

    Raises ``UsageError`` without Ray, ``CannotRun`` where no cluster answers.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("Ray is not installed: pip install 'a2bench[ray]'") from error
    started = not ray.is_initialized()
    if started:
        _check_answers(address)
        cpus = {} if address else {"num_cpus": workers}
        try:
            ray.init(address, include_dashboard=False, log_to_driver=False, **cpus)
        except Exception as error:  # Ray raises bare ones, too
            ray.shutdown()
            where = f"no Ray cluster at {address}" if address else "Ray does not start here"
            raise CannotRun(f"{where}: {error}") from error
    try:
        yield RayCrew(ray, worker)
    finally:
        if started:
            ray.shutdown()


def _check_answers(address: str | None) -> None:
    """Asks before Ray does, which would wait for an address that nobody has."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except OSError as error:
        raise CannotRun(f"no Ray cluster answers at {address}: {error}") from error
