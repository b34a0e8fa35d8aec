"""``a2bench compare``: is one model better than another, and how sure is that?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.cli import completion
from a2bench.cli.options import JsonOption, split, terminal
from a2bench.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from a2bench.results.comparison import Compared

RowsArgument = Annotated[
    list[str], typer.Argument(metavar="ROW...", help="STORE:MODEL, or STORE for all of its models.")
]


def compare(
    rows: RowsArgument,
    metrics: Annotated[
        str, typer.Option(help="Names, comma-separated; all but diagnostics if empty.")
    ] = "",
    recipe: Annotated[
        str,
        typer.Option(
            help="Compare the comprehensive score of a recipe, too.",
            autocompletion=completion.recipes,
        ),
    ] = "",
    profile: Annotated[str, typer.Option(help="Only rows of this profile.")] = "",
    suite: Annotated[str, typer.Option(help="Only rows of this suite.")] = "",
    cases: Annotated[
        int | None,
        typer.Option(min=0, help="Show the N cases that differ most; 3 for two rows, else none."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Also a .csv, .jsonl, .parquet, .md or .tex file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Pairs of models, metric by metric: the difference on the same cases, and how sure it is."""
    from a2bench.cli.json_output import answer, of_comparison
    from a2bench.outputs import write_text
    from a2bench.results.comparison import compare
    from a2bench.results.comparison_table import frame, to_latex, to_markdown
    from a2bench.results.recipe import load_recipe
    from a2bench.results.selection import chosen
    from a2bench.results.writing import FRAMES, write_frame

    writers = {".md": to_markdown, ".tex": to_latex}
    if out is not None and out.suffix not in (*FRAMES, *writers):
        raise UsageError(f"{out}: use a name that ends in {', '.join((*FRAMES, *writers))}")
    found = compare(
        chosen(rows, profile=profile, suite=suite),
        metrics=split(metrics),
        recipe=load_recipe(recipe) if recipe else None,
    )
    if out is not None and out.suffix in writers:
        write_text(out, writers[out.suffix](found))
    elif out is not None:
        write_frame(frame(found), out)
    if as_json:
        answer("compare/1", of_comparison(found, out))
        return
    most = (3 if len(found.names) == 2 else 0) if cases is None else cases
    _show(terminal(width=160), found, most)
    if out is not None:
        typer.echo(f"the comparison in {out}")


def _show(console: Console, found: Compared, cases: int) -> None:
    """The pairs, the ranks, and what was left out."""
    from rich.markup import escape
    from rich.table import Table

    from a2bench.results.comparison_table import HEADS, NOTE, extremes, pairs, place_rows, remarks
    from a2bench.text import plain

    for pair in pairs(found):
        title = plain(f"{pair.a} (a) less {pair.b} (b)")
        shown = Table(title=escape(title), title_justify="left", header_style="bold")
        for head in HEADS:
            left = head in ("metric", "")
            shown.add_column(head, no_wrap=head != "", justify="left" if left else "right")
        for row in pair.rows:
            shown.add_row(*(escape(plain(cell)) for cell in row))
        console.print(shown)
    if found.places:
        heads, rows = place_rows(found)
        title = "Ranks, with what they are in 95 % of draws of the cases"
        shown = Table(
            *(escape(plain(head)) for head in heads),
            title=title, title_justify="left", header_style="bold",
        )  # fmt: skip
        for row in rows:
            shown.add_row(*(escape(plain(cell)) for cell in row))
        console.print(shown)
    for text in (*extremes(found, cases), NOTE, *remarks(found)):
        console.print(plain(text), markup=False, highlight=False)
