"""``a2bench store``: run stores looked after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from a2bench.cli.options import (
    JsonOption,
    StoreArgument,
    StoresArgument,
    existing,
    terminal,
    ticking,
)

if TYPE_CHECKING:
    from a2bench.results.upkeep import Health

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(store: StoreArgument, as_json: JsonOption = False) -> None:
    """Read every record, manifest and video; exit code 2 if one is not what was written."""
    from a2bench.cli.json_output import answer, of_health
    from a2bench.results.upkeep import check as look

    held = existing(store)
    with ticking() as tick:
        found = look(held, tick=tick)
    if as_json:
        answer("store-check/1", of_health(held, found))
    else:
        _tell(found)
        if found.damage:
            typer.echo(f"next: a2bench store repair {store}")
    raise typer.Exit(2 if found.damage else 0)


@app.command()
def repair(store: StoreArgument) -> None:
    """Take out what is damaged, into the folder `removed`; `run` then makes what is missing."""
    from a2bench.results.upkeep import repair as mend

    with ticking() as tick:
        found = mend(existing(store), tick=tick)
    _tell(found)
    typer.echo(f"taken out: {len(found.damage)}, kept in {store / 'removed'}")


@app.command()
def compact(store: StoreArgument) -> None:
    """Keep what counts: one file of records, each video once. The rest goes to `removed`."""
    from a2bench.results.upkeep import compact as shrink

    with ticking() as tick:
        found = shrink(existing(store), tick=tick)
    _tell(found)
    typer.echo(f"what no longer counts is in {store / 'removed'}: delete it when you like")


@app.command()
def merge(
    into: StoreArgument,
    sources: StoresArgument,
) -> None:
    """Add other stores to one, which may be new; the others stay as they are."""
    from a2bench.results.upkeep import merge as add
    from a2bench.results.videos import opened
    from a2bench.runs.store import RunStore

    stores = opened(sources)
    with ticking() as tick:
        add(RunStore(into), stores, tick=tick)
    typer.echo(f"{len(RunStore(into).records())} records in {into}")
    for one in stores:
        if (one.root / "judge.sqlite").exists():
            typer.echo(f"what judges answered and cost stays in {one.root / 'judge.sqlite'}")


def _tell(found: Health) -> None:
    from a2bench.text import plain

    console = terminal(width=180)
    count = len(found.records)
    console.print(f"{count} records count, {found.superseded} lines are superseded", markup=False)
    console.print(
        f"{len(found.videos)} videos are here, {len(found.gone)} are gone (their scores stay), "
        f"{len(found.unused)} are of no record that counts",
        markup=False,
    )
    for one in found.damage:
        console.print(f"damaged: {plain(str(one))}", markup=False, highlight=False)
