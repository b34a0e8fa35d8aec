from __future__ import annotations

import pytest

from a2bench.metric import Metric
from a2bench.metrics.profiles import lite, paper
from a2bench.selfcheck import EXPECTATIONS, Expectation, expected, identity_auc, requests, weigh
from a2bench.suites.pairs import PAIRS
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


def test_each_control_is_asked_for_on_the_cases_that_its_expectations_are_of() -> None:
    mini = load_suite("a2bench-open:mini")
    asked = {
        (r.suite.name == PAIRS, r.generator.info.name): r
        for r in requests(mini, lite().metrics, "lite")
    }
    pairs = {name for of_pairs, name in asked if of_pairs}
    assert pairs == {"collage", "alone", "swapped", "mistaken"}
    assert not {"alone", "mistaken"} & {name for of_pairs, name in asked if not of_pairs}
    assert [len(case.of("character")) for case in asked[True, "alone"].cases] == [2] * 6
    assert [m.info.name for m in asked[True, "collage"].metrics] == ["id_consistency"]
    assert asked[False, "collage"].cases == mini.cases


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ({"collage": 0.9, "alone": 0.45, "mistaken": 0.5, "swapped": 0.1}, [True, True, True]),
        ({"collage": 0.9, "alone": 0.4, "mistaken": 0.3, "swapped": 0.1}, [True, True, False]),
        ({"collage": 0.9, "alone": 0.4, "mistaken": 0.6, "swapped": 0.4}, [True, False, True]),
        ({"collage": 0.4, "alone": 0.4, "mistaken": 0.4, "swapped": 0.1}, [False, True, False]),
    ],
)
def test_two_people_are_worth_more_than_one_and_nobody_no_more_than_somebody_else(
    values: dict[str, float], met: list[bool]
) -> None:
    assert [e.holds(values) for e in EXPECTATIONS if e.pairs] == met


def test_noise_is_lowest_where_nothing_wrong_is_lower_than_it() -> None:
    (lowest,) = (
        e for e in EXPECTATIONS if (e.metric, e.text) == ("id_consistency", "noise is lowest")
    )
    told = [(0.0, 0.0, 0.9), (0.1, 0.2, 0.9), (0.2, 0.1, 0.9), (0.1, 0.1, 0.9), (0.0, 0.0, 0.0)]
    values = [dict(zip(("noise", "swapped", "collage"), one, strict=True)) for one in told]
    assert [lowest.holds(one) for one in values] == [True, True, False, False, False]


def test_what_a_detector_finds_of_an_absent_object_is_little() -> None:
    (absent,) = (e for e in EXPECTATIONS if "less than half" in e.text)
    told = [{"objectless": found, "collage": 0.8} for found in (0.0, 0.39, 0.4)]
    assert [absent.holds(values) for values in told] == [True, True, False]
