"""A small store, for tests that look after one."""

from __future__ import annotations

from pathlib import Path

import pytest

from a2bench.runs.store import RunStore
from a2bench.types import Suite
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return make_suite(tmp_path / "suite", 3)


@pytest.fixture
def store(tmp_path: Path, suite: Suite) -> RunStore:
    """A store with three videos and three scores."""
    found = RunStore(tmp_path / "store")
    do(ask(suite), found)
    return found
