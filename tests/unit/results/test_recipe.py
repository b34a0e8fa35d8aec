from __future__ import annotations

from contextlib import suppress
from math import inf
from pathlib import Path

import pandas as pd
import pytest

from a2bench.cli import main
from a2bench.errors import CannotRun, UnknownName
from a2bench.registry import build_profile
from a2bench.results.cells import known_limits
from a2bench.results.leaderboard import collect, table
from a2bench.results.ranks import scored
from a2bench.results.recipe import Recipe, load_recipe, parse, recipes
from a2bench.results.score_table import to_markdown, with_scores
from a2bench.results.table import csv_of, lines_of, read_table
from a2bench.runs.store import RunStore
from tests.helpers.fakes import Level, Misbehaves
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do

TABLE_1 = Path("leaderboards/skyreels-a2-table-1.csv")
LEVEL = """
name = "mine"
version = "3"
title = "t"
note = "n"
divisor = 2.0
[weights]
level = 1.0
[bounds]
level = [0.1, 0.3]
"""


def table_of(tables: list[pd.DataFrame], recipe: Recipe) -> pd.DataFrame:
    """The tables, one below the other, with their scores."""
    whole = pd.concat(tables, ignore_index=True)
    return with_scores(whole, scored(lines_of(whole), recipe), recipe)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("table1", [0.807, 0.821, 0.826, 0.818]),
        ("bounded", [0.615, 0.625, 0.629, 0.623]),
        ("equal", [0.651, 0.661, 0.667, 0.665]),
    ],
)
def test_the_recipes_on_the_published_table(name: str, expected: list[float]) -> None:
    found = table_of([read_table(TABLE_1)], load_recipe(name))
    assert [round(float(value), 3) for value in found["comprehensive"]] == expected
    assert list(found["comprehensive_rank"]) == [
        4,
        2 if name != "equal" else 3,
        1,
        3 if name != "equal" else 2,
    ]
    assert set(found["comprehensive_recipe"]) == {f"{name}@1"}


def test_table1_is_the_paper_s_own_score_and_says_that_it_is_inferred() -> None:
    recipe = load_recipe("table1")
    found = table_of([read_table(TABLE_1)], recipe)
    assert list(found["comprehensive"].round(3)) == list(found["comprehensive_published"])
    assert "inferred" in recipe.title
    assert "Unofficial" in recipe.note


def test_every_recipe_has_weights_for_the_eight_metrics_of_the_paper_or_those_of_lite() -> None:
    assert recipes() == ("bounded", "equal", "lite", "table1")
    columns = set(read_table(TABLE_1))
    for name in recipes():
        weights = load_recipe(name).weights
        assert len(weights) == (6 if name == "lite" else 8)
        assert weights.keys() <= columns
    lacking = {"aesthetic_quality", "text_similarity"}
    assert load_recipe("equal").weights.keys() - load_recipe("lite").weights.keys() == lacking


def test_a_row_with_a_lacking_part_is_neither_scored_nor_ranked() -> None:
    rows = read_table(TABLE_1)
    rows.loc[2, "motion_smoothness"] = None
    recipe = load_recipe("table1")
    found = table_of([rows], recipe)
    assert pd.isna(found["comprehensive"][2])
    assert found["comprehensive_lacks"][2] == "motion_smoothness"
    assert list(found["comprehensive_rank"].fillna(0)) == [3, 1, 0, 2]
    assert "lacks motion_smoothness" in to_markdown(scored(lines_of(rows), recipe), recipe)


def test_a_metric_that_failed_on_one_case_makes_the_row_incomplete(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 2), Level(), Misbehaves(how="raise")), store)
    rows = table(collect([store]))
    (line,) = table_of([rows], parse(LEVEL)).to_dict("records")
    assert line["comprehensive"] == pytest.approx((line["level"] - 0.1) / 0.2 / 2, rel=1e-12)
    assert line["comprehensive_recipe"] == "mine@3"
    (line,) = table_of([rows.assign(level_n_failed=1)], parse(LEVEL)).to_dict("records")
    assert pd.isna(line["comprehensive"])
    assert line["comprehensive_lacks"] == "level (1 failed)"


def test_ranks_do_not_cross_profiles_suites_or_versions() -> None:
    rows = pd.DataFrame(
        {
            "model": ["a", "b", "c", "d", "e"],
            "profile": ["lite", "lite", "paper", "lite", "lite"],
            "suite": ["s", "s", "s", "t", "s"],
            "metric_versions": ["level@1 x@1", "level@1", "level@1", "level@1", "level@2"],
            "level": [0.1, 0.2, 0.1, 0.1, 0.1],
        }
    )
    found = table_of([rows], parse(LEVEL))
    assert list(found["comprehensive_rank"].fillna(0)) == [2, 1, 1, 1, 0]
    assert list(found["comprehensive_unranked"]) == [*[""] * 4, "level measured otherwise"]


def test_equal_scores_share_a_rank() -> None:
    rows = pd.DataFrame({"model": ["a", "b", "c"], "profile": "p", "suite": "s"})
    found = table_of([rows.assign(level=[0.3, 0.3, 0.2])], parse(LEVEL))
    assert list(found["comprehensive_rank"]) == [1, 1, 3]


def test_the_parts_stand_beside_the_score() -> None:
    recipe = load_recipe("table1")
    text = to_markdown(scored(lines_of(read_table(TABLE_1)), recipe), recipe)
    head, _, pika = text.splitlines()[:3]
    assert all(name in head for name in recipe.weights)
    assert pika.count("|") == head.count("|")
    assert "| 0.388 |" in pika and "| 0.807 |" in pika
    assert "table1@1, inferred" in text and "Unofficial" in text


def test_tables_are_joined_and_no_cell_becomes_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("model,profile,suite,level,note\n=1+1,p,s,0.2,\n")
    found = table_of([read_table(TABLE_1), read_table(path)], load_recipe("table1"))
    assert pd.isna(found["comprehensive"][4])
    assert list(found["model"]) == ["Pika", "Vidu", "Keling", "SkyReels-A2", "=1+1"]
    assert "\n'=1+1,,p,s," in csv_of(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("level = 1.0", "level = -1.0"), "0 or more"),
        (("level = 1.0", "level = 0"), "one of them is more"),
        (("level = 1.0", "level = nan"), "no finite number"),
        (("divisor = 2.0", "divisor = 0"), "divisor is more than 0"),
        (("divisor = 2.0", ""), "no divisor"),
        (("[0.1, 0.3]", "[0.3, 0.1]"), "bounds of level"),
        (("level = [0.1", "other = [0.1"), "bounds of other"),
        (("[0.1, 0.3]", "1"), "bounds of level"),
        (("[0.1, 0.3]", "[0.1]"), "bounds of level"),
        (("[weights]", "[weights"), "Expected"),
        (("[weights]\nlevel = 1.0", "weights = 1"), "are tables"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = tmp_path / "r.toml"
    path.write_text(LEVEL.replace(*change, 1))
    with pytest.raises(CannotRun, match=message):
        load_recipe(str(path))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="bounded, equal, lite, table1"):
        load_recipe("mean")
    with pytest.raises(CannotRun, match=r"none\.toml"):
        load_recipe(str(tmp_path / "none.toml"))
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CannotRun, match="no column model, profile, suite"):
        read_table(path)
    with pytest.raises(CannotRun, match="is no leaderboard"):
        read_table(tmp_path / "none.csv")


def written(path: Path, *changes: tuple[str, str]) -> Path:
    """Table 1 with other texts in it."""
    text = TABLE_1.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) >= 1
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            [("0.455", "71.2")],
            "row 2 (Vidu), id_consistency: 71.2 is outside -1 to 1; is it in perc",
        ),
        (
            [("0.565", "1.5")],
            "row 2 (Vidu), image_quality: 1.5 is outside 0 to 1; is it in percent?",
        ),
        ([("0.565", "-3")], "row 2 (Vidu), image_quality: -3 is outside 0 to 1"),
        ([("0.388", '"0,388"')], "row 1 (Pika), id_consistency: '0,388' is no number: write 0.388"),
        ([("0.388", "0,388")], "row 1 (Pika): 15 cells, but 14 columns; is there a decimal comma?"),
        ([("0.388", "38.8%")], "row 1 (Pika), id_consistency: '38.8%' is no number: write 0.388"),
        ([("0.388", '"38,8 %"')], "id_consistency: '38,8 %' is no number: write 0.388"),
        ([("0.388", "-")], "'-' is no number: leave the cell empty where there is none"),
        ([("0.388", " ")], "' ' is no number"),
        ([("0.388", "0.388 ± 0.01")], "'0.388 ± 0.01' is no number"),
        ([("0.918", "True")], "row 1 (Pika), dynamic_degree: 'True' is no number"),
        ([("0.388", "inf")], "id_consistency: 'inf' is no finite number"),
        ([("0.388", "1e999")], "id_consistency: '1e999' is no finite number"),
        ([("object_consistency", "id_consistency")], "several columns are called 'id_consistency'"),
        ([("comprehensive_published", "id_consistency_n_failed"), ("0.807", "1.5")], "is no count"),
        ([("comprehensive_published", "level_low"), ("source", "level")], "is no number"),
    ],
)
def test_a_cell_that_is_no_value_of_its_metric_is_refused_by_name(
    tmp_path: Path, changes: list[tuple[str, str]], told: str
) -> None:
    path = written(tmp_path / "mine.csv", *changes)
    with pytest.raises(CannotRun) as caught:
        read_table(path, load_recipe("table1").limits)
    assert told in str(caught.value)
    assert "mine.csv" in str(caught.value)


def test_all_faults_are_told_at_once_and_each_with_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "mine.csv", ("0.455", "45.5"), ("0.796", "79.6"))
    out = tmp_path / "x.csv"
    words = ["leaderboard", str(TABLE_1), str(path), "--recipe", "equal", "--out", str(out)]
    assert main(words) == 3
    told = capsys.readouterr().err
    assert f"{path}, row 2 (Vidu), id_consistency: 45.5 is outside -1 to 1; is it in" in told
    assert f"{path}, row 2 (Vidu), object_consistency: 79.6 is outside -1 to 1" in told
    assert not out.exists()


def test_empty_cells_lack_and_are_no_fault(tmp_path: Path) -> None:
    for number, empty in enumerate(("", "NA", "nan", "null", "None", "n/a", "<NA>", "#N/A")):
        path = written(tmp_path / f"{number}.csv", ("0.388", empty))
        found = scored(lines_of(read_table(path)), load_recipe("table1"))
        assert [one.lacks for one in found] == ["id_consistency", "", "", ""], empty


def test_a_value_out_of_bounds_is_never_scored_wherever_it_comes_from() -> None:
    rows = read_table(TABLE_1)
    rows.loc[1, "id_consistency"] = 71.2
    found = scored(lines_of(rows), load_recipe("table1"))
    assert found[1].lacks == "id_consistency (71.2 is outside -1 to 1)"
    assert [one.rank for one in found] == [3, None, 1, 2]


def test_the_bounds_of_a_metric_come_before_a_recipe_s_scale(tmp_path: Path) -> None:
    """Fitted recipes scale by less than a metric's own range, and clip nothing."""
    text = LEVEL.replace("level", "motion_smoothness").replace("[0.1, 0.3]", "[0.706, 0.9975]")
    assert parse(text).limits == {"motion_smoothness": (0.0, 1.0)}
    assert parse(LEVEL).limits == {"level": (0.1, 0.3)}
    assert parse(LEVEL.split("[bounds]", maxsplit=1)[0]).limits == {"level": (-inf, inf)}


def test_the_table_of_bounds_is_what_the_profiles_declare() -> None:
    declared: dict[str, list[tuple[float, float]]] = {}
    for profile in ("lite", "paper"):
        for metric in build_profile(profile).metrics[:8]:  # what follows enters no recipe
            with suppress(CannotRun):  # its weights are not here
                info = metric.info
                declared.setdefault(info.name, []).append((info.low, info.high))
    known = known_limits()
    assert declared.keys() == known.keys()
    for name, bounds in declared.items():
        assert all(known[name][0] <= low and high <= known[name][1] for low, high in bounds), name
    assert (known["image_quality"], known["text_similarity"]) == ((0.0, 1.0), (-1.0, 1.0))
    assert known["id_consistency"] == (-1.0, 1.0)  # tables of others may hold cosines


def test_a_row_that_two_tables_hold_stands_once(tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    words = ["leaderboard", str(TABLE_1), "--recipe", "table1", "--out", str(out)]
    assert main(words) == 0
    again = tmp_path / "y.csv"
    assert main(["leaderboard", str(out), *words[1:4], "--out", str(again)]) == 0
    assert list(pd.read_csv(again)["comprehensive_rank"]) == [4, 2, 1, 3]
    assert len(pd.read_csv(again)) == 4


def test_a_table_alone_is_only_read_to_be_scored(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", str(TABLE_1), "--out", "x.csv"]) == 1
    assert "a table is only read to be scored: give --recipe" in capsys.readouterr().err
