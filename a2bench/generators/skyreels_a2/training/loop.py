"""A training loop whose every step follows from its number alone.

Which examples a step sees, and all that is drawn for them, comes from their numbers. So what goes
on from a checkpoint is bit for bit what was never interrupted, and a batch in parts is the batch.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from a2bench.checkpoints.tensors import load_weights
from a2bench.errors import CannotRun, UsageError
from a2bench.generators.skyreels_a2.training.muon import Muon

CHECKPOINT = "checkpoint.safetensors"
CURVE = "curve.jsonl"
PRECISIONS = ("float32", "bfloat16")
OPTIMIZERS = ("adamw", "muon")


class Objective(Protocol):
    """What is trained: ``examples`` by number, and their loss."""

    @property
    def networks(self) -> nn.ModuleDict:
        """All that the loss goes through and a checkpoint keeps."""
        ...

    def example(self, number: int) -> Any:
        """The example of a number, with all that is drawn for it."""
        ...

    def losses(self, examples: Sequence[Any]) -> Mapping[str, Tensor]:
        """The loss of each example, ``loss`` (n,), and what else shall be plotted."""
        ...


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast. A step sees ``batch`` examples, ``batch / parts`` at a time.

    The learning rate rises over ``warmup`` steps and falls to zero over the last ``cooldown``.
    ``trainable`` are patterns of parameter names (``re.search``); all others stay as they are.
    ``precision`` is float32, or bfloat16 for autocast with weights in float32.
    """

    steps: int
    batch: int
    parts: int = 1
    learning_rate: float = 1e-4
    warmup: int = 50
    cooldown: int = 0
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: str = "float32"
    optimizer: str = "adamw"
    trainable: tuple[str, ...] = ("",)
    save_every: int = 100
    plot_every: int = 10

    def __post_init__(self) -> None:
        for given, choices in ((self.precision, PRECISIONS), (self.optimizer, OPTIMIZERS)):
            if given not in choices:
                raise UsageError(f"{given!r}: use {' or '.join(choices)}")
        if min(self.steps, self.batch, self.parts) < 1 or self.batch % self.parts:
            raise UsageError(
                f"steps {self.steps}, batch {self.batch}, parts {self.parts}: use 1 or more, "
                "and a batch that divides into its parts"
            )

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        rising = min(1.0, (step + 1) / max(1, self.warmup))
        falling = min(1.0, (self.steps - step) / max(1, self.cooldown))
        return self.learning_rate * min(rising, falling)


@dataclass(kw_only=True)
class Training:
    """One stage: an objective on a schedule, kept in a folder from which it goes on.

    ``sample`` is called after each checkpoint with its step, for a look at what comes out.
    """

    objective: Objective
    schedule: Schedule
    folder: Path
    device: torch.device
    sample: Callable[[int], None] | None = None
    step: int = 0

    def __post_init__(self) -> None:
        self.networks = self.objective.networks.to(self.device)
        named = dict(self.networks.named_parameters())
        chosen = [re.compile(pattern) for pattern in self.schedule.trainable]
        for name, parameter in named.items():
            parameter.requires_grad_(any(pattern.search(name) for pattern in chosen))
        learning = {name: p for name, p in named.items() if p.requires_grad}
        self.parameters = list(learning.values())
        if not self.parameters:
            raise UsageError(f"nothing to train: no parameter is named {self.schedule.trainable}")
        rate, decay = self.schedule.learning_rate, self.schedule.weight_decay
        self.optimizer: torch.optim.Optimizer
        if self.schedule.optimizer == "muon":
            self.optimizer = Muon(learning.items(), lr=rate, weight_decay=decay)
        else:
            self.optimizer = torch.optim.AdamW(
                self.parameters, lr=rate, betas=(0.9, 0.99), weight_decay=decay
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / CHECKPOINT).is_file():
            self.resume()

    def run(self) -> None:
        """To the last step, with a checkpoint now and then and at the end."""
        with _Plot(self.folder, self.step) as plot:
            while self.step < self.schedule.steps:
                began = time.perf_counter()
                told = self.advance()
                told["seconds"] = time.perf_counter() - began
                if self.step % self.schedule.plot_every == 0:
                    plot.add(self.step, told)
                if self.step % self.schedule.save_every == 0 or self.step == self.schedule.steps:
                    self.save()
                    if self.sample:
                        self.sample(self.step)

    def advance(self) -> dict[str, float]:
        """One step of the optimiser; what it told, averaged over the batch."""
        schedule = self.schedule
        for group in self.optimizer.param_groups:
            group["lr"] = schedule.rate(self.step)
        part, first = schedule.batch // schedule.parts, self.step * schedule.batch
        told: dict[str, float] = {}
        for start in range(first, first + schedule.batch, part):
            examples = [self.objective.example(n) for n in range(start, start + part)]
            with torch.autocast(
                self.device.type,
                dtype=torch.bfloat16,
                enabled=schedule.precision == "bfloat16",
            ):
                losses = self.objective.losses(examples)
            (losses["loss"].sum() / schedule.batch).backward()  # type: ignore[no-untyped-call]
            for name, values in losses.items():
                told[name] = told.get(name, 0) + float(values.detach().sum()) / schedule.batch
        norm = nn.utils.clip_grad_norm_(self.parameters, schedule.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return {**told, "gradient_norm": float(norm), "rate": schedule.rate(self.step - 1)}

    def save(self) -> None:
        """Writes the checkpoint in one move, so that one is always whole."""
        state = {f"network/{name}": value for name, value in self.networks.state_dict().items()}
        for index, kept in self.optimizer.state_dict()["state"].items():
            state |= {f"optimizer/{index}/{key}": value for key, value in kept.items()}
        state["step"] = torch.tensor(self.step)
        save_tensors(state, self.folder / CHECKPOINT)

    def resume(self) -> None:
        """Goes on from the folder's checkpoint; raises ``CannotRun`` when it is of another net."""
        file = self.folder / CHECKPOINT
        state = load_weights(file)
        self.step = int(state.pop("step"))
        networks: dict[str, Tensor] = {}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            kind, _, rest = name.partition("/")
            if kind == "network":
                networks[rest] = value
            else:
                index, _, key = rest.partition("/")
                moments.setdefault(int(index), {})[key] = value
        try:
            self.networks.load_state_dict(networks)
            groups = self.optimizer.state_dict()["param_groups"]
            self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        except (RuntimeError, ValueError) as error:
            raise CannotRun(f"{file} is of another configuration: {error}") from error


class _Plot:
    """The curves: a JSON line a point and, where tensorboard is installed, its scalars."""

    def __init__(self, folder: Path, step: int) -> None:
        self.file = folder / CURVE
        kept = [line for line in _lines(self.file) if json.loads(line)["step"] <= step]
        self.file.write_text("".join(kept), encoding="utf-8")
        self.writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        self.writer = SummaryWriter(str(folder), purge_step=step)

    def __enter__(self) -> _Plot:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer:
            self.writer.close()

    def add(self, step: int, told: Mapping[str, float]) -> None:
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": step, **told}) + "\n")
        for name, value in told.items() if self.writer else ():
            self.writer.add_scalar(name, value, step)


def _lines(file: Path) -> Iterable[str]:
    return file.read_text(encoding="utf-8").splitlines(keepends=True) if file.is_file() else ()


def save_tensors(state: Mapping[str, Tensor], file: Path) -> None:
    """A safetensors file, whole or not at all."""
    partial = file.with_suffix(".partial")
    save_file({name: value.detach().cpu().clone() for name, value in state.items()}, partial)
    partial.replace(file)


def generator(seed: int, number: int) -> torch.Generator:
    """The random numbers of one example: its own, whatever batch and order it comes in."""
    return torch.Generator().manual_seed(seed * 1_000_003 + number)
