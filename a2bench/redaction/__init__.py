"""Secrets taken out of texts, command lines and parameters before they are kept or shown."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import scrypt

from a2bench.keys import canonical_json
from a2bench.redaction.blocks import tells
from a2bench.redaction.names import MARK, is_secret
from a2bench.redaction.texts import redact
from a2bench.redaction.words import redacted_line, redacted_words
from a2bench.types import Json

__all__ = ["MARK", "SEAL", "redact", "redacted", "redacted_line", "redacted_words", "sealed"]

SEAL = "scrypt"
"""The name under which ``sealed`` holds its hash."""
_SHORTEST_NAME = 16
_MOST_ORDINARY = 999_999
"""Whole numbers above may be passwords; a ``token`` below is one of a tokenizer."""


def redacted(value: Json, name: str = "") -> Json:
    """A JSON value whose texts hold no secret, neither by their name nor by what they are.

    ``name`` is what the value is called; all that a secret name holds is secret. A list of texts
    may be a command line, and one of two a header.
    """
    if isinstance(value, Mapping):
        names = {held: name if is_secret(name) else held for held in value}
        return {_name(held): redacted(value[held], names[held]) for held in value}
    if isinstance(value, list | tuple):
        if not is_secret(name) and all(isinstance(held, str) for held in value):
            words = redacted_words(value)
            is_pair = len(words) == 2 and is_secret(*value) and tells(*value)
            return [words[0], MARK] if is_pair else list(words)
        return [redacted(held, name) for held in value]
    if isinstance(value, str):
        return MARK if is_secret(name, value) else redact(value)
    is_long = isinstance(value, int) and abs(value) > _MOST_ORDINARY
    return MARK if is_long and is_secret(name) else value


def _name(held: str) -> str:
    """A name without the tokens that may stand in it; short ones hold none."""
    return redact(held) if isinstance(held, str) and len(held) >= _SHORTEST_NAME else held


def sealed(params: Mapping[str, Json], shown: Mapping[str, Json] | None = None) -> dict[str, Json]:
    """Parameters for keys and records: without secrets, and with what keeps two of them two.

    Where something was taken out, ``scrypt`` is a slow hash of all that was there. Slow, since a
    sha256 of a short secret is found by trying; and with no key of its own, so that one model has
    one name in every store. It buys time and is no safe: secrets belong into the environment.
    ``shown`` are the parameters without what the caller knows to be secret.
    """
    shown, whole = redacted(params if shown is None else shown), canonical_json(params)
    return dict(params) if canonical_json(shown) == whole else {**shown, SEAL: _slow_hash(whole)}


@lru_cache(maxsize=256)
def _slow_hash(text: str) -> str:
    """64 hex digits, for some 50 ms and 16 MiB."""
    words = text.encode("utf-8", "surrogatepass")
    return scrypt(words, salt=b"a2bench", n=2**14, r=8, p=1, dklen=32).hex()
