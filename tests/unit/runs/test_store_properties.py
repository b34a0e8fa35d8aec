"""The record reader: what was written is read, and what cannot be read is named."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from a2bench.keys import canonical_json
from a2bench.runs.files import Damage
from a2bench.runs.record import Record
from a2bench.runs.store import RunStore
from a2bench.types import Status
from tests.helpers.properties import ANY_TEXT, JSON, deterministic
from tests.helpers.runs import record

pytestmark = pytest.mark.slow  # together over 2 s

FINITE = st.floats(allow_nan=False, allow_infinity=False)
# kind, status and value: only a score that is ok has a value
OUTCOMES = st.one_of(
    st.tuples(st.just("score"), st.just(Status.OK), FINITE),
    st.tuples(st.just("video"), st.just(Status.OK), st.none()),
    st.tuples(
        st.sampled_from(["video", "score"]),
        st.sampled_from([status for status in Status if status is not Status.OK]),
        st.none(),
    ),
)
RECORDS = st.builds(
    lambda outcome, **more: Record(kind=outcome[0], status=outcome[1], value=outcome[2], **more),
    outcome=OUTCOMES,
    key=ANY_TEXT,
    model=ANY_TEXT,
    case_id=ANY_TEXT,
    case_key=ANY_TEXT,
    seed=st.integers(0, 2**64),
    metric=ANY_TEXT,
    profile=ANY_TEXT,
    video_sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    detail=st.dictionaries(ANY_TEXT, JSON, max_size=3),
    error=st.one_of(st.none(), ANY_TEXT),
    licence=ANY_TEXT,
    seconds=FINITE,
    revision=st.integers(0, 9),
)
SOME = st.lists(RECORDS, min_size=1, max_size=5, unique_by=lambda r: r.key)
FIELDS = [field.name for field in fields(Record)]


@pytest.fixture(autouse=True, scope="module")
def _unforced() -> Iterator[None]:
    """Nothing is forced to the disk: there are hundreds of records."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("a2bench.runs.files.os.fsync", lambda descriptor: None)
        yield


def filled(folder: Path, records: list[Record]) -> tuple[RunStore, Path]:
    """A new store, and its file of records."""
    store = RunStore(folder / uuid.uuid4().hex).create()
    writer = store.writer()
    for one in records:
        writer.append(one)
    (path,) = (store.root / "records").iterdir()
    return store, path


def unstamped(store: RunStore) -> list[Record]:
    return [replace(one, written_at="") for one in store.records().values()]


@deterministic
@given(records=SOME)
def test_records_are_read_as_they_were_written(tmp_path: Path, records: list[Record]) -> None:
    store, _ = filled(tmp_path, records)
    assert unstamped(store) == records


@deterministic
@given(records=st.lists(RECORDS.map(lambda r: replace(r, key="k")), min_size=1, max_size=5))
def test_of_one_key_the_highest_rank_is_read(tmp_path: Path, records: list[Record]) -> None:
    (read,) = filled(tmp_path, records)[0].records().values()
    assert read.rank == max(one.rank for one in records)


@deterministic
@given(records=SOME, data=st.data())
def test_a_file_cut_at_any_byte_is_read_up_to_the_last_whole_line(
    tmp_path: Path, records: list[Record], data: st.DataObject
) -> None:
    store, path = filled(tmp_path, records)
    whole = path.read_bytes()
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    path.write_bytes(cut)
    assert unstamped(store) == records[: cut.count(b"\n")]


def nested(start: bytes) -> bytes:
    """So deep that a parser gives up."""
    return start * 100_000


GARBAGE = st.one_of(
    st.binary(max_size=30).filter(lambda line: b"\n" not in line),
    JSON.map(lambda value: canonical_json(value).encode("utf-8", "surrogatepass")),
)


@deterministic
@given(garbage=GARBAGE, at=st.integers(0, 2))
@example(garbage=b"[]", at=0)
@example(garbage=b'["schema"]', at=1)
@example(garbage=b"9" * 5000, at=2)
@example(garbage=nested(b"["), at=1)
@example(garbage=nested(b'{"schema":'), at=1)
def test_a_line_that_is_no_record_is_named_and_left_out(
    tmp_path: Path, garbage: bytes, at: int
) -> None:
    store, path = filled(tmp_path, [record(name) for name in "abc"])
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:at], garbage, *lines[at:]]))
    found = list(store.lines())
    assert [(one.path, one.line) for one in found if isinstance(one, Damage)] == [(path, at + 1)]
    assert [one.key for one in found if isinstance(one, Record)] == ["a", "b", "c"]


def old_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file as version 0.1 wrote them, which had no checksums."""
    rows: list[dict[str, Any]] = list(map(json.loads, path.read_bytes().splitlines()))
    return [{**{k: row[k] for k in row if k != "check"}, "schema": 1} for row in rows]


@deterministic
@given(name=st.sampled_from(["schema", *FIELDS]), value=JSON, at=st.integers(0, 2))
@example(name="key", value=[], at=0)
@example(name="key", value=None, at=1)
@example(name="detail", value=[], at=1)
@example(name="detail", value={"read": 1}, at=1)
@example(name="status", value=[], at=1)
@example(name="revision", value="1", at=1)
@example(name="revision", value=None, at=1)
@example(name="revision", value=-1, at=1)
@example(name="value", value=float("nan"), at=1)
@example(name="value", value=float("inf"), at=1)
def test_a_field_of_any_value_without_a_checksum_is_read_or_named(
    tmp_path: Path, name: str, value: Any, at: int
) -> None:
    store, path = filled(tmp_path, [record("one")] * 3)
    rows = old_lines(path)
    rows[at][name] = value
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list(store.lines())
    assert [one.line for one in found if isinstance(one, Damage)] in ([], [at + 1])
    assert all(
        (one.rank and one.read is None) or one.read for one in found if isinstance(one, Record)
    )


@deterministic
@given(name=st.sampled_from(["schema", *FIELDS]))
def test_a_record_that_lacks_a_field_is_named(tmp_path: Path, name: str) -> None:
    store, path = filled(tmp_path, [record("a"), record("b")])
    rows = old_lines(path)
    del rows[1][name]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, second = store.lines()
    if name == "licence":  # older records have none
        assert isinstance(second, Record)
        return
    assert isinstance(second, Damage)
    reason = "it has no checksum" if name == "schema" else f"it lacks {name!r}"
    assert str(second) == f"{path}:2: damaged record: {reason}"


@deterministic
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_changed_byte_is_never_read_as_something_else(
    tmp_path: Path, place: float, flip: int
) -> None:
    store, path = filled(tmp_path, [record(name, value=0.25) for name in "abc"])
    damaged = bytearray(path.read_bytes())
    damaged[int(place * len(damaged))] ^= flip
    before = list(store.lines())
    path.write_bytes(damaged)
    found = list(store.lines())
    assert [one for one in found if isinstance(one, Record) and one not in before] == []
    last = flip and len(damaged) - 1 == int(place * len(damaged))  # then the line is torn
    assert last or any(isinstance(one, Damage) for one in found)
