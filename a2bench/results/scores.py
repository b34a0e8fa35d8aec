"""Every score by itself: a line for each model, case, seed and metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

from a2bench.keys import canonical_json
from a2bench.results.leaderboard import Row
from a2bench.types import Json

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "model": "str",
    "revision": "str",
    "store": "str",
    "profile": "str",
    "suite": "str",
    "suite_version": "str",
    "case": "str",
    "case_sha256": "str",
    "seed": "int64",
    "metric": "str",
    "dimension": "str",
    "value": "Float64",
    "status": "str",
    "reason": "str",
    "detection_rate": "Float64",
    "detail": "str",
    "seconds": "Float64",
    "video_sha256": "str",
    "video_seconds": "Float64",
    "licence": "str",
    "measured": "str",
}
"""The columns and their types, in order. ``docs/tables.md`` says what each holds."""


def scores(rows: Sequence[Row]) -> pd.DataFrame:
    """A line for each model, case, seed and metric of the rows, sorted so; ``COLUMNS``.

    Every work of a row has a line for every metric that the row was asked for: one that was not
    done is ``missing``, and one of a video that failed is what the video is, with its reason.
    """
    import pandas as pd

    lines = [line for row in rows for line in _lines(row)]
    return pd.DataFrame(lines, columns=list(COLUMNS)).astype(COLUMNS)


def _lines(row: Row) -> Iterator[dict[str, Json]]:
    measured = {metric: row.measured(metric) for metric in row.metrics}
    for work, metric in product(row.works, row.metrics):
        score = work.scores.get(metric)
        told = score or work.video
        detail = dict(score.detail) if score else {}
        yield {
            "model": str(row.model["name"]),
            "revision": str(row.model["revision"]),
            "store": row.origin,
            "profile": row.profile,
            "suite": str(row.suite["name"]),
            "suite_version": str(row.suite["version"]),
            "case": work.case_id,
            "case_sha256": work.case_key,
            "seed": work.seed,
            "metric": metric,
            "dimension": row.metrics[metric]["dimension"],
            "value": score.value if score else None,
            "status": work.status(metric),
            "reason": (told.error or "") if told else "",
            "detection_rate": detail.pop("detection_rate", None),
            "detail": canonical_json(detail),
            "seconds": score.seconds if score else None,
            "video_sha256": work.video.video_sha256 if work.video else "",
            "video_seconds": work.video.seconds if work.video else None,
            "licence": score.licence if score else "",
            "measured": measured[metric],
        }
