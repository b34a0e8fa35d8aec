"""Pairs of rows: what differs, how sure that is, and what was left out."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats as reference
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from a2bench.cli import main
from a2bench.errors import CannotRun, UsageError
from a2bench.results.comparison import Compared, compare
from a2bench.results.comparison_table import (
    COLUMNS,
    extremes,
    frame,
    remarks,
    to_latex,
    to_markdown,
)
from a2bench.results.leaderboard import Row
from a2bench.results.pair import Comparison
from a2bench.results.places import places
from a2bench.results.recipe import parse
from a2bench.results.selection import chosen
from a2bench.runs.store import RunStore
from a2bench.stats import bootstrap_mean, paired_permutation, paired_proportions
from a2bench.text import latex_text
from tests.helpers import ROOT
from tests.helpers.fakes import Level
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_suite
from tests.helpers.rows import Values, row
from tests.helpers.runs import ask, do


def drawn(seed: int, n: int, shift: float = 0.0) -> list[float]:
    return [float(v) for v in np.random.default_rng(seed).uniform(0.2, 0.8, n) + shift]


def only(found: Compared) -> Comparison:
    (one,) = found.pairs
    return one


def pair(a: Sequence[float], b: Sequence[float], **about: object) -> Comparison:
    rows = [row(name, {"m": own}, m=about) for name, own in (("a", a), ("b", b))]
    return only(compare(rows))


def test_a_pair_is_scipy_s_and_statsmodels() -> None:
    a, b = drawn(1, 12, 0.05), drawn(2, 12)
    one = pair(a, b)
    theirs = reference.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=10_000
    )
    assert one.p == one.p_holm == pytest.approx(theirs.pvalue, abs=1e-12)
    t = reference.ttest_rel(a, b)
    assert one.effect == pytest.approx(t.statistic / 12**0.5)
    interval = t.confidence_interval()
    assert one.difference is not None
    assert (one.difference.low, one.difference.high) == pytest.approx((interval.low, interval.high))
    needed = TTestPower().solve_power(effect_size=abs(one.effect or 0), power=0.8, alpha=0.05)
    assert one.needed == np.ceil(needed)
    spread = float(np.std(np.subtract(a, b), ddof=1))
    least = TTestPower().solve_power(nobs=12, power=0.8, alpha=0.05)
    assert one.detectable == pytest.approx(spread * least, rel=1e-4)
    assert (one.wins, one.ties, one.losses) == (
        sum(np.greater(a, b)), 0, sum(np.less(a, b)),
    )  # fmt: skip
    assert (one.mean_a, one.mean_b) == pytest.approx((np.mean(a), np.mean(b)))


def test_many_cases_have_the_bootstrap_s_interval_and_who_is_better_wins() -> None:
    a, b = drawn(1, 40, 0.2), drawn(2, 40)
    one = pair(a, b)
    assert one.difference == bootstrap_mean([[x - y] for x, y in zip(a, b, strict=True)])
    assert one.p == paired_permutation(a, b)
    assert (one.better, one.verdict) == ("a", "a is better")
    assert pair(b, a).better == "b"
    assert pair(a, b, higher_is_better=False, high=None).better == "b"
    lower = pair(a, b, higher_is_better=False, high=None)
    assert (lower.wins, lower.losses) == (one.losses, one.wins)
    gains = [case.difference for case in one.cases]
    assert gains == sorted(gains, reverse=True)


def test_proportions_have_newcombe_s_interval() -> None:
    a, b = [1.0] * 30 + [0.0] * 10, [1.0] * 20 + [0.0] * 20
    assert pair(a, b).difference == paired_proportions(a, b)
    same = pair([1.0] * 40, [1.0] * 40)
    assert same.difference is not None
    assert same.difference.low == pytest.approx(-0.0876, abs=1e-4)  # Wilson's of 40 of 40
    assert (same.verdict, same.effect, same.needed, same.p) == (
        "not distinguishable",
        None,
        None,
        1,
    )


def test_a_row_cannot_be_told_from_itself_nor_five_cases_apart() -> None:
    a = row("a", {"m": drawn(1, 30)})
    one = only(compare([a, a]))
    assert (one.a, one.b) == ("a on suite #1", "a on suite #2")
    assert (one.better, one.verdict, one.ties, one.p) == ("", "not distinguishable", 30, 1.0)
    few = pair([0.9, 0.91, 0.92, 0.93, 0.94], [0.1, 0.12, 0.11, 0.1, 0.1])
    assert (few.wins, few.p, few.better) == (5, 0.0625, "")


def test_a_difference_without_an_interval_to_one_side_is_none() -> None:
    random = np.random.default_rng(5)
    a, b = random.uniform(0, 1, 40).tolist(), random.uniform(0, 1, 40).tolist()
    one = pair(a, b)
    assert one.difference is not None
    assert one.difference.low is not None
    assert one.difference.low < 0
    assert one.verdict == "not distinguishable"


def test_only_cases_that_both_have_count_and_the_others_are_named() -> None:
    a = row("a", {"m": [0.9, 0.8, None, 0.7]})
    b = row("b", {"m": [0.1, 0.2, 0.3, 0.4]}, start=1)
    found = compare([a, b])
    one = only(found)
    assert [(c.case_id, c.a, c.b) for c in one.cases] == [("c01", 0.8, 0.1), ("c03", 0.7, 0.3)]
    assert (one.only_a, one.only_b) == (("c00",), ("c02", "c04"))
    assert remarks(found) == [
        "a: in no mean are m (1 failed)",
        "left out of m, as b has no value where a has: c00",
        "left out of m, as a has no value where b has: c02, c04",
    ]
    apart = only(compare([a, row("b", {"m": [0.5]}, start=50)]))
    assert (apart.n, apart.difference, apart.verdict) == (0, None, "no case in common")


def test_rows_that_do_not_mean_the_same_are_not_compared() -> None:
    """Whoever wrote a store may call a metric's direction and bounds what he likes."""
    honest = row("a", {"m": drawn(1, 8), "n": drawn(3, 8)})
    for about in ({"higher_is_better": False}, {"high": 1000.0}, {"version": "2"}):
        other = row("b", {"m": drawn(2, 8), "n": drawn(4, 8)}, m=about)
        for rows in ([honest, other], [other, honest]):
            found = compare(rows)
            assert [one.metric for one in found.pairs] == ["n"]
            assert any("m is measured in another way in some of" in note for note in found.notes)
    third = row("c", {"m": drawn(5, 8)})
    assert {p.metric for p in compare([honest, other, third]).places} == set()


def test_few_cases_need_as_many_as_can_tell() -> None:
    one = pair([0.9, 0.91, 0.93], [0.1, 0.12, 0.1])
    assert (one.needed, one.verdict) == (6, "not distinguishable")


def test_a_score_of_other_cases_is_named_and_not_compared() -> None:
    a, b = {"m": drawn(1, 8), "n": drawn(2, 8)}, {"m": drawn(3, 6), "n": drawn(4, 6)}
    found = compare([row("a", a), row("b", b)], recipe=RECIPE)
    assert [one.metric for one in found.pairs] == ["m", "n"]
    assert "comprehensive is of other cases in some of a, b" in found.notes[0]


def test_seeds_of_a_case_are_one_value() -> None:
    a = row("a", {"m": [0.2, 0.4]}, seeds=[{"m": [0.4, 0.8]}])
    one = only(compare([a, row("b", {"m": [0.1, 0.1]})]))
    assert sorted((c.case_id, round(c.a, 6)) for c in one.cases) == [("c00", 0.3), ("c01", 0.6)]


def test_another_row_changes_no_pair_and_the_order_of_rows_no_rank() -> None:
    values: list[Values] = [{"m": drawn(i, 30, i / 20), "n": drawn(i + 9, 30)} for i in range(4)]
    rows = [row(name, own) for name, own in zip("abcd", values, strict=True)]
    two, four = compare(rows[:2]), compare(rows)
    assert set(two.pairs) <= set(four.pairs)
    assert len(four.pairs) == 2 * 6
    turned = compare(rows[::-1])
    assert {(p.metric, p.name): p for p in turned.places} == {
        (p.metric, p.name): p for p in four.places
    }


def test_holm_s_method_is_of_the_metrics_of_a_pair() -> None:
    a = {f"m{i}": drawn(i, 30, 0.03 * i) for i in range(5)}
    b = {f"m{i}": drawn(i + 50, 30) for i in range(5)}
    found = compare([row("a", a), row("b", b), row("c", b)]).pairs[:5]
    theirs = multipletests([one.p for one in found], method="holm")[1]
    assert [one.p_holm for one in found] == pytest.approx(theirs)


def test_equal_models_are_told_apart_one_time_in_twenty() -> None:
    random, wrong, trials = np.random.default_rng(3), 0, 400
    for _ in range(trials):
        hard = random.uniform(0.2, 0.8, 12)  # a case is as hard for both
        a, b = (hard + random.normal(0, 0.1, 12) for _ in range(2))
        wrong += paired_permutation(a.tolist(), b.tolist()) <= 0.05
    low, high = reference.binomtest(20, 400).proportion_ci(0.99)
    assert low <= wrong / trials <= high


def test_places_know_what_is_sure() -> None:
    held = {"a": drawn(1, 40, 0.5), "b": drawn(2, 40), "c": drawn(2, 40), "d": drawn(3, 40, 0.001)}
    values = {name: {f"c{i}": v for i, v in enumerate(own)} for name, own in held.items()}
    found = {p.name: p for p in places("m", values, higher_is_better=True)}
    assert (found["a"].rank, found["a"].low, found["a"].high, found["a"].first) == (1, 1, 1, 1.0)
    assert found["b"].rank == found["c"].rank  # the same values
    assert (found["d"].low, found["d"].high) == (2, 4)
    turned = {p.name: p for p in places("m", values, higher_is_better=False)}
    assert (turned["a"].rank, turned["a"].first) == (4, 0.0)
    assert places("m", dict(list(values.items())[:2]), higher_is_better=True) == []


def test_the_draws_of_places_are_those_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts as at once, and as a loop over draws has them."""
    values = {name: {f"c{i}": v for i, v in enumerate(drawn(s, 9))} for s, name in enumerate("abc")}
    whole = places("m", values, higher_is_better=True)
    monkeypatch.setattr("a2bench.results.places.MOST_DRAWN", 100)
    assert places("m", values, higher_is_better=True) == whole
    table = np.array([[own[f"c{i}"] for i in range(9)] for own in values.values()])
    random = np.random.default_rng(0)
    first = np.zeros(3)
    for _ in range(10_000):
        means = table[:, random.integers(9, size=9)].mean(axis=1)
        first += means == means.max()
    assert [p.first for p in whole] == pytest.approx(first / 10_000)


RECIPE = parse(
    """
    name = "r"
    version = "1"
    title = "t"
    note = "n"
    divisor = 2.0
    [weights]
    m = 1.0
    n = 1.0
    """
)


def test_a_recipe_s_score_is_compared_where_the_cases_are_the_same() -> None:
    a, b = {"m": drawn(1, 30, 0.1), "n": drawn(2, 30)}, {"m": drawn(3, 30), "n": drawn(4, 30)}
    found = compare([row("a", a), row("b", b)], recipe=RECIPE)
    score = found.pairs[0]
    assert score.metric == "comprehensive"
    mean = np.mean(np.subtract(a["m"], b["m"]) + np.subtract(a["n"], b["n"])) / 2
    assert score.difference is not None
    assert score.difference.mean == pytest.approx(mean)
    lacking = compare([row("a", a), row("b", {"m": b["m"]})], recipe=RECIPE)
    assert (lacking.pairs[0].metric, lacking.pairs[0].n) == ("comprehensive", 0)
    assert lacking.notes == (
        "measured alike in no two rows, and not compared: n",
        "b has no comprehensive score of recipe r: it lacks n",
    )


def test_metrics_that_apply_to_no_case_are_named_and_left_out() -> None:
    values: Values = {"m": drawn(1, 8), "n": [None] * 8}
    found = compare([row(name, values) for name in "ab"])
    assert [one.metric for one in found.pairs] == ["m"]
    assert found.notes == ("without a value in any row: n",)


def test_diagnostics_are_compared_when_they_are_named() -> None:
    values = {"m": drawn(1, 8), "cuts": [0.0] * 8}
    about = {"dimension": "diagnostics", "higher_is_better": False, "high": None}
    rows = [row(name, values, cuts=about) for name in "ab"]
    assert [one.metric for one in compare(rows).pairs] == ["m"]
    assert [one.metric for one in compare(rows, metrics=["cuts"]).pairs] == ["cuts"]
    with pytest.raises(UsageError, match=r"not measured: colour; there are m, cuts"):
        compare(rows, metrics=["colour"])


def test_what_cannot_be_compared_says_why() -> None:
    a = row("a", {"m": drawn(1, 8)})
    with pytest.raises(UsageError, match="one row cannot be compared"):
        compare([a])
    with pytest.raises(UsageError, match="profiles lite and paper cannot be compared"):
        compare([a, row("b", {"m": drawn(2, 8)}, profile="paper")])


CONTROLS = ROOT / "tests" / "data" / "controls.csv"
"""Scores of four controls on the 50 cases of a2bench-open, in the profile lite of version 0.1."""
CONSISTENCY = {"id_consistency", "object_consistency", "background_consistency"}


@pytest.fixture(scope="module")
def controls() -> dict[str, Row]:
    columns = pd.read_csv(CONTROLS).drop(columns="case").to_dict("list")
    values: dict[str, dict[str, list[float | None]]] = {}
    for column, own in columns.items():
        model, _, metric = str(column).partition(".")
        values.setdefault(model, {})[metric] = own
    return {model: row(model, own) for model, own in values.items()}


@pytest.mark.parametrize(
    ("other", "better", "alike"),
    [
        ("swapped", CONSISTENCY, {"image_quality", "motion_smoothness", "dynamic_degree"}),
        ("noise", {*CONSISTENCY, "image_quality", "motion_smoothness"}, {"dynamic_degree"}),
        ("still", {"dynamic_degree"}, set()),
    ],
)
def test_controls_of_the_open_suite_have_the_expected_winners(
    controls: dict[str, Row], other: str, better: set[str], alike: set[str]
) -> None:
    found = {one.metric: one for one in compare([controls["collage"], controls[other]]).pairs}
    for metric in better:
        assert found[metric].better == "collage"
        assert (found[metric].p_holm or 0) < 0.01
    assert {metric for metric in alike if found[metric].better} == set()


def test_a_control_is_not_told_from_itself(controls: dict[str, Row]) -> None:
    pairs = compare([controls["collage"]] * 2).pairs
    assert {one.verdict for one in pairs} == {"not distinguishable"}
    assert len(pairs) == 6


HOSTILE = "=cmd()|<script>alert(1)</script> \x1b[31m\\input{x} $_{^}~% [a](http://x) *b* & #1"


def test_fault_29_names_are_only_names_in_every_format(tmp_path: Path) -> None:
    found = compare([row(HOSTILE, {"m": drawn(1, 8)}), row("b", {"m": drawn(2, 8)})])
    markdown, latex = to_markdown(found), to_latex(found)
    assert "<script>" not in markdown
    assert "\\[a\\]" in markdown
    assert "\x1b" not in markdown + latex
    assert latex_text(HOSTILE) in latex
    assert "\\input" not in latex
    assert list(frame(found)["a"]) == [HOSTILE]


def test_the_frame_holds_what_a_program_needs() -> None:
    a, b = row("a", {"m": [0.9, 0.8, 0.7]}), row("b", {"m": [0.1, 0.2, 0.9]}, start=0)
    table = frame(compare([a, b]))
    assert list(table) == list(COLUMNS)
    one = table.iloc[0]
    assert (one["metric"], one["n"], one["wins"], one["losses"]) == ("m", 3, 2, 1)
    assert one["difference"] == pytest.approx(0.4)
    assert (one["better"], one["only_a"]) == ("", 0)
    assert frame(compare([a, row("b", {"m": [0.5]}, start=9)])).iloc[0].isna()["p"]
    assert extremes(compare([a, b]), 1) == [
        "m: a is most above in c00 (0.800); b is most above in c02 (0.200)"
    ]
    assert extremes(compare([a, b]), 0) == []


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two stores: ``one`` holds two models, ``two`` a third."""
    folder = tmp_path_factory.mktemp("stores")
    suite = make_suite(folder / "suite", 7)
    for store, name in (("one", "my-generator"), ("one", "other"), ("two:x", "third")):
        do(ask(suite, Level(), generator=MyGenerator(name=name)), RunStore(folder / store))
    return folder


def test_rows_are_named_by_store_and_model(stores: Path) -> None:
    one, two = str(stores / "one"), str(stores / "two:x")
    assert [r.model["name"] for r in chosen([one])] == ["my-generator", "other"]
    assert [r.model["name"] for r in chosen([f"{one}:other", two])] == ["other", "third"]
    assert [r.model["name"] for r in chosen([f"{two}:third", f"{one}:my-generator (1)"])] == [
        "third",
        "my-generator",
    ]
    with pytest.raises(
        CannotRun, match=r"one:x: no such row; this store holds my-generator \(1\), other"
    ):
        chosen([f"{one}:x"])
    with pytest.raises(CannotRun, match=r"no such row; this store holds nothing of profile paper"):
        chosen([one], profile="paper")
    with pytest.raises(CannotRun, match="is no run store"):
        chosen([str(stores / "three") + ":other"])


def test_a_row_is_what_its_own_store_holds(tmp_path: Path) -> None:
    """Whatever other stores are named: seeds of another store do not come in."""
    suite = make_suite(tmp_path / "suite", 7)
    one, two = RunStore(tmp_path / "one"), RunStore(tmp_path / "two")
    do(ask(suite, Level(), generator=MyGenerator(name="a")), one)
    do(ask(suite, Level(), generator=MyGenerator(name="b")), one)
    do(ask(suite, Level(), generator=MyGenerator(name="a"), seeds=(1, 2)), two)
    do(ask(suite, Level(), generator=MyGenerator(name="c")), two)
    pair_alone = compare(chosen([f"{one.root}:a", f"{one.root}:b"]))
    with_third = compare(chosen([f"{one.root}:a", f"{one.root}:b", f"{two.root}:c"]))
    assert set(pair_alone.pairs) <= set(with_third.pairs)
    both = chosen([f"{one.root}:a", f"{two.root}:a"])
    assert [r.name for r in both] == [f"a (1) [{one.root}]", f"a (1) [{two.root}]"]
    assert [len({w.seed for w in r.works}) for r in both] == [1, 2]
    found = only(compare(both))
    assert found.mean_a != found.mean_b


def test_one_model_at_two_settings_has_two_names(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "suite", 2), RunStore(tmp_path / "store")
    for frames in (9, 5):
        do(ask(suite, Level(), generator=MyGenerator(name="m", frames=frames)), store)
    assert sorted(r.name for r in chosen([str(store.root)])) == [
        "m (1) [frames=5]",
        "m (1) [frames=9]",
    ]


def test_a_model_on_several_suites_needs_one_named(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    for name in ("one", "two"):
        suite = make_suite(tmp_path / name, 2)
        do(ask(replace(suite, name=name)), store)
    with pytest.raises(UsageError, match=r"on the suites one, two: --suite names one"):
        chosen([str(store.root)])
    assert len(chosen([str(store.root)], suite="two")) == 1


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet", ".md", ".tex"])
def test_the_command_writes_every_format(
    stores: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"found{ending}"
    assert main(["compare", str(stores / "one"), str(stores / "two:x"), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "not distinguishable" in shown
    assert "Ranks, with what they are" in shown
    readers = {
        ".csv": lambda: len(list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))),
        ".jsonl": lambda: len(list(map(json.loads, out.read_text().splitlines()))),
        ".parquet": lambda: len(pd.read_parquet(out)),
        ".md": lambda: out.read_text().count("| not distinguishable |"),
        ".tex": lambda: out.read_text().count("\nlevel &"),
    }
    assert readers[ending]() == 3


def test_the_command_s_json_and_errors(stores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(stores / "one"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "a2bench/compare/1"
    (one,) = told["pairs"]
    assert (one["a"], one["b"], one["n"], len(one["cases"])) == (
        "my-generator (1)",
        "other (1)",
        7,
        7,
    )
    assert main(["compare", str(stores / "one"), "--out", "x.pdf"]) == 1
    assert main(["compare", str(stores / "two:x")]) == 1
    assert "name two" in capsys.readouterr().err
