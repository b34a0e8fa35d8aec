"""The command line. Every command is one call into the modules below it.

Exit codes: 0 all ok, 1 usage, 2 finished with failures, 3 could not run, 130 interrupted (143 by
SIGTERM, 129 by SIGHUP).
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path
from traceback import format_exception
from typing import Annotated, Any

import typer

from a2bench import __version__
from a2bench.cli.checkpoints import app as checkpoints_app
from a2bench.cli.compare import compare
from a2bench.cli.judge import app as judge_app
from a2bench.cli.report import figures, report
from a2bench.cli.reports import doctor, fid, inspect, leaderboard, list_, scores, sheet, status
from a2bench.cli.run import run, selfcheck
from a2bench.cli.signals import Ended, ending_by_signals
from a2bench.cli.store import app as store_app
from a2bench.cli.study import app as study_app
from a2bench.cli.submission import app as submission_app
from a2bench.cli.suites import app as suites_app
from a2bench.cli.weights import app as weights_app
from a2bench.errors import A2BenchError, CannotRun, UsageError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(suites_app, name="suites", help="Check a suite, or import one in another layout.")
app.add_typer(store_app, name="store", help="Check, mend, shrink or merge run stores.")
app.add_typer(submission_app, name="submission", help="One row in one file, to be sent.")
app.add_typer(checkpoints_app, name="checkpoints", help="The weights of the profile paper.")
app.add_typer(weights_app, name="weights", help="A comprehensive score fitted to ratings.")
app.add_typer(study_app, name="study", help="People rate videos, blind and side by side.")
app.add_typer(judge_app, name="judge", help="What a judge costs, whom it agrees with, its trust.")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="The version.")
    ] = False,
) -> None:
    """A2-Bench, the elements-to-video benchmark: generate, measure, rank."""


COMMANDS = (
    *(run, selfcheck, status, leaderboard, compare, report, figures),
    *(scores, sheet, inspect, fid, doctor),
)
for command in COMMANDS:
    app.command()(command)
app.command(name="list")(list_)


# Typer brings a click of its own in some versions and uses the installed one in others.
_ClickError: type[Exception] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)


INTERRUPTED = 130
GOES_ON = "the same command goes on from here"


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point: maps what was raised to an exit code and one message."""
    warnings.showwarning = _show_warning
    sys.stdout, sys.stderr = (one or open(os.devnull, "w") for one in (sys.stdout, sys.stderr))  # noqa: PTH123, SIM115
    try:
        with ending_by_signals():
            _stand_somewhere()
            words = list(arguments) if arguments is not None else None
            code = app(args=words, prog_name="a2bench", standalone_mode=False)
            sys.stdout.flush()
    except _ClickError as error:
        shown = StringIO()
        error.show(file=shown)  # type: ignore[attr-defined]
        typer.echo(_safe(shown.getvalue()), err=True, nl=False)
        return 1
    except (typer.Abort, KeyboardInterrupt) as error:
        if isinstance(error.__cause__, EOFError):  # typer takes any for the end of a prompt
            raise error.__cause__ from None
        code = INTERRUPTED
    except Ended as error:
        return _fail(f"ended by {error.number.name}; {GOES_ON}", 128 + error.number)
    except UsageError as error:
        return _fail(str(error), 1)
    except A2BenchError as error:
        return _fail(str(error), 3)
    except BrokenPipeError:  # who read the output has gone, as `head` does
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        return _fail(f"{where}{error.strerror or error}", 3)
    finally:
        sys.excepthook = _show_traceback  # typer has set its own
    if code == INTERRUPTED:  # typer has caught Ctrl-C
        return _fail(f"interrupted; {GOES_ON}", INTERRUPTED)
    return int(code or 0)


def _stand_somewhere() -> None:
    """``package.module:Class`` may lie where the user stands."""
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        raise CannotRun("the current folder was deleted: cd to another") from None
    if here not in sys.path:
        sys.path.append(here)


def _fail(text: str, code: int) -> int:
    from a2bench.text import plain

    for line in _safe(text).splitlines() or [""]:
        typer.echo(f"a2bench: {plain(line)}", err=True)
    return code


def _safe(text: str) -> str:
    from a2bench.redaction import redact

    return redact(text)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    from a2bench.text import plain

    typer.echo(f"warning: {plain(_safe(str(message)))}", err=True)


def _show_traceback(kind: type[BaseException], error: BaseException, at: Any) -> None:
    """What nobody foresaw, as Python would show it."""
    typer.echo(_safe("".join(format_exception(kind, error, at))), err=True, nl=False)
