"""Which names are those of secrets: of options, variables, headers, fields and query parameters."""

from __future__ import annotations

import re
from functools import lru_cache

MARK = "[redacted]"
"""What stands in a secret's place."""

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ALWAYS = (
    *("password", "passwords", "passwd", "passphrase", "passcode", "secret", "secrets", "token"),
    *("credential", "credentials", "authorization", "apikey", "apikeys", "accesskey", "secretkey"),
    *("privatekey", "accesskeys", "authkey"),
)
"""A last part that ends so is secret, whatever its value: ``PGPASSWORD``, ``trigger_token``."""
_MOSTLY = frozenset(
    [
        *("key", "pass", "pw", "pwd", "auth", "bearer", "cookie", "cookies", "session", "sid"),
        *("sessionid", "phpsessid", "jsessionid", "sig", "signature", "jwt", "otp", "cred"),
        *("creds", "authcode", "dbpass", "sshpass", "userpass", "passin", "passout", "pat"),
    ]
)
"""A last part that is secret but beside ``_ORDINARY``, and but for numbers and switches."""
_ORDINARY = frozenset(
    [
        *("sort", "seed", "cache", "primary", "foreign", "public", "unique", "partition", "group"),
        *("image", "video", "frame", "case", "prompt", "dataset", "color", "colour", "chroma"),
        *("index", "row", "column", "field", "feature", "map", "dict", "state", "json", "config"),
        *("lookup", "join", "order", "object", "model", "metric", "score", "hash", "hot", "short"),
        *("query", "value", "low", "high", "band", "notch", "first", "second", "last", "single"),
        *("one", "two", "multi", "num", "forward", "backward", "by", "desktop", "function"),
        *("method", "call"),
    ]
)
IN_PROSE = frozenset({"key", "pass", "session", "signature"})
"""Names that before a colon are words of a sentence: ``missing key: prompt``."""
_BESIDE = frozenset(
    [
        *("value", "string", "text", "raw", "plain", "header", "hash", "base64", "b64", "prod"),
        *("production", "dev", "staging", "live", "old", "new", "main", "backup", "default"),
        *("base", "confirmation", "confirm", "repeat", "current"),
    ]
)
"""Last parts that change nothing: ``PASSWORD_OLD``, ``API_KEY_2``."""
_SWITCH = re.compile(r"(?i)[+-]?\d{0,3}(?:\.\d+)?|true|false|none|null|yes|no|on|off|auto|lambda")
_FOLDER = re.compile(r"[/~.$%\\]|[A-Za-z]:[\\/]")
"""What the shell's working folder begins with; ``PWD`` is a password in ODBC."""
SHORTEST = 8
"""Of what is secret without a name beside it: shorter ones are ordinary words too often."""


def is_secret(name: str, value: str = "x" * 8) -> bool:
    """Whether a value of this name is a secret.

    The last word of a name decides, in ``snake_case``, ``kebab-case`` and ``camelCase`` alike: a
    ``max_tokens``, a ``keyframe`` or a ``token_limit`` is none. An empty value is none, and for
    words with other meanings (a ``pass``, a ``key``) neither is a small number or a switch.
    """
    if name == "PWD":
        return bool(value) and not _FOLDER.match(value)
    weight = _weight(name)
    return bool(value) and (weight == 2 or (weight == 1 and not _SWITCH.fullmatch(value)))


def is_random(value: str) -> bool:
    """Whether no sentence has such a word: digits beside letters, or capitals inside."""
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    return len(value) >= SHORTEST and bool(mixed or re.search(r"[a-z][A-Z]", value))


@lru_cache(maxsize=4096)
def _weight(name: str) -> int:
    """2: always a secret; 1: mostly; 0: not."""
    parts = [part.lower() for part in _PART.findall(name)]
    while len(parts) > 1 and (parts[-1].isdigit() or parts[-1] in _BESIDE):
        parts.pop()
    if not parts:
        return 0
    pair = "".join(parts[-2:])
    if parts[-1].endswith(_ALWAYS) or pair.endswith(_ALWAYS):
        return 2
    alone = parts[-1] in _MOSTLY and not (len(parts) > 1 and parts[-2] in _ORDINARY)
    return int(alone or pair in _MOSTLY)
