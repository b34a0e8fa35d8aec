"""The nouns of the house: elements, cases, suites, videos, measurements.

All are frozen, all take explicit keyword arguments and only store them, and none needs more than
the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from a2bench.keys import digest

Role = Literal["character", "object", "background"]
ROLES: tuple[Role, ...] = ("character", "object", "background")

Json = Any
"""A value that canonical JSON can hold: None, bool, int, finite float, str, list, dict."""


class Status(StrEnum):
    """What became of a piece of work. Only ``ok`` carries a value; a failure is never a zero."""

    OK = "ok"
    NOT_APPLICABLE = "not_applicable"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Element:
    """One reference image.

    ``subject`` names what is shown; two photographs of one person are two elements of one subject.
    """

    id: str
    role: Role
    image: Path
    sha256: str
    name: str
    caption: str = ""
    licence: str = ""
    subject: str = ""
    category: str = ""
    view: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A prompt and its reference images, in the order in which a generator receives them."""

    id: str
    prompt: str
    elements: tuple[Element, ...]
    category: str = ""

    @cached_property
    def key(self) -> str:
        """Identity by content: the prompt and each element's role, name and image bytes."""
        elements = [[e.role, e.name, e.sha256] for e in self.elements]
        return digest({"prompt": self.prompt, "elements": elements})

    def of(self, role: Role) -> tuple[Element, ...]:
        """The elements of one role, in order."""
        return tuple(e for e in self.elements if e.role == role)

    def subjects(self, role: Role) -> list[tuple[Element, ...]]:
        """The elements of one role grouped by what they show; one without a subject is its own."""
        groups: dict[str, list[Element]] = {}
        for element in self.of(role):
            groups.setdefault(element.subject or element.sha256, []).append(element)
        return [tuple(group) for group in groups.values()]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Cases with a name and a version. ``references`` also holds elements that no case uses."""

    name: str
    version: str
    cases: tuple[Case, ...]
    references: tuple[Element, ...] = ()

    @cached_property
    def key(self) -> str:
        """Identity by content: the cases' ids and keys, in order."""
        return digest([[c.id, c.key] for c in self.cases])


@dataclass(frozen=True, kw_only=True)
class Video:
    """A probed video file, as it is shown: ``width`` and ``height`` are of upright, square pixels.

    ``frames`` counts what the container holds, ``fps`` is its mean rate. ``times_s`` is when each
    frame is shown where the rate varies, else empty. ``colour`` says which matrix its colours have.
    ``notes`` tell what was changed or decided to show it, and are part of its scores' keys.
    """

    path: Path
    sha256: str
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    times_s: tuple[float, ...] = ()
    colour: str = ""
    notes: tuple[str, ...] = ()


class VideoId(NamedTuple):
    """Which video: a model's answer to a case with a seed. Sorts by case first."""

    case: str
    model: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What a metric returns: one finite value and the figures behind it (JSON values only)."""

    value: float
    detail: Mapping[str, Json] = field(default_factory=dict)
