"""The commands: options in, exit codes out."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; the commands are imported when it is called."""
    from a2bench.cli.entry import main as entry

    return entry(arguments)
