"""How long a service is waited for: backoff with jitter, ``Retry-After``, a deadline."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_AGAIN = frozenset({408, 425, 429})


def jitter() -> float:
    """Random in [0, 1), another in every process."""
    return secrets.randbelow(1 << 30) / (1 << 30)


def to_screen(line: str) -> None:
    """To standard error, which workers that are processes share with the one who started them."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a service is waited for.

    The n-th retry comes after ``first_s * 2 ** n`` seconds, at most ``most_s``, of which one half
    is random; if the service tells how long to wait, after that and the random half. All retries
    together take at most ``deadline_s``, one call ``call_s``. ``now_s``, ``sleep`` and ``random``
    are the clock and the chance. ``tell`` shows a line on the waiting.
    """

    first_s: float = 1.0
    most_s: float = 60.0
    call_s: float = 180.0
    deadline_s: float = 600.0
    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = jitter
    tell: Callable[[str], None] = to_screen

    def wait_s(self, retry: int, told_s: float | None) -> float:
        half = min(self.most_s, self.first_s * 2 ** min(retry, 30)) / 2
        return float(max(half, told_s or 0.0) + half * self.random())


def passes(status: int) -> bool:
    """Whether an HTTP status may be another one later: 408, 425, 429 and all from 500 on."""
    return status in _AGAIN or status >= 500


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
