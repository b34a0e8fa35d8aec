"""Faults 16, 18 and 19: generators that break the contract, videos from untrusted hands."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from a2bench.errors import VideosError
from a2bench.generators.archive import ArchiveLimits, unpack
from a2bench.generators.folder import Folder
from a2bench.runs.store import RunStore
from a2bench.types import Status, Suite
from tests.helpers.generators import (
    MyGenerator,
    Raises,
    WritesDirectory,
    WritesElsewhere,
    WritesNothing,
    WritesTwo,
)
from tests.helpers.makers import make_suite, write_video
from tests.helpers.runs import ask, do


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return make_suite(tmp_path / "suite", 2)


@pytest.mark.parametrize(
    ("generator", "reason"),
    [
        (WritesNothing(), "generator wrote no video"),
        (WritesElsewhere(), "generator wrote no video"),
        (WritesTwo(), "generator wrote no video"),
        (WritesDirectory(), "generator wrote no video"),
        (Raises(), "RuntimeError: broken on purpose"),
    ],
)
def test_fault_16_a_generator_that_gives_no_video_fails_and_leaves_nothing(
    suite: Suite, tmp_path: Path, generator: MyGenerator, reason: str
) -> None:
    store = RunStore(tmp_path / "store")
    records = do(ask(suite, generator=generator), store)
    assert [r.status for r in records if r.kind == "video"] == [Status.FAILED] * 2
    assert all((r.error or "").startswith(reason) for r in records if r.kind == "video")
    assert [path for path in store.root.rglob("*") if path.suffix == ".mp4"] == []
    assert list((store.root / "tmp").iterdir()) == []


def test_fault_18_a_link_to_the_outside_is_refused_and_named(suite: Suite, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    write_video(videos / "case-001.mp4")
    (videos / "case-002.mp4").symlink_to(write_video(tmp_path / "secret.mp4"))
    (videos / "folder").symlink_to(tmp_path)
    with pytest.raises(VideosError) as caught:
        Folder(videos=videos, name="m").prepare(suite)
    (fault,) = caught.value.faults
    assert fault == f"case-002.mp4: is a link to {tmp_path / 'secret.mp4'}, outside {videos}"
    (videos / "manifest.csv").write_text("case,video\ncase-001,folder/secret.mp4\n")
    with pytest.raises(VideosError, match=r"manifest\.csv:2 \(folder/secret\.mp4\): is a link"):
        Folder(videos=videos, name="m").prepare(suite)


def test_fault_18_a_link_within_the_folder_is_followed(suite: Suite, tmp_path: Path) -> None:
    write_video(tmp_path / "real" / "case-001.mp4")
    (tmp_path / "real" / "case-002.mp4").symlink_to("case-001.mp4")
    (tmp_path / "videos").symlink_to("real")
    assert Folder(videos=tmp_path / "videos", name="m").prepare(suite) == ()


@pytest.mark.parametrize(
    "path",
    ["../secret.mp4", "a/../../secret.mp4", "/etc/secret.mp4", "..\\secret.mp4", "C:\\a.mp4"],
)
def test_fault_18_a_table_that_leads_outside_is_refused(
    suite: Suite, tmp_path: Path, path: str
) -> None:
    write_video(tmp_path / "secret.mp4")
    write_video(tmp_path / "videos" / "a.mp4")
    table = tmp_path / "videos" / "manifest.csv"
    table.write_text(f"case,video\ncase-001,{path}\ncase-002,a.mp4\n")
    with pytest.raises(VideosError) as caught:
        Folder(videos=table, name="m").prepare(suite)
    assert caught.value.faults == [
        f"{table}:2: video: {path!r} leads outside the folder of the table"
    ]


def write_zip(path: Path, *entries: zipfile.ZipInfo | str, data: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.mp4", b"good")
        for entry in entries:
            archive.writestr(entry, data)
    return path


def special(kind: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("special.mp4")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("../evil.mp4", "'../evil.mp4' leads outside"),
        ("a/../../evil.mp4", "leads outside"),
        ("/tmp/evil.mp4", "leads outside"),
        ("..\\evil.mp4", "leads outside"),
        ("C:\\evil.mp4", "leads outside"),
        (special(stat.S_IFLNK), "'special.mp4' is a link or a device"),
        (special(stat.S_IFIFO), "'special.mp4' is a link or a device"),
        ("GOOD.mp4", "'good.mp4' comes 2 times"),
    ],
)
def test_fault_19_a_bad_entry_is_refused_before_anything_is_written(
    tmp_path: Path, entry: zipfile.ZipInfo | str, reason: str
) -> None:
    into = tmp_path / "a" / "into"
    into.mkdir(parents=True)
    with pytest.raises(VideosError, match=r"entry\.zip: .*" + reason):
        unpack(write_zip(tmp_path / "entry.zip", entry), into)
    assert list(into.parent.rglob("*")) == [into]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (ArchiveLimits(), "unpacks to over 100 times its size"),
        (ArchiveLimits(max_bytes=2**20), "unpacks to 33,554,436 bytes; the limit"),
        (ArchiveLimits(max_entries=2), "3 entries are over the limit of 2"),
    ],
)
def test_fault_19_too_much_is_refused_before_anything_is_written(
    tmp_path: Path, limits: ArchiveLimits, reason: str
) -> None:
    (tmp_path / "into").mkdir()
    path = write_zip(tmp_path / "entry.zip", "a.mp4", "b.mp4", data=bytes(2**24))
    with pytest.raises(VideosError, match=reason):
        unpack(path, tmp_path / "into", limits=limits)
    assert list((tmp_path / "into").iterdir()) == []


def test_fault_19_gigabytes_of_zeros_are_refused(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    path = write_zip(tmp_path / "entry.zip", "a.mp4", data=bytes(2**20))
    forge(path, b"a.mp4", lambda data, at: struct.pack_into("<I", data, at + 24, 4_000_000_000))
    with pytest.raises(VideosError, match="unpacks to over 100 times its size"):
        unpack(path, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_fault_19_a_million_entries_are_refused_without_listing_them(tmp_path: Path) -> None:
    record = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, *[0] * 7, 1, *[0] * 6) + b"a"
    size = len(record) * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, size, 0, 0)
    path = tmp_path / "entry.zip"
    path.write_bytes(record * 1_000_000 + end)
    (tmp_path / "into").mkdir()
    with pytest.raises(VideosError, match="too many entries"):
        unpack(path, tmp_path / "into")


def forge(path: Path, name: bytes, change: Callable[[bytearray, int], None]) -> None:
    """Changes the record of an entry in the table of contents, at the end of the archive."""
    data = bytearray(path.read_bytes())
    change(data, data.rindex(name) - 46)
    path.write_bytes(data)


def test_fault_19_an_entry_larger_than_it_says_is_caught(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    path = write_zip(tmp_path / "entry.zip", "a.mp4", data=bytes(2**24))
    forge(path, b"a.mp4", lambda data, at: struct.pack_into("<I", data, at + 24, 1000))
    with pytest.raises(VideosError, match="cannot be unpacked: Bad CRC-32"):
        unpack(path, tmp_path / "into")
    assert (tmp_path / "into" / "a.mp4").stat().st_size <= 1000


@pytest.mark.parametrize(("at", "value"), [(8, 1), (10, 12)], ids=["encrypted", "bzip2"])
def test_fault_19_entries_that_cannot_be_bounded_are_refused(
    tmp_path: Path, at: int, value: int
) -> None:
    (tmp_path / "into").mkdir()
    path = write_zip(tmp_path / "entry.zip", "a.mp4")
    forge(path, b"a.mp4", lambda data, start: struct.pack_into("<H", data, start + at, value))
    with pytest.raises(VideosError, match=r"'a\.mp4' is encrypted or packed by another method"):
        unpack(path, tmp_path / "into")


def test_fault_19_a_damaged_archive_is_refused(suite: Suite, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "entry.zip", "case-001.mp4", data=bytes(range(256)) * 9)
    whole = path.read_bytes()
    for broken in (b"", b"PK", whole[:-30], whole[: len(whole) // 2], b"<html>404</html>"):
        path.write_bytes(broken)
        with pytest.raises(VideosError, match="cannot be unpacked"):
            Folder(videos=path).prepare(suite)


def test_fault_19_all_faults_of_an_archive_are_listed(suite: Suite, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "entry.zip", "../a.mp4", "/b.mp4", special(stat.S_IFLNK))
    with pytest.raises(VideosError) as caught:
        Folder(videos=path).prepare(suite)
    assert len(caught.value.faults) == 3
