"""A file that arrives: as ``NAME.part``, verified, then renamed to ``NAME``."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from a2bench.checkpoints.transfer import BLOCK_BYTES, Expected, Progress, transfer
from a2bench.errors import CannotRun
from a2bench.keys import file_sha256
from a2bench.waiting.patience import Patience

PATIENCE = Patience(call_s=60.0, deadline_s=300.0)


def silent(done: int, total: int | None) -> None:
    """No progress is shown."""


def download(
    url: str,
    out: Path,
    expected: Expected,
    *,
    progress: Progress = silent,
    patience: Patience = PATIENCE,
) -> str:
    """Fetches ``url`` to ``out`` and returns the file's sha256.

    What an interrupted download left is continued (HTTP Range) if a sha256 can tell that the two
    halves fit; a server that ignores the range sends all of it again. What may pass is tried again
    (``transfer``). Raises ``CannotRun`` for anything that went wrong; ``out`` is then as it was
    before.
    """
    part = _part(out)
    try:
        with _told(url, part):
            part.parent.mkdir(parents=True, exist_ok=True)
            transfer(url, part, expected, progress=progress, patience=patience)
    except CannotRun as error:
        if not part.exists():
            raise
        if not expected.sha256:
            part.unlink()
            raise
        size = part.stat().st_size
        raise CannotRun(f"{error}; {size} bytes are kept in {part}: fetch goes on there") from error
    return _publish(part, out, expected)


def take_member(archive: Path, member: str, out: Path, expected: Expected) -> str:
    """Takes the member of exactly this name out of a zip archive; returns its sha256.

    The name of a member never becomes a path: ``out`` says where the bytes go.
    """
    part = _part(out)
    try:
        with _told(str(archive), part), zipfile.ZipFile(archive) as zipped:
            size = zipped.getinfo(member).file_size
            if size > expected.limit:
                raise CannotRun(f"{archive}: {member} has {size} bytes, over {expected.limit}")
            with zipped.open(member) as source:
                _write(source, part)
    except KeyError as error:
        raise CannotRun(f"{archive} holds no member {member}") from error
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        part.unlink(missing_ok=True)
        raise CannotRun(f"{archive} is no readable zip archive: {error}; delete it") from error
    return _publish(part, out, expected)


def copy(source: Path, out: Path, expected: Expected) -> str:
    """Copies a file and returns the copy's sha256; a wrong or cut copy never takes the name."""
    part = _part(out)
    with _told(str(source), part), source.open("rb") as file:
        _write(file, part)
    return _publish(part, out, expected)


def _write(source: IO[bytes], part: Path) -> None:
    """All of ``source``, or nothing."""
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            shutil.copyfileobj(source, file, BLOCK_BYTES)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _publish(part: Path, out: Path, expected: Expected) -> str:
    """Renames what is as expected and returns its sha256; deletes what is not."""
    with _told(str(out), part):
        size, found = part.stat().st_size, file_sha256(part)
        if found.startswith(expected.sha256) and expected.bytes in (None, size):
            part.replace(out)
            return found
        part.unlink()
    wanted = f"sha256 {expected.sha256 or 'unknown'}"
    wanted += "" if expected.bytes is None else f", {expected.bytes} bytes"
    raise CannotRun(
        f"{out.name} arrived with sha256 {found}, {size} bytes; expected {wanted}; "
        "it was deleted; if that happens again, the publisher has changed it"
    )


def _part(out: Path) -> Path:
    """The name under which a file grows."""
    return out.with_name(f"{out.name}.part")


@contextmanager
def _told(source: str, part: Path) -> Iterator[None]:
    """Every way in which the disk fails, as ``CannotRun``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CannotRun(f"no space left for {part}: free some") from error
        raise CannotRun(f"{source} cannot be stored as {part}: {error}") from error
