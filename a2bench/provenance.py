"""Where a result comes from: versions, commit, machine, arguments; secrets redacted."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from a2bench import __version__
from a2bench.types import Json

PACKAGES = (
    *("numpy", "scipy", "torch", "av", "opencv-python", "dlib-bin", "pypiqe", "pandas"),
    *("google-genai", "rapidocr-onnxruntime"),
)

_SECRET_NAME = re.compile(r"key|token|secret|password|credential", re.IGNORECASE)
_SECRET_ARGUMENT = re.compile(
    r"((?:api[-_]?key|token|secret|password|credentials?)[\"']?\s*[=:\s]\s*[\"']?)[^\s\"'&]+",
    re.IGNORECASE,
)
_URL_LOGIN = re.compile(r"(\w+://)[^/\s@]+@")


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
        "arguments": redact("\n".join(arguments)).split("\n"),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def redact(text: str) -> str:
    """The text without secrets: values of secret-looking variables, arguments and URL logins."""
    for name, value in os.environ.items():
        if len(value) >= 8 and _SECRET_NAME.search(name):
            text = text.replace(value, "[redacted]")
    text = _SECRET_ARGUMENT.sub(r"\1[redacted]", text)
    return _URL_LOGIN.sub(r"\1[redacted]@", text)


def redacted(value: Json) -> Json:
    """A JSON value whose texts hold no secret, neither by their name nor by what they are."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        secret = {name for name, held in value.items() if _is_secret(name, held)}
        return {n: "[redacted]" if n in secret else redacted(v) for n, v in value.items()}
    return [redacted(held) for held in value] if isinstance(value, list | tuple) else value


def _is_secret(name: str, value: Json) -> bool:
    return isinstance(value, str) and bool(_SECRET_ARGUMENT.fullmatch(f"{name}={value}"))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this source tree; None in an installed package."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
