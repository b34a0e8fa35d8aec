"""``a2bench study analyse``: what the ratings of a study say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.cli.options import must_be_file, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from a2bench.ratings.report import Report, Sheet


def analyse(
    ratings: Annotated[Path, typer.Argument(help="CSV of ratings, as `study export` writes it.")],
    raters: Annotated[
        Path | None, typer.Option(help="CSV of checks, as `study export --raters` writes it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A folder: each table also as CSV.")] = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Also raters with reasons against them.")
    ] = False,
) -> None:
    """MOS, agreement, differences, position effect, raters, and whether it is enough."""
    from a2bench.outputs import write_private
    from a2bench.ratings import answers as checks
    from a2bench.ratings.report import report
    from a2bench.ratings.table import read

    must_be_file(ratings, raters)
    seen = [] if raters is None else checks.read(raters)
    found = report(read(ratings), seen, keep_all=keep_all)
    _print(found)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for sheet in found.sheets:
            write_private(out / f"{sheet.name}.csv", sheet.to_csv())
        write_private(out / "notes.txt", "\n".join(found.notes) + "\n")
        typer.echo(f"{len(found.sheets)} tables and notes.txt in {out}")


def _print(found: Report) -> None:
    wide = terminal(width=180)
    for sheet in found.sheets:
        wide.print(_table(sheet))
    for note in found.notes:
        wide.print(note, markup=False, highlight=False)


def _table(sheet: Sheet) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from a2bench.ratings.report import shown

    table = Table(title=sheet.title, title_justify="left", header_style="bold")
    for name in sheet.columns:
        table.add_column(name.replace("_", " ") + (" [95 %]" if name in sheet.intervals else ""))
    for row in sheet.rows:
        cells = zip(sheet.columns, row, strict=True)
        table.add_row(*(escape(shown(name, cell)) for name, cell in cells))
    return table
