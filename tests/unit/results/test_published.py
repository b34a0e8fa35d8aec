"""Published tables: every file is read strictly, and equal rows are equal.

What follows from the figures of STIV is in test_published_stiv.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from math import inf
from pathlib import Path

import pytest

from a2bench.cli import main
from a2bench.errors import CannotRun
from a2bench.metric import within
from a2bench.registry import build_profile
from a2bench.results.published import COLUMNS, Published, parse, published, reported
from a2bench.results.recipe import load_recipe, recipes
from a2bench.results.table import lines_of, read_table
from tests.helpers import ROOT
from tests.helpers.published import TABLES, column, noted, order, rows

LEADERBOARDS = ROOT / "leaderboards"


def test_every_file_is_read_in_full() -> None:
    files = sorted(LEADERBOARDS.glob("published-*.csv"))
    assert [path.stem.removeprefix("published-") for path in files] == [
        "ingredients", "lynx", "open-baselines", "skyreels-a2", "stiv",
    ]  # fmt: skip
    lines = sum(len(list(csv.reader(path.read_text("utf-8").splitlines()))) - 1 for path in files)
    assert sum(len(table.figures) for table in published()) == lines == 1376
    assert [name for name in TABLES if not name.startswith("stiv-")] == [
        "ingredients-1", "ingredients-2", "ingredients-3", "lynx-1", "lynx-2", "lynx-3",
        "open-baselines-skyreels-v3", "open-baselines-hunyuancustom", "skyreels-a2-1",
        "skyreels-a2-2",
    ]  # fmt: skip
    assert [name for name in TABLES if name.startswith("stiv-")] == [
        f"stiv-{number}" for number in range(2, 23)
    ]


def test_each_figure_stands_once_and_no_cell_is_a_formula() -> None:
    for table in published():
        places = [(one.model, one.metric) for one in table.figures]
        assert len(places) == len(set(places)), table.name
        for one in table.figures:
            assert not one.model.startswith(("=", "+", "-", "@")), one
            assert not one.note.startswith(("=", "+", "-", "@")), one
            assert one.n is None or one.n in (49, 100, 800), one
        assert table.title
        assert table.note


def bounds() -> dict[str, tuple[float, float]]:
    """Those of every metric that a2bench has."""
    found: dict[str, tuple[float, float]] = {}
    for profile in (build_profile("lite"), build_profile("paper")):
        for metric in (*profile.metrics, *profile.more):
            with suppress(CannotRun):  # its weights are not here
                low, high = found.get(metric.info.name, (metric.info.low, metric.info.high))
                found[metric.info.name] = min(low, metric.info.low), max(high, metric.info.high)
    return {"face_fid": (0.0, inf), **found}  # its description needs its weights


def test_values_are_in_the_units_of_a2bench() -> None:
    known = bounds()
    ours = {one.metric for table in published() for one in table.figures} & known.keys()
    assert ours >= {
        *load_recipe("table1").weights, "vbench_subject_consistency", "vbench_quality",
        "vbench_background_consistency", "vbench_temporal_flickering", "multi_identity",
        "face_fid", "clip_text_similarity", "face_resemblance_facexlib",
        "face_resemblance_insightface",
    }  # fmt: skip
    for table in published():
        for one in table.figures:
            assert within(one.value, known.get(one.metric, (-1.0, 1e4))), (table.name, one)
            if one.metric.startswith("vbench_"):
                assert 0.07 < one.value < 1, (table.name, one)


def test_table_1_of_skyreels_a2_is_the_one_that_recipes_read() -> None:
    wide = {
        f"{line.model} {line.revision}".strip(): line.means
        for line in lines_of(read_table(LEADERBOARDS / "skyreels-a2-table-1.csv"))
    }
    tidy = rows("skyreels-a2-1")
    scores = {model: row.pop("comprehensive_published") for model, row in tidy.items()}
    assert tidy == wide
    recipe = load_recipe("table1")
    assert {model: round(recipe.score(row), 3) for model, row in tidy.items()} == scores


def test_a_dynamic_degree_tells_how_many_videos_there_were() -> None:
    def counts(printed: str) -> list[Fraction]:
        pairs = ((k, n) for n in range(1, 51) for k in range(n + 1))
        return [Fraction(k, n) for k, n in pairs if f"{k / n:.3f}" == printed]

    degree = column("skyreels-a2-1", "dynamic_degree")
    assert (degree["Pika 2.1"], degree["Vidu 2.1"]) == (0.918, 0.878)
    assert counts("0.918") == [Fraction(45, 49)]
    assert counts("0.878") == [Fraction(36, 41), Fraction(43, 49)]
    known = {(one.model, one.metric, one.n) for one in TABLES["skyreels-a2-1"].figures if one.n}
    assert known == {("Pika 2.1", "dynamic_degree", 49), ("Vidu 2.1", "dynamic_degree", 49)}
    assert noted("skyreels-a2-1", "dynamic_degree") == {"Pika 2.1", "Vidu 2.1"}


def test_skyreels_a2_equal_rows() -> None:
    best, ablation = rows("skyreels-a2-1")["SkyReels-A2"], rows("skyreels-a2-2")
    assert {len(row) for row in ablation.values()} == {5}
    equal = {
        model
        for model, row in ablation.items()
        if all(best[metric] == value for metric, value in row.items())
    }
    assert equal == {"before VAE", "cross-1", "alpha 0:1"}
    assert noted("skyreels-a2-2") == {"before VAE", "after VAE", "alpha 0:1"}
    identity = column("skyreels-a2-1", "id_consistency")
    assert order(identity) == ["Keling 1.6", "Vidu 2.1", "SkyReels-A2", "Pika 2.1"]


@pytest.mark.parametrize(
    ("name", "metric", "expected"),
    [
        ("lynx-1", "face_resemblance_facexlib", "Lynx SkyReels-A2 Phantom Stand-In VACE MAGREF"),
        ("lynx-1", "face_resemblance_insightface", "Lynx SkyReels-A2 Phantom Stand-In VACE MAGREF"),
        ("lynx-1", "lynx_face_resemblance_in_house", "Lynx SkyReels-A2 Phantom Stand-In "
         "VACE MAGREF"),
        ("lynx-2", "lynx_prompt_following", "Lynx VACE Phantom MAGREF Stand-In SkyReels-A2"),
        ("lynx-2", "lynx_aesthetic_quality", "Lynx VACE Phantom Stand-In MAGREF SkyReels-A2"),
        ("lynx-2", "lynx_motion_naturalness", "VACE Lynx Phantom SkyReels-A2 Stand-In MAGREF"),
        ("lynx-2", "lynx_video_quality", "Lynx VACE Stand-In Phantom MAGREF SkyReels-A2"),
    ],
)  # fmt: skip
def test_ranks_of_lynx(name: str, metric: str, expected: str) -> None:
    assert order(column(name, metric)) == expected.split()


def test_lynx_ablation() -> None:
    ablation, ours = rows("lynx-3"), rows("lynx-1")["Lynx"] | rows("lynx-2")["Lynx"]
    assert ablation["Lynx"] == {metric: ours[metric] for metric in ablation["Lynx"]}
    first = {metric: order(column("lynx-3", metric))[0] for metric in ablation["Lynx"]}
    assert first == {
        "face_resemblance_insightface": "Lynx",
        "lynx_prompt_following": "Lynx, Ref-adapter only",
        "lynx_video_quality": "Lynx",
    }
    assert TABLES["lynx-1"].counts == TABLES["lynx-2"].counts == (800,)


def test_ingredients_full_row_is_the_same_everywhere() -> None:
    tables = [rows(f"ingredients-{number}") for number in (1, 2, 3)]
    assert [len(table) for table in tables] == [3, 4, 3]
    full = {"multi_identity": 0.771, "clip_text_similarity": 0.267, "face_fid": 106.3}
    assert [table["Ingredients"] for table in tables] == [full] * 3
    assert "face_fid" not in tables[0]["CogVideoX"]
    for number in (1, 2, 3):
        assert order(column(f"ingredients-{number}", "multi_identity"))[0] == "Ingredients"
    assert order(column("ingredients-3", "clip_text_similarity"))[0] == "no routing loss"


def test_instruction_following_of_skyreels_v3_is_the_lowest() -> None:
    found = column("open-baselines-skyreels-v3", "skyreels_v3_instruction_following")
    assert order(found)[-1] == "SkyReels-V3"
    assert noted("open-baselines-skyreels-v3") == {"SkyReels-V3"}


def test_reported_gives_the_rows_that_have_a_metric() -> None:
    found = reported(["face_resemblance_facexlib", "id_consistency", "no_such_metric"])
    assert {row.table.name for row in found} == {"lynx-1", "skyreels-a2-1", "skyreels-a2-2"}
    assert len(found) == 6 + 4 + 9
    lynx = found[0]
    assert (lynx.table.name, lynx.model) == ("lynx-1", "SkyReels-A2")
    assert {name: one.value for name, one in lynx.figures.items()} == {
        "face_resemblance_facexlib": 0.715
    }
    assert reported([]) == reported(["judge_lynx_video_quality"]) == []


def test_notes_say_what_they_are_on() -> None:
    general, turbo, lavie, smallest = TABLES["stiv-8"].notes[:1] + noted_lines("stiv-8")
    assert general == TABLES["stiv-8"].note
    assert turbo.startswith("T2V-Turbo (vbench_quality): Table 12 has .826")
    assert lavie.startswith("LaVie-2 (vbench_semantic): ")
    assert smallest.startswith("M-256 (vbench_quality): ")
    (told,) = TABLES["lynx-2"].notes[1:]
    assert told.startswith("Lynx (lynx_prompt_following, lynx_aesthetic_quality, lynx_motion_")


def noted_lines(name: str) -> list[str]:
    """The notes on figures, the first of each model."""
    first = {note.partition(" (")[0]: note for note in reversed(TABLES[name].notes[1:])}
    return list(reversed(first.values()))


ABOUT = {"mine-1": {"title": "a title", "note": "two\nlines "}}
HEAD = ",".join(COLUMNS)


def table_of(*lines: str, head: str = HEAD) -> list[Published]:
    return parse("\n".join([head, *lines]), "mine", ABOUT)


def test_a_table_is_read_as_it_stands() -> None:
    (found,) = table_of('arXiv:1,1,a,level,0.5,3,"of three, say"', "arXiv:1,1,b,level,-1e-2,,")
    assert (found.name, found.source, found.table) == ("mine-1", "arXiv:1", "1")
    assert (found.title, found.note) == ("a title", "two lines")
    assert (found.models, found.metrics, found.counts) == (("a", "b"), ("level",), (3,))
    assert [(one.value, one.n) for one in found.figures] == [(0.5, 3), (-0.01, None)]
    assert found.notes == ["two lines", "a (level): of three, say"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["x,1,a,level,0.5,,", "x,1,a,level,0.6,,"], r"line 3: a, level comes twice"),
        (["x,1,a,level,0.5,,", "y,1,b,level,0.6,,"], r"line 3: another source of table 1"),
        (["x,1,a,level,0.5,"], r"published-mine\.csv, line 2: 6 cells"),
        (["x,1,a,level,0.5,,,"], r"line 2: 8 cells"),
        ([",1,,level,0.5,,"], r"no source and no model"),
        (["x,1,a,level,,,"], r"'' is no value"),
        (["x,1,a,level,nan,,"], r"'nan' is no value"),
        (["x,1,a,level,45%,,"], r"'45%' is no value"),
        (["x,1,a,level,0.5,0,"], r"'0' is no n"),
        (["x,1,a,level,0.5,49.0,"], r"'49\.0' is no n"),
        (["x,1,a,Face Sim.,0.5,,"], r"'Face Sim\.' is no metric"),
        (["x,Table 1,a,level,0.5,,"], r"'Table 1' is no table"),
        (["x,2,a,level,0.5,,"], r"published\.toml: mine-2 has a title and a note"),
    ],
)  # fmt: skip
def test_what_is_no_figure_is_refused(lines: Sequence[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table_of(*lines)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (f"{HEAD},unit", "unknown column unit"),
        (HEAD.replace("note", "notes"), "unknown column notes"),
        ("source,table", "the columns are source, table, model"),
        (f"{HEAD},note", "each once, in this order"),
        ("", "the columns are"),
    ],
)
def test_other_columns_are_refused(head: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table_of(head=head)


def test_no_other_reader_takes_the_files_for_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recipes() == ("bounded", "equal", "lite", "table1")
    out = tmp_path / "x.csv"
    for path in sorted(LEADERBOARDS.glob("published-*.csv")):
        words = ["leaderboard", str(path), "--recipe", "equal", "--out", str(out)]
        assert main(words) == 3
        told = capsys.readouterr().err
        assert f"{path} is no leaderboard: it has published figures" in told
        assert "a2bench list tables" in told
    assert not out.exists()


def test_list_tables_shows_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "tables"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in TABLES)
