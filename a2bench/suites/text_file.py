"""Text files that people write: lines, CSV tables and JSON, with every fault told by its place.

They are UTF-8 with or without a byte order mark, or UTF-16 with one. A table is separated by
commas, semicolons or tabs, and may begin with the line ``sep=;`` of a spreadsheet; case and spaces
around the names of its columns do not matter.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_LINE_BYTES = 1_000_000
_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[,;\t]*', re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A text file, and the faults found in it and in the files that it names."""

    path: Path
    faults: list[tuple[str, int, str]] = field(default_factory=list)

    def fault(self, line: int, where: str, what: str) -> None:
        """Notes that ``where`` (a field) in ``line`` is at fault."""
        self.faults.append((str(self.path), line, f"{where}: {what}"))

    def report(self) -> list[str]:
        """``file:line: field: what is wrong``, in the order of files and lines."""
        return [f"{path}:{line}: {what}" for path, line, what in sorted(self.faults)]

    def lines(self) -> list[str]:
        """The lines without their ends; one that cannot be read is a fault and becomes empty."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            self.fault(1, "file", f"cannot be read: {error.strerror}")
            return []
        found = []
        for number, line in enumerate(self._utf_8(data).split(b"\n"), start=1):
            text = ""
            if len(line) > MAX_LINE_BYTES:
                self.fault(number, "line", f"{len(line)} bytes, over the limit of {MAX_LINE_BYTES}")
            else:
                try:
                    text = line.decode("utf-8").removesuffix("\r")
                except UnicodeDecodeError as error:
                    self.fault(number, "line", f"not UTF-8 at byte {error.start + 1}")
            found.append(text)
        return found

    def _utf_8(self, data: bytes) -> bytes:
        """The content without a byte order mark, its lines ended as on Unix."""
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            try:
                data = data.decode("utf-16").encode()
            except UnicodeError:
                self.fault(1, "file", "begins as UTF-16 but is none; save it as UTF-8")
                return b""
        elif b"\0" in data[:2]:
            self.fault(1, "file", "looks like UTF-16 without its mark; save it as UTF-8")
            return b""
        data = data.removeprefix(codecs.BOM_UTF8)
        return data if b"\n" in data else data.replace(b"\r", b"\n")

    def objects(self) -> dict[int, dict[str, Any]]:
        """The JSON objects of the lines that are not blank, as ``parse`` gives them."""
        lines = enumerate(self.lines(), start=1)
        return {number: self.parse(line, number) for number, line in lines if line.strip()}

    def parse(self, text: str, line: int = 1) -> dict[str, Any]:
        """The JSON object that starts in ``line``; an empty one, and a fault, if it is none."""
        try:
            value = json.loads(text, object_pairs_hook=_unique)
        except json.JSONDecodeError as error:
            where = line + error.lineno - 1
            self.fault(where, "line", f"invalid JSON at column {error.colno}: {error.msg}")
            return {}
        except (ValueError, RecursionError) as error:
            self.fault(line, "line", f"invalid JSON: {error}")
            return {}
        if isinstance(value, dict) and value:
            return value
        self.fault(line, "line", "must be a JSON object with fields")
        return {}

    def table(
        self, required: Sequence[str], columns: Sequence[str], *, strict: bool = True
    ) -> dict[int, dict[str, str]]:
        """The rows of a CSV file by line number; none, and faults, when it has another form.

        Cells have no spaces around them, and rows of empty cells are left out. Not ``strict``:
        other columns are ignored, and a row may end early.
        """
        lines, by = _separated(self.lines(), required)
        reader = csv.reader(lines, delimiter=by, skipinitialspace=True, strict=True)
        header: list[str] = []
        rows = {}
        try:
            for found in reader:
                cells = _stripped(found, len(header))
                if not any(cells):
                    continue
                if not header:
                    header = cells
                    if not self._has(reader.line_num, header, required, columns, strict):
                        return {}
                elif len(cells) > len(header) or (strict and len(cells) < len(header)):
                    wrong = f"{len(cells)} fields; the header has {len(header)}"
                    self.fault(reader.line_num, "row", wrong)
                else:
                    names = map(str.casefold, header)
                    rows[reader.line_num] = dict(zip(names, cells, strict=False))
        except csv.Error as error:
            self.fault(reader.line_num, "row", f"not CSV: {error}")
            return {}
        if not header:
            self.fault(1, "header", f"is missing: the columns are {', '.join(required)}")
        return rows

    def _has(
        self,
        line: int,
        header: list[str],
        required: Sequence[str],
        columns: Sequence[str],
        strict: bool,
    ) -> bool:
        """Whether the columns are those that are needed and may be; if not, the faults are told."""
        before = len(self.faults)
        names = [name.casefold() for name in header]
        times = Counter(names)
        for name in sorted(set(required).difference(names)):
            self.fault(line, name, f"the column is missing; found: {', '.join(header)}")
        wrong = {
            given
            for given, name in zip(header, names, strict=True)
            if (strict and name not in columns) or (name in columns and times[name] > 1)
        }
        for name in sorted(wrong):
            self.fault(line, repr(name), f"given twice, or not one of {', '.join(columns)}")
        return len(self.faults) == before


def _separated(lines: list[str], required: Sequence[str]) -> tuple[list[str], str]:
    """The lines with their ends and what separates their cells: told, or what the header says."""
    told = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    ended = [f"{line}\n" for line in lines]
    if told:
        return ["\n", *ended[1:]], told[1]
    head = next((line for line in lines if line.strip()), "")

    def fits(by: str) -> tuple[int, int]:
        cells = next(csv.reader([head], delimiter=by, skipinitialspace=True), [])
        names = {cell.strip().casefold() for cell in cells}
        return len(names.intersection(required)), len(cells)

    try:
        return ended, max(_SEPARATORS, key=fits)
    except csv.Error:
        return ended, ","


def _stripped(cells: list[str], width: int) -> list[str]:
    """The cells without spaces around them and without empty ones beyond a width."""
    cells = [cell.strip() for cell in cells]
    while len(cells) > width and not cells[-1]:
        cells.pop()
    return cells


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a field is given twice")
    return found
