"""A profile with the judge's metrics: what the user may say about the judge, in one place."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path

from a2bench.judging.ledger import Ledger
from a2bench.metric import Profile
from a2bench.registry import PROFILES

LEDGER = "judge.sqlite"
"""The ledger of a store, in its folder."""

DEFAULT = "gemini:gemini-2.5-pro"

ALL = "all"
"""Every set of criteria, in one question."""

_BUILD = "a2bench.metrics.judge.scores:with_judge"


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """What is said about the judge of one run.

    ``spec`` is ``gemini:MODEL``, ``openai:URL#MODEL`` or ``recorded:FILE``. ``frames`` 0: the video
    itself where the judge takes one, else 16. ``price`` is ``INPUT,OUTPUT`` in US dollars for a
    million tokens, for a model whose price is not known. ``max_tokens`` bounds an answer and the
    thoughts before it; None: the judge's own limit. ``criteria`` names the one set of criteria that
    is asked, alone; ``all``: every set, in one question. ``max_usd`` bounds the cost of this run,
    ``per_minute`` the calls of all runs on the store. ``reuse`` False pays again for an answer
    that the ledger holds.
    """

    store: Path
    spec: str = DEFAULT
    criteria: str = ALL
    frames: int = 0
    repeats: int = 1
    price: str = ""
    max_tokens: int | None = None
    max_usd: float | None = None
    per_minute: int | None = None
    reuse: bool = True
    run: str = field(default_factory=lambda: uuid.uuid4().hex)

    def anew(self) -> JudgeOptions:
        """The same for another run: with its own limit of costs, and denied nothing yet."""
        return replace(self, run=uuid.uuid4().hex)

    @property
    def ledger(self) -> Ledger:
        """The ledger of the store, for this run."""
        return Ledger(
            path=self.store.absolute() / LEDGER,
            run=self.run,
            max_usd=self.max_usd,
            per_minute=self.per_minute,
            reuse=self.reuse,
        )


def with_judge(profile: Profile, options: JudgeOptions) -> Profile:
    """Any profile with the judge's metrics; ``judge``, ``judge-a2bench``, ``judge-lynx`` are sets.

    Raises ``UsageError`` for a judge that cannot be meant.
    """
    judged: Profile = PROFILES.load(_BUILD)(profile, options)
    return judged
