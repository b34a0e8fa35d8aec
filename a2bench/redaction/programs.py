"""Short options that hold a password, of programs that have no other way to name it."""

from __future__ import annotations

import re
from pathlib import PurePath

from a2bench.redaction.names import MARK

_OPTIONS = {
    **dict.fromkeys(("curl", "smbclient"), "uU"),
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb"), "p"),
    **dict.fromkeys(("mariadb-dump", "mongo", "mongosh", "mongodump", "twine"), "p"),
    **dict.fromkeys(("sshpass", "login", "7z", "7za"), "p"),  # docker login, az login
    **dict.fromkeys(("zip", "unzip", "sqlcmd", "bcp"), "P"),
    "openssl": "kK",
    "redis-cli": "a",
    "ldapsearch": "w",
}
"""By program, or by its subcommand."""
_WALK = re.compile(
    rf"(?<![\w.-])(?P<program>{'|'.join(sorted(_OPTIONS, key=len, reverse=True))})(?=[\"',\s\\])"
    r"|(?P<end>[\n|;])"
    r"|(?<=[\s\"'])-(?P<letter>[A-Za-z])(?P<apart>=|(?:\\*[\"'])?,?[ \t]+(?!\\*[\"']?-))?"
)
_VALUE = re.compile(
    r"(?:(?P<mark>(?:\\*[\"'])++)(?=\S))?(?P<said>(?(mark)(?:(?!(?P=mark))[^\n])+|[^\s\"'\\]+))"
)


def short_options(word: str) -> str:
    """The letters of the options with which a program is given passwords."""
    return _OPTIONS.get(PurePath(word).name.removesuffix(".exe"), "")


def shown(letter: str, value: str) -> str:
    """The value of such an option without its secret."""
    return without_password(value) if letter in "uU" else MARK


def without_password(login: str) -> str:
    """``user:password`` as ``user:[redacted]``; an address and a group in numbers are no login."""
    user, colon, password = login.partition(":")
    is_none = not password or password.startswith("//") or login.replace(":", "").isdigit()
    return login if is_none else f"{user}{colon}{MARK}"


def without_short(text: str) -> str:
    """The text without the passwords on the lines of such programs."""
    letters, parts, at = "", [], 0
    for found in _WALK.finditer(text):
        if found["program"]:
            letters += _OPTIONS[found["program"]]
        elif found["end"]:
            letters = ""
        elif found["letter"] in letters and (value := _VALUE.match(text, found.end())):
            start, end = value.span("said")
            if found.start() >= at and text[start:end] != MARK:
                parts += [text[at:start], shown(found["letter"], text[start:end])]
                at = end
    return "".join([*parts, text[at:]])
