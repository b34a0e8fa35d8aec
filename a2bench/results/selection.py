"""Rows as a command names them: ``STORE`` or ``STORE:MODEL``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from a2bench.errors import CannotRun, UsageError
from a2bench.results.leaderboard import Row, collect
from a2bench.results.videos import opened
from a2bench.runs.store import RunStore
from a2bench.suites.suite import load_suite, packaged_suite
from a2bench.types import Suite


def chosen(names: Sequence[str], *, profile: str = "", suite: str = "") -> list[Row]:
    """The rows of each name, in their order; of a store without a model all its rows.

    A row is what its own store holds, whatever other stores are named. A model is named as in the
    table, with or without its revision; one that is named twice is there twice. ``profile`` and
    ``suite`` leave out others. Raises ``CannotRun`` for a name that is no store or has no row, with
    those that there are, ``UsageError`` for one that has a model on several suites.
    """
    parts = [_parts(name) for name in names]
    stores = opened([path for path, _ in parts])
    rows: dict[Path, list[Row]] = {store.root.resolve(): [] for store in stores}
    for root, held in rows.items():
        held += [
            row
            for row in collect([RunStore(root)])
            if profile in ("", row.profile) and suite in ("", row.suite["name"])
        ]
    found = []
    for name, (_, model), store in zip(names, parts, stores, strict=True):
        held = rows[store.root.resolve()]
        own = [r for r in held if model in ("", r.model["name"], r.model_name, r.name)]
        if not own:
            models = ", ".join(dict.fromkeys(row.model_name for row in held)) or "nothing"
            asked = " ".join(filter(None, (profile and f"of profile {profile}", suite)))
            raise CannotRun(f"{name}: no such row; this store holds {models} {asked}".rstrip())
        suites: dict[str, set[str]] = {}
        for row in own:
            suites.setdefault(row.name, set()).add(str(row.suite["name"]))
        for label, on in suites.items():
            if len(on) > 1:
                told = ", ".join(sorted(on))
                raise UsageError(f"{name} holds {label} on the suites {told}: --suite names one")
        found += own
    return _named_apart(found)


def _named_apart(rows: Sequence[Row]) -> list[Row]:
    """The rows; those of one name, suite and profile say by their origin what tells them apart.

    That is the store, the parameters, or a number.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        held = groups.setdefault((row.name, str(row.suite["name"]), row.profile), [])
        if all(row is not other for other in held):
            held.append(row)
    told: dict[int, str] = {}
    for group in (group for group in groups.values() if len(group) > 1):
        stores = [" + ".join(str(one.root) for one in row.stores) for row in group]
        params = [dict(row.model.get("params") or {}) for row in group]
        keys = [k for k in dict.fromkeys(k for one in params for k in one) if _differs(k, params)]
        for at, row in enumerate(group):
            parts = [stores[at]] if len(set(stores)) > 1 else []
            parts += [f"{key}={params[at].get(key, 'none')}" for key in keys[:3]]
            name = ", ".join(parts) or f"#{at + 1}"
            told[id(row)] = f"{row.origin}, {name}" if row.origin else name
    return [replace(row, origin=told.get(id(row), row.origin)) for row in rows]


def _differs(key: str, params: Sequence[dict[str, object]]) -> bool:
    return any(one.get(key) != params[0].get(key) for one in params)


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
