"""What the leaderboard's page draws."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from a2bench.errors import CannotRun
from a2bench.results import charts
from a2bench.results.ranks import scored
from a2bench.results.recipe import load_recipe
from a2bench.results.table import Line, lines_of, read_table
from a2bench.results.videos import case_of, gallery
from a2bench.runs.store import RunStore
from tests.helpers import ROOT
from tests.helpers.fakes import Level, Misbehaves
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do

LEADERBOARDS = ROOT / "leaderboards"


@pytest.fixture
def published() -> list[Line]:
    return lines_of(read_table(LEADERBOARDS / "skyreels-a2-table-1.csv"))


@pytest.fixture
def ours() -> list[Line]:
    return lines_of(read_table(LEADERBOARDS / "a2bench-open-lite.csv"))


def test_metrics_are_the_columns_of_means(published: list[Line], ours: list[Line]) -> None:
    found = charts.metrics_of(published)
    assert found[0] == "id_consistency"
    assert len(found) == 8
    held = charts.metrics_of(ours)
    assert set(held) <= set(found)
    assert "text_similarity" not in held  # the profile lite has no value for it


def test_names_and_groups_of_tables_with_other_columns() -> None:
    """A column that only one table has is NaN in the rows of the other: it is not shown."""
    names = ("skyreels-a2-table-1.csv", "a2bench-open-lite.csv")
    both = lines_of(pd.concat([read_table(LEADERBOARDS / name) for name in names]))
    assert both[0].group == "A2-Bench, profile published"
    assert both[-1].group == "a2bench-open 1.0, profile lite"
    assert [line.name for line in both[:4]][2:] == ["Keling (1.6)", "SkyReels-A2"]


def test_cells_say_means_intervals_and_what_is_lacking() -> None:
    row = {"model": "m", "profile": "p", "suite": "s", "x": 0.5, "x_low": 0.4, "x_high": 0.6}
    table = pd.DataFrame([{**row, "x_n_failed": 2, "x_n_na": 0}, {**row, "x": None, "x_n_na": 3}])
    lines = lines_of(table)
    shown = charts.shown_table(lines)
    assert list(shown["x"]) == ["0.500 [0.400, 0.600] (2 failed)", "– (3 not applicable)"]
    assert len(charts.means(lines)) == 1


def test_diagnostics_are_in_the_table_and_in_no_chart() -> None:
    row = {"model": "m", "profile": "p", "suite": "s", "x": 0.5, "cuts": 3.0, "frozen_share": 0.2}
    lines = lines_of(pd.DataFrame([row]))
    assert list(charts.shown_table(lines)) == ["model", "cases", "x", "cuts", "frozen_share"]
    assert list(charts.means(lines)["metric"]) == ["x"]


def test_metrics_of_other_cases_are_named() -> None:
    row = {"model": "m", "profile": "p", "suite": "s", "x": 0.5, "y": 0.5, "cases": 2}
    told = [{"x": "d/2-a", "y": f"d/2-{cases}"} for cases in ("a", "b")]
    table = pd.DataFrame([{**row, "measured": json.dumps(one)} for one in told])
    assert charts.other_cases(lines_of(table)) == ["y"]
    fewer = pd.DataFrame([row, {**row, "cases": 1}])
    assert charts.other_cases(lines_of(fewer)) == ["x", "y"]
    assert charts.other_cases(lines_of(fewer[:1])) == []


def test_the_radar_closes_and_its_first_axis_points_up(published: list[Line]) -> None:
    lines = charts.means(published)
    corners = charts.radar(lines)
    one = corners[corners["model"] == "Pika (2.1)"].sort_values("corner")
    assert len(one) == 9
    assert tuple(one.iloc[0][["x", "y"]]) == tuple(one.iloc[-1][["x", "y"]])
    assert one.iloc[0]["x"] == pytest.approx(0)
    assert one.iloc[0]["y"] == pytest.approx(0.388)
    assert one.iloc[2]["x"] == pytest.approx(0.733)  # a quarter of the way: to the right
    assert len(charts.axes(lines)) == 8
    assert len(charts.net(lines)) == 4 * 9


def test_a_metric_beyond_1_is_divided_by_its_greatest_mean() -> None:
    rows = [("a", "x", 0.5), ("a", "mos", 2.0), ("b", "mos", 4.0), ("b", "x", -0.1)]
    lines = pd.DataFrame(rows, columns=["model", "metric", "mean"])
    corners = charts.radar(lines)
    size = (corners["x"] ** 2 + corners["y"] ** 2) ** 0.5
    assert list(size[:4].round(6)) == [0.5, 0.5, 1.0, 0.0]


def test_parts_add_up_to_the_score(published: list[Line]) -> None:
    recipe = load_recipe("table1")
    table = scored(published, recipe)
    sums = charts.parts(table, recipe).groupby("model", sort=False)["part"].sum()
    assert [round(value, 3) for value in sums] == [0.807, 0.821, 0.826, 0.818]
    best = charts.ranked(table, recipe)[0]
    assert (best["rank"], best["model"], best["comprehensive"]) == ("1", "Keling (1.6)", "0.826")
    assert "lacks" not in best


def test_rows_that_lack_something_come_last_and_say_what(
    published: list[Line], ours: list[Line]
) -> None:
    recipe = load_recipe("table1")
    table = scored([*ours, *published], recipe)
    rows = charts.ranked(table, recipe)
    assert rows[0]["comprehensive"] == "0.826"
    assert (rows[-1]["rank"], rows[-1]["comprehensive"]) == ("–", "–")
    assert "text_similarity" in rows[-1]["lacks"]
    assert set(charts.parts(table, recipe)["model"]) == {row["model"] for row in rows[:4]}


def test_the_gallery_holds_each_video_with_its_scores(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    suite = make_suite(tmp_path / "s", 2)
    do(ask(suite, Level(), Misbehaves(how="raise")), store)
    found = gallery([store.root])
    assert [one.video.case for one in found] == ["case-001", "case-002"]
    assert all(set(one.scores) == {"level"} for one in found)
    media = {one.media: one.path for one in found}
    assert len(media) == 2
    assert all(path.is_file() and "case" not in name for name, path in media.items())
    assert case_of(found[0]) is None  # the suite is not at hand by its name


def test_a_folder_without_a_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="no run store"):
        gallery([tmp_path])
    assert gallery([]) == []
