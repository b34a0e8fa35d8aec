"""Where a study lives: its folder, and its database there or on a server."""

from __future__ import annotations

import os
from pathlib import Path

from a2bench.errors import A2BenchError, CannotRun
from a2bench.study.database import Database
from a2bench.study.design import from_json

DESIGN = "study.json"
MEDIA = "media"
SQLITE = "study.sqlite"
VARIABLE = "A2BENCH_STUDY_DATABASE"


def database_url(folder: Path, url: str = "") -> str:
    """The option, else the environment variable, else the file in the folder."""
    return url or os.environ.get(VARIABLE) or f"sqlite:///{(folder / SQLITE).absolute()}"


def open_study(folder: Path, url: str = "") -> Database:
    """The database of the study in a folder, brought up to date.

    Raises ``CannotRun`` when there is none, or when the database is of another study.
    """
    file = folder / DESIGN
    if not file.is_file():
        raise CannotRun(f"{folder} is no study: a2bench study new {folder} makes one")
    database = Database(database_url(folder, url))
    if database.file is not None and not database.file.is_file():
        raise CannotRun(
            f"{database.file} does not exist: give --database or {VARIABLE}, as when it was made"
        )
    try:
        database.migrate()
        design, held = from_json(file.read_text(encoding="utf-8")), database.design()
        if held.key != design.key:
            told = f"{file} is study {design.key[:12]}, but the database holds {held.key[:12]}"
            raise CannotRun(told)
    except A2BenchError:
        database.close()
        raise
    return database
