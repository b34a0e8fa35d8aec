"""Locks that the system releases with their owner, wherever it ran and however it ended."""

from __future__ import annotations

import errno
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nobody is taken for dead, so nothing of theirs is removed
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Lock:
    """A held lock file. It outlives no process, and a process on another machine sees it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def release(self, *, keep: bool = False) -> None:
        """Gives the lock back; without ``keep`` its file goes, too."""
        if not keep:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def claim(path: Path) -> Lock | None:
    """Makes a lock file of a new name and holds it; None where it was taken for a dead one's.

    On a file system without locks it is held by its name alone.
    """
    return _hold(path, os.O_CREAT, blind=True)


def inherit(path: Path) -> Lock | None:
    """Takes over the lock file of an owner that is gone; None if it is held, or cannot be told."""
    try:
        return _hold(path, 0, blind=False)
    except FileNotFoundError:
        return None


def _hold(path: Path, flags: int, *, blind: bool) -> Lock | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o666)
    if _locked(descriptor, blind) and _is_at(path, descriptor):
        return Lock(path, descriptor)
    os.close(descriptor)
    return None


def _locked(descriptor: int, blind: bool) -> bool:
    if fcntl is None:
        return blind
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return blind and error.errno in _NO_LOCKS
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the file is still there: who held it before may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
