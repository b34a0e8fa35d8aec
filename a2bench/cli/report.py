"""``a2bench report | figures``: results as a page and as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from a2bench.cli import completion
from a2bench.cli.compare import RowsArgument
from a2bench.cli.options import split
from a2bench.errors import CannotRun, UsageError
from a2bench.text import counted

RecipeOption = Annotated[
    str,
    typer.Option(
        help="Also the comprehensive score of a recipe.", autocompletion=completion.recipes
    ),
]
OfProfileOption = Annotated[str, typer.Option("--profile", help="Only rows of this profile.")]
OfSuiteOption = Annotated[
    str, typer.Option("--suite", help="Only rows of this suite: NAME, NAME:SUBSET or a .jsonl.")
]


def report(
    rows: RowsArgument,
    out: Annotated[Path, typer.Option(help="A .html file.")],
    title: Annotated[str, typer.Option(help="The heading.")] = "",
    recipe: RecipeOption = "",
    profile: OfProfileOption = "",
    suite: OfSuiteOption = "",
    cases: Annotated[int | None, typer.Option(min=0, help="Show the first N cases.")] = None,
) -> None:
    """One page that opens without a network: table, figures, comparison, every case, failures."""
    from rich.console import Console
    from rich.progress import Progress

    from a2bench.report.contents import contents
    from a2bench.report.page import write_page
    from a2bench.results.recipe import load_recipe
    from a2bench.results.selection import suite_of

    if out.suffix != ".html":
        raise UsageError(f"{out}: use a name that ends in .html")
    held, name = suite_of(suite)
    found = contents(rows, load_recipe(recipe) if recipe else None, profile=profile, suite=name)
    held = held or suite_of(str(found.rows[0].suite["name"]), needed=False)[0]
    count = len({work.case_id for row in found.rows for work in row.works})
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cases", total=count if cases is None else min(cases, count))
        heading = title or f"{found.rows[0].suite['name']}: {counted(len(found.rows), 'row')}"
        write_page(
            found, out, title=heading, suite=held, most=cases, tick=lambda: bar.advance(task)
        )
    size = out.stat().st_size / 1e6
    typer.echo(
        f"{counted(len(found.rows), 'row')} and {counted(count, 'case')} in {out}, {size:.1f} MB"
    )


def figures(
    rows: RowsArgument,
    out: Annotated[Path, typer.Option(help="A folder.")],
    formats: Annotated[str, typer.Option(help="svg, pdf, png, comma-separated.")] = "svg,pdf,png",
    recipe: RecipeOption = "",
    profile: OfProfileOption = "",
    suite: OfSuiteOption = "",
) -> None:
    """Bars, radar, distributions, correlations and differences, for a paper."""
    from a2bench.report.contents import contents
    from a2bench.report.figures import FIGURES, FORMATS, save
    from a2bench.results.recipe import load_recipe
    from a2bench.results.selection import suite_of

    endings = [f".{one}" for one in split(formats)]
    if not endings or not set(endings) <= set(FORMATS):
        raise UsageError(f"--formats {formats!r}: of svg, pdf and png")
    found = contents(
        rows, load_recipe(recipe) if recipe else None, profile=profile, suite=suite_of(suite)[1]
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotRun(f"cannot write {out}: {error.strerror}") from error
    for name, draw in FIGURES.items():
        figure = draw(found)
        if figure is None:
            typer.echo(f"no {name}: these rows have nothing to draw there")
            continue
        for ending in endings:
            save(figure, out / f"{name}{ending}")
        typer.echo(f"{name} in {', '.join(str(out / f'{name}{ending}') for ending in endings)}")
