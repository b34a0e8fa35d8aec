"""Foreign text (names, prompts, errors) made safe: terminal, CSV cell, Markdown, LaTeX."""

from __future__ import annotations

import re

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "–": "--",
    **{letter: rf"\{letter}" for letter in "{}$&#_%"},
    **{letter: f"{{{letter}}}" for letter in '[]*-"'},
}
"""In braces what LaTeX would take for an option, a star, a dash or a closing quote."""
_MARKDOWN = re.compile(
    r"(?P<interval>\[[-+\d., –]+\](?![(\[:]))"  # [0.53, 0.61] links to nothing and stays readable
    r"|(?P<html>[&<>])"
    r"|[\\`*\[\]|~$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # within a word it is no emphasis
    r"|:(?=\S)"  # of https://, :emoji: and [definition]:
    r"|\.(?=[^\W\d_])"  # of www.example.com
    r"|^(?:[#+-](?=[\s#-]|$)|\d{1,9}(?=[.)](?:\s|$)))"  # a heading, a list, a line
)


def plain(text: str, *, limit: int = 2000) -> str:
    """One line of printable characters: no escape sequence, no control character, cut at limit."""
    text = _ANSI.sub("", text)
    text = "".join(c if c.isprintable() else " " for c in text).strip()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def csv_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula; column names are cells, too."""
    text = plain(text)
    return f"'{text}" if text.startswith(_FORMULA) else text


def markdown_cell(text: str) -> str:
    """A text that Markdown shows as these very characters, in a table's cell or as a paragraph.

    It makes no link (nor does a bare address), image, emphasis, list, formula or HTML.
    """
    return _MARKDOWN.sub(_escaped, plain(text))


def latex_text(text: str) -> str:
    """A text that LaTeX prints as these very characters, also as the first of a row.

    Letters that are not Latin need XeLaTeX or LuaLaTeX and a font that has them.
    """
    return "".join(_LATEX.get(letter, letter) for letter in plain(text))


def _escaped(found: re.Match[str]) -> str:
    text = found[0]
    if found["interval"]:
        return text
    if text.isdigit():
        return f"{text}\\"
    return _HTML[text] if found["html"] else f"\\{text}"
