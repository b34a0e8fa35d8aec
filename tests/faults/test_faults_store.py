"""Faults 1-6: crashes, torn files, full disks, interrupts, two writers, read-only stores."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from a2bench.cli import main
from a2bench.errors import StoreError
from a2bench.results.leaderboard import collect
from a2bench.runs.loop import Policy
from a2bench.runs.record import Record
from a2bench.runs.store import RunStore
from a2bench.types import Case, Status
from tests.helpers import ROOT
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_suite, write_video
from tests.helpers.processes import as_from_a_terminal
from tests.helpers.runs import ask, command, csv_of, do, record
from tests.helpers.suites import write_suite


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_fault_01_killed_at_random_points_and_resumed(tmp_path: Path, workers: str) -> None:
    suite = write_suite(tmp_path / "suite", 30)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run(command(suite, undisturbed), cwd=ROOT, check=True, capture_output=True)
    random = np.random.default_rng(7)
    kills = 0
    while True:
        run = subprocess.Popen(
            command(suite, killed, "--workers", workers),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        before = len(RunStore(killed).records())
        deadline = time.monotonic() + 60
        target = before + int(random.integers(1, 25))  # die when about so many more are done
        while run.poll() is None and time.monotonic() < deadline:
            if len(RunStore(killed).records()) >= target:
                os.killpg(run.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        if run.wait() == 0:
            break
    assert kills >= 2
    assert csv_of(killed) == csv_of(undisturbed)
    lines = [
        line for path in (killed / "records").iterdir() for line in path.read_text().splitlines()
    ]
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    assert Counter(row["key"] for row in whole) == Counter(RunStore(undisturbed).records().keys())
    assert list((killed / "tmp").iterdir()) == []


@pytest.mark.slow
def test_fault_02_records_cut_at_every_byte(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store").create()
    writer = store.writer()
    for name in ("one", "two", "three"):
        writer.append(record(name))
    (path,) = (tmp_path / "store" / "records").iterdir()
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        complete = whole[:cut].count(b"\n")
        assert list(store.records()) == ["one", "two", "three"][:complete]


def test_fault_02_only_the_torn_work_is_redone(tmp_path: Path) -> None:
    request, store = ask(make_suite(tmp_path / "s", 2)), RunStore(tmp_path / "store")
    do(request, store)
    (path,) = (tmp_path / "store" / "records").iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    redone = do(request, store)
    assert [(r.case_id, r.kind) for r in redone] == [("case-002", "score")]


def test_fault_03_disk_full_while_publishing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, store = make_suite(tmp_path / "s", 1), RunStore(tmp_path / "store")
    do(ask(suite), store)
    (blob,) = (tmp_path / "store" / "videos").rglob("*.mp4")
    old = blob.read_bytes()

    with monkeypatch.context() as patch:
        patch.setattr("a2bench.runs.files.os.fsync", full_disk)
        records = do(ask(suite), store, Policy.ALWAYS)
    assert [r.status for r in records] == [Status.FAILED]
    assert records[0].error == f"cannot publish {blob}: No space left on device"
    assert blob.read_bytes() == old
    assert list((tmp_path / "store" / "tmp").iterdir()) == []
    assert len(do(ask(suite), store)) == 2  # with space again, the work is done


def full_disk(descriptor: int) -> None:
    """An ``os.fsync`` that finds no room for videos."""
    if Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".mp4":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_fault_03_disk_full_gives_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path / "suite", 1)

    monkeypatch.setattr("a2bench.runs.files.os.fsync", full_disk)
    code = main(command(suite, tmp_path / "store", "--in-process")[3:])
    assert code == 2
    assert "No space left on device" in capsys.readouterr().out


@pytest.mark.slow
def test_fault_04_interrupt_leaves_no_temporary_file_and_resumes(tmp_path: Path) -> None:
    suite, store = write_suite(tmp_path / "suite", 40), tmp_path / "store"
    for workers in ("1", "2"):
        run = subprocess.Popen(
            command(suite, store / workers, "--workers", workers),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=as_from_a_terminal,
        )
        while run.poll() is None and len(RunStore(store / workers).records()) < 6:
            time.sleep(0.002)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to every process of the group
        output, _ = run.communicate(timeout=60)
        assert run.returncode == 130, output
        assert "Traceback" not in output
        assert list((store / workers / "tmp").iterdir()) == []
        done = subprocess.run(
            command(suite, store / workers), cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == 0
    assert csv_of(store / "1") == csv_of(store / "2")


@pytest.mark.slow
def test_fault_05_two_processes_on_one_store(tmp_path: Path) -> None:
    suite, store = write_suite(tmp_path / "suite", 12), tmp_path / "store"
    both = [
        subprocess.Popen(command(suite, store), cwd=ROOT, stdout=subprocess.DEVNULL) for _ in "ab"
    ]
    assert [run.wait(timeout=120) for run in both] == [0, 0]
    subprocess.run(command(suite, tmp_path / "alone"), cwd=ROOT, check=True, capture_output=True)
    assert csv_of(store) == csv_of(tmp_path / "alone")
    assert len(RunStore(store).records()) == 24


def test_fault_06_unicode_and_spaces_in_paths_work(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "sü ite", 1)
    store = tmp_path / "mein Läufer 走" / "deep" / "store"
    assert main(command(suite, store, "--in-process")[3:]) == 0
    assert csv_of(store).count("\n") == 2


def test_fault_06_a_store_that_cannot_be_written_stops_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path / "suite", 1)
    (tmp_path / "file").write_text("in the way")
    assert main(command(suite, tmp_path / "file" / "store")[3:]) == 3
    assert "cannot write " in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "in the way"


def test_fault_06_a_read_only_store_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, store = ask(make_suite(tmp_path / "s", 1)), RunStore(tmp_path / "store").create()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreError, match="Read-only file system"):
        do(request, store)
    assert store.records() == {}


class Restless(MyGenerator):
    """A model whose videos differ from run to run, as on a GPU."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        write_video(out, self.frames, seed=int.from_bytes(os.urandom(4)))


def test_fault_05_runs_that_make_other_videos_lose_none(tmp_path: Path) -> None:
    request, store = ask(make_suite(tmp_path / "s", 3), generator=Restless()), tmp_path / "store"
    for _ in range(2):
        do(request, RunStore(store), Policy.ALWAYS)
    made = [one for one in RunStore(store).lines() if isinstance(one, Record)]
    videos = {one.video_sha256 for one in made if one.kind == "video"}
    assert len(videos) == 6
    assert [RunStore(store).video(sha256).sha256 for sha256 in sorted(videos)] == sorted(videos)
    counted = {one.video_sha256 for one in RunStore(store).records().values()}
    assert len(counted) == 6  # the scores of both runs, of which the newer videos' count
    assert collect([RunStore(store)])[0].cell("level").counts == {"ok": 3}


def test_a_stored_video_that_was_replaced_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, store = write_suite(tmp_path / "suite", 2), tmp_path / "store"
    assert main(command(suite, store, "--in-process")[3:]) == 0
    path = sorted((store / "videos").rglob("*.mp4"))[0]
    write_video(path, 12)
    out = str(tmp_path / "x.png")
    assert main(["sheet", str(store), "--suite", str(suite), "--out", out]) == 3
    assert f"{path} is not the video that was recorded" in capsys.readouterr().err
    assert not Path(out).exists()
    assert main(command(suite, store, "--in-process", "--policy", "always")[3:]) == 0
    assert main(["sheet", str(store), "--suite", str(suite), "--out", out]) == 0
