"""Everything that ratings say, as tables with one definition for the screen and for files."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from a2bench.ratings.adequacy import Adequacy, adequacy, summary
from a2bench.ratings.answers import Check
from a2bench.ratings.opinions import Difference, Position, differences, opinions, positions, without
from a2bench.ratings.raters import Verdict, left_out, verdicts
from a2bench.ratings.reliability import reliabilities
from a2bench.ratings.table import Answer, Rating
from a2bench.stats import Interval
from a2bench.text import csv_cell, plain
from a2bench.types import VideoId

OPINIONS = (
    "criterion", "model", "mos", "plain_mean", "cases", "videos", "raters", *Answer,
)  # fmt: skip
DIFFERENCES = (
    "criterion", "first", "second", "first_less_second", "cases", "votes", "p", "p_holm",
    "state", "power", "cases_needed", "votes_needed",
)  # fmt: skip
RATERS = (
    "rater", "answers", "correlation", "gold_right", "gold", "trap_right", "trap",
    "variance", "played", "median_s", "left_out", "reasons",
)  # fmt: skip

Cell = str | int | float | Interval | None


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table: ``name`` is that of its file, ``title`` what it answers.

    The cells of the columns in ``intervals`` are an ``Interval`` or None.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    intervals: tuple[str, ...] = ()

    def to_csv(self) -> str:
        """As a CSV file; an interval has three columns: ``x``, ``x_low`` and ``x_high``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        ends = {name: (name, f"{name}_low", f"{name}_high") for name in self.intervals}
        heads = (part for name in self.columns for part in ends.get(name, (name,)))
        writer.writerow(map(csv_cell, heads))
        for row in self.rows:
            cells = zip(self.columns, row, strict=True)
            writer.writerow([part for name, cell in cells for part in self._parts(name, cell)])
        return text.getvalue()

    def _parts(self, name: str, cell: Cell) -> tuple[Cell, ...]:
        if isinstance(cell, Interval):
            return cell.mean, cell.low, cell.high
        if name in self.intervals:
            return None, None, None
        return (csv_cell(cell) if isinstance(cell, str) else cell,)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The tables, and in sentences what they cannot say and whether it is enough."""

    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...]


def report(
    ratings: Sequence[Rating], checks: Sequence[Check] = (), *, keep_all: bool = False
) -> Report:
    """Analyses ratings, raters with ``signals`` reasons left out unless ``keep_all``.

    Raises ``CannotRun`` when no answer is a score.
    """
    judged = verdicts(ratings, checks)
    out = {} if keep_all else left_out(judged)
    kept = without(ratings, list(out))
    pairs, places = differences(kept), positions(kept)
    settled = adequacy(kept, pairs)
    sheets = (
        _opinions(kept),
        _agreement(kept),
        _differences(pairs, settled),
        _positions(places),
        _missing(kept),
        _raters(judged, out),
    )
    notes = [*_size(ratings), *_left_out(judged, out, keep_all=keep_all), *_limits(kept, places)]
    return Report(sheets=sheets, notes=(*notes, *summary(settled)))


def enough(ratings: Sequence[Rating], checks: Sequence[Check] = ()) -> list[str]:
    """Of ``report`` only the sentences on what is settled, which take little time."""
    kept = without(ratings, list(left_out(verdicts(ratings, checks))))
    if all(r.score is None for r in kept):
        return []
    return summary(adequacy(kept, differences(kept)))


def shown(column: str, cell: Cell) -> str:
    """A cell for reading: an interval is ``3.42 [3.10, 3.75]``, no value a dash."""
    if cell is None:
        return "–"
    if isinstance(cell, Interval):
        return cell.shown(".2f")
    if isinstance(cell, float):
        return f"{cell:.3f}" if column in ("p", "p_holm") else f"{cell:.2f}"
    return plain(str(cell))


def _opinions(ratings: Sequence[Rating]) -> Sheet:
    return Sheet(
        name="mos",
        title="Mean opinion scores (P.910 Annex E), 1 to 5",
        columns=OPINIONS,
        rows=tuple(
            (
                *(o.criterion, o.model, o.mos, o.plain, o.cases, o.videos, o.raters),
                *(o.answers.get(answer, 0) for answer in Answer),
            )
            for o in opinions(ratings)
        ),
        intervals=("mos",),
    )


def _agreement(ratings: Sequence[Rating]) -> Sheet:
    figures = ("alpha", "icc_2k", "split_half")
    return Sheet(
        name="agreement",
        title="Do raters agree: alpha of one rater, ICC(2,k) and split halves of their mean",
        columns=("criterion", *figures, "videos", "raters", "votes_a_video"),
        rows=tuple(
            (r.criterion, r.alpha, r.icc, r.halves, r.videos, r.raters, r.votes)
            for r in reliabilities(ratings)
        ),
        intervals=figures,
    )


def _differences(pairs: Sequence[Difference], settled: Sequence[Adequacy]) -> Sheet:
    return Sheet(
        name="differences",
        title="Which models differ, and is it enough to tell",
        columns=DIFFERENCES,
        rows=tuple(
            (
                *(d.criterion, d.first, d.second, d.difference, d.cases, a.votes),
                *(d.p_value, d.adjusted, a.state.value, a.power, a.cases_needed, a.votes_needed),
            )
            for d, a in zip(pairs, settled, strict=True)
        ),
        intervals=("first_less_second",),
    )


def _positions(places: Sequence[Position]) -> Sheet:
    return Sheet(
        name="positions",
        title="Does the place on the screen count",
        columns=("position", "effect", "raters", "p_holm"),
        rows=tuple((p.position, p.effect, p.raters, p.adjusted) for p in places),
        intervals=("effect",),
    )


def _missing(ratings: Sequence[Rating]) -> Sheet:
    """Of the cases and seeds that somebody was asked about on a criterion: what has no score."""
    asked: dict[str, set[tuple[str, int]]] = {}
    votes: Counter[tuple[str, VideoId]] = Counter()
    for r in ratings:
        asked.setdefault(r.criterion, set()).add((r.video.case, r.video.seed))
        votes[r.criterion, r.video] += r.score is not None
    rows: list[tuple[Cell, ...]] = []
    for criterion, groups in sorted(asked.items()):
        for model in sorted({r.video.model for r in ratings}):
            counts = [votes[criterion, VideoId(case, model, seed)] for case, seed in groups]
            mean = sum(counts) / len(counts)
            rows.append((criterion, model, len(counts), counts.count(0), min(counts), mean))
    return Sheet(
        name="missing",
        title="What is missing",
        columns=("criterion", "model", "videos", "without_score", "fewest_votes", "mean_votes"),
        rows=tuple(rows),
    )


def _raters(judged: Sequence[Verdict], out: dict[str, tuple[str, ...]]) -> Sheet:
    return Sheet(
        name="raters",
        title="What each rater did",
        columns=RATERS,
        rows=tuple(
            (
                *(v.rater, v.answers, v.correlation, *v.gold, *v.trap),
                *(v.variance, v.played, v.seconds),
                *("yes" if v.rater in out else "no", "; ".join(v.reasons)),
            )
            for v in judged
        ),
    )


def _size(ratings: Sequence[Rating]) -> list[str]:
    counts = (
        (len({r.rater for r in ratings}), "raters"),
        (len({r.video.case for r in ratings}), "cases"),
        (len({r.video.model for r in ratings}), "models"),
    )
    found = [f"{len(ratings)} answers: {', '.join(f'{n} {what}' for n, what in counts)}"]
    if len(studies := {r.study for r in ratings if r.study}) > 1:
        found.append(f"they are of {len(studies)} studies, whose pages may not have been alike")
    return found


def _left_out(
    judged: Sequence[Verdict], out: dict[str, tuple[str, ...]], *, keep_all: bool
) -> list[str]:
    if out:
        return [f"left out {rater}: {'; '.join(reasons)}" for rater, reasons in out.items()]
    faulty = sum(bool(verdict.reasons) for verdict in judged)
    if faulty and keep_all:
        return [f"all raters count, also {faulty} with reasons against them: see the table raters"]
    if faulty:
        return ["every rater has reasons against them, so nobody is left out: see the table raters"]
    return ["nobody is left out"]


def _limits(ratings: Sequence[Rating], places: Sequence[Position]) -> list[str]:
    """What these ratings cannot say."""
    found = []
    if len({r.rater for r in ratings if r.score is not None}) < 2:
        found.append(
            "one rater: nothing tells how far others would agree; intervals are over cases"
        )
    if len(scores := {r.score for r in ratings if r.score is not None}) == 1:
        found.append(f"every score is {scores.pop()}: agreement is not defined, no model differs")
    if len({r.video.model for r in ratings}) == 1:
        found.append("one model: there is nothing to compare it with")
    if not places:
        found.append("no position is known of videos that several raters rated: no position effect")
    if pushed := [p for p in places if p.adjusted < 0.05]:
        names = ", ".join(f"{p.position} ({p.effect.mean:+.2f})" for p in pushed)
        found.append(f"the place on the screen counts: {names}; every order must be shown as often")
    unanswered = [row for row in _missing(ratings).rows if row[3]]
    if unanswered:
        found.append(f"{len(unanswered)} of criteria and models lack videos: see the table missing")
    return found
