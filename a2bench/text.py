"""Foreign text (names, prompts, errors) made safe for a terminal, a CSV cell or Markdown."""

from __future__ import annotations

import re

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain(text: str, *, limit: int = 2000) -> str:
    """One line of printable characters: no escape sequence, no control character, cut at limit."""
    text = _ANSI.sub("", text)
    text = "".join(c if c.isprintable() else " " for c in text).strip()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def csv_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    text = plain(text)
    return f"'{text}" if text.startswith(_FORMULA) else text


def markdown_cell(text: str) -> str:
    """A text that stays within its cell of a Markdown table and brings no HTML."""
    text = plain(text).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("<", "&lt;").replace(">", "&gt;")
