"""``a2bench weights``: a comprehensive score that follows what people said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.cli.options import ProfileOption, RunsOption, must_be_file, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from a2bench.ratings.fit import Samples
    from a2bench.ratings.validation import Validated

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps ``fit`` a command of its own, and not the whole group."""


@app.command("fit")
def fit(
    ratings: Annotated[Path, typer.Argument(help="CSV of ratings, as `study export` writes it.")],
    runs: RunsOption,
    out: Annotated[Path, typer.Option(help="A .toml file, for `leaderboard --recipe FILE`.")],
    profile: ProfileOption = "lite",
    raters: Annotated[
        Path | None, typer.Option(help="CSV of checks, as `study export --raters` writes it.")
    ] = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Also raters with reasons against them.")
    ] = False,
) -> None:
    """Fit weights to ratings; equal weights are written where they are not beaten."""
    from a2bench.outputs import write_text
    from a2bench.ratings import answers as checks
    from a2bench.ratings.fit import collect_samples, with_votes
    from a2bench.ratings.fitted_recipe import Origin, fitted_recipe, to_toml
    from a2bench.ratings.opinions import qualities, without
    from a2bench.ratings.raters import left_out, verdicts
    from a2bench.ratings.reliability import ceiling, overall
    from a2bench.ratings.table import ALL, read
    from a2bench.ratings.validation import validate
    from a2bench.results.leaderboard import collect
    from a2bench.results.videos import opened

    must_be_file(ratings, raters)
    stores = opened(runs)
    given = read(ratings)
    seen = [] if raters is None else checks.read(raters)
    out_of_it = {} if keep_all else left_out(verdicts(given, seen))
    kept = without(given, list(out_of_it))
    rows = [row for row in collect(stores) if row.profile == profile]
    samples = with_votes(collect_samples(rows, qualities(kept)[ALL]), overall(kept))
    found = validate(samples, ceiling=ceiling(kept))
    origin = Origin(
        date=_today(),
        raters=len({r.rater for r in kept}),
        ratings=sum(r.score is not None for r in kept),
        left_out=tuple(out_of_it),
        profile=profile,
    )
    recipe = fitted_recipe(samples, found, origin)
    write_text(out, to_toml(recipe))
    for table in (_weights(samples, found), _methods(found)):
        terminal().print(table)
    for rater, reasons in out_of_it.items():
        typer.echo(f"left out {rater}: {'; '.join(reasons)}")
    typer.echo(f"not used: {samples.left_out}")
    if found.ceiling is not None:
        typer.echo(f"no score can be expected to correlate above {found.ceiling:.2f}")
    typer.echo(f"{recipe.label}: {recipe.title}; in {out}")


def _weights(samples: Samples, found: Validated) -> Table:
    from rich.table import Table

    from a2bench.ratings.fit import inflation

    heads = ("metric", "weight [95 %]", "within cases", "inflation")
    table = Table(*heads, header_style="bold")
    factors = inflation(samples.values)
    for i, name in enumerate(samples.metrics):
        weight = f"{found.fit.weights[i]:.3f} [{found.low[i]:.3f}, {found.high[i]:.3f}]"
        table.add_row(name, weight, f"{found.within_cases[i]:.3f}", f"{factors[i]:.1f}")
    return table


def _methods(found: Validated) -> Table:
    from rich.table import Table

    table = Table("unseen", "score", "Pearson [95 %]", "Spearman", "Kendall", header_style="bold")
    for head in ("pairs [95 %]", "models", "rmse"):
        table.add_column(head)
    for unseen, by_method in (("cases", found.cases), ("models", found.models)):
        for name, one in by_method.items():
            table.add_row(
                unseen,
                name,
                _bounded(one.pearson, one.pearson_low, one.pearson_high),
                _bounded(one.spearman),
                _bounded(one.kendall),
                _bounded(one.pairs, one.pairs_low, one.pairs_high),
                _bounded(one.models),
                _bounded(one.rmse),
            )
    return table


def _bounded(value: float | None, low: float | None = None, high: float | None = None) -> str:
    from a2bench.stats import Interval

    return "–" if value is None else Interval(low=low, mean=value, high=high).shown(".3f")


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()
