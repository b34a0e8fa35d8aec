"""Secrets on command lines, whose words are known: one value is one word, whatever it holds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from a2bench.redaction.names import IN_PROSE, MARK, is_secret
from a2bench.redaction.programs import short_options, shown, without_password
from a2bench.redaction.texts import redact

_GIVEN = re.compile(
    r"(?P<head>[-/]{0,2}(?P<name>[A-Za-z_][\w.-]*)(?:=|:(?!/)\s*))(?P<value>(?s:.+))"
)
_OPTION = re.compile(r"--?(?P<name>[A-Za-z][\w.-]*)=?")
_SHORT = re.compile(r"-(?P<letter>[A-Za-z])(?P<value>.*)", re.DOTALL)
_NEXT = re.compile(r"--?[A-Za-z][a-z0-9_-]*(?:=.*)?", re.DOTALL)
"""An option; a value that begins with a dash has capitals or digits, most likely."""
_USERS = frozenset({"u", "U", "user", "proxy-user", "login"})
"""Options with ``name:password``, as curl has them."""
_SETS = frozenset({"set", "add", "put", "setenv"})
_BARE_NAME = re.compile(r"[A-Za-z_][\w.-]*")


def redacted_words(words: Iterable[str]) -> list[str]:
    """The words of a command line without secrets.

    An option's value is the next word or what follows ``=``; ``NAME=value`` and ``Header: value``
    are secret by their names. So is what follows ``set NAME``, and what a program takes by a short
    option (``mysql -p...``). Any other word is a text, and may be a command line of its own.
    """
    found: list[str] = []
    option = letters = before = ""
    for word in words:
        short = _SHORT.fullmatch(word)
        if option and word == "--":
            found.append(word)
            continue
        if option and not _NEXT.fullmatch(word):
            is_short = option in letters
            found.append(shown(option, word) if is_short else _value(option, word))
            option = ""
        elif short and short["letter"] in letters and short["value"]:
            found.append(word[:2] + shown(short["letter"], short["value"]))
            option = _named(word, before)  # or a long one: -pass
        else:
            found.append(_word(word))
            option = _named(word, before)
            letters += short_options(word)
        before = word
    return found


def _named(word: str, before: str) -> str:
    """The name whose value the next word is, if this one is such a name."""
    if found := _OPTION.fullmatch(word):
        return found["name"]
    return word if before in _SETS and _BARE_NAME.fullmatch(word) and is_secret(word) else ""


def redacted_line(words: Sequence[str]) -> str:
    """The words as one line for a shell; a word is quoted where it was before."""
    pairs = zip(words, redacted_words(words), strict=True)
    return " ".join(new if shlex.quote(old) == old else shlex.quote(new) for old, new in pairs)


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
    return _word(without_password(value) if name in _USERS else value)
