"""Files that a command writes for its user: whole, or as they were before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from a2bench.errors import CannotRun


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to; it takes its place and its rights when all is written.

    A device or pipe (``/dev/stdout``) is written as it is. Raises ``CannotRun`` with the path for
    what the disk refuses; the file that was there is then untouched.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with _told(path):
            yield path
        return
    staged = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        with _told(path):
            yield staged
            if target.exists():
                shutil.copymode(target, staged)
            staged.replace(target)
    finally:
        with suppress(OSError):
            staged.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, UTF-8, in the place of the one that is there. Raises as ``replacing``."""
    with replacing(path) as staged:
        staged.write_text(text, encoding="utf-8")


def write_private(path: Path, text: str) -> None:
    """As ``write_text``, a file that its owner alone can read, where the system knows owners."""
    make_private(path)
    with replacing(path) as staged:
        make_private(staged)
        staged.write_text(text, encoding="utf-8")


def make_private(path: Path) -> None:
    """Makes an empty file, or keeps the one that is there, for its owner alone."""
    with suppress(OSError):  # no such rights here; a file that cannot be made is told when written
        if not path.exists():
            path.touch(mode=0o600)
        elif path.is_file():
            path.chmod(0o600)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotRun(f"cannot write {path}: {error.strerror or error}") from error
