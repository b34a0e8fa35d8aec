"""Addresses without logins and without secrets in their queries."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus, urlsplit

from a2bench.redaction.names import MARK, is_secret

_URL = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*+://[^\s\"'<>\\]+")
_LOGIN = re.compile(r"(?<=://)(?:[^\s/?#]*|[^\s:/?#]*:(?!\d*(?:[/?#]|\Z))\S*)@")
"""Up to the ``@``; a password may hold ``/``, ``?`` and ``#`` that should have been quoted."""
_BARE_LOGIN = re.compile(
    r"(?<![\w.:/@-])(?P<user>[A-Za-z][\w.-]*+:)(?!/)[^\s\"'<>@]{1,128}(?=@(?!sha\d)[\w.\[\]-]+(?::\d|/))"
)
"""``user:password@host:5432``, without a scheme; ``mailto:me@host`` has neither port nor path."""
_ORACLE = re.compile(r"(?i)(?P<user>\bjdbc:oracle:\w+:[\w$#.-]+/)[^\s\"'@]{1,128}(?=@)")
_QUERY = frozenset({"code", "invite"})
"""Names that are secret in addresses only: of OAuth and Azure functions, of our own invitations."""


def without_logins(text: str) -> str:
    """The text, its addresses without logins and the values of secret parameters."""
    text = _URL.sub(lambda found: _shown(found[0]), text)
    for pattern in (_BARE_LOGIN, _ORACLE):
        text = pattern.sub(rf"\g<user>{MARK}", text)
    return text


def passwords(text: str) -> tuple[str, ...]:
    """The password of an address, if it has one."""
    try:
        held = urlsplit(text).password
    except ValueError:
        return ()
    return (held, unquote_plus(held)) if held else ()


def _shown(url: str) -> str:
    url = _LOGIN.sub(f"{MARK}@", url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query, fragment = _pairs(parts.query), _pairs(parts.fragment)
    if (query, fragment) == (parts.query, parts.fragment):
        return url
    return parts._replace(query=query, fragment=fragment).geturl()


def _pairs(query: str) -> str:
    """``a=1&b=2`` as it was written, but for the values of secrets."""
    return re.sub(r"([^&;=]+)=([^&;]*)", _pair, query)


def _pair(found: re.Match[str]) -> str:
    name = unquote_plus(found[1])
    secret = is_secret(name, found[2]) or (name.lower() in _QUERY and len(found[2]) > 3)
    return f"{found[1]}={MARK}" if secret else found[0]
