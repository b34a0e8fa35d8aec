from __future__ import annotations

import pytest

from a2bench.waiting.patience import Patience, passes, retry_after_s


def test_waits_are_read_from_seconds_and_dates() -> None:
    assert retry_after_s({"retry-after": "7"}) == 7.0
    assert retry_after_s({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after_s({}) is retry_after_s({"Retry-After": "soon"}) is None


@pytest.mark.parametrize(
    ("retry", "told_s", "least_s", "most_s"),
    [(0, None, 0.5, 1), (3, None, 4, 8), (9, None, 30, 60), (2000, None, 30, 60), (0, 7, 7, 7.5)],
)
def test_waits_double_up_to_a_most_and_one_half_is_random(
    retry: int, told_s: float | None, least_s: float, most_s: float
) -> None:
    assert Patience(random=lambda: 0.0).wait_s(retry, told_s) == least_s
    assert Patience(random=lambda: 1.0).wait_s(retry, told_s) == most_s


def test_what_may_be_another_answer_later() -> None:
    passing = {status for status in range(200, 600) if passes(status)}
    assert passing == {408, 425, 429, *range(500, 600)}
