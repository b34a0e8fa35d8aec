from __future__ import annotations

import fcntl
import hashlib
import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from a2bench.errors import GeneratorError, UsageError
from a2bench.generator import GeneratorInfo
from a2bench.generators.command import Command
from a2bench.results.leaderboard import collect
from a2bench.runs.store import RunStore
from a2bench.types import Case
from a2bench.video import probe
from tests.helpers import ROOT
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_case, make_suite
from tests.helpers.runs import ask, do

pytestmark = pytest.mark.slow

COPIES_REQUEST = """
import json, sys
request = json.load(sys.stdin)
open(request["out"], "w").write(json.dumps(request))
"""
WRITES_A_VIDEO = """
import json, sys
from pathlib import Path
from tests.helpers.makers import write_video
request = json.load(sys.stdin)
write_video(Path(request["out"]), seed=request["seed"])
"""


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return make_case(tmp_path / "suite")


def python(code: str, *arguments: str, timeout_s: float = 60.0) -> Command:
    return Command(command=[sys.executable, "-c", code, *arguments], timeout_s=timeout_s)


def failure(command: Command, case: Case, out: Path) -> str:
    with pytest.raises(GeneratorError) as caught:
        command.generate(case, seed=0, out=out)
    return str(caught.value)


def test_the_program_gets_the_request(case: Case, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    python(COPIES_REQUEST).generate(case, seed=7, out=out)
    request = json.loads(out.read_text())
    assert set(request) == {"version", "case", "prompt", "elements", "seed", "out"}
    assert (request["version"], request["case"], request["seed"]) == (1, "case-001", 7)
    assert request["prompt"] == case.prompt
    assert Path(request["out"]) == out
    assert [e["role"] for e in request["elements"]] == ["character", "object", "background"]
    assert all(Path(e["image"]).is_absolute() for e in request["elements"])
    assert Path(request["elements"][0]["image"]).read_bytes() == case.elements[0].image.read_bytes()
    assert set(request["elements"][0]) == {"id", "role", "name", "caption", "image"}


def test_a_video_comes_back(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "my model.py"
    script.write_text(WRITES_A_VIDEO)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)  # the program is started in the current folder
    command = Command(command=f"{shlex.quote(sys.executable)} 'my model.py'")
    command.generate(case, seed=0, out=tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4").frames == 9


def test_any_text_survives_and_no_shell_reads_it(case: Case, tmp_path: Path) -> None:
    prompt = "d\u00e9j\u00e0 vu \u96ea \ud800 \0 $(touch x) `touch x`; 'quoted' \"twice\"\n"
    told = Case(id="x", prompt=prompt, elements=case.elements)
    python(COPIES_REQUEST, "$(touch x)", "; touch x").generate(told, seed=0, out=tmp_path / "out")
    assert json.loads((tmp_path / "out").read_text())["prompt"] == prompt
    assert not (tmp_path / "x").exists()


def test_a_request_that_nobody_reads_blocks_nobody(case: Case, tmp_path: Path) -> None:
    long = Case(id="x", prompt="word " * 1_000_000, elements=case.elements)
    code = f"open({str(tmp_path / 'out')!r}, 'w').write('done')"
    python(code).generate(long, seed=0, out=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "done"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no GPU here')", "exit code 1; it said:\nTraceback"),
        ("raise RuntimeError('no GPU here')", "RuntimeError: no GPU here"),
        ("import sys; sys.exit(7)", "exit code 7; it said:\nnothing"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9 (Killed"),
        ("print('all well')", "it wrote no video to the path in `out`; it said:\nall well"),
    ],
)
def test_a_failure_is_told_with_its_reason(
    case: Case, tmp_path: Path, code: str, reason: str
) -> None:
    text = failure(python(code), case, tmp_path / "out.mp4")
    assert text.startswith(f"{sys.executable}: ")
    assert reason in text


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_flood_of_output_is_cut_to_its_end(case: Case, tmp_path: Path, stream: str) -> None:
    code = (
        f"import sys\nfor _ in range(2000): sys.{stream}.write('\u00fc' * 10_000)\n"
        f"sys.{stream}.write('the end'); sys.exit(3)"
    )
    text = failure(python(code), case, tmp_path / "out.mp4")
    assert text.endswith("\u00fcthe end")
    assert len(text) < 4200


def test_bytes_that_are_no_text_are_replaced(case: Case, tmp_path: Path) -> None:
    code = "import sys; sys.stderr.buffer.write(b'\\xff\\xfe bad'); sys.exit(1)"
    assert failure(python(code), case, tmp_path / "out.mp4").endswith("\ufffd\ufffd bad")


HOLDS_A_LOCK = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(3600)
"""
STARTS_ANOTHER = """
import subprocess, sys
words = [sys.executable, "-c", sys.argv[2], sys.argv[1]]
child = subprocess.Popen(words, stdout=subprocess.PIPE)
child.stdout.readline()
open(sys.argv[1] + ".held", "w").close()
"""


def wait_for_the_end(lock: Path) -> None:
    """Returns when the process that holds the lock is dead."""
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ("child.wait()", "over its time limit of 2 s"),
        ("sys.exit(4)", "exit code 4"),
    ],
)
@pytest.mark.timeout(60)
def test_nothing_that_the_program_started_is_left(
    case: Case, tmp_path: Path, then: str, reason: str
) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    limit_s = 2.0 if "limit" in reason else 60.0
    command = python(STARTS_ANOTHER + then, str(lock), HOLDS_A_LOCK, timeout_s=limit_s)
    assert reason in failure(command, case, tmp_path / "out.mp4")
    wait_for_the_end(lock)


BREAKS_AWAY = """
import os, subprocess, sys, time
if not os.fork():
    if sys.argv[2] == "daemon" and os.fork():
        os._exit(0)
    words = [sys.executable, "-c", sys.argv[3], sys.argv[1]]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    child.stdout.readline()
    open(sys.argv[1] + ".held", "w").close()
    time.sleep(3600 if sys.argv[2] == "parent" else 0)
    os._exit(0)
while not os.path.exists(sys.argv[1] + ".held"):
    time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a program can get away")
@pytest.mark.parametrize("way", ["parent", "orphan", "daemon"])
@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ("sys.exit(5)", "exit code 5"),
        ("os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("time.sleep(3600)", "over its time limit of 3 s"),
    ],
)
@pytest.mark.timeout(60)
def test_nothing_gets_away_in_a_session_of_its_own(
    case: Case, tmp_path: Path, way: str, then: str, reason: str
) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    limit_s = 3.0 if "limit" in reason else 60.0
    command = python(BREAKS_AWAY + then, str(lock), way, HOLDS_A_LOCK, timeout_s=limit_s)
    assert reason in failure(command, case, tmp_path / "out.mp4")
    with lock.open() as file:  # nobody holds it
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a program can get away")
def test_a_program_ends_with_its_warden(case: Case, tmp_path: Path) -> None:
    """Which nobody kills but on purpose."""
    code = "import os, time; os.kill(os.getppid(), 9); time.sleep(3600)"
    text = failure(python(code), case, tmp_path / "out.mp4")
    assert "ended by signal 9" in text


@pytest.mark.timeout(60)
def test_an_interrupt_ends_the_program_too(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, real = tmp_path / "lock", subprocess.Popen.wait

    def interrupted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if timeout is None:
            return real(process)
        while not lock.with_suffix(".held").exists():
            time.sleep(0.02)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    command = python(f"{STARTS_ANOTHER}child.wait()", str(lock), HOLDS_A_LOCK)
    with pytest.raises(KeyboardInterrupt):
        command.generate(case, seed=0, out=tmp_path / "out.mp4")
    wait_for_the_end(lock)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("", "is empty"),
        ((), "is empty"),
        ("python 'my model.py", "No closing quotation"),
        ("no-such-program --fast", "no program 'no-such-program'"),
    ],
)
def test_a_command_that_cannot_be_right_is_refused(
    command: str | tuple[str, ...], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        Command(command=command)


@pytest.mark.parametrize("limit_s", [-5.0, 0.0, float("nan"), float("inf")])
def test_a_time_limit_that_cannot_be_is_refused(limit_s: float) -> None:
    with pytest.raises(UsageError, match=f"timeout_s is {limit_s:g}: give a number above 0"):
        Command(command=(sys.executable,), timeout_s=limit_s)


def test_a_program_that_cannot_start_is_named(case: Case, tmp_path: Path) -> None:
    script = tmp_path / "model"
    script.write_bytes(b"\x00not a program")
    script.chmod(0o755)
    text = failure(Command(command=(str(script),)), case, tmp_path / "out.mp4")
    assert text == f"cannot start {str(script)!r}: Exec format error"


def test_info_tells_the_command_without_secrets(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "planted-secret-1")
    code = "import os, sys; sys.exit(os.environ['MY_API_KEY'] + ' --token planted-secret-2')"
    command = python(code, "--api-key", "planted-secret-2", "--steps", "50")
    assert str(command.info.params["command"]).endswith("--api-key [redacted] --steps 50")
    text = failure(command, case, tmp_path / "out.mp4")
    assert "[redacted]" in text
    assert "planted" not in text + str(command.info)


def test_revision_and_words_are_part_of_the_identity() -> None:
    one = Command(command=(sys.executable, "model.py"), revision="1")
    assert one.info == Command(command=f"{sys.executable} model.py", revision="1").info
    assert one.info != Command(command=(sys.executable, "model.py"), revision="2").info
    assert one.info != Command(command=(sys.executable, "other.py"), revision="1").info
    assert one.info == Command(command=one.words, revision="1", timeout_s=5).info


def models(tmp_path: Path, *commands: Command) -> tuple[list[str], list[dict[str, object]]]:
    """The key of the first video of each, and the model of each row."""
    suite = make_suite(tmp_path / "suite", 1)
    asked = [ask(suite, generator=command) for command in commands]
    return [key for one in asked for *_, key in one.works], [a.subject["model"] for a in asked]


def test_models_that_differ_in_what_is_redacted_stay_two(tmp_path: Path) -> None:
    words = (sys.executable, "prog.py", "--trigger-token")
    one, other = (Command(command=(*words, trigger)) for trigger in ("sks", "ohwx"))
    keys, rows = models(tmp_path, one, other, one)
    assert keys[0] == keys[2] != keys[1]
    assert rows[0] == rows[2] != rows[1]
    for model, word in ((one, "sks"), (other, "ohwx")):
        assert word not in json.dumps(dict(model.info.params))
    assert str(one.info.params["command"]).endswith("--trigger-token [redacted]")


def test_what_is_kept_of_a_secret_is_a_slow_hash() -> None:
    command = Command(command=(sys.executable, "prog.py", "--token", "sks"))
    words = shlex.join(command.words)
    quick = {hashlib.sha256(text.encode()).hexdigest() for text in ("sks", words)}
    sealed_ = command.info.params["scrypt"]
    assert len(str(sealed_)) == 64
    assert sealed_ not in quick
    plain = Command(command=(sys.executable, "prog.py"))
    assert dict(plain.info.params) == {"command": shlex.join(plain.words)}


@dataclass(frozen=True, kw_only=True)
class Triggered(MyGenerator):
    """A plug-in that puts a secret into its parameters as it is."""

    token: str = ""

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(name="t", revision="1", params={"token": self.token})


def test_a_plug_in_s_secrets_neither_merge_rows_nor_stand_in_them(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "suite", 1)
    store = RunStore(tmp_path / "store")
    for token in ("sks", "ohwx", "sks"):
        do(ask(suite, generator=Triggered(token=token)), store)
    assert len(collect([store])) == 2
    assert len([r for r in store.records().values() if r.kind == "video"]) == 2
    written = b"".join(p.read_bytes() for p in (tmp_path / "store").rglob("*.json*"))
    assert b"ohwx" not in written
    assert b'"token":"[redacted]"' in written
