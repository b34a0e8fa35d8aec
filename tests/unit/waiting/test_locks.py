from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from a2bench.errors import CannotRun
from a2bench.waiting.locks import alone, temporary_folder


def left(parent: Path, name: str) -> Path:
    """A temporary folder as a process leaves it that was killed."""
    content = parent / name / "content"
    content.mkdir(parents=True)
    (content / "video.mp4").write_bytes(b"video")
    (content.parent / "lock").touch()
    return content.parent


def test_who_is_alone_is_told_nothing_and_who_waits_is_told_once(tmp_path: Path) -> None:
    lines: list[str] = []
    with alone(tmp_path / "new" / "it.lock", "it", lines.append):
        assert lines == []
    first = FileLock(tmp_path / "new" / "it.lock")
    first.acquire()

    def release(line: str) -> None:
        lines.append(line)
        first.release()

    with alone(tmp_path / "new" / "it.lock", "it", release):
        assert lines == ["it: another process is at it; waiting for that"]


def test_what_goes_wrong_inside_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="inside"), alone(tmp_path / "lock", "it", pytest.fail):
        raise OSError("inside")
    with FileLock(tmp_path / "lock", timeout=0):
        pass


def test_a_place_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CannotRun, match=r"it: .*lock cannot be locked"),
        alone(tmp_path / "file" / "lock", "it", pytest.fail),
    ):
        pass


def test_a_temporary_folder_is_empty_and_leaves_nothing(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        assert folder.is_relative_to(tmp_path)
        assert list(folder.iterdir()) == []
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_what_dead_processes_left_goes_and_what_others_have_stays(tmp_path: Path) -> None:
    for name in ("a2bench-dead", "a2bench-dying", "somebody-elses"):
        left(tmp_path, name)
    (tmp_path / "a2bench-link").symlink_to(left(tmp_path / "elsewhere", "a2bench-x"))
    (tmp_path / "a2bench-file").touch()
    with temporary_folder(tmp_path) as living, temporary_folder(tmp_path) as second:
        assert living.is_dir()
        assert second.is_dir()
        assert len(list(tmp_path.glob("a2bench-*/content"))) == 3  # and that behind the link
    assert {path.name for path in tmp_path.iterdir()} == {
        "a2bench-file", "a2bench-link", "elsewhere", "somebody-elses"
    }  # fmt: skip
    assert (tmp_path / "a2bench-link" / "content" / "video.mp4").is_file()


@pytest.mark.slow
def test_the_folder_of_a_killed_process_goes_with_the_next_one(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, sys; from a2bench.waiting.locks import temporary_folder\n"
        "with temporary_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'video.mp4').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("*/content/video.mp4"))) == 1
    with temporary_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder.parent]
