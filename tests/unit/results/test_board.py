"""The files of a leaderboard: frames, Markdown, LaTeX."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from a2bench.cli import main
from a2bench.errors import UsageError
from a2bench.results.board import TIDY, Board, board, tidied, to_latex, write
from a2bench.results.leaderboard import Row, table, with_values
from a2bench.results.ranks import scored
from a2bench.results.recipe import Recipe, load_recipe, parse
from a2bench.results.table import lines_of
from a2bench.runs.store import RunStore
from a2bench.text import latex_text
from tests.helpers import ROOT
from tests.helpers.fakes import Level
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_suite
from tests.helpers.rows import row
from tests.helpers.runs import ask, do

PUBLISHED = ROOT / "leaderboards" / "skyreels-a2-table-1.csv"
RECIPE = parse(
    """
    name = "r"
    version = "1"
    title = "t"
    note = "n"
    divisor = 1.0
    [weights]
    m = 1.0
    """
)


def of(*rows: Row, recipe: Recipe | None = None) -> Board:
    lines = with_values(lines_of(table(rows)), rows)
    found = scored(lines, recipe) if recipe else []
    return Board(rows=rows, frame=table(rows), lines=lines, recipe=recipe, scored=found)


def cells(latex: str, model: str) -> list[str]:
    """The cells of a model's row, after its name."""
    (line,) = (line for line in latex.splitlines() if line.startswith(f"{model} &"))
    return line.removesuffix(r" \\").split(" & ")[1:]


def test_the_best_is_bold_and_the_second_underlined() -> None:
    lower = {"higher_is_better": False, "high": None}
    found = to_latex(
        of(
            row("a", {"m": [0.9, 0.8], "worse": [3.0, 3.0]}, worse=lower),
            row("b", {"m": [0.7, 0.6], "worse": [1.0, 1.0]}, worse=lower),
            row("c", {"m": [0.1, 0.2], "worse": [2.0, 2.0]}, worse=lower),
        )
    )
    assert cells(found, "a") == [r"\textbf{0.850}", "3.000"]
    assert cells(found, "b") == [r"\underline{0.650}", r"\textbf{1.000}"]
    assert cells(found, "c") == ["0.150", r"\underline{2.000}"]


def test_only_what_can_be_compared_is_marked() -> None:
    found = to_latex(
        of(
            row("whole", {"m": [0.5, 0.5]}),
            row("second", {"m": [0.4, 0.4]}),
            row("failed", {"m": [0.9, None]}),
            row("others", {"m": [0.9, 0.9]}, start=7),
            row("newer", {"m": [0.9, 0.9]}, m={"version": "2"}),
        )
    )
    assert cells(found, "whole") == [r"\textbf{0.500}"]
    assert cells(found, "second") == [r"\underline{0.400}"]
    for name in ("failed", "others", "newer"):
        assert cells(found, name) == ["0.900"]


def test_means_that_are_printed_alike_are_marked_alike() -> None:
    found = to_latex(
        of(*(row(n, {"m": [v, v]}) for n, v in (("a", 0.50004), ("b", 0.5), ("c", 0.3))))
    )
    assert cells(found, "a") == cells(found, "b") == [r"\textbf{0.500}"]
    assert cells(found, "c") == [r"\underline{0.300}"]


def test_a_score_is_marked_by_rank_and_the_best_stands_first() -> None:
    rows = [
        row("low", {"m": [0.2] * 8}),
        row("high", {"m": [0.6] * 8}),
        row("few", {"m": [0.9] * 3}),
    ]
    found = to_latex(of(*rows, recipe=RECIPE), intervals=True)
    assert found.index("few &") < found.index("high &") < found.index("low &")
    assert cells(found, "high") == [r"\textbf{0.600} {[}0.600, 0.600]"] * 2
    assert cells(found, "few")[1] == "0.900 {[}0.900, 0.900]"  # not ranked


def test_columns_are_chosen() -> None:
    about = {"dimension": "diagnostics", "higher_is_better": False, "high": None}
    found = of(row("a", {"m": [0.5], "n": [0.4], "cuts": [0.0]}, cuts=about))
    assert "model & m & n \\\\" in to_latex(found)
    assert "model & cuts \\\\" in to_latex(found, ["cuts"])
    with pytest.raises(UsageError, match="not measured: x; there are m, n, cuts"):
        to_latex(found, ["x"])


HOSTILE = "*=cmd() \\input{/etc/passwd} $x_1^2$ 50% #1 & [2pt] ~ \x1b[31m"


def test_fault_29_latex_prints_names_as_they_are() -> None:
    found = to_latex(of(row(HOSTILE, {"m": [0.5]}), row("b", {"m_#%": [0.4]})))
    assert latex_text(HOSTILE) in found
    assert r"\input" not in found
    assert "\x1b" not in found
    assert r"m\_\#\%" in found
    body = found[found.index(r"\midrule") :]
    assert body.count(" & ") == 2 * 2  # two rows of three columns
    assert latex_text("\\[2pt] *x--y<") == (r"\textbackslash{}{[}2pt{]} {*}x{-}{-}y\textless{}")


def test_a_tidy_frame_has_a_line_a_metric() -> None:
    rows = [row("a", {"m": [0.5] * 8, "n": [0.1] * 7 + [None]}), row("b", {"m": [0.4] * 8})]
    frame = tidied(of(*rows, recipe=RECIPE))
    assert list(frame) == list(TIDY)
    told = {(line["model"], line["metric"]): line for line in frame.to_dict("records")}
    assert set(told) == {
        ("a", "m"),
        ("a", "n"),
        ("a", "comprehensive"),
        ("b", "m"),
        ("b", "comprehensive"),
    }
    assert (told["a", "n"]["n_ok"], told["a", "n"]["n_failed"]) == (7, 1)
    assert told["a", "n"]["higher_is_better"]
    assert (told["a", "comprehensive"]["rank"], told["b", "comprehensive"]["rank"]) == (1, 2)
    assert told["a", "comprehensive"]["n_ok"] == 8


def test_a_table_says_no_counts() -> None:
    frame = tidied(board([PUBLISHED], load_recipe("table1")))
    assert frame["n_ok"].isna().all()
    assert set(frame["higher_is_better"]) == {True}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    suite = make_suite(folder / "suite", 2)
    for name in ("=one", "two"):
        do(ask(suite, Level(), generator=MyGenerator(name=name)), RunStore(folder / "store"))
    return folder / "store"


def test_every_format_holds_the_same_means(store: Path, tmp_path: Path) -> None:
    found = board([store])
    means = [line.means["level"] for line in found.lines]
    for ending in (".csv", ".jsonl", ".parquet"):
        for tidy in (False, True):
            out = tmp_path / f"out{ending}"
            write(found, out, tidy=tidy)
            if ending == ".jsonl":
                read = pd.read_json(out, lines=True)
            else:
                read = pd.read_csv(out) if ending == ".csv" else pd.read_parquet(out)
            assert list(read["mean" if tidy else "level"]) == pytest.approx(means)
            assert list(read["model"]) == ["'=one" if ending == ".csv" else "=one", "two"]
    assert main(["leaderboard", str(store), "--out", str(tmp_path / "out.json")]) == 0
    held = json.loads((tmp_path / "out.json").read_text())
    assert [line["metrics"]["level"]["mean"] for line in held["rows"]] == means


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--out", "x.pdf"], "use a name that ends in"),
        (["--out", "x.md", "--tidy"], "--tidy is of files that end in .csv, .jsonl, .parquet"),
        (["--out", "x.csv", "--intervals"], "--intervals and --metrics are of .tex files"),
        (["--json", "--tidy"], "--tidy is of files"),
    ],
)
def test_what_does_not_go_together_is_refused(
    store: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(store), *words]) == 1
    assert reason in capsys.readouterr().err
