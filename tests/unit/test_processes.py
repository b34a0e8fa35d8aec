"""The guard of `make quick`: what starts a process in a test that is not slow fails it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context

import pytest

from tests.helpers.processes import no_process

STARTS: list[Callable[[], object]] = [
    lambda: subprocess.run(["true"], check=True),
    lambda: subprocess.Popen(args="true", shell=True),
    lambda: os.system("true"),
    lambda: os.fork(),
    lambda: get_context("spawn").Process(target=print).start(),
]


@pytest.mark.parametrize("start", STARTS)
def test_whatever_starts_a_process_fails_where_it_does(start: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="mark it slow"), no_process():
        start()


def test_it_fails_also_where_the_failure_is_caught() -> None:
    refused = pytest.raises(pytest.fail.Exception, match=r"\['true'\]\): mark it slow")
    with refused, no_process(), suppress(BaseException):
        subprocess.run(["true"], check=True)


def test_a_run_may_ask_for_its_commit() -> None:
    with no_process():
        assert subprocess.run(["git", "--version"], capture_output=True, check=True).stdout


@pytest.mark.slow
def test_a_slow_test_may_start_one() -> None:
    assert subprocess.run(["true"], check=True).returncode == 0
