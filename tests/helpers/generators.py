"""Generators for tests: a correct one, and one for each way to break the contract."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from a2bench.generator import GeneratorInfo
from a2bench.types import Case, Json, Suite
from tests.helpers.makers import write_video


@dataclass(frozen=True, kw_only=True)
class MyGenerator:
    """A light square on a ground that the case and the seed colour."""

    name: str = "my-generator"
    revision: str = "1"
    frames: int = 9

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name=self.name,
            revision=self.revision,
            params={"frames": self.frames},
            licence="Apache-2.0",
            source="tests",
            parallel=True,
        )

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        write_video(out, self.frames, seed=int(case.key[:8], 16) + seed)


class WritesNothing(MyGenerator):
    """Returns without a file."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        return


class WritesElsewhere(MyGenerator):
    """Writes a good video under another name."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        write_video(out.with_name("elsewhere.mp4"), seed=seed)


class WritesTwo(MyGenerator):
    """Writes the video that was asked for, and another beside it."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        write_video(out, seed=seed)
        write_video(out.with_name("second.mp4"), seed=seed)


class WritesDirectory(MyGenerator):
    """Makes a folder where the video belongs."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        out.mkdir()


@dataclass(frozen=True, kw_only=True)
class Raises(MyGenerator):
    """Raises an error with the text that it was given."""

    text: str = "broken on purpose"

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        raise RuntimeError(self.text)


class Hangs(MyGenerator):
    """Never returns."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        while True:
            time.sleep(3600)


class Dies(MyGenerator):
    """Kills its own process, as a segmentation fault or the memory killer would."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Chatters(MyGenerator):
    """Prints to standard output in every way: Python, the system, a library in C."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        print("chatter of Python")
        os.write(1, b"chatter of the system\n")
        ctypes.CDLL(None).printf(b"chatter of C\n")
        super().generate(case, seed=seed, out=out)


class Exits(MyGenerator):
    """Ends its process as a script does."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        raise SystemExit("enough")


class Unreadable(Exception):
    """An error whose text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class RaisesUnreadable(MyGenerator):
    """Raises an error whose text cannot be read."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        raise Unreadable


@dataclass(frozen=True, kw_only=True)
class DiesOnce(MyGenerator):
    """Kills its own process in the first try of every second case, with half a video written."""

    marks: str = ""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        super().generate(case, seed=seed, out=out)
        mark = Path(self.marks, case.id)
        if int(case.id.rpartition("-")[2]) % 2 and not mark.exists():
            mark.touch()
            os.truncate(out, out.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class DiesAtStart(MyGenerator):
    """Kills the first ``times`` processes that load it; each writes a letter to ``count``."""

    count: str = ""
    times: int = 1

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        with Path(self.count).open("a+") as file:
            file.write("x")
        if Path(self.count).stat().st_size <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)


class TellsEnvironment(MyGenerator):
    """Raises an error with the value of a variable."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        raise RuntimeError(os.environ.get("A2BENCH_TOLD", "nothing"))


class Otherwise(MyGenerator):
    """Says that it is the same model, and makes other videos."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        write_video(out, self.frames, seed=int(case.key[:8], 16) + seed + 1)


@dataclass(frozen=True, kw_only=True)
class FromElsewhere(Otherwise):
    """As a folder of videos: what it reads is part of a video's key, and not of the model."""

    def prepare(self, suite: Suite) -> tuple[str, ...]:
        return ()

    def inputs(self, case: Case, *, seed: int) -> Mapping[str, Json]:
        return {"file": "another"}
