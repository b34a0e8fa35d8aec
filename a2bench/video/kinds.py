"""What kinds of files are read, and what a file is by its first bytes and not by its name."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple


class Kind(NamedTuple):
    """A kind of file that holds a video. ``demuxers`` are FFmpeg's names; none: it is refused."""

    name: str
    suffixes: tuple[str, ...]
    demuxers: str = ""
    refused: str = ""


MP4 = Kind("MP4", (".mp4", ".m4v", ".mov", ".3gp"), "mov,mp4")
MATROSKA = Kind("Matroska, WebM", (".mkv", ".webm"), "matroska,webm")
AVI = Kind("AVI", (".avi",), "avi")
GIF = Kind("GIF", (".gif",), "gif")
TS = Kind("MPEG transport stream", (".ts", ".m2ts", ".mts"), "mpegts")
ASF = Kind("ASF", (".wmv", ".asf"), "asf")
WEBP = Kind("WebP", (".webp",), refused="a WebP: convert it to MP4, WebM or GIF if it is animated")
FLV = Kind("FLV", (".flv",), refused="an FLV: convert it to MP4")
OGG = Kind("Ogg", (".ogv",), refused="an Ogg video: convert it to MP4 or WebM")
MPEG = Kind("MPEG program stream", (".mpg", ".mpeg", ".vob"), refused="an MPEG-PS: convert to MP4")

KINDS = (MP4, MATROSKA, AVI, GIF, TS, ASF, WEBP, FLV, OGG, MPEG)
READ = tuple(kind for kind in KINDS if kind.demuxers)
SUFFIXES = tuple(suffix for kind in KINDS for suffix in kind.suffixes)
DEMUXERS = ",".join(kind.demuxers for kind in READ)
NAMES = ", ".join(kind.name for kind in READ)

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_TS_BYTES, _M2TS_BYTES = 188, 192
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")


def kind_of(path: Path) -> Kind | None:
    """What a file is by its content; None for what is no video. Raises ``OSError``."""
    with path.open("rb") as file:
        head = file.read(2 * _M2TS_BYTES + 5)
    if head[4:8] in _BOXES:
        return MP4
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return MATROSKA
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if head.startswith(b"RIFF"):
        return {b"AVI ": AVI, b"WEBP": WEBP}.get(head[8:12])
    if head.startswith(_ASF):
        return ASF
    if head.startswith(b"FLV\x01"):
        return FLV
    if head.startswith(b"OggS"):
        return OGG
    if head.startswith(b"\x00\x00\x01\xba"):
        return MPEG
    for start, step in ((0, _TS_BYTES), (4, _M2TS_BYTES)):
        if len(head) > start + step and head[start] == head[start + step] == 0x47:
            return TS
    return None


def unfinished(path: Path, kind: Kind) -> str:
    """Why a file of a kind whose end can be told ends too early; empty when it does not."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if kind is AVI:
            (told,) = struct.unpack("<4xI", file.read(8))
            missing = told + 8 - size if told < 2**32 - 8 else 0
            return f"cut off: {missing:,} bytes are missing" if missing > 0 else ""
        if kind is GIF and not _gif_ends(file, size):
            return "cut off: its last picture or its end mark is missing"
    return ""


def _gif_ends(file: BinaryIO, size: int) -> bool:
    """Whether each block of a GIF is whole and the last is the trailer."""
    head = file.read(13)
    _skip_colours(file, head[10])
    while kind := file.read(1):
        if kind == b";":
            return file.tell() <= size
        if kind == b"!":
            file.seek(1, os.SEEK_CUR)
        elif kind == b",":
            _skip_colours(file, (file.read(9) or b"\0")[-1])
            file.seek(1, os.SEEK_CUR)  # the size of a code
        else:
            return False
        while length := file.read(1):
            if length == b"\0":
                break
            file.seek(length[0], os.SEEK_CUR)
        else:
            return False
    return False


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 * 2 ** ((flags & 7) + 1), os.SEEK_CUR)
