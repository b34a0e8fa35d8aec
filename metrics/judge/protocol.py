"""What a judge is: it is asked one question and gives one reply, or says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from a2bench.errors import Refused, WorkError
from a2bench.types import Json


class JudgeError(WorkError):
    """A judge gave no answer that can be used. What it declines to answer is ``Declined``."""


class Unavailable(JudgeError):
    """No answer now, perhaps later: too many requests, a fault of the server, no connection."""

    def __init__(self, text: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Denied(JudgeError):
    """No answer to anything in this run: a bad key, no right, no such model."""


class Rejected(JudgeError):
    """No answer to this request, which the service cannot take. It may take the next."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """US dollars for a million tokens."""

    input_usd: float
    output_usd: float

    def cost_usd(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.input_usd + tokens_out * self.output_usd) / 1e6


@dataclass(frozen=True, kw_only=True)
class Media:
    """A picture or a video as bytes. ``tokens`` is the most it may count for.

    ``fps`` is the rate at which a video is to be looked at.
    """

    mime: str
    data: bytes = field(repr=False)
    sha256: str
    tokens: int
    fps: float | None = None


Part = str | Media

Shows = Literal["video", "frames", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a judge is told (``system``), what it is shown (``parts``), and the JSON it must give.

    ``repeat`` numbers the repeats of one question. ``case_id`` and ``video_sha256`` only inform.
    """

    case_id: str
    video_sha256: str
    system: str
    parts: tuple[Part, ...]
    schema: Json
    repeat: int = 0

    def identity(self) -> Json:
        """All that may change the answer."""
        parts = [p if isinstance(p, str) else [p.mime, p.sha256, p.fps] for p in self.parts]
        return [self.system, parts, self.schema, self.repeat]

    def most_tokens(self) -> int:
        """An upper bound of the tokens: one a character, and what the media may take."""
        texts = [self.system, str(self.schema), *(p for p in self.parts if isinstance(p, str))]
        media = (part.tokens for part in self.parts if isinstance(part, Media))
        return sum(map(len, texts)) + sum(media)

    def again(self, text: str) -> Question:
        """The same question with one more text at its end."""
        return replace(self, parts=(*self.parts, text))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a judge wrote, which model it says it is, and what it counted.

    ``cut`` says that it was stopped at its limit of tokens.
    """

    text: str
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cut: bool = False


class Declined(Refused):
    """The judge declines to answer; ``reply`` is what it wrote and counted all the same."""

    def __init__(self, text: str, reply: Reply) -> None:
        super().__init__(text)
        self.reply = reply


class Judge(Protocol):
    """A model that can be asked. Cheap to send to another process."""

    @property
    def identity(self) -> Mapping[str, Json]:
        """All of it that may change an answer: its name, the model, the sampling."""
        ...

    @property
    def shows(self) -> Shows:
        """What it can be shown."""
        ...

    @property
    def video_fps(self) -> float:
        """The frames a second at which it looks at a video."""
        ...

    @property
    def max_output_tokens(self) -> int: ...

    @property
    def price(self) -> Price | None:
        """None where it is not known."""
        ...

    def missing(self) -> tuple[str, ...]:
        """What it lacks on this machine, each with what to type."""
        ...

    def ask(self, question: Question, *, timeout_s: float) -> Reply:
        """One attempt. Raises ``Declined`` or a ``JudgeError``, best one of the above."""
        ...
