"""Where a result comes from: versions, commit, machine, arguments."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from a2bench import __version__
from a2bench.redaction import redacted_words
from a2bench.types import Json

PACKAGES = (
    *("numpy", "scipy", "torch", "av", "opencv-python", "dlib-bin", "pypiqe", "pandas"),
    *("google-genai", "rapidocr-onnxruntime"),
)


def provenance(arguments: Sequence[str]) -> dict[str, Json]:
    """What produced a run, for its manifest. It informs; nothing is identified by it."""
    return {
        "a2bench": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "arguments": redacted_words(arguments),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this source tree; None in an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
