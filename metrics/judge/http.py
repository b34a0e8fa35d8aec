"""What judges behind HTTP have in common: which answers mean what."""

from __future__ import annotations

from a2bench.metrics.judge.protocol import Denied, JudgeError, Rejected, Unavailable
from a2bench.redaction import redact
from a2bench.text import plain
from a2bench.waiting.patience import passes

_DENIED = frozenset({401, 402, 403, 404})
_REJECTED = frozenset({400, 413, 422})


def fault(status: int, text: str, told_s: float | None = None) -> JudgeError:
    """The error for an HTTP status.

    Try again (429, 5xx), nothing more in this run (401-404), not this request (400, 413, 422), or
    this.
    """
    told = plain(redact(f"HTTP {status}: {text}"), limit=300)
    if passes(status):
        return Unavailable(told, retry_after_s=told_s)
    if status in _DENIED:
        return Denied(told)
    return Rejected(told) if status in _REJECTED else JudgeError(told)


def no_connection(who: str, error: BaseException) -> Unavailable:
    """The error for a call that got no answer, with the reason that the system gives."""
    reason = plain(redact(str(error)), limit=200)
    told = f"no connection to {who}: {type(error).__name__}" + (f": {reason}" if reason else "")
    return Unavailable(told)
