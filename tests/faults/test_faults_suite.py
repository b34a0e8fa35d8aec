"""Faults 10 (images) and 14: what is wrong in a suite is told in one go, and nothing is run."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from a2bench.cli import main
from a2bench.errors import SuiteError
from a2bench.suites.manifest import MAX_IMAGE_BYTES
from a2bench.suites.suite import load_suite
from tests.helpers.makers import make_suite

HEADER = {"suite": "tiny", "version": "1", "references": "manifest.csv"}


class Files:
    """A suite of two cases whose files a test spoils: ``lines`` and ``table`` are what is written.

    The header is line 1 and the cases lines 2 and 3; the manifest's rows are lines 2 to 7.
    """

    def __init__(self, folder: Path) -> None:
        suite = make_suite(folder, 2)
        self.folder = folder
        self.path = folder / "suite.jsonl"
        self.manifest = folder / "manifest.csv"
        self.table = ["id,file,role,name,sha256"]
        self.table += [
            f"{e.id},{e.image.name},{e.role},{e.name},{e.sha256}" for e in suite.references
        ]
        self.lines: list[dict[str, Any]] = [dict(HEADER)]
        self.lines += [
            {"id": c.id, "prompt": c.prompt, "elements": [e.id for e in c.elements]}
            for c in suite.cases
        ]

    def text(self) -> str:
        return "".join(json.dumps(line) + "\n" for line in self.lines)

    def write(self) -> None:
        self.manifest.write_text("\n".join(self.table) + "\n", encoding="utf-8")
        self.path.write_text(self.text(), encoding="utf-8")

    def faults(self) -> list[str]:
        """What loading reports, with the folder's name taken out."""
        with pytest.raises(SuiteError) as error:
            load_suite(self.path)
        assert str(error.value) == "\n".join(error.value.faults)
        return [fault.replace(f"{self.folder}/", "") for fault in error.value.faults]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def set_case(**fields: Any) -> Callable[[Files], None]:
    return lambda files: files.lines[1].update(fields)


def set_header(**fields: Any) -> Callable[[Files], None]:
    return lambda files: files.lines[0].update(fields)


def set_row(line: int, column: int, value: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        cells = files.table[line - 1].split(",")
        cells[column] = value
        files.table[line - 1] = ",".join(cells)

    return change


def same_content(files: Files) -> None:
    files.lines[2] = files.lines[1] | {"id": "case-other"}


CASES: dict[str, Callable[[Files], None]] = {
    "suite.jsonl:3: id: 'case-002' is given twice": set_case(id="case-002"),
    "suite.jsonl:2: id: '../x' must be 1 to 64": set_case(id="../x"),
    "suite.jsonl:2: id: '-x' must be 1 to 64": set_case(id="-x"),
    "suite.jsonl:2: id: 'é' must be 1 to 64": set_case(id="é"),
    "suite.jsonl:2: id: must be text": set_case(id=7),
    "suite.jsonl:2: id: is empty": set_case(id=""),
    "suite.jsonl:2: prompt: is empty": set_case(prompt=" \t"),
    "suite.jsonl:2: prompt: must be text": set_case(prompt=None),
    "suite.jsonl:2: prompt: has half of a surrogate pair": set_case(prompt="a \ud800 b"),
    "suite.jsonl:2: category: must be text": set_case(category=["toy"]),
    "suite.jsonl:2: 'promt': unknown field; did you mean prompt?": set_case(promt="x"),
    "suite.jsonl:2: elements: is empty": set_case(elements=[]),
    "suite.jsonl:2: elements: must be a list": set_case(elements="case-001-object"),
    "suite.jsonl:2: elements: number 1 must be text": set_case(elements=[1]),
    "suite.jsonl:2: elements: 'case-001-object' is given twice": set_case(
        elements=["case-001-object", "case-001-object"]
    ),
    "suite.jsonl:2: elements: no element 'case-001-objct', did you mean": set_case(
        elements=["case-001-objct"]
    ),
    "suite.jsonl:3: case: the same prompt and elements as 'case-001'": same_content,
    "suite.jsonl:1: suite: '.tiny' must be": set_header(suite=".tiny"),
    "suite.jsonl:1: version: must be text": set_header(version=1.0),
    "suite.jsonl:1: 'name': unknown field; known:": set_header(name="x"),
    "suite.jsonl:1: references: no such file: lost.csv": set_header(references="lost.csv"),
    "suite.jsonl:1: references: '/m.csv' must be the relative": set_header(references="/m.csv"),
    "suite.jsonl:1: references: 'c:m.csv' must be the relative": set_header(references="c:m.csv"),
    "suite.jsonl:1: references: 'manifest' must be": set_header(references="manifest"),
    "suite.jsonl:1: subsets: must be an object": set_header(subsets=["case-001"]),
    "suite.jsonl:1: subsets: 'a' must be a list of case ids": set_header(subsets={"a": [1]}),
    "suite.jsonl:1: subsets: 'b' must be a list of case ids": set_header(subsets={"b": []}),
    "suite.jsonl:1: subsets: 'a/b' must be 1 to 64": set_header(subsets={"a/b": ["case-001"]}),
    "suite.jsonl:1: subsets: 'a': no case 'case-01', did you": set_header(
        subsets={"a": ["case-01"]}
    ),
    "suite.jsonl:1: subsets: 'a': 'case-001' is given twice": set_header(
        subsets={"a": ["case-001", "case-001"]}
    ),
    "manifest.csv:3: role: unknown role 'thing'; use character, object": set_row(3, 2, "thing"),
    "manifest.csv:3: id: 'a b' must be 1 to 64": set_row(3, 0, "a b"),
    "manifest.csv:7: id: 'case-001-object' is given twice": set_row(7, 0, "case-001-object"),
    "manifest.csv:3: name: is empty": set_row(3, 3, ""),
    "manifest.csv:3: file: 'lost.png': no such file": set_row(3, 1, "lost.png"),
    "manifest.csv:3: file: '': is empty": set_row(3, 1, ""),
    "manifest.csv:3: file: '.': no such file": set_row(3, 1, "."),
    "manifest.csv:3: file: 'a\\x00b.png': is empty or has a control": set_row(3, 1, "a\0b.png"),
    "manifest.csv:3: sha256: '00', but the bytes of 'case-001-object.png'": set_row(3, 4, "00"),
    "manifest.csv:1: 'colour': given twice, or not one of id, file": set_row(1, 4, "colour"),
    "manifest.csv:1: 'name': given twice": set_row(1, 4, "name"),
    "manifest.csv:1: role: the column is missing": set_row(1, 2, "view"),
    "manifest.csv:3: row: 6 fields; the header has 5": set_row(3, 4, "a,b"),
    "manifest.csv:3: row: not CSV": set_row(3, 3, 'a"b"c,"d"e'),
    "manifest.csv:1: header: is missing": lambda files: files.table.clear(),
    "manifest.csv:1: file: lists no image": lambda files: files.table.__delitem__(slice(1, None)),
}


@pytest.mark.slow
@pytest.mark.parametrize("expected", CASES)
def test_fault_14_file_line_and_field_are_named(files: Files, expected: str) -> None:
    CASES[expected](files)
    files.write()
    assert any(fault.startswith(expected) for fault in files.faults()), files.faults()


@pytest.mark.parametrize("field", ["id", "prompt", "elements"])
def test_fault_14_a_missing_field_of_a_case(files: Files, field: str) -> None:
    del files.lines[1][field]
    files.write()
    assert files.faults() == [f"suite.jsonl:2: {field}: is missing"]


@pytest.mark.parametrize("field", ["version", "references"])
def test_fault_14_a_missing_field_of_the_header(files: Files, field: str) -> None:
    del files.lines[0][field]
    files.write()
    assert files.faults() == [f"suite.jsonl:1: {field}: is missing"]


@pytest.mark.parametrize("text", ["", "\n\n", "{}\n", "null\n", "[]\n", "7\n"])
def test_fault_14_a_file_without_a_header(files: Files, text: str) -> None:
    files.write()
    files.path.write_text(text)
    assert any(f.startswith("suite.jsonl:1: ") for f in files.faults())


def test_fault_14_a_first_line_that_is_a_case(files: Files) -> None:
    del files.lines[0]
    files.lines[1]["prompt"] = ""
    files.write()
    told = files.faults()
    assert told[0].startswith("suite.jsonl:1: header: is missing: the first line must be")
    assert told[1:] == ["suite.jsonl:2: prompt: is empty"]


def test_fault_14_a_suite_without_a_case(files: Files) -> None:
    del files.lines[1:]
    files.write()
    assert files.faults() == ["suite.jsonl:1: file: has no case"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"id": "x",}', "invalid JSON at column "),
        ('{"id": "x"', "invalid JSON at column 11: "),
        ('{"id": "x", "id": "y"}', "invalid JSON: a field is given twice"),
        ("[" * 100_000, "invalid JSON: "),
        ('{"id": ' + "9" * 5000 + "}", "invalid JSON: "),
        ("null", "must be a JSON object"),
        ("{}", "must be a JSON object"),
        ('["x"]', "must be a JSON object"),
        ('{"prompt": "' + "x" * 1_000_000 + '"}', "1000014 bytes, over the limit of 1000000"),
    ],
    ids=["comma", "cut", "twice", "deep", "digits", "null", "empty", "list", "long"],
)
def test_fault_14_a_line_that_is_no_case(files: Files, line: str, expected: str) -> None:
    files.write()
    files.path.write_text(f"{files.text()}{line}\n")
    (fault,) = files.faults()
    assert fault.startswith(f"suite.jsonl:4: line: {expected}")
    assert len(fault) < 300


def test_fault_14_every_line_is_told_and_hints_are_bounded(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("a2bench.suites.suite._LOOKS", 12)  # at six elements: two hints
    cases = [dict(files.lines[1], id=f"many-{i}", elements=["car-1"]) for i in range(50)]
    files.lines[1:] = cases
    files.write()
    told = files.faults()
    start = "elements: no element 'car-1'"
    assert [fault.split(", ")[0] for fault in told] == [
        f"suite.jsonl:{line}: {start}" for line in range(2, 52)
    ]
    assert ["known: " in fault or "did you mean" in fault for fault in told] == [
        *(True, True), *[False] * 48
    ]  # fmt: skip


def test_fault_14_so_many_in_one_case_are_counted(files: Files) -> None:
    files.lines[1]["elements"] = [f"unknown-{i}" for i in range(1000)]
    files.write()
    told = files.faults()
    assert len(told) == 21
    assert all(fault.startswith("suite.jsonl:2: elements: no element") for fault in told[:20])
    assert told[20] == "suite.jsonl:2: elements: others: 980, not looked at"


def test_fault_14_so_many_in_one_subset_are_counted(files: Files) -> None:
    ids = [line["id"] for line in files.lines[1:]]
    files.lines[0]["subsets"] = {"some": [*(f"unknown-{i}" for i in range(1000)), *ids, *ids]}
    files.write()
    told = files.faults()
    assert told[:2] == [f"suite.jsonl:1: subsets: 'some': {name!r} is given twice" for name in ids]
    assert all(fault.startswith("suite.jsonl:1: subsets: 'some': no case") for fault in told[2:22])
    assert told[22:] == ["suite.jsonl:1: subsets: 'some': others: 980"]


def test_fault_14_a_byte_order_mark_is_no_fault(files: Files) -> None:
    files.write()
    key = load_suite(files.path).key
    for path in (files.path, files.manifest):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_suite(files.path).key == key


def test_fault_14_utf_16_that_cannot_be_told(files: Files) -> None:
    files.write()
    text = files.text()
    files.path.write_bytes(text.encode("utf-16-le"))
    assert "suite.jsonl:1: file: looks like UTF-16 without its mark; save it as UTF-8" in (
        files.faults()
    )
    files.path.write_bytes(text.encode("utf-16") + b"x")
    assert "suite.jsonl:1: file: begins as UTF-16 but is none; save it as UTF-8" in files.faults()


def test_fault_14_text_that_is_not_utf_8(files: Files) -> None:
    files.write()
    files.path.write_bytes(files.path.read_bytes() + b'{"id": "\xff"}\n')
    files.manifest.write_bytes(files.manifest.read_bytes() + b"\xe9\n")
    assert files.faults() == [
        "manifest.csv:8: line: not UTF-8 at byte 1",
        "suite.jsonl:4: line: not UTF-8 at byte 9",
    ]


def test_fault_14_carriage_returns_and_blank_lines_are_harmless(files: Files) -> None:
    files.write()
    key = load_suite(files.path).key
    for path in (files.path, files.manifest):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert load_suite(files.path).key == key


def test_fault_14_line_separators_inside_a_prompt_do_not_end_a_line(files: Files) -> None:
    prompt = "one\u2028two\u0085three"
    files.lines[1]["prompt"] = prompt
    files.write()
    files.path.write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in files.lines),
        encoding="utf-8",
    )
    assert load_suite(files.path).cases[0].prompt == prompt


def test_fault_14_every_fault_is_told_once_and_nothing_is_run(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    set_case(prompt="", category=1)(files)
    files.lines[2]["elements"] = ["case-002-object", "lost"]
    set_header(subsets={"a": ["nobody"]})(files)
    set_row(4, 2, "scene")(files)
    set_row(5, 4, "0" * 64)(files)
    files.write()
    (files.folder / "case-001-character.png").unlink()
    told = [fault.split(": ")[:2] for fault in files.faults()]
    assert told == [
        ["manifest.csv:2", "file"],
        ["manifest.csv:4", "role"],
        ["manifest.csv:5", "sha256"],
        ["suite.jsonl:1", "subsets"],
        ["suite.jsonl:2", "category"],
        ["suite.jsonl:2", "prompt"],
        ["suite.jsonl:3", "elements"],
    ]
    store = files.folder / "store"
    run = ["run", "--model", "tests.helpers.generators:MyGenerator", "--suite", str(files.path)]
    assert main([*run, "--metrics", "tests.helpers.fakes:Level", "--store", str(store)]) == 3
    error = capsys.readouterr().err
    assert all(fault in error.replace(f"{files.folder}/", "") for fault in files.faults())
    assert not store.exists()


@pytest.mark.parametrize(
    "name",
    ["../outside.png", "a/../../outside.png", "..\\outside.png", "/etc/hosts", "C:\\x.png", "c:x",
     "\\\\host\\share\\x.png"],
)  # fmt: skip
def test_fault_14_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    files = Files(tmp_path / "suite")
    Image.new("RGB", (4, 4)).save(tmp_path / "outside.png")
    set_row(3, 1, name)(files)
    files.write()
    (fault,) = files.faults()
    assert fault.startswith(f"manifest.csv:3: file: {name!r}: must ")


def test_fault_14_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    files = Files(tmp_path / "suite")
    files.write()
    outside = tmp_path / "outside"
    outside.mkdir()
    image = files.folder / "case-001-object.png"
    image.rename(outside / "x.png")
    image.symlink_to(outside / "x.png")
    expected = "is a link that leaves the folder"
    assert files.faults() == [f"manifest.csv:3: file: 'case-001-object.png': {expected}"]
    (files.folder / "folder").symlink_to(outside, target_is_directory=True)
    set_row(3, 1, "folder/x.png")(files)
    files.write()
    assert files.faults() == [f"manifest.csv:3: file: 'folder/x.png': {expected}"]


def test_fault_14_a_link_that_stays_inside_or_goes_round(files: Files) -> None:
    files.write()
    image = files.folder / "case-001-object.png"
    image.rename(files.folder / "kept.png")
    image.symlink_to("kept.png")
    assert load_suite(files.path).cases[0].elements[1].image == files.folder / "kept.png"
    image.unlink()
    image.symlink_to(image.name)
    assert files.faults() == ["manifest.csv:3: file: 'case-001-object.png': no such file"]


def png(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds almost nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(8001, 8000), "64008000 pixels, over the limit of 64000000"),
        (png(10_000, 9_500), "95000000 pixels, over the limit"),
        (png(60_000, 60_000), "over the limit of 64000000 pixels"),
        (b"", "not a readable PNG, JPEG, WEBP"),
        (b"<html></html>", "not a readable"),
        (b"GIF89a" + bytes(100), "not a readable"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a readable"),
        (png(8, 8)[:20], "not a readable"),
    ],
    ids=["over", "warned", "bomb", "empty", "html", "gif", "eps", "cut"],
)
def test_fault_10_image_bombs_and_other_files_are_refused_by_their_header(
    files: Files, content: bytes, expected: str
) -> None:
    (files.folder / "case-001-object.png").write_bytes(content)
    set_row(3, 4, "")(files)
    files.write()
    (fault,) = files.faults()
    assert fault.startswith(f"manifest.csv:3: file: 'case-001-object.png': {expected}")


def test_fault_10_a_large_file_is_not_read(files: Files) -> None:
    files.write()
    with (files.folder / "case-001-object.png").open("r+b") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    (fault,) = files.faults()
    assert "50000001 bytes, over the limit of 50000000" in fault
