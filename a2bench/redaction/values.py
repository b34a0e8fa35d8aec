"""Where the value after a name begins and ends: a word, a quoted text, all that brackets hold."""

from __future__ import annotations

import re

from a2bench.redaction.names import IN_PROSE, MARK

_QUOTED = re.compile(
    r"(?P<outer>\\+[\"'])(?:(?!(?P=outer)).)*(?P=outer)"
    r"|(?:(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?:(?P=quote)|(?=\n)|\Z))+"
)
_PREFIX = re.compile(r"(?:[bBrRuUfF]{1,2}|[$@])(?=\\*[\"'])")
"""Of a quoted text: ``b'...'``, ``$'...'``."""
_BARE = re.compile(
    r"(?:(?i:bearer|basic|token|digest|negotiate|apikey)[ \t]+)?"
    r"(?:\\.|(?!&[\w.%-]+=)[^\s\"'\\])+"
)
_WITHIN = {mark: re.compile(rf"[^{mark}\n]*") for mark in ("'", '"')}
_HEADER = re.compile(r"[^\"'\r\n]+")
_LINE = re.compile(r"[^\r\n]+")
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_OPENS = re.compile(r"(?P<call>&?[A-Za-z_$][\w.:]*+)?(?=[\[({])")
"""A bracket, or the name of what is called with one: ``SecretStr('...')``."""
_ANGLES = re.compile(r"<[^<>\n]+>")
_MARKS = re.compile(r"[\"'\[\](){}]|\\+[\"']?")
_CLOSES = {"[": "]", "(": ")", "{": "}"}
_NEAR = (2000, 60)
"""Within so many characters and marks a bracket is closed that may be one of a sentence."""
_SMALL = re.compile(
    r"(?:torch\.|np\.|numpy\.)?(?:tensor|array|Parameter)\(.*"
    r"|&?[\w.:$]*[\[({](?:[\s,:()\[\]{}]|(?<![\w.])[+-]?\d{1,6}(?:\.\d*)?(?:e[+-]?\d+)?(?![\w.])"
    r"|\b(?:[Nn]one|[Tt]rue|[Ff]alse|null)\b)*",
    re.DOTALL,
)
_CODE = re.compile(r"(?:[\w]+\.)*[a-z_]\w*\([^\"']*\)")


def span(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Where the value after a name begins and ends, without its quotes."""
    start = found.end()
    around = text[found.start() - 1 : found.start()]
    if around in _WITHIN and around not in found["sep"]:  # 'name=a value', a word of a list
        return start, _end(_WITHIN[around], text, start)
    quotes = prefix.end() if (prefix := _PREFIX.match(text, start)) else start
    if quoted := _QUOTED.match(text, quotes):
        mark = quoted["outer"] or quoted["quote"]
        closed = quoted.end() > quotes + len(mark) and quoted[0].endswith(mark)
        return quotes + len(mark), quoted.end() - len(mark) * closed
    if text.startswith(MARK, start):
        return start, start
    if found["name"].lower() in _HEADERS and text[start : start + 1] not in _CLOSES:
        return start, _end(_HEADER, text, start)
    if found["sep"] == "=" and found["name"].isupper() and around in ("", "\n"):
        return start, _end(_LINE, text, start)  # a list of variables, as ``env`` prints it
    structure = _structure(text, start, in_prose=found["name"].lower() in IN_PROSE)
    if structure > start and text[structure : structure + 1] in ("", *"\"',;:)]}>. \t\r\n\\"):
        return start, structure
    bare = text[structure : _end(_BARE, text, structure)]
    return start, structure + len(bare if bare.endswith(MARK) else bare.rstrip(",;)]}>"))


def is_small(value: str) -> bool:
    """Whether a value in brackets holds small numbers and switches only, as a shape does."""
    return bool(_SMALL.fullmatch(value))


def is_code(value: str) -> bool:
    """Whether a value is a call that holds no text: ``self.to_k(x)``, a line of a program."""
    return bool(_CODE.fullmatch(value))


def _structure(text: str, start: int, *, in_prose: bool) -> int:
    """The end of what brackets hold; ``start`` where no brackets are, or a word goes on."""
    if angles := _ANGLES.match(text, start):
        return angles.end()
    opens = _OPENS.match(text, start)
    if opens is None:
        return start
    at = opens.end()
    unsure = bool(in_prose or opens["call"])
    if end := _closing(text, at, *(_NEAR if unsure or text[at] == "(" else (len(text),) * 2)):
        return end
    if unsure:
        return start
    return _end(_LINE, text, start) if text[at] == "(" else len(text)  # cut off before its end


def _closing(text: str, start: int, characters: int, marks: int) -> int:
    """The end of the brackets that open at ``start``, 0 without one. Quoted brackets are none."""
    open_: list[str] = []
    at, stop = start, min(len(text), start + characters)
    for _ in range(marks):
        found = _MARKS.search(text, at, stop)
        if found is None:
            break
        mark, at = found[0], found.end()
        if mark in _CLOSES:
            open_.append(_CLOSES[mark])
        elif mark == open_[-1]:
            open_.pop()
            if not open_:
                return at
        elif mark[-1] in "\"'":
            quoted = _QUOTED.match(text, found.start(), stop)
            if quoted and len(quoted[0]) > len(mark) and quoted[0].endswith(mark):
                at = quoted.end()
    return 0


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    held = pattern.match(text, start)
    return held.end() if held else start
