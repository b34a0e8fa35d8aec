"""Secrets on command lines, whose words are known: one value is one word, whatever it holds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from a2bench.redaction.names import IN_PROSE, MARK, is_secret
from a2bench.redaction.texts import redact, without_password

_GIVEN = re.compile(
    r"(?P<head>[-/]{0,2}(?P<name>[A-Za-z_][\w.-]*)(?:=|:(?!/)\s*))(?P<value>(?s:.+))"
)
_OPTION = re.compile(r"--?(?P<name>[A-Za-z][\w-]*)")
_NEXT = re.compile(r"--?[A-Za-z][a-z0-9_-]*(?:=.*)?", re.DOTALL)
"""An option; a value that begins with a dash has capitals or digits, most likely."""
_USERS = frozenset({"u", "user", "proxy-user"})
"""Options with ``name:password``, as curl has them."""


def redacted_words(words: Iterable[str]) -> list[str]:
    """The words of a command line without secrets.

    An option's value is the next word or what follows ``=``; ``NAME=value`` and ``Header: value``
    are secret by their names. Any other word is a text, and may be a command line of its own.
    """
    found: list[str] = []
    option = ""
    for word in words:
        taken = option and not _NEXT.fullmatch(word)
        found.append(_value(option, word) if taken else _word(word))
        named = None if taken else _OPTION.fullmatch(word)
        option = named["name"] if named else ""
    return found


def redacted_line(words: Sequence[str]) -> str:
    """The words as one line for a shell; a word is quoted where it was before."""
    shown = zip(words, redacted_words(words), strict=True)
    return " ".join(new if shlex.quote(old) == old else shlex.quote(new) for old, new in shown)


def _word(word: str) -> str:
    found = _GIVEN.fullmatch(word)
    if found is None or (":" in found["head"] and found["name"].lower() in IN_PROSE):
        return redact(word)
    value = _value(found["name"], found["value"])
    return redact(word) if value == found["value"] else f"{found['head']}{value}"


def _value(name: str, value: str) -> str:
    """A value by what it is the value of."""
    if is_secret(name, value):
        return MARK
    shown = without_password(value) if name in _USERS else value
    return _word(value) if shown == value else shown
