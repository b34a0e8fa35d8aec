"""What a shell is told when somebody presses the tabulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from a2bench.cli import main
from a2bench.registry import GENERATORS
from tests.helpers import ROOT

METRICS = [
    *("id_consistency", "object_consistency", "background_consistency", "image_quality"),
    *("aesthetic_quality", "motion_smoothness", "dynamic_degree", "text_similarity"),
]


def completed(
    typed: str, shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What is printed for a shell, in the form that typer's script of that shell asks in."""
    monkeypatch.setenv("_A2BENCH_COMPLETE", f"complete_{shell}")
    words = typed.split(" ")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", typed)
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    return capsys.readouterr().out.removesuffix("\n")


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("run --model colla", ["collage"]),
        ("run --model ", [*GENERATORS.targets()]),
        ("run --profile ", ["lite", "paper"]),
        ("run --suite a2", ["a2bench-open", "a2bench-open:mini"]),
        ("run --suite ./mine", [""]),
        ("run --metrics ", METRICS),
        ("run --metrics cuts,te", ["cuts,text_similarity"]),
        ("run --policy only-", ["only-missing", "only-cached"]),
        ("run --fail", ["--fail-fast"]),
        ("leaderboard runs --recipe ", ["bounded", "equal", "lite", "table1"]),
        ("checkpoints fetch clip-vit-l-14 musiq", ["musiq-spaq"]),
        ("checkpoints path viclip", ["viclip-l-14"]),
        ("list m", ["models", "metrics"]),
        ("list t", ["tables"]),
        ("suites check a2bench-open:", ["a2bench-open:mini"]),
        ("store c", ["check", "compact"]),
    ],
)
def test_bash_is_given_names(
    typed: str,
    names: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = completed(f"a2bench {typed}", "bash", monkeypatch, capsys)
    assert found.split("\n") == names


def test_zsh_is_given_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = completed("a2bench run --suite a2", "zsh", monkeypatch, capsys)
    assert found == """_arguments '*: :(("a2bench-open"\n"a2bench-open\\\\:mini"))'"""


@pytest.mark.parametrize(
    ("shell", "part"),
    [("bash", "complete -o default -F _a2bench_completion a2bench"), ("zsh", "#compdef a2bench")],
)
def test_the_script_of_the_shell_is_shown(
    shell: str, part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))
    with pytest.raises(SystemExit) as ended:
        main(["--show-completion"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert part in out
    assert f"_A2BENCH_COMPLETE=complete_{shell}" in out


def test_the_script_is_installed_for_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    with pytest.raises(SystemExit) as ended:
        main(["--install-completion"])
    assert ended.value.code == 0
    script = tmp_path / ".bash_completions" / "a2bench.sh"
    assert "_a2bench_completion" in script.read_text()
    assert f"source '{script}'" in (tmp_path / ".bashrc").read_text()
    assert str(script) in capsys.readouterr().out.replace("\n", "")


@pytest.mark.slow
def test_bash_completes_with_the_script_that_is_shown(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("a2bench")
    script = (
        f'eval "$({program} --show-completion)"; COMP_WORDS=(a2bench run --model collag); '
        f'COMP_CWORD=3; _a2bench_completion {program}; echo "${{COMPREPLY[*]}}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("collage\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "typed",
    [
        *("run --model ", "run --profile ", "run --suite ", "run --metrics "),
        *("leaderboard runs --recipe ", "checkpoints fetch "),
    ],
)
def test_names_are_completed_without_the_heavy_libraries(typed: str) -> None:
    code = (
        "import sys; from a2bench.cli import main\n"
        "try: main([])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'cv2', 'dlib', 'scipy', 'av'} & set(sys.modules);"
        "sys.exit(f'{heavy} loaded' if heavy else 0)"
    )
    words = f"a2bench {typed}"
    variables = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables, "_A2BENCH_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) >= 2
