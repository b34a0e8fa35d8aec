"""What there is: ``status | leaderboard | scores | sheet | inspect | fid | list | doctor``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from a2bench.cli import completion
from a2bench.cli.options import (
    DEFAULT_STORE,
    SUITE,
    DeviceOption,
    JsonOption,
    MetricsOption,
    ModelOption,
    ProfileOption,
    StoreArgument,
    StoreOption,
    StoresArgument,
    SuiteOption,
    existing,
    folder,
    split,
    terminal,
)
from a2bench.errors import CannotRun, UsageError
from a2bench.text import counted


def status(
    store: StoreArgument,
    suite: SuiteOption = SUITE,
    as_json: JsonOption = False,
) -> None:
    """What a store holds: counts, failures with their reasons, and what has changed since."""
    from a2bench.cli.console import summary, troubles
    from a2bench.cli.json_output import answer, of_status
    from a2bench.results.leaderboard import collect
    from a2bench.suites.suite import load_suite

    held = existing(store)
    rows, now = collect([held]), load_suite(suite)
    if as_json:
        answer("status/1", of_status(held, rows, now))
        return
    console = terminal()
    console.print(summary(rows))
    for line in troubles(rows, now):
        console.print(line, markup=False, highlight=False)


def leaderboard(
    stores: Annotated[
        list[Path], typer.Argument(help="Run stores; with a recipe also .csv.", parser=folder)
    ],
    out: Annotated[
        Path | None, typer.Option(help="A .csv, .jsonl, .parquet, .json, .md or .tex file.")
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="Add a comprehensive score: table1, bounded, equal, lite or a .toml file.",
            autocompletion=completion.recipes,
        ),
    ] = "",
    tidy: Annotated[
        bool, typer.Option("--tidy", help="A line a row and metric (.csv, .jsonl, .parquet).")
    ] = False,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Intervals beside the means (.tex).")
    ] = False,
    metrics: Annotated[
        str, typer.Option(help="The columns of a .tex, comma-separated; all that count if empty.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """One row a model: means, 95 % intervals, counts, versions."""
    from a2bench.cli.console import summary
    from a2bench.cli.json_output import answer, of_board, strict
    from a2bench.outputs import write_text
    from a2bench.results.board import FILES, board, for_reading, write
    from a2bench.results.leaderboard import told_apart
    from a2bench.results.recipe import load_recipe
    from a2bench.results.writing import FRAMES
    from a2bench.text import plain

    if out is None and not as_json:
        raise UsageError("name a file: --out FILE, or ask for --json")
    if out is not None and out.suffix not in (*FILES, ".json"):
        raise UsageError(f"{out}: use a name that ends in {', '.join((*FILES, '.json'))}")
    if tidy and (out is None or out.suffix not in FRAMES):
        raise UsageError(f"--tidy is of files that end in {', '.join(FRAMES)}")
    if (intervals or metrics) and (out is None or out.suffix != ".tex"):
        raise UsageError("--intervals and --metrics are of .tex files")
    found = board(stores, load_recipe(recipe) if recipe else None)
    if out is not None and out.suffix == ".json":
        write_text(out, f"{strict('leaderboard/1', of_board(found, None))}\n")
    elif out is not None:
        write(found, out, tidy=tidy, metrics=split(metrics), intervals=intervals)
    if as_json:
        answer("leaderboard/1", of_board(found, out))
        return
    console = terminal()
    if found.recipe is None:
        console.print(summary(found.rows))
        notes = found.notes
    else:  # what is to know of the scores is told with them
        typer.echo(for_reading(found))
        notes = told_apart(found.rows)
    for text in (*notes, f"{counted(len(found.lines), 'row')} in {out}"):
        console.print(plain(text), markup=False, highlight=False)


def scores(
    stores: StoresArgument,
    out: Annotated[Path, typer.Option(help="A .csv, .jsonl or .parquet file.")],
) -> None:
    """Every score by itself: a line a model, case, seed and metric."""
    from a2bench.results.leaderboard import collect
    from a2bench.results.scores import scores as table
    from a2bench.results.videos import opened
    from a2bench.results.writing import FRAMES, write_frame

    if out.suffix not in FRAMES:
        raise UsageError(f"{out}: use a name that ends in {', '.join(FRAMES)}")
    found = table(collect(opened(stores)))
    if found.empty:
        raise CannotRun(f"nothing was run in {', '.join(map(str, stores))}")
    write_frame(found, out)
    typer.echo(f"{counted(len(found), 'score')} in {out}")


def sheet(
    store: StoreArgument,
    out: Annotated[Path, typer.Option(help="A .png or .jpg file.")],
    model: ModelOption = "",
    suite: SuiteOption = SUITE,
    limit: Annotated[int, typer.Option(min=1, help="The first N cases.")] = 12,
    frames: Annotated[int, typer.Option(min=1, max=24, help="Frames a video.")] = 6,
) -> None:
    """A contact sheet: prompt, references and frames of each case."""
    from a2bench.results.contact_sheet import contact_sheet
    from a2bench.results.leaderboard import collect
    from a2bench.results.videos import stored_videos
    from a2bench.suites.suite import load_suite

    if out.suffix not in (".png", ".jpg"):
        raise UsageError(f"{out}: use a name that ends in .png or .jpg")
    held = existing(store)
    cases = {case.key: case for case in load_suite(suite).cases}
    rows = [r for r in collect([held]) if model in ("", r.model["name"])][:1]
    stored = (one for one in stored_videos([held], rows) if one.case_key in cases)
    shown = [(cases[one.case_key], one.probed()) for one in islice(stored, limit)]
    if not shown:
        raise CannotRun(f"{store} holds no video of {model or 'any model'} for {suite}")
    contact_sheet(shown, out, title=f"{rows[0].name} on {suite}", frames=frames)
    typer.echo(f"{counted(len(shown), 'case')} in {out}")


def fid(
    store: StoreArgument,
    model: ModelOption = "",
    suite: SuiteOption = SUITE,
    profile: ProfileOption = "lite",
    device: DeviceOption = "cpu",
    out: Annotated[Path | None, typer.Option(help="Also a .csv file.")] = None,
) -> None:
    """FID of the faces in a model's videos against those of the references."""
    from a2bench.outputs import write_text
    from a2bench.registry import build_profile
    from a2bench.results.over_videos import measure, to_csv
    from a2bench.suites.suite import load_suite
    from a2bench.text import plain

    if out and out.suffix != ".csv":
        raise UsageError(f"{out}: use a name that ends in .csv")
    held = existing(store)
    metrics = {metric.info.name: metric for metric in build_profile(profile, device).over_videos}
    if "face_fid" not in metrics:
        raise UsageError(f"the profile {profile!r} has no face_fid")
    line = measure(held, load_suite(suite), metrics["face_fid"], profile=profile, model=model)
    if out:
        write_text(out, to_csv(line))
    told = {**line, "model": plain(line["model"])}
    typer.echo(
        "{model}: face_fid {face_fid:.2f} (lower is better): {faces_videos} faces in {videos} "
        "videos, {faces_references} in the references; {videos_missing} videos missing".format(
            **told
        )
    )


def inspect(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    case: Annotated[str, typer.Option(help="The case that it answers; none: only the file.")] = "",
    suite: SuiteOption = SUITE,
    profile: ProfileOption = "lite",
    metrics: MetricsOption = "",
    device: DeviceOption = "cpu",
    out: Annotated[Path | None, typer.Option(help="A .png: what each metric saw.")] = None,
) -> None:
    """What is read from a video, and with a case what each metric saw in it."""
    from a2bench.cli.console import facts_table, measured
    from a2bench.metric import missing_files
    from a2bench.registry import build_profile, choose_metrics
    from a2bench.results.inspection import facts, inspect, sheet
    from a2bench.suites.suite import load_suite, select
    from a2bench.video import decode, probe

    if out and out.suffix != ".png":
        raise UsageError(f"{out}: use a name that ends in .png")
    if out and not case:
        raise UsageError("--out shows what metrics saw: name the case with --case")
    console = terminal()
    found = probe(video)
    console.print(facts_table(facts(found)))
    for _ in decode(found, ()):
        pass  # what is damaged further on is told here
    if not case:
        return
    (asked,) = select(load_suite(suite), ids=[case]).cases
    chosen = choose_metrics(build_profile(profile, device), split(metrics))
    if lacking := missing_files(chosen):
        raise CannotRun("\n".join(lacking))
    seen = inspect(found, asked, chosen)
    console.print(measured(seen))
    if out:
        sheet(found, seen, out)
        typer.echo(f"what each metric saw in {out}")


def list_(
    what: Annotated[
        str,
        typer.Argument(
            help="models, metrics, suites, recipes or tables (published ones).",
            autocompletion=completion.one_of("models", "metrics", "suites", "recipes", "tables"),
        ),
    ],
    profile: ProfileOption = "lite",
    as_json: JsonOption = False,
) -> None:
    """The models, metrics or suites that can be named here, plug-ins included; published tables."""
    from a2bench.cli.json_output import answer, standard_output_apart
    from a2bench.cli.listing import listing, shown

    with standard_output_apart(as_json):
        items, sets = listing(what, profile)
    if as_json:
        answer("list/1", {"what": what, "items": items, "sets": sets})
    else:
        terminal().print(shown(what, items, sets))


def doctor(
    profile: ProfileOption = "lite",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """What this machine can run, what is missing, and what to type."""
    from a2bench.cli.console import checks
    from a2bench.cli.json_output import answer, of_check, standard_output_apart
    from a2bench.doctor import diagnose

    with standard_output_apart(as_json):
        found = diagnose(profile, store)
    fit = all(check.ok or not check.needed for check in found)
    if as_json:
        answer("doctor/1", {"profile": profile, "ok": fit, "checks": list(map(of_check, found))})
    else:
        terminal().print(checks(found))
    raise typer.Exit(0 if fit else 3)
