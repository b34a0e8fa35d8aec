"""The cells of a leaderboard's CSV file, looked at as they are written, before they are numbers."""

from __future__ import annotations

import csv
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path

from a2bench.metric import within

Limits = Mapping[str, tuple[float, float]]

EMPTY = ("", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
"""What a table writes where it has no number, as pandas reads it."""
ENDS = ("_low", "_high")
COUNTED = "_n_"
SHOWN = 20


def known_limits() -> dict[str, tuple[float, float]]:
    """The bounds of the metrics that every profile has, by their names."""
    text = files("a2bench.leaderboards").joinpath("bounds.toml").read_text(encoding="utf-8")
    return {name: (float(low), float(high)) for name, (low, high) in tomllib.loads(text).items()}


def faults(path: Path, limits: Limits) -> list[str]:
    """What is wrong in a table, with file, row and column; empty when nothing is.

    Columns of numbers are those of ``limits`` and of the eight metrics, those that have a column of
    counts or of an interval beside them, and these. A value must lie within its ``limits``. Raises
    ``OSError``, and ``ValueError`` for a file that is no CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    heads = rows[0] if rows else []
    twice = [name for name, n in Counter(heads).items() if n > 1 and name]
    found = [f"{path}: several columns are called {name!r}" for name in twice]
    found += islice(_in_rows(path, heads, rows[1:], limits), SHOWN)
    return found


def _in_rows(
    path: Path, heads: Sequence[str], rows: Sequence[Sequence[str]], limits: Limits
) -> Iterator[str]:
    numbers = _numbers(heads, limits)
    model = heads.index("model") if "model" in heads else None
    for number, row in enumerate(rows, start=1):
        name = f" ({row[model]})" if model is not None and model < len(row) else ""
        where = f"{path}, row {number}{name}"
        if len(row) > len(heads):
            yield f"{where}: {len(row)} cells, but {len(heads)} columns; is there a decimal comma?"
            continue
        for head, text in zip(heads, row, strict=False):
            if head in numbers and (fault := _fault(text, head, limits)):
                yield f"{where}, {head}: {fault}"


def _numbers(heads: Sequence[str], limits: Limits) -> set[str]:
    """The columns that hold numbers and nothing else."""
    parts = {head: _metric(head) for head in heads}
    metrics = {*limits, *known_limits(), *(of for head, of in parts.items() if of != head)}
    return {head for head, of in parts.items() if of in metrics and of in heads}


def _metric(head: str) -> str:
    """The metric that a column is of, by the ending of its name."""
    name, counted, _ = head.rpartition(COUNTED)
    if counted:
        return name
    return next((head.removesuffix(end) for end in ENDS if head.endswith(end)), head)


def _fault(text: str, head: str, limits: Limits) -> str:
    if text in EMPTY:
        return ""
    value = _number(text)
    if value is None:
        return f"{text!r} is no number: {_instead(text)}"
    if not math.isfinite(value):
        return f"{text!r} is no finite number"
    if COUNTED in head:
        return "" if value >= 0 and value == int(value) else f"{text!r} is no count"
    low, high = limits.get(_metric(head), (-math.inf, math.inf))
    if within(value, (low, high)):
        return ""
    percent = "; is it in percent?" if within(value / 100, (low, high)) else ""
    return f"{value:.12g} is outside {low:g} to {high:g}{percent}"


def _number(text: str) -> float | None:
    """A number as pandas reads it."""
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None


def _instead(text: str) -> str:
    """What to write in place of something that was meant as a number."""
    meant = re.fullmatch(r"\s*([-+]?\d*)[.,]?(\d*)\s*(%?)\s*", text)
    value = _number(f"{meant[1]}.{meant[2]}") if meant else None
    if meant is None or value is None:
        return "leave the cell empty where there is none"
    return f"write {value / 100 if meant[3] else value:.12g}"
