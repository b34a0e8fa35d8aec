"""The table of ratings: one line a rater, video and criterion.

A CSV file with a header (``suites/text_file``). ``rater`` (a pseudonym), ``case``, ``model``,
``criterion`` (an id of ``prompts/criteria.toml``) and ``score`` (1 to 5) must be there; ``seed``
(0), ``answer``, ``position`` (the place on the screen, from 1), ``time`` (ISO 8601, UTC) and
``study`` (the sha256 of its design) may be. ``answer`` is ``rated``, ``does_not_apply`` or
``cannot_play``; the last two have an empty score. A line with an empty score and no answer is a
vote that was not given, and is left out. ``a2bench judge agreement`` reads the same file, and one
without ``rater``.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2bench.criteria import LEAST, MOST, criteria
from a2bench.errors import CannotRun
from a2bench.suites.text_file import Source
from a2bench.text import csv_cell
from a2bench.types import VideoId

Floats = NDArray[np.float64]

COLUMNS = (
    "rater", "case", "model", "seed", "criterion", "score", "answer", "position", "time", "study",
)  # fmt: skip
ALL = "all"
"""In tables: all criteria together."""
REQUIRED = ("rater", "case", "model", "criterion", "score")


class Answer(StrEnum):
    """What a rater said of one video on one criterion."""

    RATED = "rated"
    DOES_NOT_APPLY = "does_not_apply"
    CANNOT_PLAY = "cannot_play"


@dataclass(frozen=True, kw_only=True)
class Rating:
    """One answer. ``score`` is None unless the answer is ``rated``; position and time may lack."""

    rater: str
    video: VideoId
    criterion: str
    score: int | None
    answer: Answer = Answer.RATED
    position: int | None = None
    time: str = ""
    study: str = ""


@dataclass(frozen=True, kw_only=True)
class Votes:
    """Scores as a matrix: a row a video, a column a rater, NaN where there is none."""

    videos: tuple[VideoId, ...]
    raters: tuple[str, ...]
    scores: Floats


def read(path: Path, *, anonymous: bool = False) -> list[Rating]:
    """The ratings of a CSV file, in its order. Raises ``CannotRun`` with every fault, by line.

    With ``anonymous`` a line need not say who the rater was; their name is then empty.
    """
    known = {criterion.id for criterion in criteria()}
    needed = [name for name in REQUIRED if name != "rater" or not anonymous]
    found: list[Rating] = []
    named: set[tuple[str, VideoId, str]] = set()
    faults: list[str] = []
    for number, row in lines(path, COLUMNS, needed):
        try:
            rating = _rating(row, known)
            if rating is None:
                continue
            if not rating.rater and not anonymous:
                raise ValueError("rater is empty")
            key = (rating.rater, rating.video, rating.criterion)
            if rating.rater and key in named:
                raise ValueError(f"{rating.rater} rated this before: keep one line")
            named.add(key)
            found.append(rating)
        except ValueError as error:
            faults.append(f"{path}:{number}: {error}")
    if faults:
        raise CannotRun("\n".join(faults))
    return found


def lines(
    path: Path, columns: Sequence[str], needed: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a CSV file with a header: their number, and the text of each of ``columns``.

    A column that is not there is empty. Raises ``CannotRun`` with what keeps it from being read,
    such as a ``needed`` column that is not there.
    """
    source = Source(path)
    rows = source.table(needed, columns, strict=False)
    if source.faults:
        raise CannotRun("\n".join(source.report()))
    for number, row in rows.items():
        yield number, {name: row.get(name, "") for name in columns}


def to_csv(ratings: Iterable[Rating]) -> str:
    """The ratings as the text of a CSV file that ``read`` takes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for r in ratings:
        names = [csv_cell(r.rater), csv_cell(r.video.case), csv_cell(r.video.model)]
        answer = [csv_cell(r.criterion), r.score, r.answer, r.position, csv_cell(r.time)]
        writer.writerow([*names, r.video.seed, *answer, csv_cell(r.study)])
    return text.getvalue()


def votes(ratings: Sequence[Rating]) -> dict[str, Votes]:
    """The scores of each criterion that has some, criteria in order of their ids."""
    return {
        criterion: _matrix([r for r in ratings if r.criterion == criterion])
        for criterion in sorted({r.criterion for r in ratings if r.score is not None})
    }


def _matrix(ratings: Sequence[Rating]) -> Votes:
    given = {(r.video, r.rater): r.score for r in ratings if r.score is not None}
    videos = tuple(sorted({video for video, _ in given}))
    raters = tuple(sorted({rater for _, rater in given}))
    rows = [[float(given.get((video, rater), math.nan)) for rater in raters] for video in videos]
    return Votes(videos=videos, raters=raters, scores=np.array(rows, np.float64))


def _rating(row: Mapping[str, str], known: set[str]) -> Rating | None:
    """One line; None for a vote that was not given."""
    if not row["score"] and not row["answer"]:
        return None
    if not row["case"] or not row["model"]:
        raise ValueError("case or model is empty")
    if row["criterion"] not in known:
        raise ValueError(f"no criterion {row['criterion']!r}; known: {', '.join(sorted(known))}")
    try:
        answer = Answer(row["answer"] or Answer.RATED)
    except ValueError as error:
        raise ValueError(f"answer {row['answer']!r} is none of {', '.join(Answer)}") from error
    if (answer is Answer.RATED) != bool(row["score"]):
        raise ValueError(f"score {row['score']!r} does not go with the answer {answer}")
    score, seed, position = (_whole(row, name) for name in ("score", "seed", "position"))
    if score is not None and not LEAST <= score <= MOST:
        raise ValueError(f"score {score} is not from {LEAST} to {MOST}")
    return Rating(
        rater=row["rater"],
        video=VideoId(row["case"], row["model"], seed or 0),
        criterion=row["criterion"],
        score=score,
        answer=answer,
        position=position,
        time=row["time"],
        study=row["study"],
    )


def _whole(row: Mapping[str, str], name: str) -> int | None:
    try:
        return int(row[name]) if row[name] else None
    except ValueError as error:
        raise ValueError(f"{name} {row[name]!r} is no whole number") from error
