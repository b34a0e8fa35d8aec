"""The one JSON object in what a judge wrote, where there can be no doubt which one is meant.

Models wrap what they were asked for: in a fence, after their thoughts, between two sentences. To
ask again for what is already there would be paid twice.
"""

from __future__ import annotations

import json
import re
from typing import Any

_THOUGHTS = re.compile(r"^.*</think\s*>", re.DOTALL | re.IGNORECASE)
_UNFINISHED = re.compile(r"<think\s*>.*$", re.DOTALL | re.IGNORECASE)


def said(text: str) -> str:
    """What was written for the reader: all after the thoughts, nothing of thoughts without end.

    Some servers leave out where the thoughts begin, as that is part of what the model was given.
    """
    return _UNFINISHED.sub("", _THOUGHTS.sub("", text, count=1)).strip()


def only_object(text: str) -> dict[str, Any]:
    """The JSON object of a text that has no other; the same one twice is one.

    Raises ``ValueError`` where there is none or more than one, and where a brace outside of it
    could be the beginning of another.
    """
    try:
        return _object(text)
    except (ValueError, RecursionError):
        pass
    found: dict[str, dict[str, Any]] = {}
    rest = said(text)
    while (start := rest.find("{")) >= 0:
        try:
            one, end = _DECODER.raw_decode(rest, start)
            found[json.dumps(one, sort_keys=True)] = one
        except RecursionError as error:
            raise ValueError("too deep") from error
        rest = rest[end:]
    if len(found) != 1 or "}" in rest:
        raise ValueError("not one object")
    return next(iter(found.values()))


def _object(text: str) -> dict[str, Any]:
    value = _DECODER.decode(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name comes twice")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
