from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from a2bench.cli.signals import Ended, ending_by_signals
from a2bench.waiting.signals import ENDING, undisturbed


@pytest.fixture(autouse=True)
def as_from_a_terminal() -> Iterator[None]:
    """And as before afterwards."""
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Ended), (signal.SIGHUP, Ended)],
)
def test_the_first_signal_ends_and_no_other_is_heard(
    number: signal.Signals, kind: type[BaseException]
) -> None:
    with pytest.raises(kind), ending_by_signals():
        try:
            signal.raise_signal(number)
        finally:
            for other in ENDING:
                signal.raise_signal(other)
    for other in ENDING:  # also while the interpreter ends
        signal.raise_signal(other)


def test_without_a_signal_all_is_as_before() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    with ending_by_signals():
        assert [signal.getsignal(number) for number in ENDING] != before
    assert [signal.getsignal(number) for number in ENDING] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_is_ignored_stays_ignored(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)
    with ending_by_signals(), undisturbed():
        signal.raise_signal(number)


def test_what_is_not_disturbed_is_done_whole() -> None:
    done = []
    with pytest.raises(Ended) as caught, ending_by_signals(), undisturbed():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert (done, caught.value.number) == ([1], signal.SIGTERM)
