from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from a2bench.errors import StoreError
from a2bench.runs.store import RunStore
from a2bench.types import Status
from tests.helpers.runs import record


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


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.writer().append(record())
    (path,) = (tmp_path / "records").iterdir()
    path.write_bytes(b"{broken\n" + path.read_bytes())
    with pytest.raises(StoreError, match=r"\.jsonl:1: damaged record"):
        store.records()


def test_a_record_of_another_schema_is_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    store.writer().append(record())
    (path,) = (tmp_path / "records").iterdir()
    row = json.loads(path.read_text())
    path.write_text(json.dumps({**row, "schema": 99}) + "\n")
    with pytest.raises(StoreError, match="another version"):
        store.records()


def test_manifests_keep_the_order_of_runs_and_repeat_in_place(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    assert [store.write_manifest({"n": n}, {}) for n in (1, 2, 1)] == [1, 2, 3]
    assert [m["request"]["n"] for m in store.manifests()] == [2, 1]


@pytest.mark.slow
def test_sweep_removes_only_what_dead_processes_left(tmp_path: Path) -> None:
    store = RunStore(tmp_path).create()
    with store.staging() as mine:
        (mine / "half.mp4").write_bytes(b"x")
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        host = mine.name.partition("-")[0]
        (tmp_path / "tmp" / f"{host}-{child}-dead").mkdir()
        (tmp_path / "tmp" / "otherhost-1-alive").mkdir()
        store.sweep()
        left = {path.name for path in (tmp_path / "tmp").iterdir()}
        assert left == {mine.name, "otherhost-1-alive"}
    assert not mine.exists()


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
    with pytest.raises(StoreError, match=r"jsonl:1: damaged record: .* has the value None"):
        store.records()
