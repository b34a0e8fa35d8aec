"""What a user gets wrong, or the machine refuses, is told in a line: no traceback."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from a2bench.cli import main
from a2bench.generator import GeneratorInfo
from tests.helpers import ROOT
from tests.helpers.generators import MyGenerator
from tests.helpers.runs import command
from tests.helpers.suites import write_suite

LONG = "x" * 300


class NoRevision(MyGenerator):
    """A class that forgot what ``GeneratorInfo`` wants."""

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(name="x")  # type: ignore[call-arg]


class NoModel:
    """A class of another kind."""


class Refuses(MyGenerator):
    """A class that cannot be made."""

    def __init__(self) -> None:
        raise KeyError("no such setting")


@pytest.fixture
def run(tmp_path: Path) -> list[str]:
    """A run of one case, without the model's name."""
    suite = write_suite(tmp_path / "suite", 1)
    return ["run", "--suite", str(suite), "--store", str(tmp_path / "store"), "--in-process",
            "--profile", "tests.helpers.fakes:profile"]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (":", "model ':' (:) does not load: ValueError: Empty module name"),
        ("os:path", "model 'os:path' (os:path) cannot be made: "),
        ("collections:OrderedDict", "(collections:OrderedDict) cannot be made: "),
        ("no_such_module:X", "does not load: No module named 'no_such_module'"),
        (f"{__name__}:Nowhere", "does not load: module"),
        (f"{__name__}:NoModel", "is no model: it has no info and no generate"),
        (f"{__name__}:NoRevision", "missing 1 required keyword-only argument: 'revision'"),
        (f"{__name__}:Refuses", "fails: KeyError: 'no such setting'"),
    ],
)
def test_a_model_that_is_none(
    run: list[str], model: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*run, "--model", model]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("given", ["0", "-5", "nan", "inf"])
def test_a_time_limit_that_is_none(
    run: list[str], given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for word in run if word != "--in-process"]
    assert main([*words, "--model", "collage", f"--timeout={given}"]) == 1
    assert f"a time limit of {float(given):g} s: give seconds above 0" in capsys.readouterr().err


def test_a_table_into_a_folder_that_is_not_there(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*run, "--model", "tests.helpers.generators:MyGenerator"]) == 0
    for words in (["leaderboard"], ["scores"]):
        out = tmp_path / "none" / "x.csv"
        assert main([*words, str(tmp_path / "store"), "--out", str(out)]) == 3
        assert str(out.parent) in capsys.readouterr().err
        out = tmp_path / f"{LONG}.csv"
        assert main([*words, str(tmp_path / "store"), "--out", str(out)]) == 3
        assert "File name too long" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["status", LONG],
        ["suites", "check", f"{LONG}.jsonl"],
        ["run", "--model", "collage", "--suite", f"{LONG}.jsonl"],
        ["run", "--model", "collage", "--limit", "1", "--store", LONG],
        ["leaderboard", f"{LONG}.csv", "--recipe", "equal", "--out", "x.csv"],
        ["inspect", f"{LONG}.mp4", "--case", "open-001"],
    ],
)
def test_a_name_that_no_file_can_have(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) in (1, 3)


def start(words: list[str], before: Callable[[], None], **more: object) -> tuple[int, str]:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, preexec_fn=before, **more,
    )  # type: ignore[call-overload]  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.slow
def test_a_folder_that_was_deleted(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    words = [sys.executable, "-P", "-m", "a2bench", "list", "models"]
    code, told = start(words, gone.rmdir, cwd=gone)
    assert (code, told) == (3, "a2bench: the current folder was deleted: cd to another\n")


@pytest.mark.slow
@pytest.mark.parametrize("few", [9, 13, 17])
def test_too_few_file_handles(tmp_path: Path, few: int) -> None:
    words = command(write_suite(tmp_path / "suite", 4), tmp_path / "store", "--workers", "4")
    code, told = start(words, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (few, few)))
    assert code == 3
    assert re.fullmatch(r"a2bench: .*(Too many open files|unexpected EOF).*", told.splitlines()[-1])
    assert start(words, lambda: None)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("closed", [1, 2])
def test_an_output_that_is_closed(tmp_path: Path, closed: int) -> None:
    words = command(write_suite(tmp_path / "suite", 1), tmp_path / "store")
    code, told = start(words, lambda: os.close(closed))
    assert (code, told) == (0, "")


@pytest.mark.slow
def test_an_output_that_nobody_reads_any_more(tmp_path: Path) -> None:
    """As ``a2bench list models | head -1``."""
    reading, writing = os.pipe()
    words = [sys.executable, "-m", "a2bench", "list", "models"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writing)
        os.close(reading)
        _, told = process.communicate(timeout=60)
    assert process.returncode in (0, 1)
    assert "Traceback" not in told
    assert "BrokenPipe" not in told
