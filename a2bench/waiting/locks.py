"""Locks that the system releases with their owner, however it ends, and folders that go by them.

The file of a lock stays when nobody holds it: it says nothing.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from a2bench.errors import CannotRun

_ASK_S = 0.5
_PREFIX = "a2bench-"


@contextmanager
def alone(
    path: Path, what: str, tell: Callable[[str], None], *, briefly_s: float = 0.0
) -> Iterator[None]:
    """Holds the lock ``path``; while another process holds it, tells once who waits and waits.

    Nothing is told of one that holds it ``briefly_s`` seconds or less. Raises ``CannotRun`` where
    the file cannot be made or locked.
    """
    lock = FileLock(path, mode=0o666)  # people who share a folder share its locks
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=briefly_s)
        except Timeout:
            tell(f"{what}: another process is at it; waiting for that")
            lock.acquire(poll_interval=_ASK_S)
    except OSError as error:
        raise CannotRun(f"{what}: {path} cannot be locked: {error}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """An empty folder in ``parent``, or the system's place; what dead processes left there goes.

    It lies in a folder beside a lock that its owner takes before it makes it. So where there is
    one, a lock that nobody holds tells that the owner is dead.
    """
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = FileLock(home / "lock")
    try:
        lock.acquire()
        (home / "content").mkdir()
        for other in home.parent.glob(f"{_PREFIX}*/content"):
            if other.parent != home:
                with suppress(OSError):  # its owner lives (``Timeout``), or it goes just now
                    _remove_dead(other.parent, owner=home.stat().st_uid)
        yield home / "content"
    finally:
        lock.release()  # first: some systems delete no file that is open
        shutil.rmtree(home, ignore_errors=True)


def _remove_dead(home: Path, *, owner: int) -> None:
    found = home.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == owner:
        with FileLock(home / "lock", timeout=0):
            shutil.rmtree(home, ignore_errors=True)
