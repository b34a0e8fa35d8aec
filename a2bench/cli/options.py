"""What several commands have in common: options that mean the same, and the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2bench.cli import completion
from a2bench.errors import CannotRun

if TYPE_CHECKING:
    from rich.console import Console

    from a2bench.runs.store import RunStore

DEFAULT_STORE = Path("runs")
SUITE = "a2bench-open"

SuiteOption = Annotated[
    str,
    typer.Option(
        "--suite",
        help="NAME, NAME:SUBSET or a .jsonl file.",
        autocompletion=completion.suites,
    ),
]


def folder(given: str | Path) -> Path:
    """A folder as it was typed; what an unset variable of a shell leaves is none."""
    if not str(given):
        raise typer.BadParameter("it is empty: name a folder, and . for the current one")
    return Path(given)


StoreOption = Annotated[
    Path, typer.Option("--store", help="Folder of the run store.", parser=folder)
]
StoreArgument = Annotated[Path, typer.Argument(help="Folder of a run store.", parser=folder)]
StoresArgument = Annotated[list[Path], typer.Argument(help="Folders of run stores.", parser=folder)]
RunsOption = Annotated[
    list[Path], typer.Option("--run", help="Run store; may be given again.", parser=folder)
]
SomeRunsOption = Annotated[
    list[Path] | None,
    typer.Option("--run", help="Run store whose videos the leaderboard shows.", parser=folder),
]
ModelOption = Annotated[str, typer.Option("--model", help="The model, if the store holds several.")]
ProfileOption = Annotated[
    str,
    typer.Option(
        "--profile",
        help="Which models realise the metrics.",
        autocompletion=completion.profiles,
    ),
]
MetricsOption = Annotated[
    str,
    typer.Option(
        "--metrics",
        help="Names or sets, comma-separated; the profile's own if empty.",
        autocompletion=completion.metrics,
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="Where the metrics' networks run: cpu, cuda, cuda:1.")
]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=0, help="Processes; 0: one a core if the model allows it.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output (docs/json.md).")
]
InProcessOption = Annotated[
    bool,
    typer.Option("--in-process", help="No worker: for a debugger. A crash ends the run."),
]
CasesOption = Annotated[str, typer.Option("--cases", help="Only these case ids, comma-separated.")]

JudgeOption = Annotated[
    str,
    typer.Option(
        "--judge",
        help="gemini:MODEL, openai:URL#MODEL or recorded:FILE; gemini:gemini-2.5-pro if empty.",
    ),
]
JudgeSetOption = Annotated[
    str,
    typer.Option(
        "--judge-set",
        help="Ask one set of criteria alone: a2bench or lynx.",
        autocompletion=completion.one_of("a2bench", "lynx", "all"),
    ),
]
FramesOption = Annotated[
    int, typer.Option("--judge-frames", min=0, help="Show the judge N frames, not the video.")
]
RepeatsOption = Annotated[
    int, typer.Option("--judge-repeats", min=1, help="Ask N times; the score is the mean.")
]
PriceOption = Annotated[
    str, typer.Option("--judge-price", help="INPUT,OUTPUT: US dollars for a million tokens.")
]
TokensOption = Annotated[
    int | None,
    typer.Option("--judge-max-tokens", min=1, help="Tokens of an answer, thoughts included."),
]
RateOption = Annotated[
    int | None, typer.Option("--judge-rpm", min=1, help="Calls a minute, of all workers together.")
]
MaxCostOption = Annotated[
    float | None, typer.Option("--max-cost", min=0, help="US dollars that this run may cost.")
]

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


def terminal(*, width: int = 140) -> Console:
    """Where tables are printed; ``width`` columns wide when nobody looks at a screen."""
    from rich.console import Console

    console = Console(soft_wrap=True)
    return console if console.is_terminal else Console(soft_wrap=True, width=width)


def split(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated text, without spaces and empty ones."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def existing(path: Path) -> RunStore:
    """The store in a folder. Raises ``CannotRun`` where there is none."""
    from a2bench.results.videos import opened

    return opened([path])[0]


def must_be_file(*paths: Path | None) -> None:
    """Raises ``CannotRun`` naming the first that is no file."""
    for path in paths:
        if path is not None and not path.is_file():
            raise CannotRun(f"{path} is not a file")


@contextmanager
def ticking() -> Iterator[Callable[[], None]]:
    """A count of the videos that were read, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("videos read:"), TextColumn("{task.completed:.0f}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda: bar.advance(task)
