"""Face FID of a model's videos in a store: one figure, with what it counts."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from a2bench import __version__
from a2bench.errors import CannotRun, NotApplicable, UsageError, VideoError
from a2bench.keys import digest
from a2bench.metric import SetMetric, outside, within
from a2bench.redaction import sealed
from a2bench.results.leaderboard import Row, collect
from a2bench.results.videos import stored_videos
from a2bench.runs.store import RunStore
from a2bench.text import csv_cell
from a2bench.types import Json, Suite


def measure(
    store: RunStore, suite: Suite, metric: SetMetric, *, profile: str, model: str = ""
) -> dict[str, Json]:
    """The metric over a model's videos of the suite's cases, as the line of a table.

    Every stored video counts, whichever profile it was scored in. Raises ``UsageError`` when the
    store holds several models that ``model`` may mean; ``CannotRun`` when there is no video, one
    does not decode, there are too few faces, or weights are missing.
    """
    if lacks := metric.missing():
        raise CannotRun("\n".join(lacks))
    rows = _rows(store, model)
    cases = {case.key: case for case in suite.cases}
    works = {(w.case_key, w.seed) for row in rows for w in row.works if w.case_key in cases}
    stored = {(v.case_key, v.video.seed): v for v in stored_videos([store], rows)}
    try:
        videos = [
            (cases[key], stored[key, seed].probed()) for key, seed in sorted(works & stored.keys())
        ]
        if not videos:
            raise CannotRun(f"{store.root} holds no video of {rows[0].name} for {suite.name}")
        found = metric.measure(videos)
        if not within(found.value, (metric.info.low, metric.info.high)):
            bounds = metric.info.low, metric.info.high
            raise CannotRun(outside(metric.info.name, found.value, bounds))
    except (NotApplicable, VideoError) as error:
        raise CannotRun(str(error)) from error
    info = metric.info
    return {
        "model": rows[0].name,
        "profile": profile,
        "suite": suite.name,
        "suite_version": suite.version,
        info.name: found.value,
        **found.detail,
        "videos": len(videos),
        "videos_missing": len(works) - len(videos),
        "metric_version": info.version,
        "metric_sha256": digest([info.name, info.version, sealed(info.params)]),
        "licence": metric.licence,
        "suite_sha256": suite.key,
        "model_sha256": digest(rows[0].model),
        "a2bench": __version__,
    }


def to_csv(line: Mapping[str, Json]) -> str:
    """The line and its header as CSV: UTF-8, Unix lines, no cell a spreadsheet would execute."""
    out = io.StringIO()
    cells = {
        csv_cell(key): csv_cell(value) if isinstance(value, str) else value
        for key, value in line.items()
    }
    writer = csv.DictWriter(out, cells, lineterminator="\n")
    writer.writeheader()
    writer.writerow(cells)
    return out.getvalue()


def _rows(store: RunStore, model: str) -> list[Row]:
    """The rows of the one model that is meant; it may have one a profile and suite."""
    rows = [row for row in collect([store]) if model in ("", row.model["name"], row.name)]
    if not rows:
        raise CannotRun(f"{store.root} holds no run of {model or 'any model'}")
    models = {digest(row.model): row.name for row in rows}
    if len(models) > 1:
        raise UsageError(
            f"{store.root} holds several models: {', '.join(sorted(models.values()))}; "
            "name one with --model, or give each a store of its own"
        )
    return rows
