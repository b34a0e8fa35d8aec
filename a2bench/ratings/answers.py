"""The table of checks: every answer of a study, on pages of any kind, with how it came about.

A CSV file with a header, UTF-8, one line an answer. ``least`` and ``most`` are the right scores
where they are known (gold, trap and training pages), else empty. ``slot`` counts from 0. ``plays``
is how often that video had been played to its end when the answer was given, ``elapsed_ms`` the
time since the rater's answer before it on that page, or since the page was there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from a2bench.errors import CannotRun
from a2bench.ratings.table import Answer, lines
from a2bench.text import csv_cell
from a2bench.types import VideoId

COLUMNS = (
    "rater", "kind", "item", "page", "case", "model", "seed", "criterion", "slot", "answer",
    "score", "least", "most", "elapsed_ms", "plays", "stalls", "duration_s", "revision", "time",
)  # fmt: skip


class Kind(StrEnum):
    """Why a page is shown. Raters are told of training only; gold and traps look like the rest."""

    TRAIN = "train"
    RATED = "rated"
    GOLD = "gold"
    TRAP = "trap"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One answer with all that is known of it, on a page of any kind.

    ``least`` and ``most`` are the right scores where they are known, else None.
    """

    rater: str
    kind: Kind
    item: str
    page: int
    video: VideoId
    criterion: str
    slot: int
    answer: Answer
    score: int | None
    least: int | None
    most: int | None
    elapsed_ms: int
    plays: int
    stalls: int
    duration_s: float
    revision: int
    time: str

    @property
    def right(self) -> bool | None:
        """Whether the score is a right one; None where none is known."""
        if self.least is None or self.most is None:
            return None
        return self.score is not None and self.least <= self.score <= self.most


def to_csv(checks: Iterable[Check]) -> str:
    """The checks as the text of a CSV file that ``read`` takes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in checks:
        row = {**vars(one), **one.video._asdict()}
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue()


def read(path: Path) -> list[Check]:
    """The checks of a CSV file, in its order. Raises ``CannotRun`` with every fault, by line."""
    found: list[Check] = []
    faults: list[str] = []
    for number, row in lines(path, COLUMNS, COLUMNS):
        try:
            found.append(_check(row))
        except ValueError as error:
            faults.append(f"{path}:{number}: {error}")
    if faults:
        raise CannotRun("\n".join(faults))
    return found


def _check(row: Mapping[str, str]) -> Check:
    scores = (row["score"], row["least"], row["most"])
    score, least, most = (int(text) if text else None for text in scores)
    return Check(
        rater=row["rater"],
        kind=Kind(row["kind"]),
        item=row["item"],
        page=int(row["page"]),
        video=VideoId(row["case"], row["model"], int(row["seed"])),
        criterion=row["criterion"],
        slot=int(row["slot"]),
        answer=Answer(row["answer"]),
        score=score,
        least=least,
        most=most,
        elapsed_ms=int(row["elapsed_ms"]),
        plays=int(row["plays"]),
        stalls=int(row["stalls"]),
        duration_s=float(row["duration_s"]),
        revision=int(row["revision"]),
        time=row["time"],
    )


def _cell(value: object) -> object:
    return csv_cell(value) if isinstance(value, str) else value
