"""What all tests run in."""

from __future__ import annotations

import pytest

from a2bench.executors import single_thread


@pytest.fixture(scope="session", autouse=True)
def as_in_a_worker() -> None:
    """One thread, as in a worker: another number of threads rounds sums in another order."""
    import torch  # loaded first, so that it is held too

    single_thread()
    assert torch.get_num_threads() == 1
