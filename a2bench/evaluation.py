"""The Python door: a model on a suite, from what is asked for to the rows of a leaderboard."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from a2bench.errors import UsageError
from a2bench.generator import Generator
from a2bench.judging.options import JudgeOptions, with_judge
from a2bench.registry import GENERATORS, build_profile, choose_metrics
from a2bench.results.leaderboard import Row, collect
from a2bench.runs.crew import Outcome
from a2bench.runs.executors import executor, most_workers
from a2bench.runs.loop import Plan, Policy, perform, plan, replaced
from a2bench.runs.request import Request
from a2bench.runs.store import RunStore
from a2bench.suites.suite import load_suite, select
from a2bench.text import counted
from a2bench.types import Suite


class Watch(Protocol):
    """Is told how an evaluation goes."""

    def warned(self, text: str) -> None:
        """Something that does not stop it."""

    def planned(self, store: RunStore, work: Plan) -> None:
        """What the store holds and what is to be done, before any of it."""

    def done(self, outcome: Outcome) -> None:
        """A case was done, or failed."""


class _Quiet:
    def warned(self, text: str) -> None:
        warnings.warn(text, stacklevel=3)

    def planned(self, store: RunStore, work: Plan) -> None: ...

    def done(self, outcome: Outcome) -> None: ...


def evaluate(
    model: str | Generator,
    suite: str | Suite = "a2bench-open",
    *,
    profile: str = "lite",
    store: str | Path = "runs",
    metrics: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    cases: Sequence[str] = (),
    category: str | None = None,
    limit: int | None = None,
    seeds: Sequence[int] = (0,),
    policy: str = Policy.ONLY_MISSING,
    device: str = "cpu",
    workers: int | None = None,
    timeout_s: float | None = None,
    ray: str | None = None,
    max_failures: int | None = None,
    judge: JudgeOptions | None = None,
    dry_run: bool = False,
    arguments: Sequence[str] = (),
    watch: Watch | None = None,
) -> list[Row]:
    """Generates the videos of a suite with a model, scores them, and gives the model's rows.

    Does what ``a2bench run`` does, with the same meanings: what the store holds is not done again,
    and each outcome is kept as soon as it is known, so a run that was stopped goes on when it is
    asked for again. ``model`` is a name, ``package.module:Class`` with its ``params``, or a
    generator; with several workers a generator is sent to them, so it must pickle. ``suite`` is
    ``NAME``, ``NAME:SUBSET``, a .jsonl file, or a suite, of which ``cases``, ``category`` and
    ``limit`` take a part. ``metrics`` names metrics or sets, or all of the profile if empty.
    ``dry_run`` plans and does nothing.

    ``workers`` None works in this process, which a crash of the model or of a metric ends.
    ``workers`` processes outlive one, and import the script that called: guard its entry by
    ``if __name__ == "__main__":``. 0 takes as many as there are cores, and as have room; one for a
    model that takes a device for itself. ``max_failures`` stops when so many works have failed.

    The rows are those of this model, suite and profile in the store; what failed is counted in
    them (``row.cell(metric).counts``). Raises ``UsageError`` for what cannot be meant,
    ``CannotRun`` for what is missing, with what to type.
    """
    if not str(store):
        raise UsageError("the store is '': name a folder")
    watch, folder = watch or _Quiet(), Path(store)
    if policy not in set(Policy):
        raise UsageError(f"no policy {policy!r}: {', '.join(Policy)}")
    if max_failures is not None and max_failures < 1:
        raise UsageError(f"to stop after {max_failures} failures is not to begin: give 1 or more")
    whole = load_suite(suite) if isinstance(suite, str) else suite
    judging = (judge or JudgeOptions(store=folder, reuse=policy != Policy.ALWAYS)).anew()
    measures = with_judge(build_profile(profile, device), judging)
    generator = GENERATORS.create(model, params) if isinstance(model, str) else model
    request = Request(
        suite=whole,
        cases=select(whole, limit=limit, ids=cases, category=category).cases,
        generator=generator,
        metrics=choose_metrics(measures, metrics),
        profile=profile,
        seeds=tuple(dict.fromkeys(seeds)),
    )
    if workers == 0:
        workers = most_workers(measures, device) if generator.info.parallel else 1
    where = executor(workers, timeout_s=timeout_s, ray=ray)
    for warning in request.prepare():
        watch.warned(warning)
    held = RunStore(folder)
    records = held.records() if held.exists() else {}
    others, of = replaced(request, held.manifests(), records)
    if others:
        watch.warned(
            f"{held.root} already holds other videos of {generator.info.name!r} for {others} of the"
            f" {of} asked for; the newest count. Give another --name (or revision) to keep both"
        )
    work = plan(request, records, Policy(policy), look=held.notes)
    watch.planned(held, work)
    if dry_run:
        return []
    if policy == Policy.ONLY_CACHED and held.asked_last(request.manifest()):
        return _rows(held, request)  # nothing to write, perhaps where nothing can be written
    if not perform(
        request,
        work.jobs,
        held,
        where,
        arguments=arguments,
        watch=watch.done,
        max_failures=max_failures,
    ):
        told = counted(max_failures or 0, "failure")
        watch.warned(f"stopped after {told}; the same command or call goes on from here")
    return _rows(held, request)


def _rows(store: RunStore, request: Request) -> list[Row]:
    return [row for row in collect([store]) if row.covers(request.subject)]
