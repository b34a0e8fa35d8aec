from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from a2bench.suites.pairs import PAIRS, paired
from tests.helpers.makers import make_suite


def test_each_person_stands_beside_the_next_other_one(tmp_path: Path) -> None:
    suite = make_suite(tmp_path, 5)
    people = [case.of("character")[0] for case in suite.cases]
    pairs = paired(suite)
    assert [case.elements for case in pairs.cases] == [
        (people[i], people[(i + 1) % 5]) for i in range(5)
    ]
    assert pairs.name == PAIRS and pairs.references == suite.references
    assert len({case.key for case in pairs.cases}) == len({case.id for case in pairs.cases}) == 5
    assert pairs.cases[0].prompt == "A character and a character stand side by side."


def test_nobody_stands_beside_himself_and_no_pair_comes_twice(tmp_path: Path) -> None:
    suite = make_suite(tmp_path, 5)
    cases = (suite.cases[0], *suite.cases)
    people = [case.of("character")[0] for case in suite.cases]
    assert [case.elements for case in paired(replace(suite, cases=cases)).cases] == [
        (people[i], people[(i + 1) % 5]) for i in range(5)
    ]


def test_too_few_people_make_no_pairs(tmp_path: Path) -> None:
    suite = make_suite(tmp_path, 3)
    assert paired(suite).cases == () == paired(replace(suite, cases=suite.cases[:1])).cases
    without = [
        replace(c, elements=tuple(e for e in c.elements if e.role != "character"))
        for c in make_suite(tmp_path, 4).cases
    ]
    assert paired(replace(suite, cases=tuple(without))).cases == ()
