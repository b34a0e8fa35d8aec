"""What is secret of the environment, in the forms in which programs print it."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import shlex
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

from a2bench.redaction.names import MARK, SHORTEST, is_random, is_secret
from a2bench.redaction.urls import passwords

_SECRET = re.compile(r"key|token|secret|password|credential", re.IGNORECASE)
_LOGIN = re.compile(r"(?:^|_)(?:login|auth|user|username|account|userpwd)$", re.IGNORECASE)
_NAMED = re.compile(r"(?:^|[;?&])[ \t]*(?P<name>[A-Za-z_][\w.-]*+)[ \t]*=[ \t]*(?P<value>[^;\s&]+)")
_PART = re.compile(r"[^\s,;|:=\"'\[\]{}()<>]{8,}")
_ESCAPE = re.compile(r"%[0-9A-F]{2}")
_IN_ADDRESSES = ("", "/", "!'()*", ";,/?:@&=+$-_.!~*'()#")
"""What is not quoted there: by rule, in paths, by encodeURIComponent, by encodeURI."""
_SAFE = str.maketrans("+/", "-_")
_LONGEST = 4096
"""Of a value of which all forms are looked for."""


def without_variables(text: str) -> str:
    """The text without the values of secret variables, and without what is secret within others."""
    for form in _forms_of(tuple(os.environ.items())):
        if form in text:
            text = text.replace(form, MARK)
    return text


@lru_cache(maxsize=16)
def _forms_of(environment: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """All that is to be looked for, the longest first."""
    found = {form for one in environment if len(one[1]) >= SHORTEST for form in _of_variable(*one)}
    return tuple(sorted(found, key=lambda form: (-len(form), form)))


@lru_cache(maxsize=1024)
def _of_variable(name: str, value: str) -> tuple[str, ...]:
    held = {one for one in _secrets(name, value.strip()) if len(one) >= SHORTEST}
    forms = {form for one in held for form in _forms(one)}
    return tuple(form for form in forms if len(form) >= SHORTEST and form not in MARK)


def _secrets(name: str, value: str) -> Iterator[str]:
    """The whole value, if its name is secret, and the parts that would be secret by themselves."""
    secret = bool(_SECRET.search(name)) or is_secret(name, value)
    if secret:
        yield value
    yield from passwords(value)
    named = (one.group("name", "value") for one in _NAMED.finditer(value))
    yield from (held for one, held in named if is_secret(one, held))
    if _LOGIN.search(name) and "//" not in value:
        yield value.partition(":")[2]
    try:
        fields = json.loads(value) if value[:1] in "{[" else None
    except (ValueError, RecursionError):
        fields = None
    if fields is not None:
        yield from _held(fields, secret and isinstance(fields, list))
    elif secret:
        yield from _parts(value)


def _held(value: object, secret: bool) -> Iterator[str]:
    """The texts that stand under secret names, or are names of secret keys, in JSON."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _held(one, secret or is_secret(name) or is_secret(name.removesuffix("_id")))
    elif isinstance(value, list):
        for one in value:
            yield from _held(one, secret)
    elif isinstance(value, str) and secret:
        yield value.strip()
        yield from _parts(value)


def _parts(value: str) -> Iterator[str]:
    """Words of a list, lines of a key, the password of a login: no ordinary word, and no path."""
    words = _PART.findall(value)
    return (one for one in words if is_random(one) and not one.startswith(("/", "~", ".", "-----")))


def _forms(value: str) -> Iterator[str]:
    """The value as it stands in programs, JSON, addresses, shells, pages and dumps of bytes."""
    data = value.encode("utf-8", "surrogateescape")
    yield from (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    if len(value) > _LONGEST:
        return
    yield from (repr(value)[1:-1], ascii(value)[1:-1], repr(data)[2:-1])
    quoted = (*(quote(data, safe=safe) for safe in _IN_ADDRESSES), quote_plus(data))
    for one in quoted:
        yield from (one, _ESCAPE.sub(lambda found: found[0].lower(), one))
    yield shlex.quote(value).removeprefix("'").removesuffix("'")
    yield value.replace("'", "'\\''")
    yield re.sub(r"(?=[^\w@%+:,./=-])", r"\\", value)
    page = html.escape(value)
    yield from (page, html.escape(value, quote=False))
    yield page.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield from (data.hex(), data.hex().upper())
    yield from (_base64(data, before) for before in range(3))
    yield from (_base64(data, before).translate(_SAFE) for before in range(3))


def _base64(data: bytes, before: int) -> str:
    """What base64 makes of the data after so many bytes, without the digits that others share."""
    digits = base64.b64encode(bytes(before) + data).decode("ascii").rstrip("=")
    shared = (before + len(data)) % 3 != 0
    return digits[(0, 2, 3)[before] : len(digits) - shared]
