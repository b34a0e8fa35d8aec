"""Reads and checks suites: a ``.jsonl`` file of cases and the manifest of their reference images.

The first line of a suite is its header, each further line one case::

    {"suite": NAME, "version": TEXT, "references": MANIFEST, "subsets": {NAME: [CASE ID, ...]}}
    {"id": TEXT, "prompt": TEXT, "elements": [ELEMENT ID, ...], "category": TEXT}

``references`` is a path relative to the suite; ``subsets`` and ``category`` may be left out. The
order of ``elements`` is the order in which a generator receives them.
"""

from __future__ import annotations

import difflib
import heapq
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import a2bench
from a2bench.errors import SuiteError, UnknownName, UsageError
from a2bench.names import is_file, nfc, on_disk
from a2bench.suites.manifest import id_fault, read_manifest, secret_fault
from a2bench.suites.text_file import Source
from a2bench.types import Case, Element, Suite

MOST_TOLD = 20
"""So many names that are wrong in one place (a case, a subset, an option) are told one by one."""
_LOOKS = 20_000
PACKAGED = Path(a2bench.__file__).parent / "prompts"
_HEADER = {"suite": str, "version": str, "references": str, "subsets": dict}
_CASE = {"id": str, "prompt": str, "elements": list, "category": str}
_OPTIONAL = frozenset({"subsets", "category"})
_PUBLISHED = frozenset({"version", "category"})
"""Texts that stand in records beside the ids."""
_JSON_TYPES: dict[type, str] = {str: "text", list: "a list", dict: "an object"}
_HALF_PAIR = re.compile("[\ud800-\udfff]")


def packaged_suites() -> tuple[str, ...]:
    """The names that ``load_suite`` knows: the packaged suites and their subsets."""
    names: list[str] = []
    for path in sorted(PACKAGED.glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            header = json.loads(file.readline())
        names += [path.stem, *(f"{path.stem}:{subset}" for subset in header.get("subsets", {}))]
    return tuple(names)


def load_suite(source: str | Path) -> Suite:
    """A checked suite: a packaged name or a path ending in ``.jsonl``, with or without ``:SUBSET``.

    Images are hashed and their headers read; none is decoded. Raises ``SuiteError`` with every
    fault of the cases, the manifest and the images at once, and ``UnknownName`` when there is no
    such suite or subset.
    """
    path, subset = _locate(str(source))
    text = Source(path)
    rows = text.objects()
    header = _header(text, rows)
    elements = _references(text, header)
    cases = _cases(text, rows, elements)
    subsets = _subsets(text, header, rows)
    if text.faults:
        raise SuiteError(text.report())
    suite = Suite(
        name=header["suite"],
        version=header["version"],
        cases=tuple(cases.values()),
        references=tuple(element for element in elements.values() if element),
    )
    if not subset:
        return suite
    if subset not in subsets:
        raise UnknownName(f"{path} has no subset {subset!r}; {_nearest(subset, subsets)}")
    chosen = tuple(cases[case_id] for case_id in subsets[subset])
    return replace(suite, name=f"{suite.name}:{subset}", cases=chosen)


def select(
    suite: Suite,
    *,
    limit: int | None = None,
    ids: Collection[str] = (),
    category: str | None = None,
) -> Suite:
    """The suite with fewer cases, in its own order; ``limit`` counts what ids and category leave.

    Raises ``UsageError`` for an unknown id or category, with the nearest, for a limit below 1, and
    when no case is left.
    """
    cases = suite.cases
    known, wanted = {case.id for case in cases}, set(ids)
    categories = {nfc(case.category) for case in cases if case.category}
    category = nfc(category) if category is not None else None
    if unknown := [name for name in ids if name not in known]:
        hints = _Hints(known)
        told = [f"no case {name!r}{hints.of(name)}" for name in unknown[:MOST_TOLD]]
        raise UsageError(f"suite {suite.name}: {'; '.join([*told, *_others(unknown)])}")
    if category is not None and category not in categories:
        hint = _nearest(category, categories)
        raise UsageError(f"suite {suite.name}: no case of category {category!r}, {hint}")
    if limit is not None and limit < 1:
        raise UsageError(f"the limit must be at least 1, not {limit}")
    if ids:
        cases = tuple(case for case in cases if case.id in wanted)
    if category is not None:
        cases = tuple(case for case in cases if nfc(case.category) == category)
    if not cases:
        raise UsageError(f"suite {suite.name}: none of the cases asked for is of {category!r}")
    return replace(suite, cases=cases[:limit])


def _locate(source: str) -> tuple[Path, str]:
    """The suite's file and the subset's name, which may be empty."""
    packaged = {path.stem: path for path in PACKAGED.glob("*.jsonl")}
    # split at the last colon only after a suite's name: C:\x\suite.jsonl has a colon of its own
    head, _, tail = source.rpartition(":")
    name, subset = (head, tail) if head in packaged or head.endswith(".jsonl") else (source, "")
    if name in packaged:
        return packaged[name], subset
    if not name.endswith(".jsonl"):
        hint = _nearest(name, packaged)
        raise UnknownName(f"no suite {name!r}, {hint} Or give a path ending in .jsonl.")
    path = on_disk(Path(name))
    if not is_file(path):
        raise UnknownName(f"no suite file {name!r}")
    return path, subset


def _fits(text: Source, line: int, row: Mapping[str, Any], fields: Mapping[str, type]) -> bool:
    """Whether a line has its fields, each of its type; if not, the faults are told.

    Not by pydantic: its faults would be put into these words one by one, in more lines than these.
    """
    before = len(text.faults)
    for name in row:
        if name not in fields:
            text.fault(line, repr(name), f"unknown field; {_nearest(name, fields)}")
    for name, wanted in fields.items():
        value = row.get(name)
        if name not in row:
            if name not in _OPTIONAL:
                text.fault(line, name, "is missing")
        elif not isinstance(value, wanted):
            text.fault(line, name, f"must be {_JSON_TYPES[wanted]}")
        elif isinstance(value, str):
            if not value.strip() and name not in _OPTIONAL:
                text.fault(line, name, "is empty")
            if _HALF_PAIR.search(value):
                text.fault(line, name, "has half of a surrogate pair, which no file can hold")
            if name in _PUBLISHED and (wrong := secret_fault(value)):
                text.fault(line, name, wrong)
    return len(text.faults) == before


def _header(text: Source, rows: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The header, taken out of ``rows``; empty when it is faulty."""
    if 1 not in rows or (rows[1] and "suite" not in rows[1] and "id" in rows[1]):
        text.fault(1, "header", 'is missing: the first line must be {"suite": ..., "version": ...')
        return {}
    header = rows.pop(1)
    if not header or not _fits(text, 1, header, _HEADER):
        return {}
    if wrong := id_fault(header["suite"]):
        text.fault(1, "suite", wrong)
    for name, ids in header.get("subsets", {}).items():
        if wrong := id_fault(name):
            text.fault(1, "subsets", wrong)
        if not isinstance(ids, list) or not ids or not all(isinstance(i, str) for i in ids):
            text.fault(1, "subsets", f"{name!r} must be a list of case ids")
            header["subsets"] = {}
            break
    return header


def _references(text: Source, header: Mapping[str, Any]) -> dict[str, Element | None]:
    """The elements of the manifest, as ``read_manifest`` gives them."""
    if not header:
        return {}
    name = header["references"]
    given = PureWindowsPath(name)
    path = on_disk(text.path.parent / name)
    if given.drive or given.root or given.suffix != ".csv":
        text.fault(1, "references", f"{name!r} must be the relative path of a .csv file")
    elif not is_file(path):
        text.fault(1, "references", f"no such file: {path}")
    else:
        return read_manifest(Source(path, text.faults))
    return {}


def _cases(
    text: Source, rows: Mapping[int, dict[str, Any]], elements: Mapping[str, Element | None]
) -> dict[str, Case]:
    """The cases by id, without the faulty ones: those become faults."""
    cases: dict[str, Case] = {}
    ids: set[str] = set()
    keys: dict[str, str] = {}
    hints = _Hints(elements)
    for line, row in rows.items():
        if not row or not _fits(text, line, row, _CASE):
            continue
        case_id = row["id"]
        if wrong := id_fault(case_id):
            text.fault(line, "id", wrong)
        elif case_id in ids:
            text.fault(line, "id", f"{case_id!r} is given twice")
        ids.add(case_id)
        chosen = _elements(text, line, row["elements"], elements, hints)
        if not chosen:
            continue
        category = row.get("category", "")
        case = Case(id=case_id, prompt=row["prompt"], elements=chosen, category=category)
        if case.key in keys:
            text.fault(line, "case", f"the same prompt and elements as {keys[case.key]!r}")
        keys.setdefault(case.key, case_id)
        cases[case_id] = case
    if not rows:
        text.fault(1, "file", "has no case")
    return cases


def _elements(
    text: Source,
    line: int,
    ids: list[Any],
    elements: Mapping[str, Element | None],
    hints: _Hints,
) -> tuple[Element, ...]:
    """The elements named in a case; none, and faults, when one is wrong."""
    before = len(text.faults)
    if not ids:
        text.fault(line, "elements", "is empty")
    given: set[str] = set()
    for position, name in enumerate(ids):
        if len(text.faults) - before >= MOST_TOLD:
            text.fault(line, "elements", f"others: {len(ids) - position}, not looked at")
            break
        if not isinstance(name, str):
            text.fault(line, "elements", f"number {position + 1} must be text")
            continue
        if name in given:
            text.fault(line, "elements", f"{name!r} is given twice")
        elif elements and name not in elements:
            text.fault(line, "elements", f"no element {name!r}{hints.of(name)}")
        given.add(name)
    if len(text.faults) > before:
        return ()
    found = tuple(element for name in ids if (element := elements.get(name)))
    return found if len(found) == len(ids) else ()


def _subsets(
    text: Source, header: Mapping[str, Any], rows: Mapping[int, dict[str, Any]]
) -> dict[str, list[str]]:
    """The header's subsets; a fault for each id that is no case's, or that is given twice."""
    subsets: dict[str, list[str]] = header.get("subsets", {})
    known = {row["id"] for row in rows.values() if isinstance(row.get("id"), str)}
    hints = _Hints(known)
    for subset, ids in subsets.items():
        times = Counter(ids)
        unknown = [name for name in times if name not in known]
        twice = [name for name in times if name in known and times[name] > 1]
        for name in unknown[:MOST_TOLD]:
            text.fault(1, "subsets", f"{subset!r}: no case {name!r}{hints.of(name)}")
        for name in twice[:MOST_TOLD]:
            text.fault(1, "subsets", f"{subset!r}: {name!r} is given twice")
        for others in _others(unknown, twice):
            text.fault(1, "subsets", f"{subset!r}: {others}")
    return subsets


def _others(*lists: Sequence[str]) -> list[str]:
    """How many are not told, if any; it sorts behind what is told."""
    count = sum(max(0, len(names) - MOST_TOLD) for names in lists)
    return [f"others: {count}"] if count else []


@dataclass
class _Hints:
    """What an unknown name may have meant; none for further ones after ``_LOOKS`` looks at names.

    One hint costs a look at every name that is known.
    """

    known: Collection[str]
    looks: int = 0

    def of(self, name: str) -> str:
        if self.looks >= _LOOKS:
            return ""
        self.looks += len(self.known)
        return f", {_nearest(name, self.known)}"


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    some = ", ".join(heapq.nsmallest(12, known)) or "none"
    return f"did you mean {', '.join(close)}?" if close else f"known: {some}."
