"""What all tests run in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from a2bench.runs.executors import single_thread


@pytest.fixture(scope="session", autouse=True)
def as_in_a_worker() -> None:
    """One thread, as in a worker: another number of threads rounds sums in another order."""
    import torch  # loaded first, so that it is held too

    single_thread()
    assert torch.get_num_threads() == 1


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that runs for all tests together."""
    from tests.helpers.study_postgres import postgresql

    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def study_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database for a study, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.sqlite'}"
    from tests.helpers.study_postgres import new_database

    return new_database(request.getfixturevalue("postgres"))
