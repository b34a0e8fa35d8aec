"""The run loop and the store by themselves: many cases, a model and metrics that do nothing.

    python -m benchmarks.store [--cases 1000 10000 100000]

For each number of cases: seconds for the plan of an empty store, for one (case, metric) of the loop
in one process besides fsync, the model and reading the video (of 1,000 cases, five metrics),
for a finished run that is asked for again, for ``leaderboard`` and ``status``; and the peak memory
of each, in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from a2bench.features import Extractor, FeatureBank
from a2bench.generator import GeneratorInfo
from a2bench.keys import digest, file_sha256
from a2bench.metric import MetricInfo
from a2bench.runs.executors import Serial
from a2bench.runs.loop import Policy, perform, plan
from a2bench.runs.record import Record
from a2bench.runs.request import Request, score_key
from a2bench.runs.store import RunStore
from a2bench.types import Case, Element, Measurement, Status, Suite
from a2bench.video import encode, probe

METRICS = 5
"""Of the loop; of the rest one."""
LOOPED = 1000


@dataclass(frozen=True, kw_only=True)
class Same:
    """A model that answers every case with one prepared file."""

    path: Path

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(name="same", revision="1", parallel=True)

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        del case, seed  # all are answered alike
        shutil.copyfile(self.path, out)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A metric that reads nothing: a number by the case."""

    name: str

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name=self.name, version="1", dimension="none", low=0.0, high=1.0,
            higher_is_better=True, needs=("video",), licence="Apache-2.0", source="benchmark",
        )  # fmt: skip

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return ()

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        del features
        return Measurement(value=int(case.key[:8], 16) / 2**32)


def request(cases: int, path: Path, metrics: int = 1) -> Request:
    image = Element(id="e", role="object", image=path, sha256="0" * 64, name="thing")
    made = tuple(Case(id=f"c{i:06d}", prompt=f"thing {i}", elements=(image,)) for i in range(cases))
    return Request(
        suite=Suite(name="many", version="1", cases=made),
        cases=made,
        generator=Same(path=path),
        metrics=tuple(Drawn(name=f"metric_{n}") for n in range(metrics)),
        profile="none",
    )


def fill(asked: Request, store: RunStore, path: Path) -> None:
    """What a run leaves, written at once."""
    sha256, records = file_sha256(path), []
    for case, seed, key in asked.works:
        record = Record(
            kind="video", key=key, model="same", case_id=case.id, case_key=case.key, seed=seed,
            status=Status.OK, video_sha256=sha256, detail={"read": []}, revision=1,
        )  # fmt: skip
        records.append(record)
        for name, identity in asked.identities.items():
            score = replace(
                record, kind="score", metric=name, profile="none", detail={},
                key=score_key(key, sha256, identity, "none"), licence="Apache-2.0",
                value=int(digest([case.key, name])[:8], 16) / 2**32,
            )  # fmt: skip
            records.append(score)
    store.create()
    with store.staging() as folder:
        copy = folder / "video.mp4"
        shutil.copyfile(path, copy)
        store.publish(copy, sha256)
    store.writer().append(*records)
    store.write_manifest(asked.manifest(), {})


def measure(what: str, cases: int, folder: Path) -> float:
    """Seconds of one thing."""
    asked, store = request(cases, folder / "video.mp4"), RunStore(folder / f"store-{cases}")
    if what == "fill":
        fill(asked, store, folder / "video.mp4")
    start = time.perf_counter()
    if what == "plan":
        plan(asked, {}, Policy.ONLY_MISSING)
    elif what == "loop":
        asked = request(min(cases, LOOPED), folder / "video.mp4", METRICS)
        return loop(asked, RunStore(folder / "looped"))
    elif what == "resume":
        work = plan(asked, store.records(), Policy.ONLY_MISSING, store.notes)
        assert work.jobs == ()
        perform(asked, work.jobs, store, Serial())
    elif what == "leaderboard":
        from a2bench.results.leaderboard import collect, to_csv

        assert to_csv(collect([store])).count("\n") == 2
    elif what == "status":
        from a2bench.cli.console import summary
        from a2bench.results.failures import failures
        from a2bench.results.leaderboard import collect

        rows = collect([store])
        summary(rows)
        assert [failures(row) for row in rows] == [[]]
    return time.perf_counter() - start


def loop(asked: Request, store: RunStore) -> float:
    """Seconds for one (case, metric), without fsync, the model and reading the video."""
    apart = 0.0

    def timed(call: Any) -> Any:
        def run(*given: Any, **named: Any) -> Any:
            nonlocal apart
            start = time.perf_counter()
            try:
                return call(*given, **named)
            finally:
                apart += time.perf_counter() - start

        return run

    with (
        patch.object(os, "fsync", timed(os.fsync)),
        patch.object(shutil, "copyfile", timed(shutil.copyfile)),
        patch("a2bench.runs.worker.probe", timed(probe)),
    ):
        start = time.perf_counter()
        perform(asked, plan(asked, {}, Policy.ONLY_MISSING).jobs, store, Serial())
        seconds = time.perf_counter() - start - apart
    shutil.rmtree(store.root)
    return seconds / len(asked.cases) / METRICS


WHAT = ("plan", "loop", "resume", "leaderboard", "status")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        import resource

        seconds = measure(asked.only, asked.cases[0], asked.folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{seconds} {peak}")
        return
    print("The run loop and the store, a metric; seconds and MiB at most")
    print(f"{'cases':>8}" + "".join(f"{one:>20}" for one in WHAT))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encode(folder / "video.mp4", [frame() for _ in range(9)], fps=15)
        for cases in asked.cases:
            _apart("fill", cases, folder)
            cells = []
            for what in WHAT:
                seconds, peak = _apart(what, cases, folder)
                shown = f"{seconds * 1000:.2f} ms" if what == "loop" else f"{seconds:.2f} s"
                cells.append(f"{shown} {peak:.0f} MiB")
            print(f"{cases:>8}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


def frame() -> Any:
    import numpy as np

    return np.zeros((48, 64, 3), np.uint8)


def _apart(what: str, cases: int, folder: Path) -> tuple[float, float]:
    words = [sys.executable, "-m", "benchmarks.store", "--only", what, "--cases", str(cases)]
    done = subprocess.run(
        [*words, "--folder", str(folder)], check=True, capture_output=True, text=True
    )
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak


if __name__ == "__main__":
    main()
