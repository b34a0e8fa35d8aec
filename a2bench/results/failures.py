"""What did not work in a row, and which of its cases are not what was run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from a2bench.redaction import redact
from a2bench.results.leaderboard import Row
from a2bench.types import Status, Suite


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Works of a row that failed or were refused for one reason.

    ``what`` is ``video`` or the column of a metric. Each work is a case id and a seed.
    """

    what: str
    status: Status
    reason: str
    works: Sequence[tuple[str, int]]


def failures(row: Row) -> list[Failure]:
    """What did not work, by what it was and why.

    Reasons are redacted: an older store may hold what is recognised as a secret today.
    """
    found: dict[tuple[str, Status, str], list[tuple[str, int]]] = {}
    for work in row.works:
        records = {"video": work.video, **work.scores} if work.video else {}
        for what, record in records.items():
            if record is not None and record.status in (Status.FAILED, Status.REFUSED):
                reason = what, record.status, record.error or ""
                found.setdefault(reason, []).append((work.case_id, work.seed))
    return [
        Failure(what=what, status=status, reason=redact(reason), works=works)
        for (what, status, reason), works in sorted(found.items())
    ]


def changed(row: Row, suite: Suite) -> list[str]:
    """The cases of ``suite`` whose content is not what was run, by id: they will run again."""
    if row.suite["name"] != suite.name:
        return []
    now = {case.id: case.key for case in suite.cases}
    run = {work.case_id: work.case_key for work in row.works}
    return [case_id for case_id, key in run.items() if now.get(case_id, key) != key]
