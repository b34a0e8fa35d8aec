"""Requests, runs and records of the small cases and metrics."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from a2bench.keys import file_sha256
from a2bench.metric import Metric
from a2bench.results.leaderboard import collect, to_csv
from a2bench.runs.crew import Outcome
from a2bench.runs.executors import Serial
from a2bench.runs.loop import Policy, perform, plan
from a2bench.runs.record import Record
from a2bench.runs.request import Request
from a2bench.runs.store import RunStore
from a2bench.types import Status, Suite
from tests.helpers.fakes import Level
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import write_video


def ask(
    suite: Suite, *metrics: Metric, generator: Any = None, seeds: tuple[int, ...] = (0,)
) -> Request:
    return Request(
        suite=suite,
        cases=suite.cases,
        generator=generator or MyGenerator(),
        metrics=metrics or (Level(),),
        profile="test",
        seeds=seeds,
    )


def do(request: Request, store: RunStore, policy: Policy = Policy.ONLY_MISSING) -> list[Record]:
    seen: list[Outcome] = []
    work = plan(request, store.records() if store.exists() else {}, policy)
    perform(request, work.jobs, store, Serial(), watch=seen.append)
    return [record for outcome in seen for record in outcome.records]


def command(suite: Path, store: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "a2bench", "run", "--model", "tests.helpers.generators:MyGenerator",
        "--suite", str(suite), "--store", str(store), "--profile", "tests.helpers.fakes:profile",
        *more,
    ]  # fmt: skip


def csv_of(store: Path) -> str:
    return to_csv(collect([RunStore(store)]))


def record(key: str = "k", *, revision: int = 1, value: float | None = 0.5) -> Record:
    return Record(
        kind="score",
        key=key,
        model="m",
        case_id="c",
        case_key="ck",
        seed=0,
        status=Status.OK if value is not None else Status.FAILED,
        metric="level",
        profile="test",
        video_sha256="ab",
        value=value,
        detail={"x": [1, None, "ü"]},
        error=None if value is not None else "broke",
        revision=revision,
    )


def stored(store: RunStore, *shape: Any, **more: Any) -> str:
    """The sha256 of a video that is put into a store; the arguments are ``write_video``'s."""
    with store.staging() as folder:
        path = folder / "video.mp4"
        write_video(path, *shape, **more)
        sha256 = file_sha256(path)
        store.publish(path, sha256)
    return sha256


def only(folder: Path, pattern: str) -> Path:
    """The first file of a folder that a pattern names."""
    return next(iter(sorted(folder.glob(pattern))))


def flip_digit(root: Path) -> Path:
    """A value of which one digit is another."""
    path = only(root, "records/*.jsonl")
    text = path.read_text()
    changed = re.sub(
        r'("value":0\.)(\d)', lambda m: m[1] + str((int(m[2]) + 1) % 10), text, count=1
    )
    assert changed != text
    path.write_text(changed)
    return path
