"""The one object that a command prints with ``--json``: docs/json.md tells every field.

Each form is of what the table is of, and holds it in full: numbers as they are, nothing cut.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from a2bench import __version__
from a2bench.redaction import redact
from a2bench.text import plain
from a2bench.types import Json, Suite

if TYPE_CHECKING:
    from a2bench.cli.console import Watcher
    from a2bench.doctor import Check
    from a2bench.results.board import Board
    from a2bench.results.comparison import Compared
    from a2bench.results.leaderboard import Row
    from a2bench.results.ranks import Scored
    from a2bench.results.recipe import Recipe
    from a2bench.results.submission import Submission
    from a2bench.results.table import Cell, Line
    from a2bench.results.upkeep import Health
    from a2bench.runs.store import RunStore
    from a2bench.stats import Interval

Form = dict[str, Json]


@contextmanager
def standard_output_apart(asked: bool) -> Iterator[None]:
    """What is printed meanwhile, also by libraries, programs and workers, is on standard error."""
    if not asked:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if os.name == "posix":  # what libraries in C have not written yet
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


def answer(schema: str, form: Mapping[str, Json]) -> None:
    """Prints the object, on one line."""
    typer.echo(strict(schema, form))


def strict(schema: str, form: Mapping[str, Json]) -> str:
    """The object on one line. Its texts hold no secret and no control character."""

    @cache
    def safe(text: str) -> str:
        return plain(redact(text), limit=sys.maxsize)

    def cleaned(value: Json) -> Json:
        if isinstance(value, str):
            return safe(value)
        if isinstance(value, Mapping):
            return {safe(name): cleaned(one) for name, one in value.items()}
        if isinstance(value, Sequence):
            return [cleaned(one) for one in value]
        return value

    whole = {"schema": f"a2bench/{schema}", "a2bench": __version__, **form}
    return json.dumps(cleaned(whole), allow_nan=False)


def of_row(row: Row) -> Form:
    """A row of run stores: one model on one suite in one profile."""
    from a2bench.results.table import Line

    return of_line(
        Line(
            model=str(row.model["name"]),
            revision=str(row.model["revision"]),
            store=row.origin,
            profile=row.profile,
            suite=str(row.suite["name"]),
            suite_version=str(row.suite["version"]),
            suite_sha256=str(row.suite["key"]),
            cases=len({work.case_key for work in row.works}),
            cells={metric: row.cell(metric) for metric in row.metrics},
            measured={metric: row.measured(metric) for metric in row.metrics},
        )
    )


def of_line(line: Line) -> Form:
    """A row, also of a table."""
    return {
        "model": line.model,
        "revision": line.revision,
        "store": line.store,
        "profile": line.profile,
        "suite": line.suite,
        "suite_version": line.suite_version,
        "suite_sha256": line.suite_sha256,
        "cases": line.cases,
        "metrics": {
            name: {**_cell(cell), "measured": line.measured.get(name)}
            for name, cell in line.cells.items()
        },
    }


def of_scored(one: Scored) -> Form:
    """A row with its comprehensive score."""
    score = {
        **_interval(one.interval),
        "n": one.cases,
        "n_fewest": one.fewest or None,
        "rank": one.rank,
        "series": one.letter,
        "alike": one.alike,
        "unranked": one.unranked,
        "lacks": one.lacks,
        "columns": one.columns,
    }
    return {**of_line(one.line), "comprehensive": score}


def of_board(found: Board, out: Path | None) -> Form:
    """The rows of stores and tables, and the file that they were also written to."""
    rows = map(of_scored, found.scored) if found.recipe else map(of_row, found.rows)
    how = None if found.recipe is None else _recipe(found.recipe)
    return {"out": out and str(out), "recipe": how, "rows": list(rows), "notes": found.notes}


def _recipe(recipe: Recipe) -> Form:
    return {
        "name": recipe.name,
        "version": recipe.version,
        "title": recipe.title,
        "note": recipe.note,
        "divisor": recipe.divisor,
        "weights": recipe.weights,
    }


def of_comparison(found: Compared, out: Path | None) -> Form:
    """Pairs of rows, metric by metric, with every case; and the ranks of more than two."""
    from a2bench.results.comparison_table import line_of

    pairs = []
    for one in found.pairs:
        line = line_of(one)
        del line["difference_low"], line["difference_high"]
        line |= {"difference": _interval(one.difference), "only_a": one.only_a}
        pairs.append(line | {"only_b": one.only_b, "cases": [asdict(c) for c in one.cases]})
    return {
        "out": out and str(out),
        "rows": found.names,
        "pairs": pairs,
        "ranks": [asdict(place) for place in found.places],
        "notes": found.notes,
    }


def of_status(store: RunStore, rows: Sequence[Row], suite: Suite) -> Form:
    """What a store holds, and what of it has changed since."""
    from a2bench.results.failures import changed

    told = [{**_with_failures(row), "changed": changed(row, suite)} for row in rows]
    return {"store": str(store.root), "rows": told}


def of_plan(watch: Watcher) -> Form:
    """What would be done."""
    jobs = [
        {
            "case": job.case.id,
            "seed": job.seed,
            "video": not job.video_sha256,
            "metrics": job.metrics,
        }
        for job in watch.plan.jobs
    ]
    return {**_held(watch), "jobs": jobs}


def of_run(watch: Watcher, rows: Sequence[Row], *, complete: bool, notes: Sequence[str]) -> Form:
    """What a run has done, and the rows of its model."""
    return {
        **_held(watch),
        "planned": len(watch.plan.jobs),
        "done": watch.count,
        "failed": watch.failures,
        "complete": complete,
        "notes": notes,
        "rows": [_with_failures(row) for row in rows],
    }


def of_check(check: Check) -> Form:
    """A line of the doctor's, with what to do if it is not in order."""
    return {**asdict(check), "remedy": "" if check.ok else check.remedy}


def of_submission(path: Path, found: Submission) -> Form:
    """What a submission was found to hold."""
    return {"file": str(path), "row": of_row(found.row), "remarks": found.remarks}


def of_health(store: RunStore, health: Health) -> Form:
    """What a store holds, and what is wrong with it."""
    return {
        "store": str(store.root),
        "records": len(health.records),
        "superseded": health.superseded,
        "videos": len(health.videos),
        "gone": [str(path) for path in health.gone],
        "unused": [str(path) for path in health.unused],
        "damage": [
            {"path": str(one.path), "line": one.line or None, "reason": one.reason}
            for one in health.damage
        ],
    }


def _held(watch: Watcher) -> Form:
    """How much of a request is in the store before anything is done."""
    ends = {"videos": watch.plan.videos, "scores": watch.plan.scores}
    counts = {what: {"held": held, "asked": asked} for what, (held, asked) in ends.items()}
    return {"store": str(watch.store.root), **counts}


def _with_failures(row: Row) -> Form:
    from a2bench.results.failures import failures

    told = [
        {
            "what": one.what,
            "status": one.status,
            "reason": one.reason,
            "works": [{"case": case, "seed": seed} for case, seed in one.works],
        }
        for one in failures(row)
    ]
    return {**of_row(row), "failures": told}


def _interval(interval: Interval | None) -> Form:
    ends = ("mean", "low", "high")
    return {end: getattr(interval, end) if interval else None for end in ends}


def _cell(cell: Cell) -> Form:
    from a2bench.results.table import COUNTS

    untold = cell.interval is not None and not any(cell.counts.values())
    counts = {status: cell.counts.get(status, 0) for status in COUNTS.values()}
    return {**_interval(cell.interval), "counts": None if untold else counts}
