"""Names that a shell completes: those that are known without loading a network or a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Completer = Callable[[str], list[str]]


def models(incomplete: str) -> list[str]:
    """Built-in models and those of plug-ins."""
    from a2bench.registry import GENERATORS

    return _beginning(incomplete, GENERATORS.targets())


def profiles(incomplete: str) -> list[str]:
    """Built-in profiles and those of plug-ins."""
    from a2bench.registry import PROFILES

    return _beginning(incomplete, PROFILES.targets())


def metrics(incomplete: str) -> list[str]:
    """The metrics of every profile and those of plug-ins, after each comma anew."""
    from a2bench.registry import METRICS
    from a2bench.results.cells import known_limits

    before, comma, last = incomplete.rpartition(",")
    names = (*known_limits(), *METRICS.targets())
    return [f"{before}{comma}{name}" for name in _beginning(last, names)]


def suites(incomplete: str) -> list[str]:
    """The packaged suites and their subsets."""
    from a2bench.suites.suite import packaged_suites

    return _beginning(incomplete, packaged_suites())


def recipes(incomplete: str) -> list[str]:
    """The recipes that come with a2bench."""
    from a2bench.results.recipe import recipes

    return _beginning(incomplete, recipes())


def checkpoints(incomplete: str) -> list[str]:
    """Every checkpoint."""
    from a2bench.checkpoints.table import TABLE

    return _beginning(incomplete, (checkpoint.name for checkpoint in TABLE))


def one_of(*words: str) -> Completer:
    """Completes the words that an option or argument takes."""

    def complete(incomplete: str) -> list[str]:
        return _beginning(incomplete, words)

    return complete


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
