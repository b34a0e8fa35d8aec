"""``a2bench fid``: face FID, which is of all videos of a model and of none alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from a2bench.errors import CannotRun, UsageError


def fid(
    store: Annotated[Path, typer.Argument(help="Folder of a run store.")],
    model: Annotated[str, typer.Option(help="The model, if the store holds several.")] = "",
    suite: Annotated[
        str, typer.Option(help="NAME, NAME:SUBSET or a .jsonl file.")
    ] = "a2bench-open",
    profile: Annotated[str, typer.Option(help="Which models find the faces.")] = "lite",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Also a .csv file.")] = None,
) -> None:
    """FID of the faces in a model's videos against those of the references."""
    from a2bench.registry import build_profile
    from a2bench.results.over_videos import measure, to_csv
    from a2bench.runs.store import RunStore
    from a2bench.suites.suite import load_suite
    from a2bench.text import plain

    if out and out.suffix != ".csv":
        raise UsageError(f"{out}: use a name that ends in .csv")
    held = RunStore(store)
    if not held.exists():
        raise CannotRun(f"{store} is no run store: a2bench run --store {store} makes one")
    metrics = {metric.info.name: metric for metric in build_profile(profile, device).over_videos}
    if "face_fid" not in metrics:
        raise UsageError(f"the profile {profile!r} has no face_fid")
    line = measure(held, load_suite(suite), metrics["face_fid"], profile=profile, model=model)
    if out:
        out.write_text(to_csv(line), encoding="utf-8")
    told = {**line, "model": plain(line["model"])}
    typer.echo(
        "{model}: face_fid {face_fid:.2f} (lower is better): {faces_videos} faces in {videos} "
        "videos, {faces_references} in the references; {videos_missing} videos missing".format(
            **told
        )
    )
