"""Options of ``run`` that choose seeds and that stop early."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from a2bench import evaluate
from a2bench.cli import main
from a2bench.errors import UsageError
from a2bench.runs.store import RunStore
from a2bench.types import Status
from tests.helpers import ROOT
from tests.helpers.generators import MyGenerator, WritesNothing
from tests.helpers.makers import make_suite
from tests.helpers.runs import command
from tests.helpers.suites import write_suite

NOTHING = ("--model", "tests.helpers.generators:WritesNothing")

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0,1,2", [0, 1, 2]),
        ("0-9", list(range(10))),
        ("7, 0-2,1", [7, 0, 1, 2]),
        ("5-5", [5]),
        ("", [0]),
        ("-3", [-3]),
        ("-2-1", [-2, -1, 0, 1]),
        ("999999999999999999", [10**18 - 1]),
    ],
)
def test_seeds_are_numbers_and_ranges(
    text: str, seeds: list[int], words: list[str], capsys: Capture
) -> None:
    assert main([*words, "--limit", "1", "--dry-run", "--json", f"--seeds={text}"]) == 0
    assert [job["seed"] for job in json.loads(capsys.readouterr().out)["jobs"]] == seeds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *((text, "whole numbers, as in 0,1,2 or 0-9") for text in ("a", "1-", "1.5", "0-9-2")),
        ("1000000000000000000", "whole numbers"),  # past what a table's 64 bits hold
        ("3-1", "from the lowest to the highest"),
        ("0-100000", "100000 at most"),
    ],
)
def test_what_is_no_seed_is_refused(
    text: str, told: str, words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*words, f"--seeds={text}"]) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("more", "failed", "told"),
    [
        (["--fail-fast"], 1, "stopped after 1 failure; the same command"),
        (["--max-failures", "2"], 2, "stopped after 2 failures; the same command"),
        (["--fail-fast", "--max-failures", "2"], 1, "stopped after 1 failure; the same command"),
        (["--max-failures", "4"], 3, ""),
        ([], 3, ""),
    ],
)
def test_failures_stop_a_run_that_says_so_and_exits_2(
    more: list[str], failed: int, told: str, words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*words, *NOTHING, *more]) == 2
    records = RunStore(tmp_path / "store").records().values()
    assert [record.status for record in records] == [Status.FAILED] * failed
    out = capsys.readouterr().out
    assert told in out
    assert ("stopped" in out) == bool(told)


def test_the_same_command_goes_on_from_where_it_stopped(
    words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*words, "--limit", "1"]) == 0
    capsys.readouterr()
    assert main([*words, *NOTHING, "--fail-fast", "--json"]) == 2
    stopped = json.loads(capsys.readouterr().out)
    told = ("planned", "done", "failed", "complete")
    assert [stopped[name] for name in told] == [2, 1, 1, False]
    assert main([*words, "--fail-fast", "--json"]) == 0  # the same model, which now works
    finished = json.loads(capsys.readouterr().out)
    assert [finished[name] for name in told] == [2, 2, 0, True]
    assert finished["videos"] == {"held": 1, "asked": 3}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--max-failures", "0"], "greater than or equal to 1"),
        (["--in-process", "--workers", "2"], "leave out --workers and --ray"),
        (["--in-process", "--ray", "local"], "leave out --workers and --ray"),
        (["--in-process", "--timeout", "5"], "needs a process to end"),
    ],
)
def test_options_that_cannot_go_together_are_refused(
    more: list[str], told: str, words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*words, *more]) == 1
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "store").exists()


def test_from_python_a_run_stops_after_failures_too(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path), tmp_path / "store"
    profile = "tests.helpers.fakes:profile"
    with pytest.warns(UserWarning, match=r"stopped after 2 failures; the same command or call"):
        evaluate(WritesNothing(), suite, profile=profile, store=store, max_failures=2)
    assert len(RunStore(store).records()) == 2
    (row,) = evaluate(MyGenerator(), suite, profile=profile, store=store, max_failures=2)
    assert row.cell("level").counts == {"ok": 3}
    with pytest.raises(UsageError, match="give 1 or more"):
        evaluate(MyGenerator(), suite, profile=profile, store=store, max_failures=0)


@pytest.mark.slow
def test_a_run_with_workers_stops_at_the_first_failure(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "suite", 8)
    store = tmp_path / "store"
    asking = command(suite, store, *NOTHING, "--workers", "2", "--fail-fast")
    done = subprocess.run(asking, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "stopped after 1 failure; the same command" in done.stdout
    assert 1 <= len(RunStore(store).records()) < 8
    assert list((store / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        "run --model collage --store", "selfcheck --store", "doctor --store", "status", "sheet",
        "fid", "leaderboard", "scores", "store check", "store repair", "store compact",
        "store merge new", "store merge", "judge costs", "judge export", "judge probe",
        "judge agreement", "study new there --run", "study serve --run", "weights fit x --run",
    ],
)  # fmt: skip
def test_an_empty_store_is_no_folder(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """It is what a variable leaves in a shell that was never set."""
    monkeypatch.chdir(tmp_path)
    assert main([*words.split(), ""]) == 1
    assert "it is empty: name a folder" in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_row_without_a_store_is_refused(capsys: Capture) -> None:
    assert main(["compare", ":model"]) == 1
    assert "':model' names no store" in capsys.readouterr().err
