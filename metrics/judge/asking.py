"""Asks a judge until it answers as agreed: retries, one repair, and an account of every attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from a2bench.criteria import Criterion
from a2bench.errors import WorkError
from a2bench.judging.ledger import Call, Ledger, Result
from a2bench.keys import canonical_json, digest
from a2bench.metrics.judge.contract import ContractError, Verdict, parse, repair
from a2bench.metrics.judge.protocol import (
    Declined,
    Denied,
    Judge,
    JudgeError,
    Question,
    Rejected,
    Reply,
    Unavailable,
)
from a2bench.metrics.judge.reply import said
from a2bench.redaction import redact
from a2bench.text import plain
from a2bench.waiting.patience import Patience

_OUTCOMES = (
    (ContractError, "contract"),
    (Declined, "refused"),
    (Denied, "denied"),
    (Rejected, "rejected"),
    (Unavailable, "unavailable"),
    (JudgeError, "failed"),
)
"""What an exception is called in the ledger; the first that fits."""

FIRST_SILENCE_S = 30.0
"""After a line on waiting the next one waits so long, then twice as long each time."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A verdict, and what it took. ``cost_usd`` is None where no price is known."""

    verdict: Verdict
    question: str
    model: str
    attempts: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    reused: bool = False


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A judge with the ledger that its calls are booked in."""

    judge: Judge
    ledger: Ledger
    patience: Patience = field(default_factory=Patience)

    def answer(self, question: Question, criteria: Sequence[Criterion]) -> Answer:
        """The verdict on a question: from the ledger if it was answered before.

        Raises ``Declined``, ``Stopped``, or ``JudgeError`` when there is no answer in time, or none
        that keeps the contract after one repair.
        """
        key = digest([dict(self.judge.identity), question.identity()])
        held = self.ledger.answered(key)
        if held is not None:
            return Answer(
                verdict=parse(held.reply or "", criteria),
                question=key,
                model=held.model or "",
                attempts=0,
                tokens_in=held.tokens_in or 0,
                tokens_out=held.tokens_out or 0,
                cost_usd=held.cost_usd,
                reused=True,
            )
        return _Conversation(self, key, question, criteria).hold()


class _Conversation:
    """One question with its retries and its repair."""

    def __init__(
        self, asking: Asking, key: str, question: Question, criteria: Sequence[Criterion]
    ) -> None:
        self._judge, self._ledger = asking.judge, asking.ledger
        self._patience = asking.patience
        self._key, self._question, self._criteria = key, question, criteria
        self._deadline: float | None = None
        self._attempts = self._in = self._out = 0
        self._model = ""
        self._silence_s, self._silent_until = FIRST_SILENCE_S / 2, 0.0

    def hold(self) -> Answer:
        try:
            verdict = self._ask(self._question)
        except ContractError as fault:
            try:
                verdict = self._ask(repair(self._question, fault))
            except ContractError as again:
                text = f"the judge broke the contract twice: {fault}; then: {again}"
                raise JudgeError(text) from again
        return Answer(
            verdict=verdict,
            question=self._key,
            model=self._model,
            attempts=self._attempts,
            tokens_in=self._in,
            tokens_out=self._out,
            cost_usd=self._usd(self._in, self._out),
        )

    def _ask(self, question: Question) -> Verdict:
        """Eight lines longer with ``tenacity``: the wait, the end and the error would be ours."""
        retry = 0
        while True:
            try:
                return self._attempt(question)
            except Unavailable as error:
                wait_s = self._patience.wait_s(retry, error.retry_after_s)
                retry += 1
                if self._left_s() <= wait_s:
                    raise JudgeError(
                        f"no answer in {self._patience.deadline_s:g} s, "
                        f"{self._attempts} attempts: {error}"
                    ) from error
                self._tell(error, wait_s)
                self._patience.sleep(wait_s)

    def _tell(self, error: Unavailable, wait_s: float) -> None:
        """Says who is waited for, why and for how long: at once, then less and less often."""
        now_s = self._patience.now_s()
        if now_s < self._silent_until:
            return
        self._silence_s = min(2 * self._silence_s, self._patience.deadline_s)
        self._silent_until = now_s + self._silence_s
        self._patience.tell(
            f"judge {named(self._judge)}, {plain(self._question.case_id)}: {error}; asked again in "
            f"{wait_s:.0f} s, given up after {self._left_s():.0f} s more"
        )

    def _attempt(self, question: Question) -> Verdict:
        """One call, booked before it is made and again when it is over.

        Whatever else ends it (an interrupt) leaves it booked with the most that it can cost.
        """
        attempt, start = self._begin(question), self._patience.now_s()
        reply = None
        try:
            reply = self._judge.ask(question, timeout_s=min(self._patience.call_s, self._left_s()))
            verdict = self._read(reply)
        except (JudgeError, Declined) as fault:
            reply = fault.reply if isinstance(fault, Declined) else reply
            self._end(attempt, start, reply, fault=fault)
            raise
        self._end(attempt, start, replace(reply, text=verdict.text()))
        self._model = _model(reply)
        return verdict

    def _read(self, reply: Reply) -> Verdict:
        """The verdict of a reply. To one that had no room to begin, the same question is no help.

        Raises ``ContractError``, or ``JudgeError`` where asking again cannot be of use.
        """
        try:
            return parse(reply.text, self._criteria)
        except ContractError as error:
            if not reply.cut:
                raise
            most = self._judge.max_output_tokens
            if said(reply.text):
                raise ContractError(f"{error}: it was cut off at {most} tokens") from error
            raise JudgeError(
                f"the judge used its {most} tokens up before it wrote an answer, most likely for "
                "thinking: give it more with --judge-max-tokens, or let the server limit thinking"
            ) from error

    def _begin(self, question: Question) -> int:
        """Books the call; waits while the rate is reached. The deadline starts with the first."""
        call = Call(
            service=canonical_json(dict(self._judge.identity)),
            question=self._key,
            case_id=question.case_id,
            video_sha256=question.video_sha256,
            most_usd=self._usd(question.most_tokens(), self._judge.max_output_tokens),
        )
        while isinstance(given := self._ledger.begin(call), float):
            self._patience.sleep(given)
        if self._deadline is None:
            self._deadline = self._patience.now_s() + self._patience.deadline_s
        return given

    def _left_s(self) -> float:
        assert self._deadline is not None
        return max(1e-3, self._deadline - self._patience.now_s())

    def _usd(self, tokens_in: int, tokens_out: int) -> float | None:
        price = self._judge.price
        return None if price is None else price.cost_usd(tokens_in, tokens_out)

    def _end(
        self, attempt: int, start: float, reply: Reply | None, *, fault: WorkError | None = None
    ) -> None:
        self._attempts += 1
        tokens = (reply.tokens_in, reply.tokens_out) if reply else (0, 0)
        self._in, self._out = self._in + tokens[0], self._out + tokens[1]
        told_s = fault.retry_after_s if isinstance(fault, Unavailable) else None
        if told_s and told_s > self._patience.deadline_s:
            told_s = None  # nobody waits for that; others may try
        text = reply.text if reply else None
        result = Result(
            outcome=next((name for kind, name in _OUTCOMES if isinstance(fault, kind)), "ok"),
            seconds=round(self._patience.now_s() - start, 3),
            error=redact(str(fault)) if fault else None,
            reply=redact(text) if text and fault else text,
            model=_model(reply) if reply else None,
            tokens_in=tokens[0],
            tokens_out=tokens[1],
            cost_usd=self._usd(*tokens),
            retry_at=self._ledger.wall_s() + told_s if told_s else None,
        )
        self._ledger.end(attempt, result)


def named(judge: Judge) -> str:
    """A judge in a few words: which way to it, and the model or the file."""
    parts = (str(judge.identity.get(name, "")) for name in ("judge", "model", "sha256"))
    return plain(" ".join(part[:60] for part in parts if part))


def _model(reply: Reply) -> str:
    return plain(redact(reply.model), limit=100)
