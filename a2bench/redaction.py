"""Secrets taken out of texts before they are kept or shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import scrypt

from a2bench.keys import canonical_json
from a2bench.types import Json

SEAL = "scrypt"
"""The name under which ``sealed`` holds its hash."""
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


def sealed(params: Mapping[str, Json]) -> dict[str, Json]:
    """Parameters for keys and records: without secrets, and with what keeps two of them two.

    Where something was taken out, ``scrypt`` is a slow hash of all that was there. Slow, since a
    sha256 of a short secret is found by trying; and with no key of its own, so that one model has
    one name in every store. It buys time and is no safe: secrets belong into the environment.
    """
    shown, whole = redacted(params), canonical_json(params)
    return dict(params) if canonical_json(shown) == whole else {**shown, SEAL: _slow_hash(whole)}


@lru_cache(maxsize=256)
def _slow_hash(text: str) -> str:
    """64 hex digits, for some 50 ms and 16 MiB."""
    words = text.encode("utf-8", "surrogatepass")
    return scrypt(words, salt=b"a2bench", n=2**14, r=8, p=1, dklen=32).hex()


def _is_secret(name: str, value: Json) -> bool:
    return isinstance(value, str) and bool(_SECRET_ARGUMENT.fullmatch(f"{name}={value}"))
