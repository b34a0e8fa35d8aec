from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from a2bench.cli import main
from a2bench.runs.store import RunStore
from tests.helpers import ROOT
from tests.helpers.runs import command
from tests.helpers.suites import write_suite


def arguments(suite: Path, store: Path, *more: str) -> list[str]:
    return command(suite, store, "--in-process", *more)[3:]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path / "suite", 3)


def test_run_prints_counts_and_exits_0(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(suite, tmp_path / "store")) == 0
    out = capsys.readouterr().out
    assert "3/3 cases" in out
    assert "n_ok" in out


@pytest.mark.slow
def test_dry_run_says_what_would_run_and_makes_nothing(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    assert main(arguments(suite, store, "--dry-run")) == 0
    assert "would make 3 videos and 3 scores in 3 jobs" in capsys.readouterr().out
    assert not store.exists()
    main(arguments(suite, store, "--limit", "2"))
    assert main(arguments(suite, store, "--dry-run")) == 0
    out = capsys.readouterr().out
    assert "videos: 2 of 3" in out
    assert "would make 1 videos and 1 scores" in out


@pytest.mark.slow
def test_only_cached_computes_nothing_and_tells_what_is_missing(
    suite: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    main(arguments(suite, store, "--limit", "2"))
    assert main(arguments(suite, store, "--policy", "only-cached", "--limit", "2")) == 0
    assert main(arguments(suite, store, "--policy", "only-cached")) == 2
    assert len(RunStore(store).records()) == 4


def test_the_exit_code_judges_what_was_asked_for_and_earlier_failures_are_told(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(suite, tmp_path / "store", "--cases", "case-001,case-002")
    assert main([*words, "--metrics", "tests.helpers.fakes:ReadsBroken"]) == 2
    assert "earlier runs" not in capsys.readouterr().out
    assert main(words) == 0
    told = "my-generator (1): from earlier runs, not asked for now: reads_broken (2 failed)"
    out = capsys.readouterr().out
    assert told in out
    assert "– (2 failed)" in out  # the table is that of the whole row
    assert main([*words, "--metrics", "level,tests.helpers.fakes:ReadsBroken"]) == 2
    assert "earlier runs" not in capsys.readouterr().out


def test_cases_and_seeds_of_earlier_runs_do_not_count_either(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(suite, tmp_path / "store")
    assert main([*words, "--policy", "only-cached"]) == 2
    capsys.readouterr()
    assert main([*words, "--cases", "case-001"]) == 0
    assert "not asked for now: level (2 missing)" in capsys.readouterr().out
    assert main([*words, "--cases", "case-001", "--seeds", "3"]) == 0
    assert main([*words, "--policy", "only-cached"]) == 2
    assert main(words) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--model", "colage"], "did you mean collage"),
        (["--suite", "a2bench-opn"], "a2bench-open"),
        (["--profile", "lite", "--metrics", "id_consistenzy"], "did you mean id_consistency"),
        (["--policy", "sometimes"], "only-missing"),
        (["--seeds", "one"], "whole numbers"),
        (["--cases", "case-009"], "case-00"),
        (["--param", "speed"], "NAME=VALUE"),
        (["--param", "speed=3"], "it takes:"),
        (["--model", "tests.nowhere:Model"], "does not load"),
        (["--limit", "0"], ""),
        (["--no-such-option"], "no-such-option"),
    ],
)
def test_a_wrong_request_exits_1_and_says_what_is_right(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], text: str
) -> None:
    assert main([*arguments(suite, tmp_path / "store"), *more]) == 1
    assert text in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_failures_are_printed_counted_and_explained(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    assert (
        main([*arguments(suite, store), "--model", "tests.helpers.generators:WritesNothing"]) == 2
    )
    assert "case-001 seed 0: video failed: generator wrote no video" in capsys.readouterr().out
    assert main(["status", str(store), "--suite", str(suite)]) == 0
    assert "generator wrote no video [case-001/0, case-002/0" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".csv", ".md"])
def test_leaderboard_writes_the_file(suite: Path, tmp_path: Path, suffix: str) -> None:
    main(arguments(suite, tmp_path / "store"))
    out = tmp_path / f"board{suffix}"
    assert main(["leaderboard", str(tmp_path / "store"), "--out", str(out)]) == 0
    assert "my-generator" in out.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["leaderboard", "nowhere", "--out", "x.csv"], 3),
        (["leaderboard", "nowhere", "--out", "x.pdf"], 1),
        (["status", "nowhere"], 3),
        (["list", "planets"], 1),
        (["suites", "check", "nowhere.jsonl"], 1),
        (["suites", "check", "a2bench-open"], 0),
        (["list", "models"], 0),
        (["list", "metrics"], 0),
        (["list", "suites"], 0),
        (["doctor"], 0),
        (["--version"], 0),
        ([], 1),
    ],
)
def test_exit_codes(
    words: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    assert list(tmp_path.iterdir()) == []


def test_secrets_in_arguments_and_environment_reach_no_file(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "planted-secret-1")
    words = arguments(suite, tmp_path / "store")
    monkeypatch.setattr("sys.argv", ["a2bench", *words, "--token", "planted-secret-2"])
    main([*words, "--model", "tests.helpers.generators:Raises", "--param", "text=planted-secret-1"])
    written = [p for p in (tmp_path / "store").rglob("*") if p.is_file()]
    assert len(written) >= 2
    assert not [p for p in written if b"planted-secret" in p.read_bytes()]


@pytest.mark.slow
def test_a_contact_sheet_shows_references_and_frames(suite: Path, tmp_path: Path) -> None:
    from PIL import Image

    main(arguments(suite, tmp_path / "store"))
    out = tmp_path / "sheet.png"
    assert main(["sheet", str(tmp_path / "store"), "--suite", str(suite), "--out", str(out)]) == 0
    with Image.open(out) as image:
        assert image.width > 9 * 132
        assert image.height > 3 * 132
        assert len(image.getcolors(maxcolors=1_000_000) or []) > 10


@pytest.mark.slow
def test_the_installed_command_finds_a_model_in_the_current_folder(
    suite: Path, tmp_path: Path
) -> None:
    source = (
        "from tests.helpers.generators import MyGenerator\n\n\nclass Mine(MyGenerator):\n    pass\n"
    )
    (tmp_path / "my_models.py").write_text(source)
    script = Path(sys.executable).with_name("a2bench")
    words = command(suite, tmp_path / "store", "--model", "my_models:Mine", "--workers", "2")[3:]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [script, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_leaderboard_scores_the_published_table_and_a_store(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(suite, tmp_path / "store")) == 0
    capsys.readouterr()
    out = tmp_path / "x.csv"
    published, store = "leaderboards/skyreels-a2-table-1.csv", str(tmp_path / "store")
    command = ["leaderboard", published, store, "--recipe", "table1", "--out", str(out)]
    assert main(command) == 0
    lines = list(csv.DictReader(out.read_text().splitlines()))
    assert [f"{float(line['comprehensive']):.3f}" for line in lines[:4]] == [
        "0.807",
        "0.821",
        "0.826",
        "0.818",
    ]
    assert lines[4]["comprehensive"] == ""
    assert "text_similarity" in lines[4]["comprehensive_lacks"]
    shown = capsys.readouterr().out
    assert "inferred from Table 1" in shown and "id_consistency" in shown
    assert main([*command[:-1], str(tmp_path / "x.md")]) == 0
    text = (tmp_path / "x.md").read_text()
    assert "| 0.826 | – | 1 |" in text  # a printed table has no values of cases, and no interval
    assert "ranked by their scores alone" in text
    assert main([*command[:-3], "mean", "--out", str(out)]) == 1


def test_weights_fit_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "fit", "nowhere.csv", "--run", "runs", "--out", "w.toml"]) == 3
    assert "nowhere.csv is not a file" in capsys.readouterr().err
