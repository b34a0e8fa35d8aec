"""Text files that people write: lines, CSV tables and JSON, with every fault told by its place."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_LINE_BYTES = 1_000_000
_BOM = b"\xef\xbb\xbf"


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
        if data.startswith(_BOM):
            self.fault(1, "file", "starts with a byte order mark; save it as UTF-8 without one")
        found = []
        for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), start=1):
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

    def table(self, required: Sequence[str], columns: Sequence[str]) -> dict[int, dict[str, str]]:
        """The rows of a CSV file by line number; none, and faults, when it has another form."""
        reader = csv.reader([f"{line}\n" for line in self.lines()], strict=True)
        header: list[str] = []
        rows = {}
        try:
            for cells in reader:
                if not cells:
                    continue
                if not header:
                    header = cells
                    if not self._has(reader.line_num, header, required, columns):
                        return {}
                elif len(cells) != len(header):
                    wrong = f"{len(cells)} fields; the header has {len(header)}"
                    self.fault(reader.line_num, "row", wrong)
                else:
                    rows[reader.line_num] = dict(zip(header, cells, strict=True))
        except csv.Error as error:
            self.fault(reader.line_num, "row", f"not CSV: {error}")
            return {}
        if not header:
            self.fault(1, "header", f"is missing: the columns are {', '.join(required)}")
        return rows

    def _has(
        self, line: int, header: list[str], required: Sequence[str], columns: Sequence[str]
    ) -> bool:
        before = len(self.faults)
        for name in sorted(set(required).difference(header)):
            self.fault(line, name, "the column is missing")
        for name in sorted({n for n in header if n not in columns or header.count(n) > 1}):
            self.fault(line, repr(name), f"given twice, or not one of {', '.join(columns)}")
        return len(self.faults) == before


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a field is given twice")
    return found
