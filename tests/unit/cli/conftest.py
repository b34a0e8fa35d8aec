"""What tests of commands have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.runs import command
from tests.helpers.suites import write_suite


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of three cases."""
    return write_suite(tmp_path / "suite", 3)


@pytest.fixture
def words(suite: Path, tmp_path: Path) -> list[str]:
    """The words of a run on it, in this process."""
    return command(suite, tmp_path / "store", "--in-process")[3:]
