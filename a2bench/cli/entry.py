"""The command line. Every command is one call into the modules below it.

Exit codes: 0 all ok, 1 usage, 2 finished with failures, 3 could not run, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from a2bench import __version__
from a2bench.cli.checkpoints import app as checkpoints_app
from a2bench.cli.fid import fid
from a2bench.cli.judge import (
    FramesOption,
    JudgeOption,
    MaxCostOption,
    PriceOption,
    RateOption,
    RepeatsOption,
)
from a2bench.cli.judge import app as judge_app
from a2bench.cli.reports import leaderboard, sheet, status, terminal
from a2bench.cli.study import app as study_app
from a2bench.cli.suites import app as suites_app
from a2bench.cli.weights import app as weights_app
from a2bench.errors import CannotRun, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from a2bench.generator import Generator
    from a2bench.metric import Profile
    from a2bench.runs.request import Request

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(suites_app, name="suites", help="Check a suite, or import one in another layout.")
app.add_typer(checkpoints_app, name="checkpoints", help="The weights of the profile paper.")
app.add_typer(weights_app, name="weights", help="A comprehensive score fitted to ratings.")
app.add_typer(study_app, name="study", help="People rate videos, blind and side by side.")
app.add_typer(judge_app, name="judge", help="What a judge costs, whom it agrees with, its trust.")

StoreOption = Annotated[Path, typer.Option("--store", help="Folder of the run store.")]
ProfileOption = Annotated[str, typer.Option("--profile", help="Which models realise the metrics.")]
DeviceOption = Annotated[
    str, typer.Option("--device", help="Where the metrics' networks run: cpu, cuda, cuda:1.")
]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=0, help="Processes; 0: one a core if the model allows it.")
]
DEFAULT_STORE = Path("runs")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="The version.")
    ] = False,
) -> None:
    """A2-Bench, the elements-to-video benchmark: generate, measure, rank."""


@app.command()
def run(
    model: Annotated[str, typer.Option(help="A model's name, or package.module:Class.")],
    suite: Annotated[
        str, typer.Option(help="NAME, NAME:SUBSET or a .jsonl file.")
    ] = "a2bench-open",
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = "lite",
    device: DeviceOption = "cpu",
    metrics: Annotated[
        str, typer.Option(help="Names or sets, comma-separated; the profile's own if empty.")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases.")] = None,
    cases: Annotated[str, typer.Option(help="Only these case ids, comma-separated.")] = "",
    category: Annotated[str | None, typer.Option(help="Only cases of this category.")] = None,
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds.")] = "0",
    policy: Annotated[
        str, typer.Option(help="only-missing, always or only-cached.")
    ] = "only-missing",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, and stop.")
    ] = False,
    workers: WorkersOption = 0,
    timeout: Annotated[float | None, typer.Option(help="Seconds for each video or score.")] = None,
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
    judge_frames: FramesOption = 0,
    judge_repeats: RepeatsOption = 1,
    judge_price: PriceOption = "",
    judge_rpm: RateOption = None,
    max_cost: MaxCostOption = None,
) -> None:
    """Generate the videos of a suite with a model and score them; resumes where it stopped."""
    from a2bench.judging.options import DEFAULT, JudgeOptions, with_judge
    from a2bench.registry import GENERATORS, build_profile, choose_metrics
    from a2bench.runs.executors import executor
    from a2bench.runs.request import Request
    from a2bench.suites.suite import load_suite, select

    given = {"videos": videos, "command": command, "crop_panels": crop_panels, "name": name}
    params = {**_params(param or []), **{k: v for k, v in given.items() if v is not None}}
    whole = load_suite(suite)
    generator: Generator = GENERATORS.create(model, params)
    options = JudgeOptions(
        store=store,
        spec=judge or DEFAULT,
        frames=judge_frames,
        repeats=judge_repeats,
        price=judge_price,
        max_usd=max_cost,
        per_minute=judge_rpm,
        reuse=policy != "always",
    )
    measures = with_judge(build_profile(profile, device), options)
    request = Request(
        suite=whole,
        cases=select(whole, limit=limit, ids=_split(cases), category=category).cases,
        generator=generator,
        metrics=choose_metrics(measures, _split(metrics)),
        profile=profile,
        seeds=tuple(_integers(seeds)),
    )
    console = terminal()
    count = workers or (_workers(measures, device) if generator.info.parallel else 1)
    where = executor(count, timeout_s=timeout, ray=ray)
    raise typer.Exit(_run(console, request, store, policy, where, dry_run))


def _run(
    console: Console, request: Request, folder: Path, policy: str, where: Any, dry_run: bool
) -> int:
    from a2bench.cli.console import Watcher, summary
    from a2bench.results.leaderboard import collect
    from a2bench.runs.loop import Policy, perform, plan
    from a2bench.runs.store import RunStore

    if policy not in set(Policy):
        raise UsageError(f"no policy {policy!r}: {', '.join(Policy)}")
    for warning in request.prepare():
        console.print(f"warning: {warning}", style="yellow", markup=False)
    store = RunStore(folder)
    work = plan(request, store.records() if store.exists() else {}, Policy(policy))
    for what, (present, total) in (("videos", work.videos), ("scores", work.scores)):
        console.print(f"{what}: {present} of {total} in {store.root}", markup=False)
    if dry_run:
        missing = sum(not job.video_sha256 for job in work.jobs)
        scores = sum(len(job.metrics) for job in work.jobs)
        console.print(f"would make {missing} videos and {scores} scores in {len(work.jobs)} jobs")
        return 0
    with Watcher(console, total=len(work.jobs)) as watch:
        perform(request, work.jobs, store, where, arguments=sys.argv[1:], watch=watch)
    rows = [row for row in collect([store]) if row.covers(request.manifest())]
    console.print(summary(rows))
    undone = any(row.cell(m).counts[s] for row in rows for m in row.metrics for s in _UNDONE)
    return 2 if undone or watch.failures else 0


_UNDONE = ("failed", "missing", "refused")


@app.command()
def selfcheck(
    store: StoreOption = DEFAULT_STORE / "selfcheck",
    profile: ProfileOption = "lite",
    suite: Annotated[str, typer.Option(help="Cases to check on.")] = "a2bench-open:mini",
    device: DeviceOption = "cpu",
    workers: WorkersOption = 0,
) -> None:
    """Known answers: do the metrics tell right from wrong on this machine?"""
    from a2bench.cli.console import Watcher, findings
    from a2bench.registry import build_profile
    from a2bench.runs.executors import executor
    from a2bench.runs.store import RunStore
    from a2bench.selfcheck import identity_auc, requests
    from a2bench.selfcheck import selfcheck as check
    from a2bench.suites.suite import load_suite

    console = terminal()
    cases, measures = load_suite(suite), build_profile(profile, device)
    asked = requests(cases, measures.metrics, profile)
    where = executor(workers or _workers(measures, device))
    with Watcher(console, total=sum(len(r.cases) for r in asked)) as watch:
        found = check(asked, RunStore(store), where, watch=watch)
        found += identity_auc(cases.references, measures.metrics)
    console.print(findings(found))
    raise typer.Exit(0 if all(f.holds for f in found) else 2)


for command in (status, leaderboard, sheet, fid):
    app.command()(command)


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help="models, metrics or suites.")],
    profile: ProfileOption = "lite",
) -> None:
    """The models, metrics or suites that can be named here, plug-ins included."""
    from a2bench.cli.console import listing

    console = terminal()
    console.print(listing(what, profile))


@app.command()
def doctor(profile: ProfileOption = "lite", store: StoreOption = DEFAULT_STORE) -> None:
    """What this machine can run, what is missing, and what to type."""
    from a2bench.cli.console import checks
    from a2bench.doctor import diagnose

    found = diagnose(profile, store)
    terminal().print(checks(found))
    raise typer.Exit(0 if all(check.ok for check in found) else 3)


# Typer brings a click of its own in some versions and uses the installed one in others.
_ClickError: type[Exception] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point: maps what was raised to an exit code and one message."""
    warnings.showwarning = _show_warning
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # package.module:Class may lie where the user stands
    try:
        code = app(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except _ClickError as error:
        error.show()  # type: ignore[attr-defined]
        return 1
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted; the same command goes on from here", 130)
    except UsageError as error:
        return _fail(str(error), 1)
    except CannotRun as error:
        return _fail(str(error), 3)
    return int(code or 0)


def _fail(text: str, code: int) -> int:
    from a2bench.text import plain

    for line in text.splitlines() or [""]:
        typer.echo(f"a2bench: {plain(line)}", err=True)
    return code


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    from a2bench.text import plain

    typer.echo(f"warning: {plain(str(message))}", err=True)


def _workers(profile: Profile, device: str) -> int:
    """As many as there are cores, and as have room; one for each GPU that was named."""
    if device != "cpu":
        return 1
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    if hasattr(os, "sysconf"):
        memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        cores = min(cores, int(memory_gib / profile.worker_gib))
    return max(1, cores)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _integers(text: str) -> list[int]:
    try:
        return list(dict.fromkeys(int(part) for part in _split(text))) or [0]
    except ValueError as error:
        raise UsageError(f"--seeds {text!r}: give whole numbers, as in 0,1,2") from error


def _params(pairs: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE pairs; a value that is JSON is taken as such, any other as text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--param {pair!r}: write NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
