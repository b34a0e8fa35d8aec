"""Signals that ask a command to end: it stops as for Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from a2bench.waiting.signals import ENDING


class Ended(BaseException):
    """A signal that asks this process to end."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ending_by_signals() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the work in order, unless they are ignored, as by ``nohup``.

    The first raises ``KeyboardInterrupt`` or ``Ended``. From then on until this process is gone
    they are ignored, so that what is being ended is: who cannot wait has SIGQUIT.
    """
    came = False

    def end(number: int, _: FrameType | None) -> None:
        nonlocal came
        came = True
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else Ended(signal.Signals(number))

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        if not came:
            for number, handler in before.items():
                signal.signal(number, handler)
