from __future__ import annotations

import pytest

from a2bench.metric import Metric
from a2bench.metrics.profiles import lite, paper
from a2bench.selfcheck import EXPECTATIONS, Expectation, expected, identity_auc, weigh
from a2bench.suites.suite import load_suite

pytestmark = pytest.mark.slow


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
    assert weigh(EXPECTATIONS[0], met, cases).holds is holds


@pytest.mark.parametrize("expectation", EXPECTATIONS, ids=lambda e: f"{e.metric}-{e.text}")
def test_no_expectation_is_met_by_a_metric_that_gives_all_the_same(
    expectation: Expectation,
) -> None:
    values = dict.fromkeys(expectation.controls, 0.5)
    assert not expectation.holds(values)


def test_what_a_profile_cannot_measure_is_not_expected_of_it() -> None:
    measured = {e.metric for e in expected(lite().metrics, "lite")}
    everything = {e.metric for e in EXPECTATIONS}
    assert everything - measured == {"aesthetic_quality", "text_similarity"}
    assert {e.metric for e in expected(paper().metrics, "paper")} == everything
    alone = {e.text for e in EXPECTATIONS} - {e.text for e in expected(paper().metrics, "paper")}
    assert alone == {f"{name} does not move" for name in ("faded", "flickering", "defocused")}


def test_photographs_of_one_person_beat_those_of_two() -> None:
    references = load_suite("a2bench-open").references
    (finding,) = identity_auc(references, lite().metrics)
    assert finding.holds, finding.result
    assert "(27 pairs)" in finding.text
    some: list[Metric] = [m for m in lite().metrics if m.info.name != "id_consistency"]
    assert identity_auc(references, some) == []


def test_faces_that_do_not_tell_people_apart_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = lite().metrics
    faces = type(metrics[0].extractors[0])
    monkeypatch.setattr(faces, "compare", lambda *_: 0.5)
    (finding,) = identity_auc(load_suite("a2bench-open").references, metrics)
    assert (finding.result, finding.holds) == ("AUC 0.500", False)
