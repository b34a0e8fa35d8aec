"""``a2bench study serve``: the pages for raters, the one for the admin, and the leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from a2bench.cli.study_options import DatabaseOption


def serve(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of the study; none: only the leaderboard.")
    ] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other computers in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8501,
    leaderboard: Annotated[
        list[Path] | None,
        typer.Option("--leaderboard", help="CSV of `a2bench leaderboard`; may be given again."),
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option("--run", help="Run store whose videos the leaderboard shows."),
    ] = None,
    database: DatabaseOption = "",
) -> None:
    """Open the pages in browsers: rate, watch the study fill, look at a leaderboard."""
    from a2bench.app.serving import Served
    from a2bench.app.serving import serve as start

    what = Served(study=folder, tables=tuple(leaderboard or ()), runs=tuple(runs or ()))
    start(what, host=host, port=port, database_url=database, tell=typer.echo)
