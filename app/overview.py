"""What the admin's page shows of a study, as rows for its tables and charts."""

from __future__ import annotations

from typing import Any

from a2bench.ratings.report import Sheet, shown
from a2bench.stats import Interval
from a2bench.study.progress import Progress
from a2bench.types import Json


def cells(found: Progress) -> list[dict[str, Json]]:
    """Each case and model: finished ``votes`` of ``wanted``, over all pages that show it."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found.items:
        for clip in one.item.clips:
            place = (one.item.case, clip.video.model)
            row = rows.setdefault(
                place, {"case": place[0], "model": place[1], "votes": 0, "wanted": 0}
            )
            row["votes"] += one.votes
            row["wanted"] += one.wanted
    for row in rows.values():
        row["share"] = row["votes"] / row["wanted"] if row["wanted"] else 1.0
        row["text"] = f"{row['votes']} of {row['wanted']}"
    return [rows[place] for place in sorted(rows)]


def shown_rows(sheet: Sheet) -> list[dict[str, Json]]:
    """The rows of a table for reading: an interval is ``3.42 [3.10, 3.75]``, no value a dash."""
    return [
        {
            name.replace("_", " "): shown(name, cell)
            for name, cell in zip(sheet.columns, row, strict=True)
        }
        for row in sheet.rows
    ]


def opinion_rows(sheet: Sheet) -> list[dict[str, Json]]:
    """The opinions for a chart: ``criterion, model, mean, low, high``."""
    found = []
    for row in sheet.rows:
        cell = dict(zip(sheet.columns, row, strict=True))
        mos = cell["mos"]
        if isinstance(mos, Interval):
            low = mos.mean if mos.low is None else mos.low
            high = mos.mean if mos.high is None else mos.high
            words = {"criterion": str(cell["criterion"]), "model": str(cell["model"])}
            found.append({**words, "mean": mos.mean, "low": low, "high": high})
    return found
