"""Files for users: whole, or as they were before."""

from __future__ import annotations

import stat
from pathlib import Path

import pandas as pd
import pytest

from a2bench.cli import main
from a2bench.errors import CannotRun
from a2bench.outputs import replacing, write_private, write_text
from a2bench.results.writing import write_frame
from tests.helpers import ROOT

TABLE = str(ROOT / "leaderboards" / "skyreels-a2-table-1.csv")


def test_a_file_takes_the_place_of_another_with_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")
    path.chmod(0o640)
    write_text(path, "ü\n")
    assert path.read_text(encoding="utf-8") == "ü\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")
    with (
        pytest.raises(CannotRun, match=r"cannot write .*a\.csv: No space left on device"),
        replacing(path) as staged,
    ):
        staged.write_text("half")
        raise OSError(28, "No space left on device")
    with pytest.raises(KeyboardInterrupt), replacing(path) as staged:
        staged.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_frame_that_cannot_be_written_names_the_file(tmp_path: Path, ending: str) -> None:
    out = tmp_path / "none" / f"t{ending}"
    with pytest.raises(CannotRun, match=f"cannot write .*t{ending}: "):
        write_frame(pd.DataFrame({"a": [1]}), out)


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    held, link = tmp_path / "held", tmp_path / "link"
    held.write_text("before")
    link.symlink_to(held)
    write_text(link, "after")
    assert (link.is_symlink(), held.read_text()) == (True, "after")


def test_a_device_is_written_as_it_is() -> None:
    write_text(Path("/dev/null"), "x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(CannotRun, match="cannot write /dev/full: No space left on device"):
        write_text(Path("/dev/full"), "x")


def test_commands_say_which_file_they_could_not_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "none" / "t.md"
    assert main(["leaderboard", TABLE, "--recipe", "table1", "--out", str(out)]) == 3
    assert f"cannot write {out}: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("before", [None, 0o644])
def test_a_private_file_is_its_owner_s(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "a.csv"
    if before:
        path.touch(mode=before)
    write_private(path, "ü")
    assert path.read_text(encoding="utf-8") == "ü"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
