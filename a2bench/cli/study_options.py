"""What the commands of ``a2bench study`` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from a2bench.errors import CannotRun

FolderArgument = Annotated[Path, typer.Argument(help="Folder of the study.")]
DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database",
        help="postgresql+psycopg://USER:PASSWORD@HOST/NAME; the study's own file if empty.",
        envvar="A2BENCH_STUDY_DATABASE",
        show_envvar=True,
        show_default=False,
    ),
]


def check_installed() -> None:
    """Raises ``CannotRun`` with what to type where the extra ``study`` is not installed."""
    try:
        import sqlalchemy  # noqa: F401
    except ImportError as error:
        raise CannotRun(
            f"a user study needs more: pip install 'a2bench[study]' ({error})"
        ) from error
