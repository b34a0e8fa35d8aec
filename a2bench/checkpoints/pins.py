"""Pins: the sha256 of a file that was hashed, with the size and the time that it had."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Pin:
    """What a file was when it was hashed."""

    sha256: str
    size: int
    mtime_ns: int


def read_pin(path: Path) -> Pin | None:
    """The pin of the file at ``path``; None where there is none that can be read."""
    with suppress(OSError, ValueError, TypeError):
        pin = Pin(**json.loads(_pin_path(path).read_text(encoding="utf-8")))
        return pin if len(pin.sha256) == 64 else None
    return None


def write_pin(path: Path, sha256: str) -> None:
    """Pins the file at ``path``; where nothing can be written, it is hashed again next time."""
    stat = path.stat()
    pin = Pin(sha256=sha256, size=stat.st_size, mtime_ns=stat.st_mtime_ns)
    with suppress(OSError):
        temporary = path.with_name(f"{path.name}.pin.{os.getpid()}.part")
        temporary.write_text(json.dumps(asdict(pin)), encoding="utf-8")
        temporary.replace(_pin_path(path))


def _pin_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.pin.json")
