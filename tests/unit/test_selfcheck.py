from __future__ import annotations

import pytest

from a2bench.selfcheck import EXPECTATIONS, Expectation, Finding


def test_every_expectation_names_controls_that_exist() -> None:
    from a2bench.registry import GENERATORS

    assert {c for e in EXPECTATIONS for c in e.controls} <= set(GENERATORS.targets())


@pytest.mark.parametrize(
    ("met", "cases", "holds"),
    [(6, 6, True), (5, 6, False), (48, 50, True), (47, 50, False), (0, 0, False)],
)
def test_an_expectation_holds_from_95_percent_of_the_cases(
    met: int, cases: int, holds: bool
) -> None:
    assert Finding(expectation=EXPECTATIONS[0], met=met, cases=cases).holds is holds


@pytest.mark.parametrize("expectation", EXPECTATIONS, ids=lambda e: f"{e.metric}-{e.text}")
def test_no_expectation_is_met_by_a_metric_that_gives_all_the_same(
    expectation: Expectation,
) -> None:
    values = dict.fromkeys(expectation.controls, 0.5)
    assert not expectation.holds(values)
