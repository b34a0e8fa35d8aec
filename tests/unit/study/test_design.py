"""Who sees what: orders, blocks, the schedule of a rater, the frozen design."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from a2bench.errors import CannotRun
from a2bench.ratings.answers import Kind
from a2bench.study.blocks import cells, meetings, williams
from a2bench.study.design import Design, from_json
from a2bench.study.schedule import next_item, order, pages_left
from tests.helpers.study_designs import make_design


@pytest.mark.parametrize("n", range(2, 9))
def test_a_williams_design_is_balanced_in_places_and_neighbours(n: int) -> None:
    rows = williams(n)
    assert len(rows) == n if n % 2 == 0 else 2 * n
    assert all(sorted(row) == list(range(n)) for row in rows)
    places = Counter((place, thing) for row in rows for place, thing in enumerate(row))
    neighbours = Counter(pair for row in rows for pair in pairwise(row))
    assert len(places) == n * n and len(set(places.values())) == 1
    assert len(neighbours) == n * (n - 1) and len(set(neighbours.values())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("n", range(2, 21))
@pytest.mark.parametrize("k", [2, 3, 4])
def test_every_two_models_meet_about_equally_often(n: int, k: int) -> None:
    found = cells(n, k, votes=5, cases=50)
    least, most = meetings(n, found)
    assert most - least <= 3
    assert least >= 0.8 * most
    for case in found:
        covered = Counter(dict.fromkeys(range(n), 0))
        for block, raters in case.items():
            assert len(set(block)) == min(n, k)
            covered.update(dict.fromkeys(block, raters))
        assert min(covered.values()) >= 5
        assert max(covered.values()) <= 8


@pytest.mark.parametrize(("n", "k", "together"), [(4, 4, 5), (5, 4, 3), (16, 4, 1)])
def test_it_finds_the_balanced_designs_there_are(n: int, k: int, together: int) -> None:
    least, most = meetings(n, cells(n, k, votes=5, cases=5))
    assert least == most
    assert least % together == 0


def test_four_models_or_fewer_are_always_complete() -> None:
    assert cells(3, 4, votes=5, cases=2) == [Counter({(0, 1, 2): 5})] * 2
    assert meetings(3, cells(3, 4, votes=5, cases=2)) == (10, 10)


def test_the_raters_of_an_item_see_each_model_at_each_place_equally_often() -> None:
    design = make_design(cases=1, votes=4)
    rows = [order(design, design.items[0], seat=seat) for seat in range(1, 5)]
    assert set(Counter((i, clip) for row in rows for i, clip in enumerate(row)).values()) == {1}


def through(design: Design, number: int) -> list[str]:
    """The pages of a rater who has the study for themselves."""
    seen: list[str] = []
    free = {item.id: item.votes for item in design.of(Kind.RATED)}
    left = pages_left(design, number=number, seen=seen, free=free)
    while item := next_item(design, number=number, seen=seen, free=free):
        assert item.id not in seen
        assert pages_left(design, number=number, seen=seen, free=free) == left - len(seen)
        seen.append(item.id)
    assert len(seen) == left
    return seen


@pytest.mark.slow
def test_training_comes_first_and_checks_hide_among_ten_pages() -> None:
    design = make_design(cases=30, pages=30)
    places: dict[Kind, set[int]] = {Kind.GOLD: set(), Kind.TRAP: set()}
    for number in range(1, 60):
        kinds = [design.item(page).kind for page in through(design, number)]
        assert kinds[0] is Kind.TRAIN
        assert Counter(kinds) == {Kind.TRAIN: 1, Kind.GOLD: 1, Kind.TRAP: 1, Kind.RATED: 30}
        for kind, found in places.items():
            found.add(kinds.index(kind))
    assert all(len(found) == 11 and max(found) < 12 for found in places.values())


def test_checks_are_not_put_off_in_a_small_study() -> None:
    design = make_design(cases=2)
    assert Counter(design.item(page).kind for page in through(design, 7)) == {
        Kind.TRAIN: 1, Kind.GOLD: 1, Kind.TRAP: 1, Kind.RATED: 2,
    }  # fmt: skip


def test_a_rater_gets_as_many_pages_as_agreed_and_a_case_once() -> None:
    design = make_design(cases=6, pages=3, checks=False)
    assert len(through(design, 1)) == 3
    assert through(design, 1) != through(design, 2)
    twice = tuple(replace(item, id=f"{item.id}b") for item in design.items)
    doubled = replace(design, items=design.items + twice, pages=12)
    cases = [doubled.item(page).case for page in through(doubled, 1)]
    assert sorted(cases) == sorted({item.case for item in design.items})


def test_the_page_with_the_fewest_votes_comes_next() -> None:
    design = make_design(cases=4, checks=False)
    free = {item.id: 1 for item in design.items} | {"p002": 3}
    for number in range(1, 9):
        item = next_item(design, number=number, seen=(), free=free)
        assert item is not None and item.id == "p002"


def test_nobody_is_trained_for_nothing() -> None:
    design = make_design()
    assert next_item(design, number=1, seen=(), free={}) is None
    assert pages_left(design, number=1, seen=(), free={}) == 0


def test_a_design_comes_back_from_its_json_with_its_key() -> None:
    design = make_design()
    again = from_json(design.to_json())
    assert again == design
    assert again.key == design.key != replace(design, seed=1).key
    assert again.criterion("video_quality").anchors[1]
    assert again.case("c0").references[0].role == "character"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', '{"schema": 2}'])
def test_a_damaged_design_is_told(text: str) -> None:
    with pytest.raises(CannotRun, match=r"damaged|version"):
        from_json(text)


def test_every_damaged_field_of_a_design_is_named() -> None:
    row = json.loads(make_design().to_json())
    row["fps"], row["colour"], row["items"][1]["kind"] = "fast", "red", "odd"
    del row["name"], row["items"][0]["clips"][2]["media"]
    with pytest.raises(CannotRun, match="damaged") as error:
        from_json(json.dumps(row))
    for place in ("name", "fps", "colour", "items.0.clips.2.media", "items.1.kind"):
        assert f" {place}: " in str(error.value)


def test_pairs_of_slots_are_seen_by_all_raters_together() -> None:
    design = make_design(cases=12, votes=5)
    beside: Counter[tuple[int, int]] = Counter()
    for item in design.of(Kind.RATED):
        for seat in range(1, 6):
            beside.update(pairwise(order(design, item, seat=seat)))
    assert set(beside) == {p for pair in combinations(range(4), 2) for p in (pair, pair[::-1])}
    assert max(beside.values()) == min(beside.values())
