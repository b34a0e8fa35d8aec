"""The suite parser: what is well formed is read as it was meant, all else is told by its place."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from a2bench.errors import SuiteError
from a2bench.suites.suite import load_suite
from a2bench.types import ROLES, Case, Element, Suite
from tests.helpers.makers import make_element
from tests.helpers.properties import JSON, deterministic

pytestmark = pytest.mark.slow  # together over 2 s

IDS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
PROMPTS = TEXT.filter(str.strip)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12).map(str.strip)
NAMES = CELLS.filter(bool)
TABLE = (
    "id",
    "file",
    "role",
    "name",
    "sha256",
    "caption",
    "licence",
    "subject",
    "category",
    "view",
)
FIELDS = {"id": str, "prompt": str, "elements": list, "category": str}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Element]:
    folder = tmp_path_factory.mktemp("images").resolve()
    return [make_element(folder, f"picture-{n}", "object") for n in range(3)]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A suite as it is meant, and its two files."""

    suite: Suite
    path: Path
    manifest: Path


@st.composite
def suites(draw: st.DrawFn, images: Sequence[Element]) -> Suite:
    elements = []
    for name in draw(st.lists(IDS, min_size=1, max_size=4, unique=True)):
        image = draw(st.sampled_from(images))
        elements.append(
            Element(
                id=name,
                role=draw(st.sampled_from(ROLES)),
                image=image.image,
                sha256=image.sha256,
                name=draw(NAMES),
                caption=draw(CELLS),
                licence=draw(CELLS),
                subject=draw(NAMES),
                category=draw(CELLS),
                view=draw(CELLS),
            )
        )
    chosen = st.lists(st.sampled_from(elements), min_size=1, unique_by=lambda e: e.id)
    ids = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    prompts = draw(st.lists(PROMPTS, min_size=len(ids), max_size=len(ids), unique=True))
    cases = tuple(
        Case(id=name, prompt=prompt, elements=tuple(draw(chosen)), category=draw(TEXT))
        for name, prompt in zip(ids, prompts, strict=True)
    )
    return Suite(name=draw(IDS), version=draw(PROMPTS), cases=cases, references=tuple(elements))


def write(suite: Suite) -> Written:
    """The suite's files, beside its images; one line each, the header first."""
    folder, name = suite.references[0].image.parent, uuid.uuid4().hex
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(TABLE)
    for e in suite.references:
        rest = (e.caption, e.licence, e.subject, e.category, e.view)
        writer.writerow((e.id, e.image.name, e.role, e.name, e.sha256, *rest))
    manifest, path = folder / f"{name}.csv", folder / f"{name}.jsonl"
    manifest.write_bytes(table.getvalue().encode())
    header = {"suite": suite.name, "version": suite.version, "references": manifest.name}
    rows = [
        {"id": c.id, "prompt": c.prompt, "elements": [e.id for e in c.elements]}
        | ({"category": c.category} if c.category else {})
        for c in suite.cases
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in [header, *rows]), encoding="utf-8")
    return Written(suite=suite, path=path, manifest=manifest)


@deterministic
@given(data=st.data(), end=st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \n"]))
def test_a_well_formed_suite_is_read_as_it_was_meant(
    images: list[Element], data: st.DataObject, end: bytes
) -> None:
    written = write(data.draw(suites(images)))
    written.path.write_bytes(written.path.read_bytes().replace(b"\n", end))
    read = load_suite(written.path)
    assert read == written.suite
    assert read.key == written.suite.key
    assert [case.key for case in read.cases] == [case.key for case in written.suite.cases]


def told(written: Written) -> list[tuple[Path, int]]:
    """Where faults are; none if the suite is read."""
    try:
        load_suite(written.path)
    except SuiteError as error:
        places = [re.match(r"(.*?\.(?:jsonl|csv)):(\d+): ", fault) for fault in error.faults]
        assert places and all(places)
        return [(Path(place[1]), int(place[2])) for place in places if place]
    return []


def no_object(line: bytes) -> bool:
    try:
        return not isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return True


GARBAGE = st.one_of(
    st.binary(min_size=1, max_size=30),
    JSON.map(lambda value: json.dumps(value).encode()),
).filter(lambda line: b"\n" not in line and no_object(line) and line.decode("latin-1").strip())


@deterministic
@given(data=st.data(), garbage=GARBAGE, place=st.floats(0, 1, exclude_max=True))
@example(data=None, garbage=b"[" * 100_000, place=0.9)
@example(data=None, garbage=b"9" * 5000, place=0.0)
def test_a_line_that_is_no_object_is_named(
    images: list[Element], data: st.DataObject | None, garbage: bytes, place: float
) -> None:
    written = write(data.draw(suites(images)) if data else plain(images))
    lines = written.path.read_bytes().splitlines()
    at = int(place * len(lines))
    lines[at] = garbage
    written.path.write_bytes(b"\n".join(lines))
    assert (written.path, at + 1) in told(written)


@deterministic
@given(data=st.data(), name=st.sampled_from([*FIELDS, "more"]), value=JSON)
@example(data=None, name="elements", value=[["picture-0"]])
@example(data=None, name="elements", value=[{}])
@example(data=None, name="prompt", value="\ud800")
@example(data=None, name="id", value="\ud800")
def test_a_field_of_another_type_is_named(
    images: list[Element], data: st.DataObject | None, name: str, value: Any
) -> None:
    written = write(data.draw(suites(images)) if data else plain(images))
    lines = written.path.read_bytes().splitlines()
    lines[-1] = json.dumps({**json.loads(lines[-1]), name: value}).encode()
    written.path.write_bytes(b"\n".join(lines))
    found = told(written)
    if name not in FIELDS or not isinstance(value, FIELDS[name]):
        assert (written.path, len(lines)) in found


@deterministic
@given(name=st.sampled_from(["suite", "version", "references", "subsets", "more"]), value=JSON)
@example(name="subsets", value={"a": [[]]})
@example(name="subsets", value={"a": ["picture-0", "\ud800"]})
@example(name="references", value="\0.csv")
@example(name="references", value="\ud800.csv")
@example(name="references", value="../x.csv")
@example(name="references", value="x" * 300 + ".csv")
def test_a_header_of_any_value_is_read_or_named(
    images: list[Element], name: str, value: Any
) -> None:
    written = write(plain(images))
    lines = written.path.read_bytes().splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), name: value}).encode()
    written.path.write_bytes(b"\n".join(lines))
    assert {path for path, _ in told(written)} <= {written.path}


@deterministic
@given(data=st.data(), garbage=st.binary(min_size=1, max_size=30), of=st.sampled_from("sm"))
def test_a_changed_piece_of_either_file_is_read_or_named(
    images: list[Element], data: st.DataObject, garbage: bytes, of: str
) -> None:
    written = write(data.draw(suites(images)))
    path = written.path if of == "s" else written.manifest
    held = path.read_bytes()
    start = data.draw(st.integers(0, len(held) - 1))
    end = data.draw(st.integers(start, min(len(held), start + 20)))
    path.write_bytes(held[:start] + garbage + held[end:])
    files = {written.path, written.manifest}
    # a changed name of the manifest may be another file's, or no file's
    assert {found for found, _ in told(written)} <= files


@deterministic
@given(data=st.data(), garbage=st.binary(min_size=1, max_size=30))
def test_a_row_of_the_manifest_that_is_none_is_named(
    images: list[Element], data: st.DataObject, garbage: bytes
) -> None:
    written = write(data.draw(suites(images)))
    garbage = garbage.replace(b"\n", b"?").replace(b"\r", b"?").replace(b",", b";")
    assume(garbage.strip())  # an empty row says nothing
    lines = written.manifest.read_bytes().split(b"\n")
    lines.insert(1, garbage)
    written.manifest.write_bytes(b"\n".join(lines))
    # an open quote takes in the lines after it
    assert [line for path, line in told(written) if path == written.manifest and line >= 2]


def plain(images: Sequence[Element]) -> Suite:
    case = Case(id="one", prompt="A prompt.", elements=(images[0],), category="")
    return Suite(name="plain", version="1", cases=(case,), references=(images[0],))
