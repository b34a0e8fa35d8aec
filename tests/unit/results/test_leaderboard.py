from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from a2bench.results.leaderboard import collect, table, to_csv, to_markdown
from a2bench.results.table import csv_of, lines_of, read_table
from a2bench.runs.store import RunStore
from a2bench.stats import bootstrap_mean
from tests.helpers.fakes import Level, Misbehaves
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do


def test_a_row_holds_mean_interval_counts_and_versions(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 4), Level(), Misbehaves(how="raise")), store)
    rows = collect([store])
    (line,) = table(rows).to_dict("records")
    values = [r.value for r in store.records().values() if r.value is not None]
    assert line["level"] == pytest.approx(sum(values) / 4, rel=1e-12)
    assert line["level_low"] < line["level"] < line["level_high"]
    assert (line["level_n_ok"], line["level_n_failed"], line["level_n_na"]) == (4, 0, 0)
    assert (line["does_raise_n_ok"], line["does_raise_n_failed"]) == (0, 4)
    assert pd.isna(line["does_raise"])
    assert line["metric_versions"] == "does_raise@1 level@1"
    assert (line["profile"], line["suite"], line["cases"], line["seeds"]) == ("test", "tiny", 4, 1)
    assert len(line["suite_sha256"]) == 64


def test_what_was_asked_for_and_not_done_is_missing_not_left_out(tmp_path: Path) -> None:
    from a2bench.runs.executors import Serial
    from a2bench.runs.loop import Policy, perform, plan

    request, store = ask(make_suite(tmp_path / "s", 3)), RunStore(tmp_path / "store")
    jobs = plan(request, {}, Policy.ONLY_MISSING).jobs
    perform(request, jobs[:1], store, Serial())
    (line,) = table(collect([store])).to_dict("records")
    assert (line["level_n_ok"], line["level_n_missing"], line["cases"]) == (1, 2, 3)


def test_profiles_suites_and_models_never_share_a_row(tmp_path: Path) -> None:
    from dataclasses import replace

    suite, store = make_suite(tmp_path / "s", 2), RunStore(tmp_path / "store")
    request = ask(suite)
    do(request, store)
    do(replace(request, profile="paper"), store)
    do(replace(request, generator=MyGenerator(name="other")), store)
    smaller = replace(suite, cases=suite.cases[:1])
    do(replace(request, suite=smaller, cases=smaller.cases), store)
    assert len(collect([store])) == 4


def test_the_newest_version_of_a_metric_counts_alone(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s", 2), RunStore(tmp_path / "store")
    do(ask(suite, Level(version="1")), store)
    do(ask(suite, Level(version="2")), store)
    (line,) = table(collect([store])).to_dict("records")
    assert line["metric_versions"] == "level@2"
    assert line["level_n_ok"] == 2


def test_runs_of_parts_of_a_suite_make_one_row(tmp_path: Path) -> None:
    from dataclasses import replace

    suite, store = make_suite(tmp_path / "s", 3), RunStore(tmp_path / "store")
    request = ask(suite)
    do(replace(request, cases=suite.cases[:1]), store)
    do(replace(request, cases=suite.cases[1:]), store)
    (line,) = table(collect([store])).to_dict("records")
    assert (line["cases"], line["level_n_ok"]) == (3, 3)


def test_seeds_of_one_case_are_averaged_before_cases_are(tmp_path: Path) -> None:
    from dataclasses import replace

    suite, store = make_suite(tmp_path / "s", 2), RunStore(tmp_path / "store")
    request = ask(suite)
    do(request, store)
    do(replace(request, cases=suite.cases[:1], seeds=(0, 1, 2)), store)
    (row,) = collect([store])
    by_case: dict[str, list[float]] = {}
    for record in store.records().values():
        if record.value is not None:
            by_case.setdefault(record.case_key, []).append(record.value)
    expected = sum(sum(v) / len(v) for v in by_case.values()) / 2
    interval = row.cell("level").interval
    assert interval is not None
    assert interval.mean == pytest.approx(expected, rel=1e-12)
    assert interval.mean == bootstrap_mean([by_case[k] for k in sorted(by_case)]).mean


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x"])
def test_csv_cells_are_no_formulas(tmp_path: Path, name: str) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 1), generator=MyGenerator(name=name)), store)
    assert to_csv(collect([store])).splitlines()[1].startswith(f"'{name}")


def test_csv_columns_are_no_formulas_and_are_read_as_they_were(tmp_path: Path) -> None:
    store, name = RunStore(tmp_path / "store"), "=HYPERLINK(1)"
    do(ask(make_suite(tmp_path / "s", 1), Level(name=name), Level(name="-x")), store)
    path = tmp_path / "board.csv"
    path.write_text(to_csv(collect([store])), encoding="utf-8")
    heads = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {f"'{name}", f"'{name}_low", "'-x"} <= set(heads)
    assert not [head for head in heads if head.startswith(("=", "-", "+", "@"))]
    (line,) = lines_of(read_table(path))
    assert set(line.means) == {name, "-x"} == set(line.measured)
    assert csv_of(read_table(path)).splitlines()[0].split(",") == heads


def test_markdown_keeps_foreign_text_in_its_cell(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 1), generator=MyGenerator(name="a|b<script>")), store)
    text = to_markdown(collect([store]))
    assert "a\\|b&lt;script&gt;" in text
    header, rule, row = text.splitlines()[:3]
    assert header.count("|") == rule.count("|") == row.count("|") - 1


def test_an_interval_is_cut_at_the_bounds_of_the_metric(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 2)), store)
    (row,) = collect([store])
    values = [r.value for r in store.records().values() if r.value is not None]
    free = bootstrap_mean([[value] for value in values])
    cut = row.cell("level").interval
    assert cut is not None
    assert free.low is not None and free.low < 0
    assert (cut.low, cut.mean) == (0.0, free.mean)


def test_a_metric_that_a_row_was_not_asked_for_is_empty_and_not_missing(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s", 2), RunStore(tmp_path / "store")
    do(ask(suite), store)
    do(ask(suite, Level(name="extra"), generator=MyGenerator(name="other")), store)
    mine, other = table(collect([store])).to_dict("records")
    assert (mine["extra_n_missing"], other["extra_n_ok"]) == (0, 2)
    assert pd.isna(mine["extra"])
    assert "| – |" in to_markdown(collect([store]))
