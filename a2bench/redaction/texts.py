"""Secrets in free text: what programs print, services answer and people type."""

from __future__ import annotations

import re
from functools import lru_cache

from a2bench.redaction.blocks import tells, without_blocks
from a2bench.redaction.names import MARK, is_random, is_secret
from a2bench.redaction.programs import without_password, without_short
from a2bench.redaction.tokens import without_tokens
from a2bench.redaction.urls import without_logins
from a2bench.redaction.values import is_code, is_small, span
from a2bench.redaction.variables import without_variables

_TYPE = (
    r"(?:[\w.]*(?:str|Str|String|bytes|Bytes|Any)|[\w.]+\[[^\]\n]{0,80}\])(?:[ \t]*\|[ \t]*\w+)*"
)
_NAME = re.compile(
    r"(?<![\w.-])-{0,2}(?P<name>[A-Za-z_][\w.-]*+)"
    r"(?P<sep>\\*[\"'][ \t]*:\s*(?=\\*[\"'\[{])"  # a field of JSON, its value on the next line
    r"|\\*[\"'\]]{0,2}[ \t]*"
    rf"(?:=>|[:+?]=|==?|:(?![:/])(?:[ \t]*{_TYPE}[ \t]+=(?!=))?)[ \t]*)"
)
_PAIR = re.compile(
    r"[\[(][ \t]*b?\\*(?P<mark>[\"'])(?P<name>[A-Za-z_][\w.-]*+)(?P<sep>\\*(?P=mark),\s*)"
    r"(?=b?(?P<held>\\*[\"'])(?:\\.|(?!(?P=held)).)*(?P=held),?\s*[\])])"
)
"""Of two: ``('X-Api-Key', '...')``."""
_LISTED = re.compile(
    r"(?<![\w.-])(?:name|key)\\*[\"']?[ \t]*[:=][ \t]*\\*[\"']?(?P<name>[A-Za-z_][\w.-]*+)"
    r"(?P<sep>\\*[\"']?,?\s+\\*[\"']?value\\*[\"']?[ \t]*[:=][ \t]*)"
)
"""As containers are told their variables: ``name: API_KEY``, ``value: ...``."""
_OPTION = re.compile(
    r"(?<![\w-])--?(?P<name>[A-Za-z](?:[\w-]|\.(?=\w))*+)"
    r"(?P<sep>[ \t]++(?:--[ \t]++)?+(?:\\+(?:n|\r?\n)[ \t]*+)?+"
    r"|=?\\*[\"'],?[ \t]*+(?:[\"']--[\"'],?[ \t]*+)?+(?=\\*[\"']))"
    r"(?!\\*[\"']?--?[A-Za-z][a-z0-9_-]*(?:[\s=\"']|\Z))"
)
_SET = re.compile(
    r"(?<![\w.-])(?:set|add|put|setenv)(?:[\"'],)?[ \t]+[\"']?(?P<name>[a-z][a-z0-9]*[_-][\w-]*+)"
    r"(?P<sep>[ \t]+|[\"'],[ \t]*(?=[\"']))"
)
"""``program set api_key ...``."""
_TOLD = re.compile(
    r"(?i)\b(?:password|passwd|passphrase|secret|token|bearer|basic|credentials?|api[ _-]?key)"
    r"(?:\s+(?:is|was|provided|given))?:?\s+[\"'(]?(?P<value>[^\s\"'(),;]{8,})"
)
_USER = re.compile(
    r"(?<![\w-])(?P<head>(?:-[uU]|--(?:user|proxy-user|login))(?:[\"'],)?[ \t=]+[\"']?)"
    r"(?P<login>[^\s:/\"'=]+:[^\s\"']+)"
)
_COLOURS = re.compile(
    r"(?:\x1b|\\x1b|\\u001b|\\033|\\e)\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
)
_STYLE = re.compile(r"[|>][+\-\d]{0,2}")
"""Of a block in YAML, which is no value."""
_PROSE = frozenset(
    [
        *("a", "an", "and", "are", "argument", "as", "can", "cannot", "expected", "expects", "for"),
        *("from", "has", "in", "is", "must", "needs", "not", "of", "option", "or", "requires"),
        *("should", "that", "the", "to", "was", "with", "before", "first", "when", "via", "using"),
        *("if", "on", "your", "variable", "environment", "parameter", "field", "value"),
    ]
)
"""Words that follow the name of an option in a sentence: ``--key requires a value``."""


def redact(text: str) -> str:
    """The text without secrets, ``[redacted]`` in the place of each.

    Taken out are the values of secret-looking environment variables, tokens of published forms,
    logins and secret parameters of addresses, and the values of secret names (``is_secret``):
    ``NAME=value``, ``name: value``, ``"name": "value"``, ``--name value``, a header, an element, a
    block. A value is a word, a quoted text, or all that stands in brackets. A text without a secret
    stays as it is; from another, the codes of colours are taken, too, which may part a name.
    """
    bare = _COLOURS.sub("", text)
    shown = _redacted(without_variables(bare))
    return text if shown == bare else shown


@lru_cache(maxsize=1024)
def _redacted(text: str) -> str:
    text = without_blocks(without_logins(without_tokens(text)))
    for pattern in (_PAIR, _LISTED, _NAME, _OPTION, _SET):
        text = _without_values(text, pattern)
    text = without_short(text)
    text = _USER.sub(lambda found: found["head"] + without_password(found["login"]), text)
    return _TOLD.sub(_untold, text)


def _without_values(text: str, pattern: re.Pattern[str]) -> str:
    """The text without the values that follow the secret names which a pattern finds."""
    parts, at = [], 0
    for found in pattern.finditer(text):
        if found.start() >= at and is_secret(found["name"]):
            start, end = span(text, found)
            if _is_value(found, text[start:end]):
                parts += [text[at:start], MARK]
                at = end
    return "".join([*parts, text[at:]])


def _is_value(found: re.Match[str], value: str) -> bool:
    """Whether what follows a secret name is a secret, and no other word of a sentence."""
    if value == MARK or not is_secret(found["name"], value) or is_small(value):
        return False
    if found["sep"] == " = " and is_code(value) and not tells("key", value):
        return False
    if ":" in found["sep"] or found.re is _PAIR:
        return tells(found["name"], value) and not _STYLE.fullmatch(value)
    return bool(found["sep"].strip()) or value.lower().rstrip(".,:;") not in _PROSE


def _untold(found: re.Match[str]) -> str:
    value = found["value"]
    return found[0].replace(value, MARK) if is_random(value) else found[0]
