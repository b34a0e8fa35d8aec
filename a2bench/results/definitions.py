"""What the columns of a table are called, so that two definitions of a metric never share one.

A column has its metric's name, as long as the rows of the table measured it alike. Where they did
not, the name is followed by what tells the definitions apart: ``judge_dress_consistency
(gemini-2.5-pro)``, ``dynamic_degree (version 2)``. A judge is asked with any profile, so that all
rows are looked at; what else a metric is depends on the profile, whose rows stand apart anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from a2bench.keys import digest
from a2bench.text import plain
from a2bench.types import Json

JUDGE = "judge_"
"""What the names of metrics begin with that are a judge's."""

_EXTRACTOR = "judge"
_HEX = re.compile(r"[0-9a-f]{16,}")

Definition = Mapping[str, Json]


class Column(NamedTuple):
    """What a definition is called in a table, and its judge (empty: it has none)."""

    name: str
    judge: str


def base(column: str) -> str:
    """The metric of a column."""
    return column.partition(" (")[0]


def label(column: str) -> str:
    """What a column's name tells of the definition; empty where the metric has only one."""
    return column.partition(" (")[2].removesuffix(")")


def identity(metric: Definition) -> str:
    """The hash of all that decides a metric's value besides the video and the case."""
    return digest([metric[name] for name in ("name", "version", "params", "extractors")])


def current(metrics: Sequence[Definition]) -> list[Definition]:
    """The definitions of one row that count, from all, the oldest first.

    A newer version takes the place of an older one, with what the same judge said. Two definitions
    of one version are two ways to measure, and both stay.
    """
    every = {identity(metric): metric for metric in metrics}
    newest = {_series(metric): _versions(metric) for metric in metrics}
    kept = [metric for metric in every.values() if newest[_series(metric)] == _versions(metric)]
    names = list(dict.fromkeys(metric["name"] for metric in every.values()))
    return sorted(kept, key=lambda metric: names.index(metric["name"]))


def columns(rows: Iterable[tuple[str, Sequence[Definition]]]) -> dict[tuple[str, str], Column]:
    """What each definition is called, by profile and ``identity``; rows are (profile, metrics)."""
    every = {(profile, identity(m)): m for profile, metrics in rows for m in metrics}
    found = {name: _judge(metric) for name, metric in every.items()}
    judges = {digest(judge): judge for judge in found.values() if judge}
    shorts = {key: _short(judge) for key, judge in judges.items()}
    called = _told_apart({key: (shorts[key], _flat(judge)) for key, judge in judges.items()})
    alike: dict[tuple[str, str, str], dict[str, tuple[str, dict[str, Json]]]] = {}
    scopes = {}
    for (profile, key), metric in every.items():
        judge = found[profile, key]
        scope = (metric["name"], digest(judge), "" if judge else profile)
        scopes[profile, key] = scope
        alike.setdefault(scope, {})[key] = ("", _all(metric))
    apart = {scope: _told_apart(group) for scope, group in alike.items()}
    named = {}
    for (profile, key), metric in every.items():
        judge = found[profile, key]
        who = called[digest(judge)] if judge else ""
        parts = [who if len(judges) > 1 else "", apart[scopes[profile, key]][key]]
        told = ", ".join(filter(None, parts))
        named[profile, key] = Column(f"{metric['name']} ({told})" if told else metric["name"], who)
    return named


def _told_apart(things: Mapping[str, tuple[str, Mapping[str, Json]]]) -> dict[str, str]:
    """A name for each thing: the one it has, and where others share that, what differs.

    A thing that is alone has the name it has.
    """
    named = {}
    for short in dict.fromkeys(name for name, _ in things.values()):
        group = {key: flat for key, (name, flat) in things.items() if name == short}
        parts: dict[str, tuple[str, ...]] = dict.fromkeys(group, (short,) if short else ())
        for path in dict.fromkeys(path for flat in group.values() for path in flat):
            more = {key: (*parts[key], _shown(path, group[key])) for key in group}
            if len(set(more.values())) > len(set(parts.values())):
                parts = more
        doubt = len(set(parts.values())) < len(parts)
        for key, told in parts.items():
            named[key] = ", ".join((*told, key[:8]) if doubt else told)
    return named


def _shown(path: str, flat: Mapping[str, Json]) -> str:
    value = flat.get(path)
    if value is None:
        return f"no {path}"
    if isinstance(value, list | dict):
        value = digest(value)
    text = plain(str(value), limit=60)
    return f"{path} {text[:8] if _HEX.fullmatch(text) else text}"


def _all(metric: Definition) -> dict[str, Json]:
    """All that decides a metric's value, by the words for it."""
    flat = {"version": metric["version"], **metric["params"]}
    for extractor in metric["extractors"]:
        parts = _flat(extractor)
        flat |= {f"{extractor['name']} {name}": value for name, value in parts.items()}
    return flat


def _flat(extractor: Definition) -> dict[str, Json]:
    first = {name: extractor[name] for name in ("version", "sampling")}
    return {**first, **extractor["params"], **extractor["weights"]}


def _judge(metric: Definition) -> Definition:
    """The extractor that asks a judge; empty for a metric that has none."""
    judges = (e for e in metric["extractors"] if e["name"] == _EXTRACTOR)
    return next(judges, {}) if metric["name"].startswith(JUDGE) else {}


def _short(judge: Definition) -> str:
    """The model of a judge, or which answers are replayed."""
    params = judge["params"]
    if "model" in params:
        return plain(str(params["model"]), limit=60)
    return f"{params.get('judge', _EXTRACTOR)} {str(params.get('sha256', ''))[:8]}".strip()


def _series(metric: Definition) -> tuple[str, str]:
    judge = _judge(metric)
    return metric["name"], _short(judge) if judge else ""


def _versions(metric: Definition) -> str:
    extractors = [[e["name"], e["version"]] for e in metric["extractors"]]
    return digest([metric["version"], extractors])
