"""``a2bench study``: people rate the videos of run stores, blind and side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.cli.options import (
    SUITE,
    CasesOption,
    DatabaseOption,
    FolderArgument,
    RunsOption,
    SomeRunsOption,
    SuiteOption,
    split,
    terminal,
)
from a2bench.cli.study_analyse import analyse
from a2bench.errors import CannotRun, UsageError
from a2bench.text import counted

if TYPE_CHECKING:
    from rich.table import Table

    from a2bench.criteria import Criterion
    from a2bench.study.making import Plan
    from a2bench.study.progress import Progress

app = typer.Typer(no_args_is_help=True)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    runs: RunsOption,
    suite: SuiteOption = SUITE,
    models: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first N cases that every model has.")
    ] = None,
    cases: CasesOption = "",
    votes: Annotated[int, typer.Option(min=1, max=1000, help="Raters a video, at least.")] = 5,
    at_once: Annotated[int, typer.Option(min=2, max=4, help="Videos side by side.")] = 4,
    pages: Annotated[int, typer.Option(min=1, help="Rated pages a rater, at most.")] = 12,
    criteria: Annotated[str, typer.Option(help="A set (a2bench, lynx) or ids.")] = "a2bench",
    training: Annotated[int, typer.Option(min=0, max=10, help="Training pages.")] = 2,
    seed: Annotated[int, typer.Option(help="Of orders and draws.")] = 0,
    database: DatabaseOption = "",
) -> None:
    """Make a study: playback copies, pages, orders, training and hidden checks."""
    _check_installed()
    from a2bench.results.videos import opened
    from a2bench.study.making import Options, plan
    from a2bench.study.selection import choose
    from a2bench.suites.suite import load_suite, select

    whole = load_suite(suite)
    options = Options(
        criteria=_criteria(criteria),
        votes=votes,
        at_once=at_once,
        pages=pages,
        training=training,
        seed=seed,
    )
    wanted = select(whole, ids=split(cases)).cases
    if folder.exists():
        raise CannotRun(f"{folder} exists: a study is never changed; take another name")
    chosen = choose(opened(runs), wanted, split(models), limit=limit)
    for line in chosen.left_out:
        typer.echo(f"left out: {line}", err=True)
    if chosen.left_out and cases:
        raise CannotRun("not all cases that --cases names have a video of every model")
    typer.echo(f"reading {len(chosen.models) * len(chosen.shown)} videos")
    _make(plan(whole, chosen, options), folder, database)


def _make(plan: Plan, folder: Path, database: str) -> None:
    from a2bench.study.blocks import meetings
    from a2bench.study.making import make

    with typer.progressbar(length=plan.files, label="playback copies") as bar:
        design = make(plan, folder, url=database, tick=lambda: bar.update(1))
    models, options = plan.chosen.models, plan.options
    least, most = meetings(len(models), plan.blocks)
    typer.echo(
        f"{folder}: {', '.join(models)} on {len(plan.chosen.shown)} cases, {plan.at_once} side by "
        f"side; study {design.key[:12]}"
    )
    typer.echo(f"each two models stand side by side on {least} to {most} pages")
    each = min(options.pages, len(plan.chosen.shown))
    raters = max(options.votes, -(-plan.votes // each))
    typer.echo(
        f"{counted(plan.votes, 'page')} to rate: {counted(raters, 'rater')}, of "
        f"{counted(each, 'page')} each, are enough"
    )
    typer.echo(f"next: a2bench study invite {folder} --count {raters}")


@app.command()
def invite(
    folder: FolderArgument,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many raters.")] = 1,
    base_url: Annotated[
        str, typer.Option(help="Where raters reach the study.")
    ] = "http://localhost:8501",
    admin: Annotated[bool, typer.Option("--admin", help="Codes for the admin page.")] = False,
    database: DatabaseOption = "",
) -> None:
    """Print one-time links, one a rater. They are shown now only: their hashes are kept."""
    _check_installed()
    from a2bench.study.folder import open_study

    with open_study(folder, database) as held:
        tokens = held.invite(count, admin=admin)
    for token in tokens:
        typer.echo(token if admin else f"{base_url.rstrip('/')}/?invite={token}")


@app.command()
def status(folder: FolderArgument, database: DatabaseOption = "") -> None:
    """How far the study is: votes a page, raters, and whether it is enough."""
    _check_installed()
    from a2bench.ratings.report import enough
    from a2bench.study.folder import open_study
    from a2bench.study.progress import checks, export, progress

    with open_study(folder, database) as held:
        found = progress(held)
        settled = enough(export(held), checks(held))
    for table in (_pages(found), _raters(found)):
        terminal().print(table)
    typer.echo(
        f"{found.wanted - found.missing} of {found.wanted} votes; {len(found.raters)} raters, "
        f"{found.spent} of {found.invitations} invitations used"
    )
    for line in settled:
        typer.echo(line)


@app.command()
def export(
    folder: FolderArgument,
    out: Annotated[Path, typer.Option(help="A .csv file: one line an answer.")],
    raters: Annotated[
        Path | None, typer.Option(help="A .csv file: how each answer came about, checks included.")
    ] = None,
    database: DatabaseOption = "",
) -> None:
    """Write the ratings, for `study analyse` and `weights fit`; the files are yours alone."""
    _check_installed()
    from a2bench.outputs import write_private
    from a2bench.ratings import answers as checks
    from a2bench.ratings.table import to_csv
    from a2bench.study import progress as records
    from a2bench.study.folder import open_study

    with open_study(folder, database) as held:
        ratings, every = records.export(held), records.checks(held)
    write_private(out, to_csv(ratings))
    if raters is not None:
        write_private(raters, checks.to_csv(every))
    typer.echo(f"{len(ratings)} ratings of {len({r.rater for r in ratings})} raters in {out}")


@app.command()
def withdraw(
    folder: FolderArgument,
    code: Annotated[str, typer.Argument(help="The rater's personal code.")],
    database: DatabaseOption = "",
) -> None:
    """Delete a rater and all that they answered, for good."""
    _check_installed()
    from a2bench.study.folder import open_study

    with open_study(folder, database) as held:
        count = held.withdraw(code)
    typer.echo(f"deleted: the rater and {count} answers; their places are free again")


@app.command()
def serve(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of the study; none: only the leaderboard.")
    ] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other computers in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8501,
    leaderboard: Annotated[
        list[Path] | None,
        typer.Option("--leaderboard", help="CSV of `a2bench leaderboard`; may be given again."),
    ] = None,
    runs: SomeRunsOption = None,
    database: DatabaseOption = "",
) -> None:
    """Open the pages in browsers: rate, watch the study fill, look at a leaderboard."""
    from a2bench.app.serving import Served
    from a2bench.app.serving import serve as start

    what = Served(study=folder, tables=tuple(leaderboard or ()), runs=tuple(runs or ()))
    start(what, host=host, port=port, database_url=database, tell=typer.echo)


app.command()(analyse)


def _check_installed() -> None:
    """Raises ``CannotRun`` with what to type where the extra ``study`` is not installed."""
    try:
        import sqlalchemy  # noqa: F401
    except ImportError as error:
        raise CannotRun(
            f"a user study needs more: pip install 'a2bench[study]' ({error})"
        ) from error


def _criteria(asked: str) -> tuple[Criterion, ...]:
    """The criteria of a set, or those that are named. Raises ``UsageError``."""
    from a2bench.criteria import criteria

    known = criteria()
    if found := tuple(c for c in known if c.set == asked):
        return found
    names = split(asked)
    unknown = [name for name in names if name not in {c.id for c in known}]
    if unknown or not names:
        sets = ", ".join(sorted({c.set for c in known}))
        ids = ", ".join(c.id for c in known)
        raise UsageError(f"--criteria {asked!r}: give a set ({sets}) or ids ({ids})")
    return tuple(c for c in known if c.id in names)


def _pages(found: Progress) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("page", "case", "votes", "open", "surplus", header_style="bold")
    for one in found.items:
        votes = f"{one.votes} of {one.wanted}"
        table.add_row(one.item.id, escape(one.item.case), votes, str(one.open), str(one.surplus))
    return table


def _raters(found: Progress) -> Table:
    from datetime import UTC, datetime

    from rich.table import Table

    table = Table("rater", "pages", "answers", "minutes", "last seen (UTC)", header_style="bold")
    for one in found.raters:
        seen = f"{datetime.fromtimestamp(one.last_seen, UTC):%Y-%m-%d %H:%M}"
        minutes = f"{one.seconds / 60:.0f}"
        table.add_row(one.name, str(one.pages), str(one.answers), minutes, seen)
    return table
