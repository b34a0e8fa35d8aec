"""Tables that papers and READMEs print: shown beside own rows as reported, and never ranked.

Figures are data: ``leaderboards/published-*.csv`` has one a line, and ``published.toml`` what is to
say of a table as a whole.
"""

from __future__ import annotations

import csv
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

COLUMNS = ("source", "table", "model", "metric", "value", "n", "note")
"""The columns of a file, in this order."""
PREFIX = "published-"
_SHAPES = {
    "table": re.compile(r"[a-z0-9]+(-[a-z0-9]+)*"),
    "metric": re.compile(r"[a-z][a-z0-9_]*"),
    "n": re.compile(r"([1-9][0-9]*)?"),
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One printed number, in the unit of a2bench's metric of that name where there is one.

    ``n``: of how many videos (or captions) it is, None where that is not known. ``note``: what is
    inconsistent about it, or where ``n`` comes from.
    """

    model: str
    metric: str
    value: float
    n: int | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A printed table. ``source``: an arXiv id or an address; ``table``: its number there."""

    name: str
    source: str
    table: str
    title: str
    note: str
    figures: Sequence[Figure]

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.model for one in self.figures))

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.metric for one in self.figures))

    @property
    def counts(self) -> tuple[int, ...]:
        """Every ``n`` that is known, from the least."""
        return tuple(sorted({one.n for one in self.figures if one.n is not None}))

    @property
    def notes(self) -> list[str]:
        """The note on the table, then those on its figures, each with what it is on."""
        places: dict[tuple[str, str], list[str]] = {}
        for one in self.figures:
            if one.note:
                places.setdefault((one.model, one.note), []).append(one.metric)
        told = (f"{model} ({', '.join(on)}): {note}" for (model, note), on in places.items())
        return [self.note, *told]


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A row of a published table, with the figures of some metrics by their names."""

    table: Published
    model: str
    figures: Mapping[str, Figure]


def published() -> list[Published]:
    """The tables that come with a2bench.

    Raises ``ValueError`` with the file and what is wrong in it.
    """
    folder = files("a2bench.leaderboards")
    about = tomllib.loads(folder.joinpath("published.toml").read_text(encoding="utf-8"))
    names = (entry.name for entry in folder.iterdir())
    found: list[Published] = []
    for name in sorted(n for n in names if n.startswith(PREFIX) and n.endswith(".csv")):
        text = folder.joinpath(name).read_text(encoding="utf-8")
        found += parse(text, name.removeprefix(PREFIX).removesuffix(".csv"), about)
    if untold := about.keys() - {one.name for one in found}:
        raise ValueError(f"published.toml: no table {', '.join(sorted(untold))}")
    return found


def reported(metrics: Iterable[str]) -> list[Reported]:
    """The rows of all published tables that have a figure of at least one of the metrics.

    They were measured on other cases, with networks of the authors: they stand beside own rows to
    be read, and enter no rank, mean or test. Raises ``ValueError`` as ``published``.
    """
    asked = set(metrics)
    rows = []
    for table in published():
        for model in table.models:
            of = (one for one in table.figures if one.model == model and one.metric in asked)
            if figures := {one.metric: one for one in of}:
                rows.append(Reported(table=table, model=model, figures=figures))
    return rows


def parse(text: str, name: str, about: Mapping[str, Mapping[str, str]]) -> list[Published]:
    """The tables of a CSV text, each called ``name-table``; ``about`` has their titles and notes.

    Raises ``ValueError`` for other columns, a cell that is not what its column holds, a figure that
    comes twice, two sources of one table, and a table without title and note.
    """
    where = f"{PREFIX}{name}.csv"
    tables: dict[str, dict[tuple[str, str], Figure]] = {}
    sources: dict[str, str] = {}
    for line, row in _rows(text, where):
        figure = _figure(row, f"{where}, line {line}")
        held = tables.setdefault(row["table"], {})
        if (figure.model, figure.metric) in held:
            raise ValueError(f"{where}, line {line}: {figure.model}, {figure.metric} comes twice")
        held[figure.model, figure.metric] = figure
        if sources.setdefault(row["table"], row["source"]) != row["source"]:
            raise ValueError(f"{where}, line {line}: another source of table {row['table']}")
    found = []
    for table, held in tables.items():
        told = about.get(f"{name}-{table}", {})
        if told.keys() != {"title", "note"}:
            raise ValueError(f"published.toml: {name}-{table} has a title and a note, no more")
        title, note = (" ".join(told[one].split()) for one in ("title", "note"))
        found.append(
            Published(
                name=f"{name}-{table}",
                source=sources[table],
                table=table,
                title=title,
                note=note,
                figures=tuple(held.values()),
            )
        )
    return found


def _rows(text: str, where: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows with the lines on which they end."""
    reader = csv.reader(text.splitlines(), strict=True)
    heads = next(reader, [])
    if unknown := [head for head in heads if head not in COLUMNS]:
        raise ValueError(f"{where}: unknown column {', '.join(unknown)}")
    if tuple(heads) != COLUMNS:
        raise ValueError(f"{where}: the columns are {', '.join(COLUMNS)}, each once, in this order")
    for row in reader:
        if len(row) != len(COLUMNS):
            raise ValueError(f"{where}, line {reader.line_num}: {len(row)} cells")
        yield reader.line_num, dict(zip(COLUMNS, row, strict=True))


def _figure(row: Mapping[str, str], where: str) -> Figure:
    if empty := [name for name in ("source", "model") if not row[name]]:
        raise ValueError(f"{where}: no {' and no '.join(empty)}")
    for name, shape in _SHAPES.items():
        if not shape.fullmatch(row[name]):
            raise ValueError(f"{where}: {row[name]!r} is no {name}")
    try:
        value = float(row["value"])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where}: {row['value']!r} is no value")
    return Figure(
        model=row["model"],
        metric=row["metric"],
        value=value,
        n=int(row["n"]) if row["n"] else None,
        note=row["note"],
    )
