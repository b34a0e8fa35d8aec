"""A .zip of videos from somebody else, unpacked only when all of it is harmless."""

from __future__ import annotations

import io
import re
import shutil
import stat
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from a2bench.errors import VideosError
from a2bench.names import nfc

_DIRECTORY_BYTES = 8 * 2**20
_SAYS_UTF_8 = 0x800
_DAMAGED = (
    BadZipFile,
    NotImplementedError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """What is refused before a byte is written; ``max_ratio`` is unpacked to packed size."""

    max_entries: int = 10_000
    max_bytes: int = 32 * 2**30
    max_ratio: int = 100


DEFAULT_LIMITS = ArchiveLimits()


def unpack(
    archive: Path,
    into: Path,
    *,
    limits: ArchiveLimits = DEFAULT_LIMITS,
    names: re.Pattern[str] | None = None,
) -> Path:
    """Unpacks a .zip into an empty folder; returns where its content starts.

    That is the one folder that the archive holds, or ``into``. Hidden files are left out. ``names``
    is what every entry must be called, where that is known. Raises
    ``VideosError``, with all faults, before anything is written; an entry that turns out to be
    damaged, or another size than the archive says, is refused while it is unpacked.
    """
    try:
        with _Reader(io.FileIO(archive)) as file, ZipFile(file) as opened:
            entries = opened.infolist()
            space = min(limits.max_bytes, shutil.disk_usage(into).free)
            faults = list(_faults(entries, archive.stat().st_size, space, limits))
            faults += [
                f"{_name(entry)!r} does not belong there"
                for entry in entries[: limits.max_entries]
                if names and not names.fullmatch(_name(entry))
            ]
            if faults:
                raise VideosError([f"{archive}: {fault}" for fault in faults])
            for entry in entries:
                _write(opened, entry, into)
    except _DAMAGED as error:
        raise VideosError([f"{archive}: cannot be unpacked: {error}"]) from error
    inside = list(into.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else into


def leads_outside(name: str) -> bool:
    """Whether a relative path, read as any system might, is none or climbs out of its folder."""
    path = PureWindowsPath(name)  # takes both kinds of slashes, and drives
    return bool(path.anchor) or ".." in path.parts or "\0" in name


class _Reader(io.BufferedReader):
    """Refuses a table of contents so long that reading it alone would fill the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY_BYTES:
            raise BadZipFile("too many entries")
        return super().read(size)


def _faults(
    entries: Sequence[ZipInfo], packed: int, space: int, limits: ArchiveLimits
) -> Iterator[str]:
    total = sum(entry.file_size for entry in entries)
    if len(entries) > limits.max_entries:
        yield f"{len(entries):,} entries are over the limit of {limits.max_entries:,}"
        return
    if total > space:
        yield f"it unpacks to {total:,} bytes; the limit, or the room left, is {space:,}"
    if total > packed * limits.max_ratio:
        yield f"it unpacks to over {limits.max_ratio} times its size"
    for name, count in Counter(nfc(_name(entry)).casefold() for entry in entries).items():
        if count > 1:
            yield f"{name!r} comes {count} times"
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if leads_outside(_name(entry)):
            yield f"{_name(entry)!r} leads outside"
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield f"{_name(entry)!r} is a link or a device"
        if entry.flag_bits & 1 or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            yield f"{_name(entry)!r} is encrypted or packed by another method than deflate"


def _name(entry: ZipInfo) -> str:
    """The name of an entry; macOS writes UTF-8 without saying so, which reads as CP437."""
    if not entry.flag_bits & _SAYS_UTF_8:
        with suppress(UnicodeError):
            return entry.filename.encode("cp437").decode("utf-8")
    return entry.filename


def _write(opened: ZipFile, entry: ZipInfo, into: Path) -> None:
    parts = PureWindowsPath(_name(entry)).parts
    if entry.is_dir() or any(part.startswith((".", "__MACOSX")) for part in parts):
        return
    target = into.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(entry) as source, target.open("xb") as sink:
        # Reads no more than the size that was checked, and ends in an error if that was a lie.
        shutil.copyfileobj(source, sink)
