"""Rows are ranked on the same cases and measures or not at all, and say how sure that is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from a2bench.cli import main
from a2bench.results.leaderboard import collect, table, unlike, with_values
from a2bench.results.ranks import scored
from a2bench.results.recipe import parse
from a2bench.results.score_table import remarks, to_markdown, with_scores
from a2bench.results.sensitivity import sensitivity
from a2bench.results.table import Cell, Line, apart, lines_of
from a2bench.runs.store import RunStore
from a2bench.stats import Interval, bootstrap_mean
from tests.helpers.fakes import Level, Misbehaves
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do

RECIPE = parse(
    """
    name = "two"
    version = "1"
    title = "t"
    note = "n"
    divisor = 4.0
    [weights]
    a = 3.0
    b = 1.0
    [bounds]
    b = [0.5, 1.0]
    """
)
LEVEL = parse(
    """
    name = "level"
    version = "1"
    title = "t"
    note = "n"
    divisor = 1.0
    [weights]
    level = 1.0
    """
)


def line(model: str, values: Mapping[str, Any], known: bool = True) -> Line:
    """A line whose metrics have these values in cases c0, c1, ...; None: not applicable."""
    cells, measured, by_case = {}, {}, {}
    for metric, row in values.items():
        held = {f"c{i}": float(value) for i, value in enumerate(row) if value is not None}
        mean = sum(held.values()) / len(held)
        counts = {"ok": len(held), "not_applicable": len(row) - len(held)}
        cells[metric] = Cell(interval=Interval(low=None, mean=mean, high=None), counts=counts)
        measured[metric] = f"d/{len(held)}-{' '.join(held)}"
        by_case[metric] = held
    held_values = by_case if known else {}
    return Line(
        model=model, profile="p", suite="s", cells=cells, measured=measured, values=held_values
    )


def drawn(seed: int, n: int, shift: float = 0.0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {"a": random.uniform(0.2, 0.8, n) + shift, "b": random.uniform(0.5, 1.0, n)}


def test_the_interval_is_that_of_cases_drawn_with_all_their_metrics() -> None:
    values = drawn(1, 40)
    (one,) = scored([line("m", values)], RECIPE)
    whole = (
        3 * values["a"] + (values["b"] - 0.5) / 0.5
    ) / 4  # each case has both: the score of each case
    expected = bootstrap_mean([[value] for value in whole])
    assert one.interval is not None and one.cases == 40
    assert one.score == pytest.approx(expected.mean, rel=1e-12)
    assert one.interval.low == pytest.approx(expected.low, rel=1e-9)
    assert one.interval.high == pytest.approx(expected.high, rel=1e-9)


def test_metrics_that_some_cases_lack_keep_the_score_and_widen_the_interval() -> None:
    values = drawn(2, 40)
    some = {**values, "b": [value if i % 4 == 0 else None for i, value in enumerate(values["b"])]}
    (one,), (all_,) = scored([line("m", some)], RECIPE), scored([line("m", values)], RECIPE)
    a, b = values["a"].mean(), values["b"][::4].mean()
    assert one.interval and all_.interval
    assert one.score == pytest.approx((3 * a + (b - 0.5) / 0.5) / 4, rel=1e-12)
    # drawn by hand: means of what each draw holds
    random, x = np.random.default_rng(3), values["a"]
    y = np.array([np.nan if v is None else v for v in some["b"]])
    picks = random.integers(40, size=(4000, 40))
    by_hand = (3 * x[picks].mean(1) + (np.nanmean(y[picks], axis=1) - 0.5) / 0.5) / 4
    low, high = np.quantile(by_hand, [0.025, 0.975])
    assert one.interval.low == pytest.approx(low, abs=0.015)
    assert one.interval.high == pytest.approx(high, abs=0.015)
    assert _width(one.interval) > _width(all_.interval)


def _width(interval: Interval) -> float:
    assert interval.low is not None and interval.high is not None
    return interval.high - interval.low


def test_what_cannot_be_told_apart_shares_a_rank_and_names_its_like() -> None:
    values = drawn(3, 50)
    noise = np.random.default_rng(4).normal(0, 0.1, 50)
    near, far = {**values, "a": values["a"] + noise}, {**values, "a": values["a"] - 0.2}
    found = scored([line("far", far), line("x", values), line("y", near)], RECIPE)
    assert [(one.rank, one.alike) for one in found] == [(3, ()), (1, ("y",)), (1, ("x",))]
    assert found[1].score != found[2].score
    assert found[1].place == "1, not distinguishable from y"


def test_a_constant_difference_on_the_same_cases_is_told_however_small() -> None:
    """Table 1 has two rows .005 apart: paired, that can be a difference."""
    values = drawn(5, 50)
    more = {**values, "a": values["a"] + 0.005}
    one, two = scored([line("x", values), line("y", more)], RECIPE)
    assert one.interval and two.interval and one.interval.high and two.interval.low
    assert one.interval.high > two.interval.low  # the intervals overlap
    assert [(s.rank, s.alike) for s in (one, two)] == [(2, ()), (1, ())]


def test_one_case_has_no_interval_and_orders_nothing() -> None:
    found = scored(
        [line("x", {"a": [0.2], "b": [0.6]}), line("y", {"a": [0.9], "b": [0.9]})], RECIPE
    )
    assert [(s.rank, s.alike, s.cases) for s in found] == [(1, ("y",), 1), (1, ("x",), 1)]
    assert all(s.interval and s.interval.low is None for s in found)


def test_a_row_of_fewer_cases_is_not_ranked() -> None:
    values = drawn(6, 50)
    few = {name: row[:1] for name, row in drawn(7, 50, shift=0.3).items()}
    whole, limited = scored([line("all", values), line("one", few)], RECIPE)
    assert limited.score and whole.score and limited.score > whole.score
    assert (whole.rank, limited.rank) == (1, None)
    assert limited.unranked == "all on 1 cases, others on 50"


def test_a_row_that_is_alone_with_its_cases_unseats_nobody() -> None:
    few = {name: row[:20] for name, row in drawn(6, 50).items()}
    better = {name: row[:20] for name, row in drawn(7, 50, shift=0.3).items()}
    alone, one, other = scored(
        [line("more", drawn(5, 50)), line("one", few), line("other", better)], RECIPE
    )
    assert (alone.rank, alone.unranked) == (None, "all on 50 cases, others on 20")
    assert (one.rank, other.rank) == (2, 1)


def test_a_metric_of_one_case_gives_no_interval_and_orders_nothing() -> None:
    """Its share of the score is known from that case alone, whatever the others say."""
    values = drawn(6, 50)
    rare = {**values, "a": [0.9, *[None] * 49]}
    worse = {**values, "a": [0.2, *[None] * 49]}
    one, other = scored([line("one", rare), line("other", worse)], RECIPE)
    assert one.interval and one.interval.low is None
    assert (one.rank, one.alike, one.reach) == (1, ("other",), "50 (of one metric 1)")
    assert (other.rank, other.alike) == (1, ("one",))


def test_a_metric_of_few_cases_widens_the_interval_as_its_own_would() -> None:
    few = [0.1, 0.4, 0.5, 0.8]
    values = {"a": [*few, *[None] * 46], "b": [0.75] * 50}
    (found,) = scored([line("x", values)], RECIPE)
    own = bootstrap_mean([[value] for value in few])
    assert found.interval and found.interval.low and own.low
    assert found.interval.mean - found.interval.low == pytest.approx(0.75 * (0.45 - own.low))


def test_what_is_the_same_in_every_case_is_as_sure_as_a_proportion() -> None:
    sure = parse(
        'name="s"\nversion="1"\ntitle="t"\nnote="n"\ndivisor=1\n[weights]\na=1\n[bounds]\na=[0,1]'
    )
    (ones,) = scored([line("x", {"a": [1.0] * 50})], sure)
    assert ones.interval and ones.interval.low == pytest.approx(0.92865, abs=1e-5)
    assert (ones.interval.mean, ones.interval.high) == (1, 1)
    (most,) = scored([line("x", {"a": [1, 1, 1, 1, 0]})], sure)
    assert most.interval and most.interval.high == 1  # Student's bound is 1.355


@pytest.mark.parametrize(("cases", "rank"), [(5, 1), (6, 2)])
def test_fewer_than_six_cases_tell_nothing(cases: int, rank: int) -> None:
    """Five differences of one sign come about by chance in 2 of 32 times, over 5 %."""
    pair = [line(name, {"a": [a] * cases, "b": [0.75] * cases}) for name, a in (("x", 1), ("y", 0))]
    best, other = scored(pair, RECIPE)
    assert (best.rank, other.rank) == (1, rank)


def test_the_letter_of_a_series_stands_in_the_table() -> None:
    lines = [line(f"x{i}", {k: v[:9] for k, v in drawn(i, 50).items()}) for i in range(4)]
    apart_ = {name: f"d/9-{name}" for name in ("a", "b")}
    lines = [*lines[:2], *(replace(one, measured=apart_) for one in lines[2:])]
    whole = pd.DataFrame({"model": [one.model for one in lines]})
    found = with_scores(whole, scored(lines, RECIPE), RECIPE)
    assert list(found["comprehensive_series"]) == ["a", "a", "b", "b"]


def test_not_applicable_where_another_row_has_values_is_not_ranked() -> None:
    values = drawn(8, 50)
    lucky = {**values, "a": [0.99, *[None] * 49]}
    honest, gap = scored([line("honest", values), line("gap", lucky)], RECIPE)
    assert gap.score and honest.score and gap.score > honest.score
    assert (honest.rank, gap.rank, gap.unranked) == (1, None, "a on 1 cases, others on 50")


def test_as_many_but_other_cases_are_not_ranked_together() -> None:
    values = drawn(9, 4)
    first, other = line("x", values), line("y", values)
    told = dict.fromkeys(other.measured, "d/4-elsewhere")
    found = scored([first, replace(other, measured=told)], RECIPE)
    assert [(s.rank, s.unranked) for s in found] == [(None, "all on other cases")] * 2


def test_parameters_are_part_of_what_makes_rows_comparable() -> None:
    values = drawn(10, 4)
    lines = [line(name, values) for name in ("x", "y", "z")]
    lines[2] = replace(lines[2], measured={**lines[2].measured, "a": "e/4-c0 c1 c2 c3"})
    found = scored(lines, RECIPE)
    assert [s.unranked for s in found] == ["", "", "a measured otherwise"]
    assert [(s.rank, s.letter) for s in found[:2]] == [(1, ""), (1, "")]
    four = scored([*lines, replace(lines[2], model="w")], RECIPE)
    assert [s.place for s in four] == [
        "1a, not distinguishable from y",
        "1a, not distinguishable from x",
        "1b, not distinguishable from w",
        "1b, not distinguishable from z",
    ]
    assert "compare only within a letter" in remarks(four, RECIPE)[-1]


def test_without_values_of_cases_the_scores_alone_rank_and_it_is_said() -> None:
    values = drawn(11, 50)
    more = {**values, "a": values["a"] + 0.0001}
    found = scored([line("x", values, known=False), line("y", more, known=False)], RECIPE)
    assert [(s.rank, s.alike, s.cases) for s in found] == [(2, (), None), (1, (), None)]
    assert "by their scores alone" in to_markdown(found, RECIPE)


def test_rows_of_stores_carry_it_through_the_table(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s", 4), RunStore(tmp_path / "store")
    do(ask(suite, Level(), generator=MyGenerator(name="all")), store)
    smaller = replace(ask(suite, Level(), generator=MyGenerator(name="one")), cases=suite.cases[:1])
    do(smaller, store)
    rows = collect([store])
    whole = table(rows)
    found = scored(with_values(lines_of(whole), rows), LEVEL)
    assert [(s.line.model, s.rank, s.cases) for s in found] == [("all", 1, 4), ("one", None, 1)]
    told = with_scores(whole, found, LEVEL).to_dict("records")[0]
    assert told["comprehensive"] == told["level"]
    assert told["comprehensive_low"] == pytest.approx(told["level_low"], rel=1e-9)
    assert (told["comprehensive_n"], told["comprehensive_alike"]) == (4, "")
    # a table of other values is not taken for these rows
    (other, _) = with_values(lines_of(whole.assign(level=[0.9, 0.9])), rows)
    assert other.values == {}


def test_more_seeds_of_the_same_cases_are_ranked_with_fewer(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s", 3), RunStore(tmp_path / "store")
    do(ask(suite, Level(), generator=MyGenerator(name="x"), seeds=(0, 1, 2)), store)
    do(ask(suite, Level(), generator=MyGenerator(name="y")), store)
    rows = collect([store])
    found = scored(with_values(lines_of(table(rows)), rows), LEVEL)
    assert [(s.cases, s.unranked, s.rank is not None) for s in found] == [(3, "", True)] * 2


def test_what_was_measured_says_definition_and_cases(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s", 3), RunStore(tmp_path / "store")
    na = Misbehaves(how="na")
    do(ask(suite, Level(), na, generator=MyGenerator(name="x"), seeds=(0, 1)), store)
    do(ask(suite, Level(), na, generator=MyGenerator(name="y")), store)
    x, y = (json.loads(text) for text in table(collect([store]))["measured"])
    assert x == y  # other seeds are the same cases
    assert x["level"].partition("/")[2] != x["does_na"].partition("/")[2]
    smaller = replace(suite, cases=suite.cases[:2])
    do(replace(ask(suite, Level(), generator=MyGenerator(name="z")), cases=smaller.cases), store)
    *_, z = (json.loads(text) for text in table(collect([store]))["measured"])
    assert z["level"].partition("/")[0] == x["level"].partition("/")[0]
    assert z["level"] != x["level"]


def test_tables_joined_keep_what_was_measured_under_the_new_names() -> None:
    frame = pd.DataFrame({"model": ["m"], "profile": "p", "suite": "s", "judge_x": [3.0]})
    frame["measured"] = '{"judge_x":"d/1-c","other":"e/1-c","odd":"x"}'
    one, two = (frame.assign(metrics_sha256=name) for name in "ab")
    (first, _) = apart({"a.csv": one, "b.csv": two})
    assert lines_of(first)[0].measured == {"judge_x (a.csv)": "d/1-c", "other": "e/1-c"}
    broken = frame.assign(measured='["x"]')
    assert lines_of(broken)[0].measured == {}


@pytest.mark.parametrize(
    ("levels", "low", "high"), [([1.0] * 50, 0.9287, 1.0), ([1.0] * 9 + [0.0], 0.5958, 0.9821)]
)
def test_a_metric_of_zeros_and_ones_has_the_interval_of_a_proportion(
    levels: list[float], low: float, high: float, tmp_path: Path
) -> None:
    """Against scipy.stats.binomtest(k, n).proportion_ci(method="wilson")."""
    from a2bench.results.leaderboard import Row, Work
    from tests.helpers.runs import record

    row = Row(
        model={"name": "m", "revision": ""},
        suite={"name": "s", "version": "1"},
        profile="p",
        metrics={"moves": {"low": 0.0, "high": 1.0}},
        works=[
            Work(
                case_id=str(i),
                case_key=str(i),
                seed=0,
                video=None,
                scores={"moves": record(str(i), value=value)},
            )
            for i, value in enumerate(levels)
        ],
    )
    interval = row.cell("moves").interval
    assert interval is not None and interval.low is not None and interval.high is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
    # on a scale from 1 to 5 the same values are no proportion
    row.metrics["moves"] = {"low": 0.0, "high": 5.0}
    interval = row.cell("moves").interval
    assert interval is not None and (len(set(levels)) > 1 or interval.low == 1.0)


def test_the_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite, store = make_suite(tmp_path / "s", 3), RunStore(tmp_path / "store")
    do(ask(suite, Level(), generator=MyGenerator(name="all")), store)
    limited = replace(ask(suite, Level(), generator=MyGenerator(name="one")), cases=suite.cases[:1])
    do(limited, store)
    recipe, out = tmp_path / "r.toml", tmp_path / "x.csv"
    recipe.write_text('name="l"\nversion="1"\ntitle="t"\nnote="n"\ndivisor=1\n[weights]\nlevel=1\n')
    words = ["leaderboard", str(store.root), "--recipe", str(recipe), "--out", str(out)]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "| 3 | 1 |" in told
    assert "| 1 | not ranked: level on 1 cases, others on 3 |" in told
    line = pd.read_csv(out).to_dict("records")[1]
    assert line["comprehensive_unranked"] == "level on 1 cases, others on 3"
    assert pd.isna(line["comprehensive_rank"])


def test_a_table_says_which_rows_are_of_other_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, store = make_suite(tmp_path / "s", 3), RunStore(tmp_path / "store")
    for name, count in (("a", 3), ("b", 3), ("c", 1)):
        request = ask(suite, Level(), generator=MyGenerator(name=name))
        do(replace(request, cases=suite.cases[:count]), store)
    told = (
        "tiny 1, profile test: means of other cases cannot be compared. Cases: a (1), b (1): 3; "
        "c (1): 1"
    )
    assert unlike(collect([store])) == [told]
    assert main(["leaderboard", str(store.root), "--out", str(tmp_path / "x.md")]) == 0
    assert told in (tmp_path / "x.md").read_text()
    assert told in capsys.readouterr().out.replace("\n", " ")
    assert unlike(collect([store])[:2]) == []


def test_how_much_of_the_order_is_the_choice_of_weights() -> None:
    """By a loop over draws; a row that is above in every metric is above with any weights."""
    values = drawn(12, 30)
    below = {"a": values["a"] - 0.1, "b": values["b"] - 0.1}
    mixed = {"a": values["a"] + 0.05, "b": values["b"] - 0.02}
    rows = {"best": values, "below": below, "mixed": mixed}
    found = scored([line(name, own) for name, own in rows.items()], RECIPE)
    (sure,) = sensitivity([one for one in found if one.line.name != "mixed"], RECIPE)
    assert (sure.same, dict(sure.first)) == (1.0, {"best": 1.0, "below": 0.0})
    (three,) = sensitivity(found, RECIPE)
    means = {n: (float(v["a"].mean()), (float(v["b"].mean()) - 0.5) / 0.5) for n, v in rows.items()}
    order, same, first = ["mixed", "best", "below"], 0, 0
    assert [one.line.name for one in sorted(found, key=lambda s: -(s.score or 0))] == order
    for a, b in np.random.default_rng(0).dirichlet(np.ones(2), 1000):
        scores = {name: a * x + b * y for name, (x, y) in means.items()}
        same += sorted(scores, key=lambda name: -scores[name]) == order
        first += max(scores, key=lambda name: scores[name]) == "mixed"
    assert (three.same, dict(three.first)["mixed"]) == pytest.approx((same / 1000, first / 1000))
    assert 0.5 < three.same < 0.9
    assert f"the same in {three.same:.0%} of draws; first are mixed" in three.told
    assert sensitivity(found[:1], RECIPE) == []
