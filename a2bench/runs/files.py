"""The files of a store: read where they are regular, written so that a crash tears nothing."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from a2bench.errors import StoreError
from a2bench.runs.record import Record, begins_line, from_line, has_check, to_line

NO_FILE = "not a regular file"
_REVISION = re.compile(rb'"revision":\s*(\d{1,99})')


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A file, or one line of it, that cannot be what was written."""

    path: Path
    reason: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.reason}"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tells what the disk does not give as ``StoreError``, with the path."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tells what the disk refuses as ``StoreError``, with the path."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def entries(folder: Path, suffix: str) -> list[Path]:
    """What lies in a folder under names that end so, sorted; nothing where there is no folder."""
    with reading(folder):
        here = folder.iterdir() if folder.is_dir() else ()
        return sorted(path for path in here if path.name.endswith(suffix))


def is_regular(path: Path) -> bool:
    """Whether a name leads to a file that can be read to its end, as a pipe cannot.

    Raises ``OSError`` if the name has gone.
    """
    path.lstat()
    return path.is_file()


def is_foreign(path: Path) -> bool:
    """Whether what bears the name of a lock is none: no file, or a link to one."""
    with suppress(FileNotFoundError):
        return not stat.S_ISREG(path.lstat().st_mode)
    return False


def lines_of(path: Path) -> Iterator[Record | Damage]:
    """The records of a file, and a damage for each line that is none.

    Lines may end as other systems end them. What follows the last newline is torn, and no line, if
    it can be the beginning of one. A line without a checksum is of an older store only where no
    other has one. Raises ``StoreError``.
    """
    with reading(path):
        if not is_regular(path):
            yield Damage(path=path, reason=NO_FILE)
            return
        checked: bool | None = None
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                content = line.removesuffix(b"\n").removesuffix(b"\r")
                if checked is None and not has_check(content):
                    checked = _has_checks(path)
                try:
                    found = _of_line(content, whole=line.endswith(b"\n"), checked=bool(checked))
                except ValueError as error:
                    yield Damage(path=path, line=number, reason=f"damaged record: {error}")
                except StoreError as error:
                    raise StoreError(f"{path}:{number}: {error}") from error
                else:
                    if found:
                        yield found


def _of_line(content: bytes, *, whole: bool, checked: bool) -> Record | None:
    """The record of a line; None for one that is torn."""
    if not whole:
        if begins_line(content):
            return None
        raise ValueError("what follows the last line is not the beginning of one")
    record = from_line(content)
    if checked and not has_check(content):
        raise ValueError("it has no checksum, as others of its file have")
    return record


def _has_checks(path: Path) -> bool:
    with path.open("rb") as file:
        return any(map(has_check, file))


def highest_revision(path: Path, least: int) -> int:
    """The highest revision of the records of a file, or ``least`` if none is higher.

    Only lines that may tell a higher one are read in full.
    """
    with reading(path):
        if not is_regular(path):
            return least
        with path.open("rb") as file:
            for line in file:
                if max(map(int, _REVISION.findall(line)), default=0) > least:
                    with suppress(ValueError):
                        least = max(least, from_line(line.rstrip(b"\r\n")).revision)
    return least


class RecordWriter:
    """Appends records to a file of its own; a record that was written is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, *records: Record) -> None:
        """All of them or none. Raises ``StoreError`` naming the file."""
        lines = b"".join(map(to_line, records))
        with writing(self._path), self._path.open("ab", buffering=0) as file:
            end = file.tell()
            try:
                if (written := file.write(lines)) != len(lines):
                    file.write(lines[written:])  # says why it cannot
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)  # a torn line must not run into the next one
                raise
            if end == 0:
                _keep_name(self._path)


def publish(staged: Path, path: Path) -> None:
    """Gives a finished file its name, so that a crash leaves all of it or nothing."""
    with staged.open("rb+") as file:
        os.fsync(file.fileno())
    staged.replace(path)
    _keep_name(path)


def _keep_name(path: Path) -> None:
    """Forces a name in a folder to the disk."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
