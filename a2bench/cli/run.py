"""``a2bench run | selfcheck``: generate and score; known answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.cli import completion
from a2bench.cli.options import (
    DEFAULT_STORE,
    SUITE,
    CasesOption,
    DeviceOption,
    FramesOption,
    InProcessOption,
    JsonOption,
    JudgeOption,
    JudgeSetOption,
    MaxCostOption,
    MetricsOption,
    PriceOption,
    ProfileOption,
    RateOption,
    RepeatsOption,
    StoreOption,
    SuiteOption,
    TokensOption,
    WorkersOption,
    split,
    terminal,
)
from a2bench.errors import UsageError

if TYPE_CHECKING:
    from a2bench.cli.console import Watcher
    from a2bench.results.leaderboard import Row


def run(
    model: Annotated[
        str,
        typer.Option(
            help="A model's name, or package.module:Class.", autocompletion=completion.models
        ),
    ],
    suite: SuiteOption = SUITE,
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = "lite",
    device: DeviceOption = "cpu",
    metrics: MetricsOption = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases.")] = None,
    cases: CasesOption = "",
    category: Annotated[str | None, typer.Option(help="Only cases of this category.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, as in 0,1,2 or 0-9.")] = "0",
    policy: Annotated[
        str,
        typer.Option(
            help="only-missing, always or only-cached.",
            autocompletion=completion.one_of("only-missing", "always", "only-cached"),
        ),
    ] = "only-missing",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, and stop.")
    ] = False,
    workers: WorkersOption = 0,
    in_process: InProcessOption = False,
    timeout: Annotated[float | None, typer.Option(help="Seconds for each video or score.")] = None,
    max_failures: Annotated[
        int | None, typer.Option(min=1, help="Stop when so many videos and scores have failed.")
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first failure.")
    ] = False,
    ray: Annotated[str | None, typer.Option(help="Ray address, or 'local'.")] = None,
    param: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the model.")] = None,
    videos: Annotated[
        Path | None, typer.Option(help="Model folder: videos, .zip or table.")
    ] = None,
    command: Annotated[str | None, typer.Option(help="Model command: the program.")] = None,
    crop_panels: Annotated[
        int | None, typer.Option(help="Model folder: keep the last of N.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Models folder, command: name to show.")] = None,
    judge: JudgeOption = "",
    judge_set: JudgeSetOption = "all",
    judge_frames: FramesOption = 0,
    judge_repeats: RepeatsOption = 1,
    judge_price: PriceOption = "",
    judge_max_tokens: TokensOption = None,
    judge_rpm: RateOption = None,
    max_cost: MaxCostOption = None,
    as_json: JsonOption = False,
) -> None:
    """Generate the videos of a suite with a model and score them; resumes where it stopped."""
    from a2bench.cli.console import Watcher
    from a2bench.cli.json_output import standard_output_apart
    from a2bench.evaluation import evaluate
    from a2bench.judging.options import DEFAULT, JudgeOptions
    from a2bench.registry import GENERATORS

    if in_process and (workers or ray):
        raise UsageError("--in-process takes no worker: leave out --workers and --ray")

    given = {"videos": videos, "command": command, "crop_panels": crop_panels, "name": name}
    options = JudgeOptions(
        store=store,
        spec=judge or DEFAULT,
        criteria=judge_set,
        frames=judge_frames,
        repeats=judge_repeats,
        price=judge_price,
        max_tokens=judge_max_tokens,
        max_usd=max_cost,
        per_minute=judge_rpm,
        reuse=policy != "always",
    )
    with standard_output_apart(as_json), Watcher(terminal()) as watch:
        typed = GENERATORS.typed(model, _pairs(param or []))
        rows = evaluate(
            model,
            suite,
            profile=profile,
            store=store,
            metrics=split(metrics),
            params={**typed, **{k: v for k, v in given.items() if v is not None}},
            cases=split(cases),
            category=category,
            limit=limit,
            seeds=_seeds(seeds),
            policy=policy,
            device=device,
            workers=None if in_process else workers,
            timeout_s=timeout,
            ray=ray,
            max_failures=1 if fail_fast else max_failures,
            judge=options,
            dry_run=dry_run,
            arguments=sys.argv[1:],
            watch=watch,
        )
    raise typer.Exit(_tell(watch, rows, dry_run=dry_run, as_json=as_json))


def _tell(watch: Watcher, rows: Sequence[Row], *, dry_run: bool, as_json: bool) -> int:
    """What was done, or would be; returns the exit code."""
    from a2bench.cli.console import summary
    from a2bench.cli.json_output import answer, of_plan, of_run

    undone, earlier = watch.verdict(rows)
    if as_json and dry_run:
        answer("plan/1", of_plan(watch))
    elif as_json:
        answer("run/1", of_run(watch, rows, complete=not undone, notes=earlier))
    elif dry_run:
        watch.tell_plan()
    else:
        console = terminal()
        console.print(summary(rows))
        for line in earlier:
            console.print(line, markup=False, highlight=False)
    return 2 if undone else 0


def selfcheck(
    store: StoreOption = DEFAULT_STORE / "selfcheck",
    profile: ProfileOption = "lite",
    suite: SuiteOption = f"{SUITE}:mini",
    limit: Annotated[int | None, typer.Option(min=2, help="Only the first N cases.")] = None,
    device: DeviceOption = "cpu",
    workers: WorkersOption = 0,
    in_process: InProcessOption = False,
) -> None:
    """Known answers: do the metrics tell right from wrong on this machine?"""
    from a2bench.cli.console import Watcher, findings
    from a2bench.registry import build_profile
    from a2bench.runs.executors import executor, most_workers
    from a2bench.runs.store import RunStore
    from a2bench.selfcheck import identity_auc, photographs, requests
    from a2bench.selfcheck import selfcheck as check
    from a2bench.suites.suite import load_suite, select

    console = terminal()
    cases, measures = select(load_suite(suite), limit=limit), build_profile(profile, device)
    asked = requests(cases, measures.metrics, profile)
    where = executor(None if in_process else workers or most_workers(measures, device))
    with Watcher(console) as watch:
        found = check(asked, RunStore(store), where, watch=watch.done, expect=watch.expect)
        found += identity_auc(cases.references, measures.metrics)
        found += photographs(cases, measures.metrics)
    console.print(findings(found))
    raise typer.Exit(0 if all(f.holds for f in found) else 2)


_SEEDS = re.compile(r"(-?\d{1,18})(?:-(\d{1,18}))?")
MOST_SEEDS = 100_000


def _seeds(text: str) -> list[int]:
    """The seeds of ``0,1,2``, ``0-9`` or ``0-4,7``, each once. Raises ``UsageError``."""
    found: dict[int, None] = {}
    for part in split(text):
        match = _SEEDS.fullmatch(part)
        if match is None:
            raise UsageError(f"--seeds {text!r}: give whole numbers, as in 0,1,2 or 0-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MOST_SEEDS:
            raise UsageError(
                f"--seeds {part}: from the lowest to the highest, {MOST_SEEDS} at most"
            )
        found |= dict.fromkeys(range(first, last + 1))
    return list(found) or [0]


def _pairs(given: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE pairs as they were typed."""
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--param {pair!r}: write NAME=VALUE")
        if name in found:
            raise UsageError(f"--param {name} is given twice")
        found[name] = value
    return found
