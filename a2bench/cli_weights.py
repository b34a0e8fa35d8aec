"""``a2bench weights``: a comprehensive score that follows what people said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.errors import CannotRun

if TYPE_CHECKING:
    from rich.table import Table

    from a2bench.study.validation import Validated
    from a2bench.study.weights import Samples

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps ``fit`` a command of its own, and not the whole group."""


@app.command("fit")
def fit(
    ratings: Annotated[Path, typer.Argument(help="CSV of ratings, as `study export` writes it.")],
    runs: Annotated[list[Path], typer.Option("--run", help="Run store with the rated videos.")],
    out: Annotated[Path, typer.Option(help="A .toml file, for `leaderboard --recipe FILE`.")],
    profile: Annotated[str, typer.Option(help="Which models realise the metrics.")] = "lite",
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Also raters who do not fit the others.")
    ] = False,
) -> None:
    """Fit weights to ratings; equal weights are written where they are not beaten."""
    from a2bench.leaderboard import collect
    from a2bench.store import RunStore
    from a2bench.study.analysis import ALL, qualities, without
    from a2bench.study.ratings import read
    from a2bench.study.reliability import ceiling, screen
    from a2bench.study.validation import validate
    from a2bench.study.weights import collect_samples
    from a2bench.study.weights_file import Origin, fitted_recipe, to_toml

    if not ratings.is_file():
        raise CannotRun(f"{ratings} is not a file")
    if absent := [str(path) for path in runs if not RunStore(path).exists()]:
        raise CannotRun(f"{', '.join(absent)}: no run store; a2bench run makes one")
    given = read(ratings)
    left_out = tuple(one.rater for one in screen(given) if one.fault and not keep_all)
    kept = without(given, left_out)
    rows = [row for row in collect([RunStore(path) for path in runs]) if row.profile == profile]
    samples = collect_samples(rows, qualities(kept)[ALL])
    found = validate(samples, ceiling=ceiling(kept))
    origin = Origin(
        date=_today(),
        raters=len({r.rater for r in kept}),
        ratings=sum(r.score is not None for r in kept),
        left_out=left_out,
        profile=profile,
    )
    recipe = fitted_recipe(samples, found, origin)
    out.write_text(to_toml(recipe), encoding="utf-8")
    for table in (_weights(samples, found), _methods(found)):
        _print(table)
    if left_out:
        typer.echo(f"left out, because they do not fit the others: {', '.join(left_out)}")
    typer.echo(f"not used: {samples.left_out}")
    if found.ceiling is not None:
        typer.echo(f"no score can be expected to correlate above {found.ceiling:.2f}")
    typer.echo(f"{recipe.label}: {recipe.title}; in {out}")


def _weights(samples: Samples, found: Validated) -> Table:
    from rich.table import Table

    table = Table("metric", "weight [95 %]", "within cases", header_style="bold")
    for i, name in enumerate(samples.metrics):
        weight = f"{found.fit.weights[i]:.3f} [{found.low[i]:.3f}, {found.high[i]:.3f}]"
        table.add_row(name, weight, f"{found.within_cases[i]:.3f}")
    return table


def _methods(found: Validated) -> Table:
    from rich.table import Table

    heads = ("unseen", "score", "Pearson", "Spearman", "Kendall", "pairs", "rmse")
    table = Table(*heads, header_style="bold")
    for unseen, by_method in (("cases", found.cases), ("models", found.models)):
        for name, one in by_method.items():
            values = (one.pearson, one.spearman, one.kendall, one.pairs, one.rmse)
            table.add_row(unseen, name, *("–" if v is None else f"{v:.3f}" for v in values))
    return table


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()


def _print(table: Table) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True)
    wide = console if console.is_terminal else Console(soft_wrap=True, width=140)
    wide.print(table)
