"""``a2bench submission pack | check | add``: one row in one file, to be sent and checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.cli.options import JsonOption, StoreArgument, terminal, ticking
from a2bench.errors import UsageError

if TYPE_CHECKING:
    from a2bench.results.submission import Submission

app = typer.Typer(no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="A .zip that `submission pack` wrote.")]
SuiteHereOption = Annotated[
    str, typer.Option("--suite", help="The suite to hold it against, if it is not a2bench's.")
]


@app.command()
def pack(
    row: Annotated[str, typer.Argument(metavar="ROW", help="STORE:MODEL, or STORE of one model.")],
    out: Annotated[Path, typer.Option(help="A .zip file.")],
    profile: Annotated[str, typer.Option(help="The profile, if the store has several.")] = "",
    suite: Annotated[str, typer.Option(help="The suite, if the store has several.")] = "",
) -> None:
    """Write a row to a file: its requests, records and videos."""
    from a2bench.results.selection import chosen
    from a2bench.results.submission import pack

    if out.suffix != ".zip":
        raise UsageError(f"{out}: use a name that ends in .zip")
    rows = chosen([row], profile=profile, suite=suite)
    if len(rows) > 1:
        told = "; ".join(f"{r.name} on {r.suite['name']}, {r.profile}" for r in rows)
        raise UsageError(f"{row} has several rows: name one with STORE:MODEL, --suite: {told}")
    with ticking() as tick:
        videos = pack(rows[0], out, tick=tick)
    typer.echo(f"{rows[0].name}: {videos} videos in {out}, {out.stat().st_size / 1e6:.1f} MB")


@app.command()
def check(file: FileArgument, suite: SuiteHereOption = "", as_json: JsonOption = False) -> None:
    """Look at a submission, without keeping anything: is it whole, and what is it of?"""
    from a2bench.cli.json_output import answer, of_submission
    from a2bench.results.submission import opened

    with ticking() as tick, opened(file, suite, tick=tick) as (found, _):
        if as_json:
            answer("submission/1", of_submission(file, found))
        else:
            _tell(found)


@app.command()
def add(file: FileArgument, store: StoreArgument, suite: SuiteHereOption = "") -> None:
    """Add a submission to a store; `leaderboard` derives every figure from its records."""
    from a2bench.results.submission import add
    from a2bench.runs.store import RunStore

    with ticking() as tick:
        found = add(file, RunStore(store), suite, tick=tick)
    _tell(found)
    typer.echo(f"added to {store}: a2bench leaderboard {store} --out table.csv derives its figures")


def _tell(found: Submission) -> None:
    from a2bench.cli.console import summary
    from a2bench.text import plain

    console = terminal()
    console.print(summary([found.row]))
    for text in found.remarks:
        console.print(plain(text), markup=False, highlight=False)
