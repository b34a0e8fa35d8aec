"""Records to a table: one row a model, suite and profile, folded in sorted order.

A row never mixes profiles, suites or versions of a metric, and a column never mixes definitions
(``definitions``): two judges have two columns. Every mean stands beside its interval and its
counts; a failed or missing measurement is counted, never averaged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from a2bench import __version__
from a2bench.keys import canonical_json, digest
from a2bench.metric import outside, read_bounds, within
from a2bench.results.definitions import Definition, current, identity
from a2bench.results.definitions import columns as columns_of
from a2bench.results.holdings import Held, held, origins, shared
from a2bench.results.table import MEASURED, UNDONE, Cell, Line, columns, csv_of, lines_of
from a2bench.runs.record import Record, newest
from a2bench.runs.request import score_key
from a2bench.runs.store import RunStore
from a2bench.stats import bootstrap_mean, wilson
from a2bench.text import markdown_cell, plain
from a2bench.types import Json, Status

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Work:
    """One case and seed of a row: its video's record and each metric's record, where they exist."""

    case_id: str
    case_key: str
    seed: int
    video: Record | None
    scores: Mapping[str, Record]

    def status(self, metric: str) -> str:
        """``ok``, ``failed``, ``not_applicable``, ``refused``, or ``missing``.

        Without a video every metric is what the video is: failed or missing.
        """
        record = self.scores.get(metric)
        if record is None and self.video is not None and self.video.status is not Status.OK:
            record = self.video
        return record.status.value if record else "missing"


@dataclass(kw_only=True)
class Row:
    """One model on one suite in one profile.

    ``metrics`` are definitions by the names of their columns, ``judges`` the judges of those that
    have one. ``stores`` are those that it is from; ``origin`` names them where others hold other
    videos of the same model, which have a row of their own.
    """

    model: Mapping[str, Json]
    suite: Mapping[str, Json]
    profile: str
    metrics: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    works: list[Work] = field(default_factory=list)
    judges: dict[str, str] = field(default_factory=dict)
    origin: str = ""
    stores: tuple[RunStore, ...] = field(default=(), repr=False, compare=False)

    @property
    def name(self) -> str:
        """The model with its revision, and the store where that is not enough."""
        return f"{self.model_name} [{self.origin}]" if self.origin else self.model_name

    @property
    def model_name(self) -> str:
        revision = self.model["revision"]
        return f"{self.model['name']} ({revision})" if revision else str(self.model["name"])

    def covers(self, subject: Mapping[str, Json]) -> bool:
        """Whether the records of a request are in this row, by the request's ``subject``."""
        return subject == {"model": self.model, "suite": self.suite, "profile": self.profile}

    def part(self, works: Collection[tuple[str, int]], metrics: Collection[str]) -> Row:
        """What the row says of some works (case ids and seeds) and some metrics."""
        return replace(
            self,
            metrics={name: one for name, one in self.metrics.items() if name in metrics},
            works=[work for work in self.works if (work.case_id, work.seed) in works],
        )

    def undone(self) -> Counter[tuple[str, str]]:
        """How many works failed, are missing or were refused, by metric and status."""
        found = Counter((name, work.status(name)) for name in self.metrics for work in self.works)
        return Counter({one: n for one, n in found.items() if one[1] in UNDONE})

    def cell(self, metric: str) -> Cell:
        """The counts and the interval over cases (seeds inside them) of one metric.

        A metric of which each value is its lowest or its highest, 0 or 1, has the interval of a
        proportion. Any other is cut at the metric's own bounds, which no mean can pass. Empty for a
        metric that this row was never asked for.
        """
        if metric not in self.metrics:
            return Cell(counts=Counter(), interval=None)
        counts = Counter(work.status(metric) for work in self.works)
        values = list(self.by_case(metric).values())
        if not values:
            return Cell(counts=counts, interval=None)
        low, high = read_bounds(self.metrics[metric])
        if (low, high) == (0, 1) and all(value in (0, 1) for case in values for value in case):
            return Cell(counts=counts, interval=wilson(values))
        interval = bootstrap_mean(values)
        if interval.low is not None and interval.high is not None:
            interval = replace(
                interval,
                low=min(interval.mean, max(interval.low, low)),
                high=max(interval.mean, min(interval.high, high)),
            )
        return Cell(counts=counts, interval=interval)

    def by_case(self, metric: str) -> dict[str, list[float]]:
        """The values of each case (by its key), one a seed, of those that are ok."""
        values: dict[str, list[float]] = {}
        for work in sorted(self.works, key=lambda w: (w.case_key, w.seed)):
            record = work.scores.get(metric)
            if record is not None and record.value is not None:
                values.setdefault(work.case_key, []).append(record.value)
        return values

    def measured(self, metric: str) -> str:
        """What two rows must share for their means to be comparable: ``definition/count-cases``.

        The hash of all that decides a value besides the video and the case; the number of cases
        that the metric applies to, and their hash. What a case cannot have is not applicable for
        every model; so a row in which a video made it so stands apart, too.
        """
        applies = {w.case_key for w in self.works if w.status(metric) != Status.NOT_APPLICABLE}
        definition = identity(self.metrics[metric])[:16]
        return f"{definition}/{len(applies)}-{digest(sorted(applies))[:16]}"


def collect(stores: Sequence[RunStore]) -> list[Row]:
    """The rows of all requests in the stores, sorted by model, suite and profile.

    Requests of one model, suite and profile make one row with the union of their cases; where they
    disagree (another version of a metric, a changed file), the newest request counts. Stores that
    hold other videos of one case and seed keep rows of their own, which name them; what was
    measured in two ways, as by two judges, has a column for each.
    """
    found = [held(store) for store in {store.root.resolve(): store for store in stores}.values()]
    rows: list[Row] = []
    sources: list[tuple[Sequence[Held], str]] = []
    for subject in dict.fromkeys(name for one in found for name in one.requests):
        groups = shared(found, subject)
        for group, origin in zip(groups, origins(groups), strict=True):
            rows.append(_row(group, subject, origin))
            sources.append((group, subject))
    counted = [current(_definitions(*source)) for source in sources]
    named = columns_of((row.profile, own) for row, own in zip(rows, counted, strict=True))
    for row, own, source in zip(rows, counted, sources, strict=True):
        told = [(named[row.profile, identity(metric)], metric) for metric in own]
        row.metrics = {column.name: metric for column, metric in told}
        row.judges = {column.name: column.judge for column, _ in told if column.judge}
        row.works = _works(row, *source)
    return sorted(rows, key=lambda r: (r.name, r.suite["name"], r.profile, digest(r.model)))


def _definitions(group: Sequence[Held], subject: str) -> list[Definition]:
    """Every metric that the stores of a row were asked for, the oldest first."""
    return [m for one in group for asked in one.requests[subject] for m in asked["metrics"]]


def told_apart(rows: Sequence[Row]) -> list[str]:
    """Says of which models the stores hold other videos, so that they have several rows."""
    by_model: dict[str, dict[str, None]] = {}
    for row in (row for row in rows if row.origin):
        by_model.setdefault(row.model_name, {})[row.origin] = None
    return [
        f"{name}: {' and '.join(names)} hold other videos of the same cases and seeds, so each has "
        "a row of its own"
        for name, names in by_model.items()
    ]


def unlike(rows: Sequence[Row]) -> list[str]:
    """Says which rows of one suite and profile are of other cases, so that means do not compare."""
    tables: dict[tuple[str, str], dict[frozenset[str], list[str]]] = {}
    for row in rows:
        suite = f"{row.suite['name']} {row.suite['version']}"
        cases = frozenset(work.case_key for work in row.works)
        tables.setdefault((suite, row.profile), {}).setdefault(cases, []).append(row.name)
    found = []
    for (suite, profile), series in tables.items():
        if len(series) > 1:
            told = "; ".join(f"{', '.join(names)}: {len(cases)}" for cases, names in series.items())
            found.append(
                f"{suite}, profile {profile}: means of other cases cannot be compared. "
                f"Cases: {told}"
            )
    return found


def _row(group: Sequence[Held], subject: str, origin: str) -> Row:
    """The row of stores that agree on its videos, without what was measured."""
    about = group[0].requests[subject][0]
    return Row(
        model=about["model"],
        suite=about["suite"],
        profile=about["profile"],
        origin=origin,
        stores=tuple(one.store for one in group),
    )


def _works(row: Row, group: Sequence[Held], subject: str) -> list[Work]:
    """The works of a row, from the requests and records of its stores."""
    records: dict[str, Record] = {}
    works: dict[tuple[str, int], tuple[str, str, int, str]] = {}
    for one in group:
        for record in one.records.values():
            newest(records, record)
        for request in one.requests[subject]:
            for case_id, case_key, seed, video in request["works"]:
                works[case_id, seed] = case_id, case_key, seed, video
    return [_work(row, records, *works[name]) for name in sorted(works)]


def judges(rows: Iterable[Row]) -> list[str]:
    """Who gave the judged scores of these rows, as their columns call them."""
    found = {
        row.judges[name]
        for row in rows
        for work in row.works
        for name, record in work.scores.items()
        if name in row.judges and record.value is not None
    }
    return sorted(found)


def _work(
    row: Row, records: Mapping[str, Record], case_id: str, case_key: str, seed: int, key: str
) -> Work:
    video = records.get(key)
    scores = {}
    if video is not None and video.status is Status.OK:
        for name, metric in row.metrics.items():
            score_name = score_key(key, video.video_sha256, metric, row.profile, video.read or ())
            score = records.get(score_name)
            if score is not None:
                scores[name] = _bounded(score, metric)
    return Work(case_id=case_id, case_key=case_key, seed=seed, video=video, scores=scores)


def _bounded(score: Record, metric: Mapping[str, Json]) -> Record:
    """A score as it counts: one outside its metric's bounds, as older stores hold, has failed."""
    bounds = read_bounds(metric)
    if score.value is None or within(score.value, bounds):
        return score
    error = outside(score.metric, score.value, bounds)
    return replace(score, status=Status.FAILED, value=None, error=error)


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """One row a model; for each metric its mean, 95 % interval, and counts."""
    import pandas as pd

    names = _names(rows)
    return pd.DataFrame([_line(row, names) for row in rows])


def _names(rows: Sequence[Row]) -> list[str]:
    """All metrics, in the order of the row that has most of them."""
    fullest = sorted(rows, key=lambda row: -len(row.metrics))
    return list(dict.fromkeys(name for row in fullest for name in row.metrics))


def _line(row: Row, names: Iterable[str]) -> dict[str, Json]:
    line: dict[str, Json] = {
        "model": plain(str(row.model["name"])),
        "revision": plain(str(row.model["revision"])),
        "profile": plain(row.profile),
        "suite": plain(row.suite["name"]),
        "suite_version": plain(row.suite["version"]),
        "cases": len({work.case_key for work in row.works}),
        "seeds": len({work.seed for work in row.works}),
    }
    for name in names:
        line |= columns(name, row.cell(name))
    versions = sorted({(metric["name"], metric["version"]) for metric in row.metrics.values()})
    line["metric_versions"] = plain(" ".join(f"{name}@{number}" for name, number in versions))
    line[MEASURED] = canonical_json({name: row.measured(name) for name in row.metrics})
    line["metrics_sha256"] = digest([row.metrics[name] for name in sorted(row.metrics)])
    line["suite_sha256"] = row.suite["key"]
    line["model_sha256"] = digest(row.model)
    line["a2bench"] = __version__
    if row.origin:
        line["store"] = plain(row.origin)
    return line


def with_values(lines: Sequence[Line], rows: Sequence[Row]) -> list[Line]:
    """The lines, with the values of single cases where one of the rows is what a line tells of."""
    held: dict[tuple[str, str], list[Row]] = {}
    for line, row in zip(lines_of(table(rows)), rows, strict=True) if rows else ():
        held.setdefault((line.name, line.group), []).append(row)
    found = []
    for line in lines:
        same = (_values(line, row) for row in held.get((line.name, line.group), []))
        found.append(replace(line, values=max(same, key=len, default={})))
    return found


def _values(line: Line, row: Row) -> dict[str, dict[str, float]]:
    """By column the mean over seeds of each case, where the row's metric has the line's mean."""
    metrics = {row.measured(metric): metric for metric in row.metrics}
    found = {}
    for column, mean in line.means.items():
        if metric := metrics.get(line.measured.get(column, "")):
            values = {case: math.fsum(v) / len(v) for case, v in row.by_case(metric).items()}
            if values and math.isclose(math.fsum(values.values()) / len(values), mean):
                found[column] = values
    return found


def to_csv(rows: Sequence[Row]) -> str:
    """The table as CSV: see ``csv_of``."""
    return csv_of(table(rows))


def to_markdown(rows: Sequence[Row]) -> str:
    """The table for reading: means with intervals, and the counts where not every case is ok."""
    names = _names(rows)
    heads = map(markdown_cell, names)
    lines = ["| model | suite | profile | cases | " + " | ".join(heads) + " |"]
    lines.append("|" + " --- |" * (4 + len(names)))
    for row in rows:
        cases = len({work.case_key for work in row.works})
        head = [row.name, f"{row.suite['name']} {row.suite['version']}", row.profile, str(cases)]
        cells = [*head, *(str(row.cell(name)) for name in names)]
        lines.append("| " + " | ".join(markdown_cell(cell) for cell in cells) + " |")
    lines.append("")
    lines.append(
        "Means over cases with 95 % intervals; in brackets what was not ok. a2bench "
        f"{__version__}; rows of different profiles or suites cannot be compared."
    )
    for text in unlike(rows):
        lines += ["", markdown_cell(text)]
    return "\n".join(lines) + "\n"
