"""What all tests run in."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from a2bench.runs.executors import single_thread
from tests.helpers.processes import no_process

SLOW_ROOMS = ("e2e", "app")  # whole commands, and pages in a browser
SLOW_FIXTURES = frozenset({"postgres"})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is slow by its room or its fixtures; the others are marked by hand.

    Whole commands come first: they take minutes, in which others can run beside them.
    """
    here = Path(__file__).parent
    for item in items:
        room = item.path.relative_to(here).parts[0]
        if room in SLOW_ROOMS or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in SLOW_ROOMS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """A test that is not slow starts no process, nor do its fixtures."""
    if item.get_closest_marker("slow"):
        return (yield)
    with no_process():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """As for the setup."""
    if item.get_closest_marker("slow"):
        return (yield)
    with no_process():
        return (yield)


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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def study_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database for a study, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.sqlite'}"
    from tests.helpers.study_postgres import new_database

    return new_database(request.getfixturevalue("postgres"))
