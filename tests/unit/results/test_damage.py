"""What is damaged in a store is named, taken out and made again, and locks nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from a2bench.errors import StoreError
from a2bench.keys import canonical_json
from a2bench.results.leaderboard import collect, to_csv
from a2bench.results.upkeep import check, repair
from a2bench.runs.store import RunStore
from a2bench.types import Suite
from tests.helpers.makers import write_video
from tests.helpers.runs import ask, do, flip_digit, only


def put(what: bytes) -> Callable[[Path], Path]:
    """A line before the others of a file of records."""

    def do_it(root: Path) -> Path:
        path = only(root, "records/*.jsonl")
        path.write_bytes(what + b"\n" + path.read_bytes())
        return path

    return do_it


def no_sha256(root: Path) -> Path:
    """A video of an older store, whose lines have no checksum, that names no file."""
    path = only(root, "records/*.jsonl")
    rows = [json.loads(line) | {"schema": 1} for line in path.read_text().splitlines()]
    rows[0]["video_sha256"] = "../../secret"
    path.write_text("".join(json.dumps(without_check(row)) + "\n" for row in rows))
    return path


def without_check(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "check"}


def one_without_check(root: Path) -> Path:
    """A line that says to be of an older store, among others that are not."""
    path = only(root, "records/*.jsonl")
    first, *others = path.read_text().splitlines(keepends=True)
    row = without_check(json.loads(first)) | {"schema": 1, "seconds": 99.0}
    path.write_text("".join([canonical_json(row) + "\n", *others]))
    return path


def ends_in(what: bytes) -> Callable[[Path], Path]:
    """A file of records whose end was not written, or by somebody else."""

    def do_it(root: Path) -> Path:
        path = only(root, "records/*.jsonl")
        path.write_bytes(path.read_bytes() + what)
        return path

    return do_it


def empty_manifest(root: Path) -> Path:
    path = only(root, "runs/*.json")
    path.write_text("")
    return path


def foreign_manifest(root: Path) -> Path:
    path = root / "runs" / "notes.json"
    path.write_text('{"mine": true}')
    return path


def other_video(root: Path) -> Path:
    path = only(root, "videos/*/*.mp4")
    write_video(path, 12)
    return path


def unused_video(root: Path) -> Path:
    """A file that no record names, and that is not what its name says."""
    path = root / "videos" / "ab" / f"{'ab' * 32}.mp4"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"something else")
    return path


def entry(name: str, make: Callable[[Path], None]) -> Callable[[Path], Path]:
    """What is no regular file, where one belongs; ``*`` is of what is there."""

    def do_it(root: Path) -> Path:
        path = only(root, name) if "*" in name else root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        make(path)
        return path

    return do_it


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


NAMES = ("records/x.jsonl", "records/*.jsonl", "runs/x.json", "runs/*.json", "videos/*/*.mp4")
ENTRIES = [
    *(entry(name, make) for name in NAMES for make in (Path.mkdir, os.mkfifo, dangling)),
    *(entry("tmp/x.lock", make) for make in (Path.mkdir, os.mkfifo, dangling)),
    *(entry(name, Path.touch) for name in ("removed", "tmp", "videos", "runs", "videos/*")),
]


DAMAGES = [
    flip_digit, put(b""), put(b"[1]"), put(b"[" * 100_000), put(b'{"value":NaN}'), put(b"\xff"),
    no_sha256, one_without_check, ends_in(b"\0" * 4096), ends_in(b'{"check":"0123\0\0'),
    ends_in(b"mine"), empty_manifest, foreign_manifest, other_video, unused_video, *ENTRIES,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.filterwarnings("ignore:.* damaged ")
def test_damage_is_named_taken_out_and_what_it_cost_is_made_again(
    store: RunStore, suite: Suite, damage: Callable[[Path], Path]
) -> None:
    before = to_csv(collect([store]))
    path = damage(store.root)
    (found,) = check(store).damage
    assert found.path == path
    (taken,) = repair(store).damage
    assert str(taken) == str(found)
    assert check(store).damage == ()
    removed = (store.root / "removed").glob("*/*")
    assert [one.name for one in removed] == [path.name]
    do(ask(suite), store)
    assert to_csv(collect([store])) == before


def test_a_torn_end_is_no_damage(store: RunStore) -> None:
    path = only(store.root, "records/*.jsonl")
    path.write_bytes(path.read_bytes()[:-5])
    assert check(store).damage == ()
    assert len(check(store).records) == 5


def test_line_ends_of_another_system_are_read(store: RunStore, suite: Suite) -> None:
    path, before = only(store.root, "records/*.jsonl"), store.records()
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert store.records() == before
    assert check(store).damage == ()
    path.write_bytes(path.read_bytes()[:-1])  # torn between the two
    assert check(store).damage == ()
    assert len(do(ask(suite), store)) == 1


@pytest.mark.parametrize("name", ["tmp", "videos", "runs"])
def test_what_is_in_the_way_is_named(store: RunStore, suite: Suite, name: str) -> None:
    path = entry(name, Path.touch)(store.root)
    with pytest.raises(StoreError, match=f"cannot write {path}: File exists"):
        do(ask(suite), store)


def test_a_file_that_cannot_be_read_is_named(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = only(store.root, "records/*.jsonl")
    real = Path.open

    def refuse(self: Path, *how: Any, **more: Any) -> Any:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return real(self, *how, **more)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreError, match=f"cannot read {path}: Permission denied"):
        check(store)
