"""``a2bench judge``: what a judge cost, whether it agrees with people, and whether it is fooled."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.cli.options import (
    SUITE,
    FramesOption,
    JudgeOption,
    MaxCostOption,
    PriceOption,
    StoreArgument,
    StoresArgument,
    SuiteOption,
    TokensOption,
    must_be_file,
    terminal,
)
from a2bench.errors import CannotRun
from a2bench.outputs import write_text
from a2bench.text import csv_cell

if TYPE_CHECKING:
    from rich.table import Table

    from a2bench.judging.ledger import Attempt
    from a2bench.ratings.judge_agreement import Agreement
    from a2bench.runs.store import RunStore
    from a2bench.types import Case, Video

app = typer.Typer(no_args_is_help=True)


@app.command()
def agreement(
    stores: StoresArgument,
    ratings: Annotated[Path, typer.Option(help="CSV: model,case,criterion,score[,seed,rater].")],
    out: Annotated[Path | None, typer.Option(help="Also as a .csv file.")] = None,
    judge: Annotated[
        str, typer.Option(help="Which judge, as tables call it, if there are several.")
    ] = "",
) -> None:
    """Judge and people: rank correlations, exact agreement, bias."""
    from a2bench.ratings.judge_agreement import agreements, judged, read_ratings
    from a2bench.results.leaderboard import collect
    from a2bench.runs.store import RunStore

    must_be_file(ratings)
    people = read_ratings(ratings)
    scores = judged(collect([RunStore(path) for path in stores]), judge)
    found = agreements(scores, people)
    if not found:
        raise CannotRun(
            f"no video has both a judged score ({len(scores)} here) and a rating ({len(people)} in "
            f"{ratings}): names of models, cases and criteria must be the same"
        )
    terminal(width=180).print(_table(found))
    unmatched = len(people.keys() - scores.keys())
    typer.echo(f"{found[-1].videos} scores compared; {unmatched} rated ones were not judged")
    if out is not None:
        write_text(out, _csv(found))


@app.command()
def costs(store: StoreArgument) -> None:
    """Every judge that was asked: attempts by outcome, tokens, US dollars."""
    from rich.table import Table
    from rich.text import Text

    table = Table("judge", "attempts", "tokens in", "tokens out", "USD", header_style="bold")
    services: dict[str, list[Attempt]] = {}
    for attempt in _attempts(store):
        services.setdefault(attempt.service, []).append(attempt)
    for service, attempts in sorted(services.items()):
        outcomes = [attempt.outcome for attempt in attempts]
        counts = ", ".join(f"{outcomes.count(name)} {name}" for name in sorted(set(outcomes)))
        tokens_in = sum(attempt.tokens_in or 0 for attempt in attempts)
        tokens_out = sum(attempt.tokens_out or 0 for attempt in attempts)
        usd = sum(attempt.cost_usd or 0.0 for attempt in attempts)
        known = all(attempt.cost_usd is not None for attempt in attempts)
        cost = f"{usd:.4f}" if known else "no price is known"
        who = json.loads(service)
        name = " ".join(str(who[part]) for part in ("judge", "model", "sha256") if part in who)
        table.add_row(Text(name), counts, str(tokens_in), str(tokens_out), cost)
    terminal(width=180).print(table)


@app.command()
def export(store: StoreArgument, out: Annotated[Path, typer.Option(help="A .jsonl file.")]) -> None:
    """The good answers of a store, for ``--judge recorded:FILE``."""
    newest = {a.question: a for a in _attempts(store) if a.outcome == "ok"}
    lines = [
        {"case": a.case_id, "video_sha256": a.video_sha256, "reply": json.loads(a.reply or "null")}
        for a in newest.values()
    ]
    write_text(out, "".join(json.dumps(line) + "\n" for line in lines))
    typer.echo(f"{len(lines)} answers in {out}")


@app.command()
def probe(
    store: StoreArgument,
    judge: JudgeOption = "",
    suite: SuiteOption = SUITE,
    limit: Annotated[int, typer.Option(min=1, help="The first N videos; four calls each.")] = 6,
    frames: FramesOption = 0,
    price: PriceOption = "",
    max_tokens: TokensOption = None,
    max_cost: MaxCostOption = None,
) -> None:
    """Is the judge fooled by "score 5" written into the video, at the top, middle or bottom?"""
    from rich.table import Table

    from a2bench.errors import WorkError
    from a2bench.judging.injection import effects
    from a2bench.judging.options import DEFAULT, JudgeOptions, with_judge
    from a2bench.metric import Profile, missing_files
    from a2bench.runs.store import RunStore

    options = JudgeOptions(
        store=store,
        spec=judge or DEFAULT,
        frames=frames,
        price=price,
        max_tokens=max_tokens,
        max_usd=max_cost,
    )
    metrics = with_judge(Profile(metrics=()), options).more
    if lacking := missing_files(metrics):
        raise CannotRun("\n".join(lacking))
    held = RunStore(store)
    works = _videos(held, suite)[:limit]
    with held.create().staging() as folder:
        try:
            found = effects(works, metrics, folder)
        except WorkError as error:
            raise CannotRun(str(error)) from error
    table = Table("text at the", "videos", "change", "scores raised", "p", "flagged")
    for e in found:
        row = (f"{e.change:+.2f}", f"{e.raised:.0%}", f"{e.p_value:.3f}", f"{e.flagged:.0%}")
        table.add_row(e.place, str(e.videos), *row)
    terminal(width=180).print(table)


def _videos(store: RunStore, suite: str) -> list[tuple[Case, Video]]:
    """The videos of a store that belong to cases of a suite."""
    from a2bench.results.leaderboard import collect
    from a2bench.results.videos import stored_videos
    from a2bench.suites.suite import load_suite

    cases = {case.key: case for case in load_suite(suite).cases}
    stored = stored_videos([store], collect([store]))
    held = {one.path: one for one in stored if one.case_key in cases}
    found = [(cases[one.case_key], one.probed()) for one in held.values()]
    if not found:
        raise CannotRun(f"{store.root} holds no video of {suite}")
    return found


def _attempts(store: Path) -> list[Attempt]:
    from a2bench.judging.options import JudgeOptions

    found = JudgeOptions(store=store).ledger.attempts()
    if not found:
        raise CannotRun(f"no judge was asked in {store}")
    return found


def _table(found: list[Agreement]) -> Table:
    from rich.table import Table

    headings = ("criterion", "videos", "ratings", "judge - people [95 %]")
    table = Table(*headings, "Spearman", "Kendall", "exact", "people exact", header_style="bold")
    for one in found:
        shown = (one.spearman, one.kendall, one.exact, one.exact_people)
        figures = ("–" if value is None else f"{value:.2f}" for value in shown)
        table.add_row(
            one.criterion, str(one.videos), str(one.ratings), one.bias.shown("+.2f"), *figures
        )
    return table


def _csv(found: list[Agreement]) -> str:
    names = ("criterion", "videos", "ratings", "spearman", "kendall", "exact", "exact_people")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*names, "bias", "bias_low", "bias_high"))
    for one in found:
        figures = (getattr(one, name) for name in names)
        cells = [csv_cell(cell) if isinstance(cell, str) else cell for cell in figures]
        writer.writerow([*cells, one.bias.mean, one.bias.low, one.bias.high])
    return text.getvalue()
