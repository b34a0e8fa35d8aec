"""Rows as a command names them: ``STORE`` or ``STORE:MODEL``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from a2bench.errors import CannotRun, UsageError
from a2bench.results.leaderboard import Row, collect
from a2bench.results.videos import opened
from a2bench.runs.store import RunStore
from a2bench.suites.suite import load_suite, packaged_suite
from a2bench.types import Suite


def chosen(names: Sequence[str], *, profile: str = "", suite: str = "") -> list[Row]:
    """The rows of each name, in their order; of a store without a model all its rows.

    A model is named as in the table, with or without its revision. One that is named twice is
    there twice. ``profile`` and ``suite`` leave out others. Raises ``CannotRun`` for a name that is
    no store or has no row, with those that there are.
    """
    parts = [_parts(name) for name in names]
    stores = opened([path for path, _ in parts])
    rows = [
        row
        for row in collect(stores)
        if profile in ("", row.profile) and suite in ("", row.suite["name"])
    ]
    found = []
    for name, (_, model), store in zip(names, parts, stores, strict=True):
        root = store.root.resolve()
        held = [row for row in rows if root in {one.root.resolve() for one in row.stores}]
        own = [r for r in held if model in ("", r.model["name"], r.model_name, r.name)]
        if not own:
            models = ", ".join(dict.fromkeys(row.model_name for row in held)) or "nothing"
            asked = " ".join(filter(None, (profile and f"of profile {profile}", suite)))
            raise CannotRun(f"{name}: no such row; this store holds {models} {asked}".rstrip())
        found += own
    return found


def labels(rows: Sequence[Row]) -> list[str]:
    """A name for each row that no other has: its own, then with the suite, then with a number."""
    names = [row.name for row in rows]
    twice = Counter(names)
    names = [
        f"{name} on {row.suite['name']}" if twice[name] > 1 else name
        for name, row in zip(names, rows, strict=True)
    ]
    twice, seen = Counter(names), Counter[str]()
    for i, name in enumerate(names):
        seen[name] += 1
        names[i] = f"{name} #{seen[name]}" if twice[name] > 1 else name
    return names


def suite_of(name: str, *, needed: bool = True) -> tuple[Suite | None, str]:
    """A suite by its name or file, and the name that rows have; none for an empty name.

    A name that is not ``needed`` is what a store or file says: only packaged suites are read then,
    and any other is None. Else raises as ``load_suite``.
    """
    if not needed:
        return packaged_suite(name), name
    found = load_suite(name) if name else None
    return found, found.name if found else ""


def _parts(name: str) -> tuple[Path, str]:
    """The store and the model of a name; a folder may have a colon in its name."""
    if not name.partition(":")[0]:
        raise UsageError(f"{name!r} names no store")
    if ":" not in name or RunStore(Path(name)).exists():
        return Path(name), ""
    store, _, model = name.partition(":")
    for at in (i for i, letter in enumerate(name) if letter == ":"):
        if RunStore(Path(name[:at])).exists():
            store, model = name[:at], name[at + 1 :]
            break
    return Path(store), model
