"""Secrets in free text: what programs print, services answer and people type."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from urllib.parse import quote

from a2bench.redaction.names import IN_PROSE, MARK, is_secret
from a2bench.redaction.tokens import without_tokens
from a2bench.redaction.urls import passwords, without_logins

_SHORTEST = 8
"""Of a variable's value: shorter ones are ordinary words too often."""
_VARIABLE = re.compile(r"key|token|secret|password|credential", re.IGNORECASE)
_NAME = re.compile(
    r"(?<![\w.-])-{0,2}(?P<name>[A-Za-z_][\w.-]*+)"
    r"(?P<sep>\\*[\"'\]]{0,2}[ \t]*(?:=>|:=|==?|:(?![:/]))[ \t]*)"
)
_OPTION = re.compile(
    r"(?<![\w-])--?(?P<name>[A-Za-z][\w-]*+)(?P<sep>[ \t]+|[\"'],[ \t]*(?=[\"']))"
    r"(?![\"']?--?[A-Za-z][a-z0-9_-]*(?:[\s=\"']|\Z))"
)
_TOLD = re.compile(
    r"(?i)\b(?:password|passwd|passphrase|secret|token|bearer|basic|credentials?|api[ _-]?key)"
    r"(?:\s+(?:is|was|provided|given))?:?\s+[\"'(]?(?P<value>[^\s\"'(),;]{8,})"
)
_QUOTED = re.compile(
    r"(?P<outer>\\+[\"'])(?:(?!(?P=outer)).)*(?P=outer)"
    r"|(?:(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?:(?P=quote)|(?=\n)|\Z))+"
)
_BARE = re.compile(
    r"(?:(?i:bearer|basic|token|digest|negotiate|apikey)[ \t]+)?"
    r"(?:\\.|(?!&[\w.%-]+=)[^\s\"'\\])+"
)
_WITHIN = {mark: re.compile(rf"[^{mark}\n]*") for mark in ("'", '"')}
_HEADER = re.compile(r"[^\"'\r\n]+")
_LINE = re.compile(r"[^\r\n]+")
_USER = re.compile(
    r"(?<![\w-])(?P<head>(?:-u|--user|--proxy-user)(?:[\"'],)?[ \t=]+[\"']?)"
    r"(?P<login>[^\s:/\"'=]+:[^\s\"']+)"
)
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_PROSE = frozenset(
    [
        *("a", "an", "and", "are", "argument", "as", "can", "cannot", "expected", "expects", "for"),
        *("from", "has", "in", "is", "must", "needs", "not", "of", "option", "or", "requires"),
        *("should", "that", "the", "to", "was", "with"),
    ]
)
"""Words that follow the name of an option in a sentence: ``--key requires a value``."""


def redact(text: str) -> str:
    """The text without secrets, ``[redacted]`` in the place of each.

    Taken out are the values of secret-looking environment variables, tokens of published forms,
    logins and secret parameters of addresses, and the values of secret names (``is_secret``):
    ``NAME=value``, ``name: value``, ``"name": "value"``, ``--name value``, a header.
    """
    return _redacted(text, _variables())


@lru_cache(maxsize=1024)
def _redacted(text: str, variables: tuple[str, ...]) -> str:
    for value in variables:
        text = text.replace(value, MARK)
    text = without_logins(without_tokens(text))
    for pattern in (_NAME, _OPTION):
        text = _without_values(text, pattern)
    text = _USER.sub(lambda found: found["head"] + without_password(found["login"]), text)
    return _TOLD.sub(_untold, text)


def without_password(login: str) -> str:
    """``user:password`` as ``user:[redacted]``; an address and a group in numbers are no login."""
    user, colon, password = login.partition(":")
    is_none = not password or password.startswith("//") or login.replace(":", "").isdigit()
    return login if is_none else f"{user}{colon}{MARK}"


def _variables() -> tuple[str, ...]:
    """The values to look for, the longest first."""
    held = (_values(*one) for one in os.environ.items() if len(one[1]) >= _SHORTEST)
    return tuple(sorted({one for values in held for one in values}, key=len, reverse=True))


@lru_cache(maxsize=1024)
def _values(name: str, value: str) -> tuple[str, ...]:
    """What is secret of a variable, also as it stands in addresses and in JSON."""
    secret = _VARIABLE.search(name) or is_secret(name, value)
    found = (*((value,) if secret else ()), *passwords(value))
    forms = (form for one in found for form in (one, quote(one, safe=""), json.dumps(one)[1:-1]))
    return tuple(form for form in forms if len(form) >= _SHORTEST)


def _without_values(text: str, pattern: re.Pattern[str]) -> str:
    """The text without the values that follow the secret names which a pattern finds."""
    parts, at = [], 0
    for found in pattern.finditer(text):
        if found.start() >= at and is_secret(found["name"]):
            start, end = _span(text, found)
            if _is_value(found, text[start:end]):
                parts += [text[at:start], MARK]
                at = end
    return "".join([*parts, text[at:]])


def _span(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Where the value after a name begins and ends, without its quotes."""
    start = found.end()
    around = text[found.start() - 1 : found.start()]
    if around in _WITHIN and around not in found["sep"]:  # 'name=a value', a word of a list
        return start, _end(_WITHIN[around], text, start)
    if quoted := _QUOTED.match(text, start):
        mark = quoted["outer"] or quoted["quote"]
        closed = quoted.end() > start + len(mark) and quoted[0].endswith(mark)
        return start + len(mark), quoted.end() - len(mark) * closed
    if text.startswith(MARK, start):
        return start, start
    if found["name"].lower() in _HEADERS:
        return start, _end(_HEADER, text, start)
    if found["sep"] == "=" and found["name"].isupper() and around in ("", "\n"):
        return start, _end(_LINE, text, start)  # a list of variables, as ``env`` prints it
    bare = text[start : _end(_BARE, text, start)]
    return start, start + len(bare if bare.endswith(MARK) else bare.rstrip(",;)]}>"))


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    held = pattern.match(text, start)
    return held.end() if held else start


def _is_value(found: re.Match[str], value: str) -> bool:
    """Whether what follows a secret name is a secret, and no other word of a sentence."""
    if value == MARK or not is_secret(found["name"], value):
        return False
    if ":" in found["sep"] and found["name"].lower() in IN_PROSE:
        return _is_random(value)
    return bool(found["sep"].strip()) or value.lower().rstrip(".,:;") not in _PROSE


def _untold(found: re.Match[str]) -> str:
    value = found["value"]
    return found[0].replace(value, MARK) if _is_random(value) else found[0]


def _is_random(value: str) -> bool:
    """Whether no sentence has such a word: digits beside letters, or capitals inside."""
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    return len(value) >= _SHORTEST and bool(mixed or re.search(r"[a-z][A-Z]", value))
