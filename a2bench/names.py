"""Names in Unicode: two spellings of one name (NFC, NFD) are the same name.

macOS writes ``ä`` as ``a`` with a mark, most keyboards as one character; a file keeps the spelling
of who made it, and a table that of who typed it.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def nfc(text: str) -> str:
    """The spelling by which names are compared."""
    return unicodedata.normalize("NFC", text)


def on_disk(path: Path) -> Path:
    """The path as the disk spells it; as it was given when nothing there has such a name."""
    if str(path).isascii() or os.path.lexists(path):
        return path
    parent = on_disk(path.parent)
    try:
        same = [one for one in parent.iterdir() if nfc(one.name) == nfc(path.name)]
    except OSError:
        return path
    return min(same, default=parent / path.name)


def is_file(path: Path) -> bool:
    """Whether there is such a file; there is none of a name that no disk can hold."""
    try:
        return path.is_file()
    except OSError:
        return False
