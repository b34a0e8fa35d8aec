"""Canonical JSON and sha256: the only place where identity is defined."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, ``repr`` floats.

    Raises ``ValueError`` for NaN and infinities, ``TypeError`` for what JSON cannot hold.
    """
    return _ENCODER.encode(value)


def digest(value: Any) -> str:
    """The sha256 (64 hex digits) of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def file_sha256(path: Path) -> str:
    """The sha256 (64 hex digits) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_fault(value: Any) -> str:
    """What keeps a value from being canonical JSON, in words (``hold nan at 'x'``), or nothing."""
    if isinstance(value, Mapping):
        if odd := [name for name in value if not isinstance(name, str | int)]:
            return f"have the name {odd[0]!r}, which is no text"
        parts = list(value.items())
    elif isinstance(value, list | tuple):
        parts = list(enumerate(value))
    elif isinstance(value, float) and not math.isfinite(value):
        return f"hold {value}"
    else:
        plain = value is None or isinstance(value, str | int | float)
        return "" if plain else f"hold {type(value).__name__}, which is no JSON"
    for name, part in parts:
        if fault := json_fault(part):
            return fault if " at " in fault else f"{fault} at {name!r}"
    return ""
