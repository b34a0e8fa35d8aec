"""The criteria that people and judges rate from 1 to 5: ``prompts/criteria.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from a2bench.types import Json, Role

LEAST, MOST = 1, 5


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One question with the meaning of its levels; ``needs`` are the roles a case must have."""

    id: str
    set: str
    title: str
    dimension: str
    needs: tuple[Role, ...]
    question: str
    anchors: Mapping[int, str]

    def identity(self) -> dict[str, Json]:
        """All that a rater or a judge reads of it."""
        anchors = {str(level): text for level, text in self.anchors.items()}
        return {"id": self.id, "title": self.title, "question": self.question, "anchors": anchors}


def criteria() -> tuple[Criterion, ...]:
    """All criteria, in the order of the file."""
    text = (files("a2bench.prompts") / "criteria.toml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> tuple[Criterion, ...]:
    """The criteria of a TOML text.

    Raises ``ValueError`` for two of one id or an odd level, and with every field that is wrong.
    """
    from pydantic import TypeAdapter

    rows = tomllib.loads(text).get("criterion")
    found = TypeAdapter(tuple[Criterion, ...]).validate_python(rows)
    if len({criterion.id for criterion in found}) < len(found):
        raise ValueError("two criteria have one id")
    if not all({LEAST, MOST} <= set(c.anchors) <= set(range(LEAST, MOST + 1)) for c in found):
        raise ValueError(f"the levels of a criterion go from {LEAST} to {MOST}")
    return found
