"""The contract with a judge: what it is told and shown, the JSON asked for, and its parser."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from tomllib import loads
from typing import Any

from a2bench.criteria import LEAST, MOST, Criterion
from a2bench.keys import digest
from a2bench.metrics.judge.protocol import JudgeError, Media, Part, Question
from a2bench.metrics.judge.reply import only_object
from a2bench.redaction import redact
from a2bench.types import Case, Element, Json

_MARKERS = re.compile(
    r"<\|[^|<>]*\|>|</?(?:start_of_turn|end_of_turn|system|user|assistant|tool_call)\b[^>]*>"
    r"|\[/?INST\]|<</?SYS>>|\[gMASK\]|</?s>",
    re.IGNORECASE,
)
_REASON_CHARACTERS = 600
_WHOLE = re.compile(r"([0-9])(?:\.0+)?")


class ContractError(JudgeError):
    """A reply that is not what was asked for; the text says how."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A reply that was read: a score and a reason for each criterion, by its id."""

    scores: Mapping[str, int]
    reasons: Mapping[str, str]

    def text(self) -> str:
        """The reply that this was read from, as far as it was asked for."""
        ids = self.scores
        return json.dumps({i: {"reason": self.reasons[i], "score": ids[i]} for i in ids})


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a judge is shown of a video: the file, or pictures over ``duration_s`` seconds."""

    media: tuple[Media, ...]
    duration_s: float


def rubric_sha256(criteria: Sequence[Criterion]) -> str:
    """The identity of all that is said to a judge: the criteria, the texts and the schema."""
    rubric = [criterion.identity() for criterion in criteria]
    return digest([rubric, _texts(), schema(criteria), _MARKERS.pattern])


def applicable(criteria: Sequence[Criterion], case: Case) -> tuple[Criterion, ...]:
    """The criteria whose roles the case has."""
    return tuple(c for c in criteria if all(case.of(role) for role in c.needs))


def question(
    case: Case,
    video_sha256: str,
    criteria: Sequence[Criterion],
    references: Sequence[tuple[Element, Media]],
    shown: Shown,
) -> Question:
    """The question about one video: the rubric as instruction, all else as quoted data."""
    parts: list[Part] = [_text("material", prompt=quoted(case.prompt))]
    for number, (element, media) in enumerate(references, start=1):
        named = {"number": str(number), "role": element.role, "name": quoted(element.name)}
        parts += [_text("reference", **named), media]
    if any(media.mime.startswith("video/") for media in shown.media):
        parts.append(_text("video"))
    else:
        seconds = f"{shown.duration_s:.2f}"
        parts.append(_text("frames", count=str(len(shown.media)), duration=seconds))
    rubric = "\n\n".join(map(_described, criteria))
    return Question(
        case_id=case.id,
        video_sha256=video_sha256,
        system=_text("system", criteria=rubric),
        parts=(*parts, *shown.media, _text("end")),
        schema=schema(criteria),
    )


def repair(asked: Question, fault: ContractError) -> Question:
    """The same question, with what was wrong about the reply. The reply itself is not repeated."""
    return asked.again(_text("repair", fault=str(fault)))


def schema(criteria: Sequence[Criterion]) -> Json:
    """The JSON schema of a reply."""
    one = {
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "score": {"type": "integer", "minimum": LEAST, "maximum": MOST},
        },
        "required": ["reason", "score"],
        "additionalProperties": False,
    }
    ids = [criterion.id for criterion in criteria]
    return {
        "type": "object",
        "properties": dict.fromkeys(ids, one),
        "required": ids,
        "additionalProperties": False,
    }


def parse(text: str, criteria: Sequence[Criterion]) -> Verdict:
    """Reads a reply: the one JSON object that ``schema`` describes, whatever stands around it.

    Raises ``ContractError``; its text holds nothing of the reply, as it goes back to the judge.
    """
    try:
        reply = only_object(text)
    except ValueError as error:
        raise ContractError("the reply is not one JSON object") from error
    ids = [criterion.id for criterion in criteria]
    if missing := [name for name in ids if name not in reply]:
        raise ContractError(f"missing: {', '.join(missing)}")
    if len(reply) > len(ids):
        raise ContractError("the reply has criteria that were not asked for")
    return Verdict(
        scores={name: _score(name, reply[name]) for name in ids},
        reasons={name: redact(reply[name]["reason"])[:_REASON_CHARACTERS] for name in ids},
    )


def quoted(text: str) -> str:
    """A text as data: one JSON string without the markers that models take for structure."""
    bare = text
    while (less := _MARKERS.sub("", bare)) != bare:  # what is left may make a marker again
        bare = less
    return json.dumps("".join(c for c in bare if c.isprintable() or c == "\n"), ensure_ascii=False)


def _score(name: str, given: Any) -> int:
    """The score of one criterion: 4, also where it was written as 4.0 or "4"."""
    if not isinstance(given, dict) or set(given) != {"reason", "score"}:
        raise ContractError(f"{name} is not an object of reason and score")
    if not isinstance(given["reason"], str):
        raise ContractError(f"the reason of {name} is not a text")
    score = given["score"]
    if isinstance(score, str) and (whole := _WHOLE.fullmatch(score.strip())):
        score = int(whole[1])
    if isinstance(score, float) and score.is_integer():
        score = int(score)
    if type(score) is not int or not LEAST <= score <= MOST:  # True is an int, too
        raise ContractError(f"the score of {name} is not a whole number from {LEAST} to {MOST}")
    return score


def _described(criterion: Criterion) -> str:
    levels = [f"  {level}: {text}" for level, text in sorted(criterion.anchors.items())]
    return "\n".join([f"{criterion.id} ({criterion.title}): {criterion.question}", *levels])


def _text(name: str, /, **values: str) -> str:
    """One of the texts of ``prompts/judge.toml``, filled in."""
    return Template(_texts()[name]).substitute(values)


@cache
def _texts() -> dict[str, str]:
    return loads((files("a2bench.prompts") / "judge.toml").read_text(encoding="utf-8"))
