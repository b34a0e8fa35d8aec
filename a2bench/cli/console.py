"""What a run shows: a bar with rate and time left on a terminal, plain lines elsewhere; tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from a2bench.doctor import Check
from a2bench.redaction import redact
from a2bench.results.failures import changed, failures
from a2bench.results.inspection import Inspection
from a2bench.results.leaderboard import Row
from a2bench.runs.crew import Outcome
from a2bench.runs.loop import Plan
from a2bench.runs.store import RunStore
from a2bench.selfcheck import Finding
from a2bench.text import plain
from a2bench.types import Status, Suite


class Watcher:
    """Counts outcomes and shows progress; failures are printed as they come.

    ``store`` and ``plan`` are there once the run is planned; ``count`` jobs are done, with so many
    ``failures`` of videos and scores.
    """

    store: RunStore
    plan: Plan

    def __init__(self, console: Console, *, every_s: float = 5.0) -> None:
        self._console = console
        self._total = 0
        self._every_s = every_s
        self._start = self._said = time.monotonic()
        self.count = 0
        self.failures = 0
        self._bar = Progress(
            TextColumn("[progress.description]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("cases", total=None, rate="", visible=False)

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def warned(self, text: str) -> None:
        self._console.print(f"warning: {redact(text)}", style="yellow", markup=False)

    def planned(self, store: RunStore, work: Plan) -> None:
        for what, (present, total) in (("videos", work.videos), ("scores", work.scores)):
            self._console.print(f"{what}: {present} of {total} in {store.root}", markup=False)
        self.store, self.plan = store, work
        self.expect(len(work.jobs))

    def tell_plan(self) -> None:
        """What would be done."""
        jobs = self.plan.jobs
        missing = sum(not job.video_sha256 for job in jobs)
        scores = sum(len(job.metrics) for job in jobs)
        self._console.print(f"would make {missing} videos and {scores} scores in {len(jobs)} jobs")

    def verdict(self, rows: Sequence[Row]) -> tuple[bool, list[str]]:
        """Whether anything that was asked for is not done, and what else the rows lack, in words.

        The rows may hold other cases, seeds and metrics, which earlier runs asked for.
        """
        works, metrics = frozenset(self.plan.works), self.plan.metrics
        undone, lines = self.failures > 0, []
        for row in rows:
            now = row.part(works, metrics).undone()
            undone = undone or bool(now)
            if rest := row.undone() - now:
                told = ", ".join(f"{name} ({n} {status})" for (name, status), n in rest.items())
                lines.append(plain(f"{row.name}: from earlier runs, not asked for now: {told}"))
        return undone, lines

    def expect(self, total: int) -> None:
        """So many cases are to be done, from now on."""
        self._total = total
        self._start = self._said = time.monotonic()
        self._bar.update(self._task, total=total, visible=True)
        self._bar.start()

    def done(self, outcome: Outcome) -> None:
        for record in outcome.records:
            if record.status is Status.FAILED:
                self.failures += 1
                what = record.metric or "video"
                text = f"{record.case_id} seed {record.seed}: {what} failed: {record.error}"
                self._console.print(f"[red]{escape(plain(text))}[/red]", highlight=False)
        self.count += 1
        seconds = time.monotonic() - self._start
        rate = f"{seconds / self.count:.1f} s/case"
        self._bar.update(self._task, completed=min(self.count, self._total), rate=rate)
        if not self._console.is_terminal and self._due():
            left = seconds / self.count * max(0, self._total - self.count)
            line = f"{self.count}/{self._total} cases, {rate}, about {left:.0f} s left"
            self._console.print(line, highlight=False)

    def _due(self) -> bool:
        now = time.monotonic()
        due = now - self._said >= self._every_s or self.count >= self._total
        if due:
            self._said = now
        return due


def summary(rows: Sequence[Row]) -> Group:
    """A table for each row: mean, interval and counts of its metrics."""
    return Group(*(_metrics(row) for row in rows))


def _metrics(row: Row) -> Table:
    suite = f"{row.suite['name']} {row.suite['version']}"
    title = plain(f"{row.name} on {suite}, profile {row.profile}", limit=120)
    shown = Table(title=escape(title), title_justify="left", header_style="bold")
    shown.add_column("metric", no_wrap=True)
    shown.add_column("mean [95 % interval]", no_wrap=True)
    for heading in ("n_ok", "n_failed", "n_na"):
        shown.add_column(heading, justify="right")
    for metric in row.metrics:
        cell = row.cell(metric)
        counts = (str(cell.counts[name]) for name in ("ok", "failed", "not_applicable"))
        shown.add_row(escape(metric), escape(str(cell)), *counts)
    return shown


def troubles(rows: Sequence[Row], suite: Suite) -> list[str]:
    """What did not work, a line for each reason, and which cases were run with other content."""
    lines = []
    for row in rows:
        for one in failures(row):
            named = ", ".join(f"{case_id}/{seed}" for case_id, seed in one.works[:5])
            more = f" and {len(one.works) - 5} more" if len(one.works) > 5 else ""
            lines.append(f"{row.name}: {one.what}: {one.reason} [{named}{more}]")
    for row in rows:
        lines += [
            f"{row.name}: {case_id} has changed since it was run (its prompt or a reference "
            f"image); its {row.profile} scores do not count for {suite.name} as it is now"
            for case_id in changed(row, suite)
        ]
    return [plain(line) for line in lines]


def findings(found: Sequence[Finding]) -> Table:
    """The expectations of a self-check and how far each is met."""
    shown = Table("metric", "expectation", "met", "", header_style="bold")
    for finding in found:
        state = "[green]ok[/green]" if finding.holds else "[red]FAILS[/red]"
        shown.add_row(finding.metric, finding.text, finding.result, state)
    return shown


def checks(found: Sequence[Check]) -> Table:
    """The doctor's lines."""
    shown = Table("what", "", "found", "what to do", header_style="bold")
    for check in found:
        missing = "[red]missing[/red]" if check.needed else "not here"
        state = "[green]ok[/green]" if check.ok else missing
        remedy = "" if check.ok else escape(plain(check.remedy))
        shown.add_row(check.name, state, escape(plain(check.found)), remedy)
    return shown


def facts_table(found: Mapping[str, str]) -> Table:
    """What is read from a video."""
    shown = Table(show_header=False)
    for name, text in found.items():
        shown.add_row(name, escape(plain(text)))
    return shown


def measured(found: Inspection) -> Table:
    """What each metric made of one video."""
    shown = Table("metric", "value", "", header_style="bold")
    for one in found.findings:
        value = "–" if one.value is None else f"{one.value:.4f}"
        shown.add_row(escape(one.metric), value, escape(plain(one.reason)))
    return shown
