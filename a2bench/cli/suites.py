"""``a2bench suites``: check a suite, import one in another layout, or cross people with prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from a2bench.cli import completion
from a2bench.errors import UsageError

app = typer.Typer(no_args_is_help=True)


@app.command("check")
def suites_check(
    suite: Annotated[
        str, typer.Argument(help="NAME or a .jsonl file.", autocompletion=completion.suites)
    ],
) -> None:
    """Read a suite and report every fault with file, line and field."""
    from a2bench.suites.suite import load_suite

    found = load_suite(suite)
    typer.echo(f"{found.name} {found.version}: {len(found.cases)} cases, sha256 {found.key}")


@app.command("import")
def suites_import(
    layout: Annotated[
        str,
        typer.Argument(
            help="a2bench-official or opens2v.",
            autocompletion=completion.one_of("a2bench-official", "opens2v"),
        ),
    ],
    table: Annotated[Path, typer.Argument(help="The table of combinations, or OpenS2V's JSON.")],
    images: Annotated[Path, typer.Option(help="Folder of the images.")],
    out: Annotated[Path, typer.Option(help="Folder to write the suite to; must not exist.")],
) -> None:
    """Turn a downloaded benchmark into a suite that `run --suite OUT/suite.jsonl` takes."""
    from a2bench.suites.importing import import_official, import_opens2v

    if layout == "a2bench-official":
        written = import_official(images, table, out)
    elif layout == "opens2v":
        written = import_opens2v(table, images, out)
    else:
        raise UsageError(f"no layout {layout!r}: a2bench-official or opens2v")
    typer.echo(f"{len(written.cases)} cases in {out}; a2bench run --suite {out}/suite.jsonl ...")


@app.command("cross")
def suites_cross(
    subjects: Annotated[Path, typer.Option(help="Folder of pictures, one a subject.")],
    prompts: Annotated[Path, typer.Option(help="A text, one prompt a line; {name}: the subject.")],
    out: Annotated[Path, typer.Option(help="Folder to write the suite to; must not exist.")],
    sample: Annotated[int | None, typer.Option(min=1, help="So many cases, balanced.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
) -> None:
    """Every subject with every prompt, as a suite that `run --suite OUT/suite.jsonl` takes."""
    from a2bench.suites.crossing import cross

    written = cross(subjects, prompts, out, sample=sample, seed=seed)
    typer.echo(f"{len(written.cases)} cases in {out}; a2bench run --suite {out}/suite.jsonl ...")
