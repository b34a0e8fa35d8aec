"""``a2bench status | leaderboard | sheet``: what run stores hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from a2bench.errors import CannotRun, UsageError

if TYPE_CHECKING:
    from rich.console import Console


def status(
    store: Annotated[Path, typer.Argument(help="Folder of a run store.")],
    suite: Annotated[str, typer.Option(help="NAME or a .jsonl file.")] = "a2bench-open",
) -> None:
    """What a store holds: counts, failures with their reasons, and what has changed since."""
    from a2bench.cli.console import changes, failures, summary
    from a2bench.results.leaderboard import collect
    from a2bench.suites.suite import load_suite

    console = terminal()
    rows = collect([_store(store)])
    console.print(summary(rows))
    for line in (*failures(rows), *changes(rows, load_suite(suite))):
        console.print(line, markup=False, highlight=False)


def leaderboard(
    stores: Annotated[list[Path], typer.Argument(help="Run stores; with a recipe also .csv.")],
    out: Annotated[Path, typer.Option(help="A .csv or .md file.")],
    recipe: Annotated[
        str, typer.Option(help="Add a comprehensive score: table1, bounded, equal or a .toml file.")
    ] = "",
) -> None:
    """One row a model: means, 95 % intervals, counts, versions."""
    from a2bench.cli.console import summary
    from a2bench.results.leaderboard import collect, to_csv, to_markdown

    writers = {".csv": to_csv, ".md": to_markdown}
    if out.suffix not in writers:
        raise UsageError(f"{out}: use a name that ends in {' or '.join(writers)}")
    if recipe:
        _score(stores, out, recipe)
        return
    rows = collect([_store(path) for path in stores])
    if not rows:
        raise CannotRun(f"nothing was run in {', '.join(map(str, stores))}")
    out.write_text(writers[out.suffix](rows), encoding="utf-8")
    console = terminal()
    console.print(summary(rows))
    console.print(f"{len(rows)} rows in {out}", markup=False)


def _score(sources: Sequence[Path], out: Path, name: str) -> None:
    """A leaderboard of stores and tables, with the comprehensive score of a recipe."""
    from a2bench.results.leaderboard import collect, table
    from a2bench.results.recipe import load_recipe, read_table, scored, to_markdown

    recipe = load_recipe(name)
    tables = [read_table(path) for path in sources if path.suffix == ".csv"]
    rows = collect([_store(path) for path in sources if path.suffix != ".csv"])
    found = scored([*tables, table(rows)] if rows else tables, recipe)
    shown = to_markdown(found, recipe)
    text = shown if out.suffix == ".md" else found.to_csv(index=False, lineterminator="\n")
    out.write_text(text, encoding="utf-8")
    typer.echo(shown)
    typer.echo(f"{len(found)} rows in {out}")


def sheet(
    store: Annotated[Path, typer.Argument(help="Folder of a run store.")],
    out: Annotated[Path, typer.Option(help="A .png or .jpg file.")],
    model: Annotated[str, typer.Option(help="The model, if the store holds several.")] = "",
    suite: Annotated[
        str, typer.Option(help="NAME, NAME:SUBSET or a .jsonl file.")
    ] = "a2bench-open",
    limit: Annotated[int, typer.Option(min=1, help="The first N cases.")] = 12,
    frames: Annotated[int, typer.Option(min=1, max=24, help="Frames a video.")] = 6,
) -> None:
    """A contact sheet: prompt, references and frames of each case."""
    from a2bench.results.contact_sheet import contact_sheet
    from a2bench.results.leaderboard import collect
    from a2bench.suites.suite import load_suite
    from a2bench.types import Status
    from a2bench.video import probe

    if out.suffix not in (".png", ".jpg"):
        raise UsageError(f"{out}: use a name that ends in .png or .jpg")
    held = _store(store)
    cases = {case.key: case for case in load_suite(suite).cases}
    rows = [r for r in collect([held]) if model in ("", r.model["name"])]
    works = [w for r in rows[:1] for w in r.works if w.case_key in cases and w.video]
    shown = [
        (cases[w.case_key], probe(held.video_path(w.video.key)))
        for w in works
        if w.video and w.video.status is Status.OK and held.video_path(w.video.key).exists()
    ][:limit]
    if not shown:
        raise CannotRun(f"{store} holds no video of {model or 'any model'} for {suite}")
    contact_sheet(shown, out, title=f"{rows[0].name} on {suite}", frames=frames)
    typer.echo(f"{len(shown)} cases in {out}")


def terminal() -> Console:
    """Where tables are printed; wide when nobody looks at a screen."""
    from rich.console import Console

    console = Console(soft_wrap=True)
    return console if console.is_terminal else Console(soft_wrap=True, width=140)


def _store(path: Path) -> Any:
    from a2bench.runs.store import RunStore

    store = RunStore(path)
    if not store.exists():
        raise CannotRun(f"{path} is no run store: a2bench run --store {path} makes one")
    return store
