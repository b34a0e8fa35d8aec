"""``a2bench checkpoints``: the weight files of the profile paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.cli import completion
from a2bench.cli.options import terminal
from a2bench.errors import CannotRun, UsageError

if TYPE_CHECKING:
    from a2bench.checkpoints.files import Checkpoints
    from a2bench.checkpoints.transfer import Progress

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Every checkpoint: size, licence, whether it is here, what it is for."""
    from rich.table import Table
    from rich.text import Text

    held = _held()
    table = Table("name", "MB", "licence", "state", "purpose", title=str(held.root))
    for checkpoint in held.table:
        sizes = [checkpoint.archive or file for file in checkpoint.files]
        known = sum(size.bytes or 0 for size in dict.fromkeys(sizes))
        licence = checkpoint.licence + (f" ({checkpoint.accept})" if checkpoint.accept else "")
        size = f"{known / 1e6:.0f}" if known else "?"
        row = (checkpoint.name, size, licence, held.state(checkpoint.name), checkpoint.purpose)
        table.add_row(*map(Text, row))
    terminal(width=180).print(table)


@app.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Checkpoints to download.", autocompletion=completion.checkpoints),
    ] = None,
    accept_licence: Annotated[
        list[str] | None, typer.Option(help="A non-commercial licence that you accept.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every checkpoint.")] = False,
) -> None:
    """Download checkpoints; an interrupted download goes on where it stopped."""
    held, accept = _held(), accept_licence or []
    wanted = [c.name for c in held.table] if all_ else list(dict.fromkeys(names or []))
    if not wanted:
        raise UsageError("name a checkpoint, or give --all; a2bench checkpoints list shows them")
    held.refuse_unaccepted(wanted, accept)
    for name in wanted:
        with _progress(name) as progress:
            path = held.fetch(name, accept=accept, progress=progress)
        typer.echo(f"{name}: {path}")


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="All that are here, if none.", autocompletion=completion.checkpoints),
    ] = None,
) -> None:
    """Hash checkpoints anew; exit code 2 if one is missing or damaged."""
    from a2bench.checkpoints.files import State

    held = _held()
    here = [c.name for c in held.table if held.state(c.name) is not State.MISSING]
    faults = 0
    for name in names or here:
        try:
            for file, sha256 in held.sha256(name, anew=True).items():
                typer.echo(f"{name}: {file} whole, sha256 {sha256}")
        except CannotRun as error:
            faults += 1
            typer.echo(str(error), err=True)
    if not names and not here:
        typer.echo(f"no checkpoint in {held.root}")
    raise typer.Exit(2 if faults else 0)


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="A folder or disk that holds the files.")],
) -> None:
    """Copy checkpoints from a folder, for machines without internet."""
    from a2bench.checkpoints.files import State

    held = _held()
    came = held.import_folder(folder)
    for name, files in came.items():
        typer.echo(f"{name}: {', '.join(files)}")
    gone = (State.MISSING, State.DAMAGED)
    left = [c.name for c in held.table if held.state(c.name) in gone]
    if left:
        typer.echo(f"not here: {', '.join(left)}")
    raise typer.Exit(0 if came or not left else 2)


@app.command()
def path(
    name: Annotated[
        str, typer.Argument(help="A checkpoint.", autocompletion=completion.checkpoints)
    ],
) -> None:
    """Where a checkpoint belongs, whether it is there or not."""
    typer.echo(str(_held().path(name)))


def _held() -> Checkpoints:
    from a2bench.checkpoints.files import Checkpoints, default_root

    return Checkpoints(root=default_root())


@contextmanager
def _progress(name: str) -> Iterator[Progress]:
    """A bar on a terminal; elsewhere a line for each tenth."""
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(name).show
        return
    columns = (*Progress.get_default_columns()[:2], DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """Progress for a log file."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tenth = -1

    def show(self, done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else done >> 28  # or every 256 MiB
        if tenth != self._tenth:
            self._tenth = tenth
            of = f" of {total / 1e6:.1f}" if total else ""
            typer.echo(f"{self._name}: {done / 1e6:.1f}{of} MB", err=True)
