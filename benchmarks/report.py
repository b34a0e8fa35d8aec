"""A report of 50 cases and 4 models whose scores are there: seconds, megabytes, peak memory.

    python -m benchmarks.report [--models 4]

Every case has one video of the size that SkyReels-A2 makes: 81 frames of 832x480.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from a2bench.generator import GeneratorInfo
from a2bench.generators.collage import Collage
from a2bench.report.contents import contents
from a2bench.report.page import write_page
from a2bench.runs.executors import Serial
from a2bench.runs.loop import Policy, perform, plan
from a2bench.runs.request import Request
from a2bench.runs.store import RunStore
from a2bench.suites.suite import load_suite
from a2bench.types import Case
from benchmarks.store import Drawn


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A model that answers every case with one file."""

    name: str
    path: Path

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(name=self.name, revision="1", parallel=True)

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        del case, seed  # all are answered alike
        shutil.copyfile(self.path, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=4)
    models = parser.parse_args().models
    suite = load_suite("a2bench-open")
    with tempfile.TemporaryDirectory() as folder:
        video, store = Path(folder, "video.mp4"), RunStore(Path(folder, "store"))
        Collage().generate(suite.cases[0], seed=0, out=video)
        for at in range(models):
            request = Request(
                suite=suite,
                cases=suite.cases,
                generator=Prepared(name=f"model-{at}", path=video),
                metrics=tuple(Drawn(name=f"metric_{n}") for n in range(6)),
                profile="none",
            )
            jobs = plan(
                request, store.records() if store.exists() else {}, Policy.ONLY_MISSING
            ).jobs
            perform(request, jobs, store, Serial())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, out = time.perf_counter(), Path(folder, "report.html")
        write_page(contents([str(store.root)]), out, title="benchmark", suite=suite)
        seconds, size = time.perf_counter() - start, out.stat().st_size / 1e6
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"report of {len(suite.cases)} cases and {models} models: {seconds:.1f} s, {size:.1f} MB, "
        f"peak memory {after / 1024:.0f} MiB ({before / 1024:.0f} before)"
    )


if __name__ == "__main__":
    main()
