"""The table of ratings: one line a rater, video and criterion.

A CSV file with a header, UTF-8. ``rater`` (a pseudonym), ``case``, ``model``, ``criterion`` (an id
of ``prompts/criteria.toml``) and ``score`` (1 to 5) must be there; ``seed`` (0), ``answer``,
``position`` (the place on the screen, from 1) and ``time`` (ISO 8601, UTC) may be. ``answer`` is
``rated``, ``does_not_apply`` or ``cannot_play``; the last two have an empty score. A line with an
empty score and no answer is a vote that was not given, and is left out. ``a2bench judge agreement``
reads the same file.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from a2bench.criteria import LEAST, MOST, criteria
from a2bench.errors import CannotRun
from a2bench.text import csv_cell

Floats = NDArray[np.float64]

COLUMNS = ("rater", "case", "model", "seed", "criterion", "score", "answer", "position", "time")
REQUIRED = ("rater", "case", "model", "criterion", "score")


class Answer(StrEnum):
    """What a rater said of one video on one criterion."""

    RATED = "rated"
    DOES_NOT_APPLY = "does_not_apply"
    CANNOT_PLAY = "cannot_play"


class Seen(NamedTuple):
    """One video, as raters know it; sorts by case first."""

    case: str
    model: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Rating:
    """One answer. ``score`` is None unless the answer is ``rated``; position and time may lack."""

    rater: str
    video: Seen
    criterion: str
    score: int | None
    answer: Answer = Answer.RATED
    position: int | None = None
    time: str = ""


@dataclass(frozen=True, kw_only=True)
class Votes:
    """Scores as a matrix: a row a video, a column a rater, NaN where there is none."""

    videos: tuple[Seen, ...]
    raters: tuple[str, ...]
    scores: Floats


def read(path: Path) -> list[Rating]:
    """The ratings of a CSV file, in its order. Raises ``CannotRun`` with every fault, by line."""
    known = {criterion.id for criterion in criteria()}
    found: dict[tuple[str, Seen, str], Rating] = {}
    faults: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if absent := [name for name in REQUIRED if name not in (reader.fieldnames or ())]:
            raise CannotRun(f"{path}: no column {', '.join(absent)}; it has {reader.fieldnames}")
        for row in reader:
            try:
                rating = _rating({name: (row.get(name) or "").strip() for name in COLUMNS}, known)
                if rating is None:
                    continue
                key = (rating.rater, rating.video, rating.criterion)
                if key in found:
                    raise ValueError(f"{rating.rater} rated this before: keep one line")
                found[key] = rating
            except ValueError as error:
                faults.append(f"{path}:{reader.line_num}: {error}")
    if faults:
        raise CannotRun("\n".join(faults))
    return list(found.values())


def to_csv(ratings: Iterable[Rating]) -> str:
    """The ratings as the text of a CSV file that ``read`` takes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for r in ratings:
        names = [csv_cell(r.rater), csv_cell(r.video.case), csv_cell(r.video.model)]
        writer.writerow([*names, r.video.seed, r.criterion, r.score, r.answer, r.position, r.time])
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
    if not all(row[name] for name in ("rater", "case", "model")):
        raise ValueError("rater, case or model is empty")
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
        video=Seen(row["case"], row["model"], seed or 0),
        criterion=row["criterion"],
        score=score,
        answer=answer,
        position=position,
        time=row["time"],
    )


def _whole(row: Mapping[str, str], name: str) -> int | None:
    try:
        return int(row[name]) if row[name] else None
    except ValueError as error:
        raise ValueError(f"{name} {row[name]!r} is no whole number") from error
