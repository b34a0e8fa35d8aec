"""Secrets that stand in elements of XML and in the indented lines of YAML."""

from __future__ import annotations

import re

from a2bench.redaction.names import IN_PROSE, MARK, is_random, is_secret

_ELEMENT = re.compile(
    r"(?P<head><(?:[\w.-]{1,64}:)?(?P<name>[A-Za-z_][\w.-]*+)(?:\s[^<>]*)?>\s*(?:<!\[CDATA\[)?)"
    r"(?P<value>[^<]+)(?=</)"
)
_HEAD = re.compile(
    r"^(?P<indent>[ \t]*)(?:-[ \t]+)?[\"']?(?P<name>[A-Za-z_][\w.-]*+)[\"']?[ \t]*:[ \t]*"
    r"(?P<style>[|>][+\-\d]{0,2})?[ \t]*(?:#.*)?\r?\n",
    re.MULTILINE,
)
_ROW = re.compile(r"(?P<indent>[ \t]*)(?P<item>-[ \t])?(?P<said>.*)\n?")
_WORD = re.compile(r"[^\s\"'\[\](){}<>,:=]+")


def without_blocks(text: str) -> str:
    """The text without what elements and blocks with secret names hold."""
    text = _ELEMENT.sub(_element, text)
    parts, at = [], 0
    for found in _HEAD.finditer(text):
        if found.start() >= at and is_secret(found["name"]):
            start, end = _block(text, found.end(), len(found["indent"]))
            if start < end and tells(found["name"], text[start:end]):
                parts += [text[at:start], MARK]
                at = end
    return "".join([*parts, text[at:]])


def tells(name: str, held: str) -> bool:
    """Whether what a name with other meanings holds is a secret: some word of it is random."""
    return name.lower() not in IN_PROSE or any(map(is_random, _WORD.findall(held)))


def _element(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    secret = is_secret(name, value.strip()) and tells(name, value)
    return f"{found['head']}{MARK}" if secret else found[0]


def _block(text: str, at: int, indent: int) -> tuple[int, int]:
    """From the first to the last sign of the lines that are further in, or are items of a list."""
    start = end = 0
    while at < len(text) and (row := _ROW.match(text, at)):
        inside = len(row["indent"]) > indent or (len(row["indent"]) == indent and row["item"])
        if row["said"].strip():
            if not inside:
                break
            start, end = start or row.end("indent"), row.start("said") + len(row["said"].rstrip())
        at = row.end()
    return start, end
