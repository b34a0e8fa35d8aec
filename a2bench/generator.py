"""What a generator is: it answers a case with a video at the path it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from a2bench.errors import UsageError
from a2bench.keys import json_fault
from a2bench.redaction import sealed
from a2bench.types import Case, Json, Suite


@dataclass(frozen=True, kw_only=True)
class GeneratorInfo:
    """Who generated: all of it but ``licence``, ``source`` and ``parallel`` enters a video's key.

    ``weights`` maps a file's name to its sha256. ``parallel`` says that several copies may work on
    one machine at once (cheap, CPU only); others run one at a time unless the user asks otherwise.
    Raises ``UsageError`` for ``params`` that are no JSON, such as a number that is not finite.
    """

    name: str
    revision: str
    params: Mapping[str, Json] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    source: str = ""
    parallel: bool = False

    def __post_init__(self) -> None:
        for what, held in (("params", self.params), ("weights", self.weights)):
            if fault := json_fault(held):
                raise UsageError(f"model {self.name}: its {what} {fault}")


class Generator(Protocol):
    """Writes one video file to ``out`` (a path ending in .mp4), the same one for the same seed.

    Raise any exception when no video can be made; the case counts as failed, the others go on.
    """

    @property
    def info(self) -> GeneratorInfo: ...

    def generate(self, case: Case, *, seed: int, out: Path) -> None: ...


@runtime_checkable
class SuiteAware(Protocol):
    """A generator that must see the suite first: to check its files, or to use other cases."""

    def prepare(self, suite: Suite) -> tuple[str, ...]:
        """Checks before anything runs. Returns warnings; raises ``CannotRun`` to stop the run."""
        ...

    def inputs(self, case: Case, *, seed: int) -> Mapping[str, Json]:
        """What else decides this case's video (another case, a file's sha256): part of its key."""
        ...


@runtime_checkable
class RequestAware(Protocol):
    """A generator that wants to know what a run asks for, as one of videos that exist."""

    def asked_for(self, cases: Sequence[Case], seeds: Sequence[int]) -> None:
        """Is told, before ``prepare``, the selected cases of the suite and the seeds."""
        ...


def model_identity(generator: Generator) -> dict[str, Json]:
    """All that decides a model's videos whatever the case; parameters are ``sealed``."""
    info = generator.info
    return {
        "name": info.name,
        "revision": info.revision,
        "params": sealed(info.params),
        "weights": dict(info.weights),
    }


def inputs_of(generator: SuiteAware, case: Case, *, seed: int) -> dict[str, Json]:
    """What else decides a case's video. Raises ``UsageError`` for what is no JSON."""
    inputs = generator.inputs(case, seed=seed)
    if fault := json_fault(inputs):
        raise UsageError(f"the model's inputs for {case.id} {fault}")
    return dict(inputs)


def generator_identity(generator: Generator, case: Case, *, seed: int) -> dict[str, Json]:
    """All that decides a video, for its key and record."""
    inputs = inputs_of(generator, case, seed=seed) if isinstance(generator, SuiteAware) else {}
    return {**model_identity(generator), "inputs": inputs}
