"""Frames that wait until a network can take several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from a2bench.pictures import Frame

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
R = TypeVar("R")


@dataclass(kw_only=True)
class Batches(Generic[T, R]):
    """Takes frames one by one and runs them ``size`` at a time; only results are kept.

    ``prepare`` reduces a frame to what waits, ``run`` gives a result for each that waited, and
    ``conclude`` makes the features of all results.
    """

    prepare: Callable[[Frame], Tensor]
    run: Callable[[list[Tensor]], Sequence[T]]
    conclude: Callable[[list[T]], R]
    size: int
    _results: list[T] = field(default_factory=list, init=False)
    _waiting: list[Tensor] = field(default_factory=list, init=False)

    def push(self, index: int, frame: Frame) -> None:
        self._waiting.append(self.prepare(frame))
        if len(self._waiting) == self.size:
            self._flush()

    def finish(self) -> R:
        if self._waiting:
            self._flush()
        return self.conclude(self._results)

    def _flush(self) -> None:
        self._results.extend(self.run(self._waiting))
        self._waiting = []
