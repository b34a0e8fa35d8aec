from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from a2bench.errors import StoreError
from a2bench.runs.store import RunStore
from a2bench.types import Status
from tests.helpers import ROOT
from tests.helpers.makers import write_video
from tests.helpers.runs import record, stored


def test_records_round_trip_with_full_precision(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.writer().append(record(value=0.1 + 0.2))
    (read,) = store.records().values()
    assert read.value == 0.1 + 0.2
    assert read.detail == {"x": [1, None, "ü"]}
    assert read.written_at.endswith("+00:00")


def test_the_newest_revision_wins_in_any_order_of_files(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    for order in ([3, 1, 2], [1, 2, 3]):
        for path in (tmp_path / "records").iterdir():
            path.unlink()
        for revision in order:
            store.writer().append(record(revision=revision, value=revision / 10))
        assert store.records()["k"].value == 0.3


def test_of_one_revision_a_final_outcome_beats_a_failure(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.writer().append(record(value=0.25))
    store.writer().append(record(value=None))
    assert store.records()["k"].value == 0.25


def test_a_damaged_line_is_told_and_left_out(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.writer().append(record("a"), record("b"))
    (path,) = (tmp_path / "records").iterdir()
    first, second = path.read_bytes().splitlines(keepends=True)
    for broken in (b"{broken\n", b"\n", b"[1]\n", first.replace(b"0.5", b"0.6"), b"\xff\n"):
        path.write_bytes(broken + second)
        with pytest.warns(UserWarning, match=r"1 damaged records .*\.jsonl:1: damaged record: "):
            assert list(store.records()) == ["b"]


def test_a_record_of_a_later_version_is_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.writer().append(record())
    (path,) = (tmp_path / "records").iterdir()
    body = b"{" + path.read_bytes()[28:-1].replace(b'"schema":2', b'"schema":99')
    check = hashlib.sha256(body).hexdigest()[:16].encode()
    path.write_bytes(b'{"check":"' + check + b'",' + body[1:] + b"\n")
    with pytest.raises(StoreError, match=r"jsonl:1: .*another version of a2bench \(schema 99\)"):
        store.records()


def test_a_record_without_a_checksum_is_read_if_it_is_of_version_1(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.writer().append(record())
    (path,) = (tmp_path / "records").iterdir()
    row = json.loads(path.read_text())
    del row["check"], row["licence"]
    path.write_text(json.dumps({**row, "schema": 1}) + "\n")
    assert store.records()["k"].value == 0.5
    path.write_text(json.dumps(row) + "\n")
    with pytest.warns(UserWarning, match="it has no checksum"):
        assert store.records() == {}


def asked(number: int) -> dict[str, Any]:
    """A request as a manifest holds it."""
    works = [["case-001", "ck", 0, "k"]]
    return {"model": number, "suite": {}, "profile": "test", "metrics": [], "works": works}


def test_manifests_keep_the_order_of_runs_and_repeat_in_place(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    assert [store.write_manifest(asked(n), {}) for n in (1, 2, 1)] == [1, 2, 3]
    assert [m["request"]["model"] for m in store.manifests()] == [2, 1]


def test_a_file_that_is_no_manifest_is_told_and_left_out(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.write_manifest(asked(1), {})
    store.write_manifest(asked(2), {})
    (path,) = (p for p in (tmp_path / "runs").iterdir() if '"model":2' in p.read_text())
    whole = path.read_text()
    deep = "[" * 100_000
    for broken in ("", "[]", "{}", "null", deep, whole.replace('"revision":2', '"revision":1')):
        path.write_text(broken)
        with pytest.warns(UserWarning, match=rf"1 damaged manifests .*{path.name}: no manifest"):
            assert [m["request"]["model"] for m in store.manifests()] == [1]
    path.write_text(whole)
    (tmp_path / "runs" / "notes.json").write_text(whole)
    with pytest.warns(UserWarning, match="notes.json"):
        assert [m["request"]["model"] for m in store.manifests()] == [1, 2]


def test_a_revision_is_never_given_twice_though_a_manifest_is_damaged(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    assert store.write_manifest(asked(1), {}) == 1
    assert store.write_manifest(asked(2), {}) == 2
    store.writer().append(record(revision=2))
    (path,) = (p for p in (tmp_path / "runs").iterdir() if '"model":2' in p.read_text())
    path.write_text("")
    assert store.write_manifest(asked(3), {}) == 3


def test_a_manifest_of_a_later_version_is_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.write_manifest(asked(1), {})
    (path,) = (tmp_path / "runs").iterdir()
    path.write_text(path.read_text().replace('"schema":2', '"schema":3'))
    with pytest.raises(StoreError, match=r"another version of a2bench \(schema 3\)"):
        store.manifests()


@pytest.mark.slow
def test_sweep_removes_only_what_dead_processes_left(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    with store.staging() as mine:
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            with store.staging() as theirs:
                (theirs / "half.mp4").write_bytes(b"x")
                os.write(told, theirs.name.encode())
                time.sleep(60)
        theirs = tmp_path / "tmp" / os.read(ready, 99).decode()
        (tmp_path / "tmp" / "foreign-name").mkdir()
        assert store.sweep()
        assert theirs.is_dir()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert store.sweep()  # mine
        left = {path.name for path in (tmp_path / "tmp").iterdir()}
        assert left == {mine.name, f"{mine.name}.lock", "foreign-name"}
    assert not store.sweep()
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["foreign-name"]


@pytest.mark.slow
def test_a_store_is_not_swept_from_another_namespace_of_processes(tmp_path: Path) -> None:
    """In a container that shares only the store, every process has another number."""
    store = RunStore(tmp_path).create()
    code = (
        f"from pathlib import Path; from a2bench.runs.store import RunStore\n"
        f"print(RunStore(Path({str(tmp_path)!r})).sweep())"
    )
    unshare = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--uts"]
    asked = [*unshare, "true"]
    if not shutil.which("unshare") or subprocess.run(asked, capture_output=True).returncode:
        pytest.skip("this machine allows no namespaces of processes")
    with store.staging() as mine:
        told = subprocess.run(
            [*unshare, sys.executable, "-c", code],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert told.stdout == "True\n"
        assert mine.is_dir()


def test_a_video_is_found_by_its_content_and_in_older_stores_by_its_key(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    sha256, key = stored(store, 5), "ab" * 32
    assert store.video(sha256, key).path == store.video_path(sha256)
    old = tmp_path / "videos" / "ab" / f"{key}.mp4"
    old.parent.mkdir()
    store.video_path(sha256).rename(old)
    assert store.video(sha256, key).path == old
    write_video(old, 6)
    with pytest.raises(StoreError, match="is not the video that was recorded"):
        store.video(sha256, key)
    old.write_bytes(b"no video at all")
    with pytest.raises(StoreError, match="is not the video that was recorded"):
        store.video(sha256, key)
    old.unlink()
    with pytest.raises(StoreError, match="is gone"):
        store.video(sha256, key)


def test_no_record_names_a_file_outside_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="which is no sha256"):
        RunStore(tmp_path).video_path("../../secret")


@pytest.mark.parametrize(
    ("kind", "status", "value"),
    [
        ("score", Status.FAILED, 0.0),
        ("score", Status.OK, None),
        ("score", Status.OK, float("nan")),
        ("video", Status.OK, 1.0),
    ],
)
def test_only_a_score_that_is_ok_has_a_value(
    kind: Literal["video", "score"], status: Status, value: float | None
) -> None:
    with pytest.raises(ValueError, match="has the value"):
        replace(record(), kind=kind, status=status, value=value)


def test_a_stored_score_without_its_value_is_damage(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.writer().append(record())
    (path,) = (tmp_path / "records").iterdir()
    path.write_text(re.sub(r'"value":[^,}]+', '"value":null', path.read_text()))
    with pytest.warns(UserWarning, match=r"jsonl:1: damaged record: its checksum is not that"):
        assert store.records() == {}
