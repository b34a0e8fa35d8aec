"""Time for tests."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Clock:
    """Time that passes only when somebody sleeps; ``slept`` are the sleeps."""

    at_s: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)

    def now_s(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.at_s += seconds
