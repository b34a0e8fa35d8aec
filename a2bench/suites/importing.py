"""Turns a downloaded benchmark into a self-contained suite: suite.jsonl, manifest.csv and images/.

Images are copied and named by their sha256, so that no input name becomes a path. Every fault of
the input is told at once, and then nothing is written. What is read has no fixed form (one path, or
several, or none; a list or a text), so it is read by hand and not by a pydantic model.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from a2bench.errors import CannotRun, SuiteError, UsageError
from a2bench.keys import digest
from a2bench.names import is_file, on_disk
from a2bench.suites.manifest import ID, ID_RULE, contained, inspect_image
from a2bench.suites.suite import load_suite
from a2bench.suites.text_file import Source
from a2bench.types import Role, Suite
from a2bench.waiting.locks import temporary_folder

# column of the table: its folder, its role, the name of an image that lies in no subfolder
OFFICIAL: dict[str, tuple[str, Role, str]] = {
    "human": ("human_masked", "character", "person"),
    "thing": ("thing", "object", "object"),
    "environment": ("environment", "background", "scene"),
}
HUMANS = frozenset(
    {"man", "woman", "men", "women", "person", "people", "human", "face", "boy", "girl", "male"}
    | {"female", "child", "kid", "lady"}
)
SCENES = frozenset({"environment", "background", "scene"})
_MANIFEST = ("id", "file", "role", "name", "category", "source", "sha256")

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def import_official(root: Path, table: Path, out: Path) -> Suite:
    """The official A2-Bench set as a suite in the folder ``out``, which must be new or empty.

    ``root`` holds the folders ``human_masked``, ``thing`` and ``environment``; ``table`` (.csv or
    .jsonl) has the columns ``human``, ``thing``, ``environment`` and ``prompt``, and may have
    ``id``. A path is relative to ``root`` or to the column's folder. A column of images may be left
    out or empty, or name several: separated by ``;`` in CSV, a list in JSON lines. A person is
    named by the first subfolder (``man``), a thing or scene by the last (``bear``); a case's
    category is the first subfolder of its first thing.

    Known from the example links in the demo (app.py) of SkyworkAI/SkyReels-A2: the three folders,
    ``human_masked/man/synthesis/5.png``, ``thing/bear/1.jpg``, ``environment/Special/10.jpg``, and
    a short prompt for each trio. Whether the data set has a table, and of what form, could not be
    checked: the columns above are ours.
    Raises ``SuiteError`` with every fault, ``UsageError`` for an argument that cannot be right.
    """
    source = opened(table, root, out)
    draft = Draft(source, root)
    for number, (line, row) in enumerate(_table(source).items(), start=1):
        pictures = [
            (column, _official(column, path))
            for column in OFFICIAL
            for path in _paths(source, line, column, row.get(column))
        ]
        category = next((p.category for _, p in pictures if p.role == "object"), "")
        elements = [draft.element(line, column, picture) for column, picture in pictures]
        case_id = row.get("id") or f"case-{number:03d}"
        draft.case(line, case_id, row.get("prompt"), elements, category)
    return draft.write("a2-bench", out)


def import_opens2v(json_path: Path, images: Path, out: Path) -> Suite:
    """A file of OpenS2V-Eval as a suite in the folder ``out``, which must be new or empty.

    The file is ``{id: {"img_paths": [...], "prompt": ..., "class_label": [...]}}``; the paths are
    relative to ``images``, the folder that holds ``Images/``. A label names its image. One whose
    last word is a human word is a character; one with ``environment``, ``background`` or ``scene``
    in label or path is a background; any other is an object. A case's category is its id without
    the number (``singleface``).

    Known from the evaluation code and its example input (PKU-YuanGroup/OpenS2V-Nexus, eval/): the
    fields, paths and labels paired in order, the labels ``Man`` and ``Woman``, ids such as
    ``singleobj_1``. Inferred from a path seen elsewhere (``Images/humanobj/environment/...``): how
    to tell a background. Raises as ``import_official`` does.
    """
    source = opened(json_path, images, out)
    draft = Draft(source, images)
    lines = source.lines()
    texts = ((text, number) for number, line in enumerate(lines, 1) for text in _TEXT.findall(line))
    first = dict(reversed(list(texts)))
    for case_id, row in source.parse("\n".join(lines)).items():
        line = first.get(json.dumps(case_id, ensure_ascii=False), 1)
        fields = row if isinstance(row, dict) else {}
        field = f"{case_id}.img_paths"
        paths = _paths(source, line, field, fields.get("img_paths"))
        labels = _paths(source, line, f"{case_id}.class_label", fields.get("class_label"))
        if len(paths) != len(labels):
            what = f"{len(labels)} labels for {len(paths)} images"
            source.fault(line, f"{case_id}.class_label", what)
        pictures = [_opens2v(*pair) for pair in zip(paths, labels, strict=False)]
        elements = [draft.element(line, field, picture) for picture in pictures]
        category = re.sub(r"[_-]?\d+$", "", case_id)
        draft.case(line, case_id, fields.get("prompt"), elements, category)
    return draft.write("opens2v-eval", out)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image to import: ``file`` is its path inside the benchmark's folder."""

    file: str
    role: Role
    name: str
    category: str = ""


class Draft:
    """A suite in the making; nothing is written before ``write`` has seen that it has no fault."""

    def __init__(self, source: Source, root: Path) -> None:
        self._source = source
        self._root = root
        self._cases: dict[str, dict[str, Any]] = {}
        self._contents: set[str] = set()
        self._rows: dict[str, dict[str, str]] = {}
        self._images: dict[str, Path] = {}

    def element(self, line: int, field: str, picture: Picture) -> str:
        """The id of the element that this image is; a fault when it is not usable."""
        try:
            path = contained(self._root, picture.file)
            sha256, suffix = inspect_image(path)
        except (ValueError, OSError) as error:
            self._source.fault(line, field, f"{picture.file!r} in {self._root}: {error}")
            return ""
        file = f"images/{sha256}{suffix}"
        name = digest([picture.role, picture.name, sha256])[:12]
        element_id = f"{picture.role}-{name}"
        self._images[file] = path
        self._rows.setdefault(
            element_id,
            {
                "id": element_id,
                "file": file,
                "role": picture.role,
                "name": picture.name,
                "category": picture.category,
                "source": picture.file,
                "sha256": sha256,
            },
        )
        return element_id

    def case(
        self, line: int, case_id: Any, prompt: Any, elements: list[str], category: str
    ) -> None:
        """Adds a case; a fault when its id, its prompt or its elements cannot be right."""
        told = [element for element in elements if element]
        row = {"prompt": str(prompt).strip(), "elements": elements, "category": category}
        if not isinstance(case_id, str) or not ID.fullmatch(case_id):
            self._source.fault(line, "id", f"{case_id!r} {ID_RULE}")
        elif case_id in self._cases:
            self._source.fault(line, "id", f"{case_id!r} is given twice")
        if not isinstance(prompt, str) or not prompt.strip():
            self._source.fault(line, "prompt", f"{case_id!r} has no prompt")
        if not elements:
            self._source.fault(line, "case", f"{case_id!r} names no image")
        elif len(set(told)) < len(told):
            self._source.fault(line, "case", f"{case_id!r} names an image twice")
        elif told == elements and digest(row) in self._contents:
            self._source.fault(line, "case", f"{case_id!r} has the content of another case")
        self._contents.add(digest(row))
        self._cases[str(case_id)] = row

    def write(self, name: str, out: Path, *, version: str = "imported") -> Suite:
        """Writes the suite beside ``out``, checks it, and moves it there."""
        if not self._cases and not self._source.faults:
            self._source.fault(1, "file", "has no case")
        if self._source.faults:
            raise SuiteError(self._source.report())
        header = {"suite": name, "version": version, "references": "manifest.csv"}
        cases = ({"id": case_id, **row} for case_id, row in self._cases.items())
        lines = [json.dumps(line) + "\n" for line in (header, *cases)]
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            with temporary_folder(out.parent) as temporary:
                built = temporary / "suite"
                (built / "images").mkdir(parents=True)
                for file, image in self._images.items():
                    shutil.copyfile(image, built / file)
                with (built / "manifest.csv").open("w", encoding="utf-8", newline="") as manifest:
                    table = csv.DictWriter(manifest, _MANIFEST, lineterminator="\n")
                    table.writeheader()
                    table.writerows(self._rows.values())
                (built / "suite.jsonl").write_text("".join(lines), encoding="utf-8")
                load_suite(built / "suite.jsonl")
                if out.exists():
                    out.rmdir()  # it is empty; some systems rename onto no folder at all
                built.rename(out)
        except OSError as error:
            raise CannotRun(f"{out}: the suite cannot be written: {error}") from error
        return load_suite(out / "suite.jsonl")


def opened(table: Path, root: Path, out: Path) -> Source:
    """The text of a table. Raises ``UsageError`` for arguments that cannot be right."""
    table = on_disk(table)
    if not is_file(table):
        raise UsageError(f"no such file: {table}")
    if not on_disk(root).is_dir():
        raise UsageError(f"no such folder of images: {root}")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out} exists and is not an empty folder; give a new one")
    return Source(table)


def _table(source: Source) -> Mapping[int, Mapping[str, Any]]:
    """The rows of the official set's table by line number."""
    columns = (*OFFICIAL, "prompt", "id")
    if source.path.suffix == ".csv":
        return source.table(("prompt",), columns)
    if source.path.suffix != ".jsonl":
        raise UsageError(f"{source.path}: the table must be a .csv or a .jsonl file")
    rows = source.objects()
    for line, row in rows.items():
        for name in row:
            if name not in columns:
                source.fault(line, repr(name), f"unknown field; use {', '.join(columns)}")
    return {line: row for line, row in rows.items() if row}


def _paths(source: Source, line: int, field: str, value: Any) -> list[str]:
    """The texts of a field that holds none, one, several separated by ``;``, or a list."""
    if value is None:
        return []
    texts = value.split(";") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(
        isinstance(text, str) and text.isprintable() for text in texts
    ):
        source.fault(line, field, "must be printable text or a list of it")
        return []
    return [text.strip() for text in texts if text.strip()]


def _official(column: str, path: str) -> Picture:
    folder, role, default = OFFICIAL[column]
    *folders, file = PureWindowsPath(path).parts or (path,)  # takes both kinds of slashes
    if folders[:1] == [folder]:
        del folders[0]
    name = folders[0 if role == "character" else -1] if folders else default
    return Picture(
        file=PureWindowsPath(folder, *folders, file).as_posix(),
        role=role,
        name=name.replace("_", " ").strip().lower() or default,
        category=folders[0] if folders else "",
    )


def _opens2v(path: str, label: str) -> Picture:
    words = re.findall(r"\w+", label.lower())
    role: Role = "object"
    if words and words[-1] in HUMANS:
        role = "character"
    elif SCENES.intersection((*words, *PureWindowsPath(path.lower()).parts)):
        role = "background"
    return Picture(file=path, role=role, name=label.lower())
