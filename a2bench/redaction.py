"""Secrets taken out of texts before they are kept or shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from a2bench.types import Json

_SECRET_NAME = re.compile(r"key|token|secret|password|credential", re.IGNORECASE)
_SECRET_ARGUMENT = re.compile(
    r"((?:api[-_]?key|token|secret|password|credentials?)[\"']?\s*[=:\s]\s*[\"']?)[^\s\"'&]+",
    re.IGNORECASE,
)
_URL_LOGIN = re.compile(r"(\w+://)[^/\s@]+@")


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
