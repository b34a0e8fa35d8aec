from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from a2bench.text import csv_cell, markdown_cell, plain

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NAMES = (
    *("[x](javascript:alert(1))", "![](http://e.org/a.png)", "![x][y]", "[x]: http://e.org"),
    *("<script>alert(1)</script>", "<http://e.org>", "<!-- a", "&lt;b&gt;", "a & b", "me@e.org"),
    *("*a*", "_a_", "__init__", "**a**", "~~a~~", "`a`", "$a$", ":smile:", "a|b", "\\", "a\\|b"),
    *("# a", "- a", "+ a", "* a", "1. a", "12) a", "---", "***", "===", "> a", "~~~", "```", "a\\"),
    *("id_consistency", "0.612 [0.553, 0.671]", "-0.5", "1.5", "a-b (c) #d", "[0.5](http://e.org)"),
)


def read(text: str) -> tuple[str, str]:
    """What a reader sees of a text as a paragraph and in a table's cell; fails on any mark-up."""
    paragraph = re.fullmatch(r"(?:<p>([^<>]*)</p>\n)?", MARKDOWN.render(text))
    table = MARKDOWN.render(f"| a | b |\n| --- | --- |\n| {text} | c |\n")
    (cell, last) = re.findall(r"<td>([^<>]*)</td>", table)
    assert paragraph is not None
    assert last == "c"
    return html.unescape(paragraph[1] or ""), html.unescape(cell)


@pytest.mark.parametrize("name", NAMES)
def test_markdown_shows_a_name_as_it_is(name: str) -> None:
    assert read(markdown_cell(name)) == (name, name)


@given(st.text(alphabet="[]()!<>&*_~`\\|#+-=.:1a \t@$^\"'/", max_size=30))
def test_markdown_shows_any_text_as_it_is(text: str) -> None:
    seen = re.sub(" +", " ", plain(text))
    assert [re.sub(" +", " ", one) for one in read(markdown_cell(text))] == [seen, seen]


@pytest.mark.parametrize("text", ["see www.e.org", "e.org/x", "https://e.org", "ftp://e.org"])
def test_a_bare_address_is_taken_apart(text: str) -> None:
    """Renderers that link bare addresses look for ``://``, ``www.`` and a dot before letters."""
    assert not re.search(r"(?<!\\)(?::|\.[a-z])", markdown_cell(text))


def test_ordinary_cells_are_written_as_they_are() -> None:
    for cell in ("id_consistency", "0.612 [0.553, 0.671]", "collage 1 (n_failed 2)", "–"):
        assert markdown_cell(cell) == cell


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t=", " ="])
def test_a_csv_cell_is_no_formula(sign: str) -> None:
    assert csv_cell(f"{sign}1+1").startswith("'")
