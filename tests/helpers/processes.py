"""What makes a test slow, and the proof that no other one starts a process."""

from __future__ import annotations

import multiprocessing.util
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

STARTERS = (
    (subprocess.Popen, "__init__"),
    (BaseProcess, "start"),
    (multiprocessing.util, "spawnv_passfds"),
    (os, "fork"),
    (os, "forkpty"),
    (os, "posix_spawn"),
    (os, "posix_spawnp"),
    (os, "system"),
)
"""All that starts a process; the others of the standard library call one of these."""
ASKED = ("git", "uname", "/sbin/ldconfig")
"""What takes milliseconds: a run notes its commit and its machine, torch for CUDA its libraries."""


@contextmanager
def no_process() -> Iterator[None]:
    """Fails what starts a process, also where the failure is caught or in a thread of its own."""
    started: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in STARTERS:
            patch.setattr(owner, name, _refusing(getattr(owner, name), started))
        yield
    if started:
        pytest.fail(started[0])


def as_from_a_terminal() -> None:
    """For a new process: signals that the tests' own starter ignores, as ``nohup`` does, arrive."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _refusing(start: Any, started: list[str]) -> Any:
    def refuse(*given: Any, **named: Any) -> Any:
        words = named.get("args", given[1] if len(given) > 1 else ())
        if isinstance(words, list) and words and words[0] in ASKED:
            return start(*given, **named)
        started.append(f"this test starts a process ({words or start}): mark it slow")
        raise pytest.fail.Exception(started[-1])

    return refuse
