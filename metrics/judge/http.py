"""What judges behind HTTP have in common: which answers mean try again, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from a2bench.metrics.judge.protocol import Denied, JudgeError, Rejected, Unavailable
from a2bench.redaction import redact
from a2bench.text import plain

_AGAIN = frozenset({408, 425, 429})
_DENIED = frozenset({401, 402, 403, 404})
_REJECTED = frozenset({400, 413, 422})


def fault(status: int, text: str, told_s: float | None = None) -> JudgeError:
    """The error for an HTTP status.

    Try again (429, 5xx), nothing more in this run (401-404), not this request (400, 413, 422), or
    this.
    """
    told = plain(redact(f"HTTP {status}: {text}"), limit=300)
    if status in _AGAIN or status >= 500:
        return Unavailable(told, retry_after_s=told_s)
    if status in _DENIED:
        return Denied(told)
    return Rejected(told) if status in _REJECTED else JudgeError(told)


def no_connection(who: str, error: BaseException) -> Unavailable:
    """The error for a call that got no answer, with the reason that the system gives."""
    reason = plain(redact(str(error)), limit=200)
    told = f"no connection to {who}: {type(error).__name__}" + (f": {reason}" if reason else "")
    return Unavailable(told)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The ``Retry-After`` of a response, in seconds or as a date; None where it tells neither."""
    value = next((v for name, v in headers.items() if name.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
