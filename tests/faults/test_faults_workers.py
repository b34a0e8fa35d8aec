"""Faults 33 and 4, with real processes: workers and programs that die, hang, or are left behind."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from a2bench.errors import CannotRun, StoreError, UsageError
from a2bench.generators import warden
from a2bench.results.leaderboard import collect, to_csv
from a2bench.results.upkeep import check
from a2bench.runs.cluster import joined
from a2bench.runs.executors import Executor, Processes, Ray, Serial
from a2bench.runs.loop import Policy, perform, plan
from a2bench.runs.record import Record
from a2bench.runs.store import RunStore
from a2bench.types import Status
from tests.helpers import ROOT
from tests.helpers.fakes import Level, Misbehaves
from tests.helpers.generators import (
    Dies,
    DiesAtStart,
    DiesOnce,
    Exits,
    MyGenerator,
    RaisesUnreadable,
    TellsEnvironment,
)
from tests.helpers.makers import make_suite
from tests.helpers.processes import as_from_a_terminal
from tests.helpers.runs import ask, command, csv_of
from tests.helpers.suites import write_suite

pytestmark = pytest.mark.slow


def perform_all(request: Any, store: RunStore, executor: Executor) -> dict[str, Record]:
    perform(request, plan(request, {}, Policy.ONLY_MISSING).jobs, store, executor)
    return store.records()


def failed(records: dict[str, Record]) -> dict[tuple[str, str], str]:
    return {
        (r.case_id, r.metric): r.error or "" for r in records.values() if r.status is Status.FAILED
    }


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray cluster of this machine, which takes seconds to start, for all tests together."""
    with joined(None, 1, None):  # type: ignore[arg-type]
        yield


@pytest.fixture(params=["one", "two", "ray"])
def executor(request: pytest.FixtureRequest) -> Executor:
    """One process, two, or an actor."""
    if request.param == "ray":
        request.getfixturevalue("cluster")
        return Ray(workers=1)
    return Processes(workers=1 if request.param == "one" else 2)


def test_a_metric_that_kills_its_worker_costs_its_scores(
    tmp_path: Path, executor: Executor
) -> None:
    request = ask(make_suite(tmp_path / "s", 2), Level(), Misbehaves(how="die"), Level(name="b"))
    records = perform_all(request, RunStore(tmp_path / "store"), executor)
    found = failed(records)
    assert set(found) == {("case-001", "does_die"), ("case-002", "does_die")}
    assert all(error.startswith("the worker died twice: ") for error in found.values())
    assert len(records) == 8


def test_a_generator_that_kills_its_worker_costs_its_videos(
    tmp_path: Path, executor: Executor
) -> None:
    request = ask(make_suite(tmp_path / "s", 2), generator=Dies())
    records = perform_all(request, RunStore(tmp_path / "store"), executor)
    assert set(failed(records)) == {("case-001", ""), ("case-002", "")}


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    "limited", [Processes(workers=1, timeout_s=1.0), Ray(workers=1, timeout_s=1.0)]
)
def test_a_metric_that_hangs_is_ended_everywhere(tmp_path: Path, limited: Executor) -> None:
    request = ask(make_suite(tmp_path / "s", 1), Level(), Misbehaves(how="sleep"))
    records = perform_all(request, RunStore(tmp_path / "store"), limited)
    reason = "the worker died twice: over the time limit of 1 s"
    assert failed(records) == {("case-001", "does_sleep"): reason}


@pytest.mark.parametrize("where", [Serial(), Processes(workers=1)])
@pytest.mark.parametrize(
    ("generator", "told"),
    [
        (Exits(), "SystemExit: enough"),
        (RaisesUnreadable(), "Unreadable: its text cannot be read"),
    ],
)
def test_what_a_generator_raises_costs_its_videos(
    tmp_path: Path, where: Executor, generator: Any, told: str
) -> None:
    request = ask(make_suite(tmp_path / "s", 2), generator=generator)
    records = perform_all(request, RunStore(tmp_path / "store"), where)
    assert failed(records) == {("case-001", ""): told, ("case-002", ""): told}


def test_workers_that_die_while_they_start_are_replaced(tmp_path: Path, executor: Executor) -> None:
    generator = DiesAtStart(count=str(tmp_path / "count"), times=2)
    request = ask(make_suite(tmp_path / "s", 3), generator=generator)
    records = perform_all(request, RunStore(tmp_path / "store"), executor)
    assert (len(records), failed(records)) == (6, {})


@pytest.mark.parametrize("told", ["one", "two"])
def test_a_worker_has_the_environment_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """And not that of the process from which workers are forked, which is older."""
    monkeypatch.setenv("A2BENCH_TOLD", told)
    request = ask(make_suite(tmp_path / "s", 1), generator=TellsEnvironment())
    records = perform_all(request, RunStore(tmp_path / "store"), Processes(workers=1))
    assert failed(records) == {("case-001", ""): f"RuntimeError: {told}"}


def test_if_all_die_while_they_start_the_run_says_so(tmp_path: Path) -> None:
    generator = DiesAtStart(count=str(tmp_path / "count"), times=99)
    request = ask(make_suite(tmp_path / "s", 3), generator=generator)
    with pytest.raises(CannotRun, match="workers in a row died while they started: exit code -9"):
        perform_all(request, RunStore(tmp_path / "store"), Processes(workers=2))
    assert not RunStore(tmp_path / "store").sweep()


def test_a_request_that_cannot_be_sent_says_so(tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Local(MyGenerator):
        """A class that only this function knows."""

    request = ask(make_suite(tmp_path / "s", 1), generator=Local())
    with pytest.raises(UsageError, match=r"cannot be sent to a worker process .*--in-process"):
        perform_all(request, RunStore(tmp_path / "store"), Processes(workers=1))


def test_a_wrong_address_of_a_cluster_ends_at_once() -> None:
    ray = pytest.importorskip("ray")
    if ray.is_initialized():
        ray.shutdown()
    with (
        pytest.raises(CannotRun, match=r"no Ray cluster answers at 127\.0\.0\.1:9"),
        joined("127.0.0.1:9", 1, None),  # type: ignore[arg-type]
    ):
        pytest.fail("somebody answered")


def test_workers_killed_at_work_change_nothing(tmp_path: Path) -> None:
    """Killed alone, while the run goes on: every work is done, by another."""
    request = ask(make_suite(tmp_path / "s", 16), generator=DiesOnce(marks=str(tmp_path)))
    store, plain = RunStore(tmp_path / "store"), RunStore(tmp_path / "plain")
    perform_all(request, store, Processes(workers=2))
    assert len(list(tmp_path.glob("case-*"))) == 8
    perform_all(request, plain, Processes(workers=2))  # none dies a second time
    assert to_csv(collect([store])) == to_csv(collect([plain]))
    assert list((store.root / "tmp").iterdir()) == []


PROGRAM = """
import os, signal, sys, time

def tell():
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")

def sleep():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    tell()
    time.sleep(600)

if not os.fork():  # stays in the group
    sleep()
if not os.fork():  # as torchrun has it
    os.setsid()
    sleep()
if not os.fork():  # as a daemon does: nobody's child
    os.setsid()
    if os.fork():
        os._exit(0)
    sleep()
sleep()
"""
PROCESSES = 4
"""Of each program; all are deaf to signals that ask them to end."""


def alive(pids: Path) -> list[int]:
    """The programs that still run; a zombie is dead."""
    found = []
    for pid in map(int, pids.read_text().split() if pids.exists() else ()):
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
    return found


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert holds()


def running(folder: Path, *more: str) -> tuple[subprocess.Popen[str], Path]:
    """A run whose program never ends, in a group of its own, and where its processes are told."""
    suite, pids = write_suite(folder / "suite", 6), folder / "pids"
    script = folder / "program.py"
    script.write_text(PROGRAM)
    words = [
        sys.executable, "-m", "a2bench", "run", "--model", "command",
        "--command", f"{sys.executable} {script} {pids}", "--suite", str(suite),
        "--store", str(folder / "store"), "--profile", "tests.helpers.fakes:profile", *more,
    ]  # fmt: skip
    run = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, preexec_fn=as_from_a_terminal,
    )  # fmt: skip
    return run, pids


@pytest.mark.parametrize(
    ("workers", "number", "code"),
    [
        ("--workers=2", signal.SIGTERM, 143),
        ("--workers=1", signal.SIGHUP, 129),
        ("--workers=2", signal.SIGKILL, -signal.SIGKILL),
        ("--workers=2", signal.SIGINT, 130),
        ("--in-process", signal.SIGTERM, 143),
        ("--in-process", signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_programs_end_with_the_run(
    tmp_path: Path, workers: str, number: signal.Signals, code: int
) -> None:
    run, pids = running(tmp_path, workers)
    count = 2 if workers == "--workers=2" else 1
    until(lambda: len(alive(pids)) == count * PROCESSES)
    if number == signal.SIGINT:  # as a terminal does: to every process of the group
        os.killpg(run.pid, number)
    else:
        run.send_signal(number)
    if number != signal.SIGKILL:
        ended_in_order(run, pids, code)
        return
    output, _ = run.communicate(timeout=60)
    assert run.returncode == code, output
    assert "Traceback" not in output
    until(lambda: not alive(pids))


def ended_in_order(run: subprocess.Popen[str], pids: Path, code: int) -> None:
    """When the run is gone, so is all else."""
    output, _ = run.communicate(timeout=60)
    assert (run.returncode, alive(pids)) == (code, []), output
    assert "Traceback" not in output
    assert "the same command goes on from here" in output
    assert list((pids.parent / "store" / "tmp").iterdir()) == []


@pytest.mark.parametrize("workers", ["--workers=2", "--in-process"])
@pytest.mark.parametrize(
    ("number", "times", "apart_s"),
    [
        (signal.SIGINT, 2, 0.0),
        (signal.SIGINT, 6, 0.005),
        (signal.SIGINT, 40, 0.02),
        (signal.SIGTERM, 6, 0.005),
    ],
)
def test_more_signals_of_the_kind_change_nothing(
    tmp_path: Path, workers: str, number: signal.Signals, times: int, apart_s: float
) -> None:
    """As wrappers send them, which hand on what their child has got already."""
    run, pids = running(tmp_path, workers)
    until(lambda: len(alive(pids)) == PROCESSES * (2 if workers == "--workers=2" else 1))
    for _ in range(times):
        with suppress(ProcessLookupError):  # it has ended
            os.killpg(run.pid, number)
        time.sleep(apart_s)
    ended_in_order(run, pids, 128 + number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("whom", ["the group", "everybody"])
def test_a_signal_for_all_ends_the_run_in_order(
    tmp_path: Path, number: signal.Signals, whom: str
) -> None:
    """``timeout`` sends it to the group, systemd to all that came of the run."""
    run, pids = running(tmp_path, "--workers=2")
    until(lambda: len(alive(pids)) == 2 * PROCESSES)
    if whom == "the group":
        os.killpg(run.pid, number)
    else:
        for pid in [run.pid, *warden.descendants(run.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    ended_in_order(run, pids, 128 + number)


def test_a_program_ends_with_its_worker_and_at_its_time(tmp_path: Path) -> None:
    run, pids = running(tmp_path, "--workers=1", "--timeout=4", "--limit=2")
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 2, output
    assert alive(pids) == []
    assert pids.read_text()
    assert "over the time limit of 4 s" in output


@pytest.mark.parametrize("where", ["--workers=1", "--in-process"])
def test_a_program_can_be_interrupted(tmp_path: Path, where: str) -> None:
    """It inherits nothing from those that must not be."""
    words = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]  # no shell, which has its own way
    run = subprocess.run(
        [
            sys.executable, "-m", "a2bench", "run", "--model", "command",
            "--command", shlex.join(words), "--suite", str(write_suite(tmp_path / "suite", 1)),
            "--store", str(tmp_path / "store"), "--profile", "tests.helpers.fakes:profile", where,
        ],
        cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=as_from_a_terminal,
    )  # fmt: skip
    assert run.returncode == 2, run.stderr
    (error,) = (one.error or "" for one in RunStore(tmp_path / "store").records().values())
    masks = [line.split()[1] for line in error.splitlines() if line.startswith("Sig")]
    ending = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    assert [int(mask, 16) & ending for mask in masks] == [0, 0]


@pytest.mark.parametrize("limit_s", [3e6, 1e300, sys.float_info.max])
def test_a_time_limit_may_be_of_any_length(tmp_path: Path, limit_s: float) -> None:
    request = ask(make_suite(tmp_path / "s", 2), Level(), Level(name="b"))
    limited = Processes(workers=2, timeout_s=limit_s)
    records = perform_all(request, RunStore(tmp_path / "store"), limited)
    assert (len(records), failed(records)) == (6, {})


def test_a_folder_for_temporary_files_whose_path_is_too_long(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    words = command(write_suite(tmp_path / "suite", 1), tmp_path / "store", "--workers=1")
    environment = {**os.environ, "TMPDIR": str(long)}
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:  # else it is a Python that looks for a shorter one itself
        assert done.returncode == 3
        assert f"cannot start a worker: {long} is too long a path" in done.stderr
        assert "set TMPDIR to a shorter one" in done.stderr


def test_sighup_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As ``nohup`` has it."""
    suite, store = write_suite(tmp_path / "suite", 1), tmp_path / "store"
    code = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        "from a2bench.cli import main; from a2bench.cli import entry; import threading; "
        "threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGHUP)).start(); "
        "sys.exit(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", code, *command(suite, store)[3:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size, where this process may make one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(words, capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine lets the tests mount no file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A suite, and the table of a run on it that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    suite = write_suite(folder / "suite", 24)
    subprocess.run(command(suite, folder / "store"), cwd=ROOT, check=True, capture_output=True)
    return suite, csv_of(folder / "store")


@pytest.mark.parametrize(
    ("size", "workers"),
    [
        *((f"{size}k", "--workers=2") for size in (16, 32, 48, 64, 80, 100, 120)),
        *((f"{size}k", "--in-process") for size in (32, 100)),
    ],
)
def test_fault_03_a_disk_that_is_really_full(
    tmp_path: Path, undisturbed: tuple[Path, str], size: str, workers: str
) -> None:
    suite, table = undisturbed
    with small_disk(tmp_path / "disk", size) as disk:
        words = command(suite, disk / "store", workers)
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        told = done.stdout + done.stderr
        assert done.returncode in (2, 3), told  # 2: it was the model that had no room
        assert "No space left on device" in told
        assert (f"cannot write {disk / 'store'}" in done.stderr) == (done.returncode == 3)
        assert "Traceback" not in told
        nothing_torn(disk / "store")
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).returncode == 0
        assert csv_of(disk / "store") == table


@pytest.mark.parametrize("workers", ["--in-process", "--workers=2"])
def test_fault_03_a_file_that_may_not_grow(tmp_path: Path, workers: str) -> None:
    suite, store = write_suite(tmp_path / "suite", 12), tmp_path / "store"
    words = command(suite, store, workers)
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)),
    )  # fmt: skip
    assert done.returncode in (2, 3), done.stderr
    assert "File too large" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    nothing_torn(store)
    assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).returncode == 0


def nothing_torn(folder: Path) -> None:
    """No file of records ends in the middle of a line, and nothing is damaged."""
    with suppress(StoreError):  # not even made
        for path in (folder / "records").glob("*.jsonl"):
            assert path.read_bytes().endswith(b"\n") or not path.stat().st_size
        assert check(RunStore(folder)).damage == ()
