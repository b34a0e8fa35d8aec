"""A study that is served, as `a2bench study serve` does it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from a2bench.study.folder import open_study
from tests.app.study import Site, make_study
from tests.helpers import ROOT

TABLE = ROOT / "leaderboards" / "skyreels-a2-table-1.csv"


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> Iterator[None]:
    """A job in a shell's background has Ctrl-C ignored, and so have its children; not these."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Streamlit puts a page in the program's place, and workers would begin by running it."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("screen") / "study"
    make_study(folder)
    command = [sys.executable, "-m", "a2bench", "study", "serve", str(folder), "--port", "0"]
    command += ["--leaderboard", str(TABLE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        database = open_study(folder)
        try:
            assert first.startswith("raters: http://localhost:"), first
            base = first.split()[1]
            yield Site(base=base, folder=folder, database=database, process=process)
        finally:
            database.close()
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
