"""Secrets are planted in every form, and looked for in every output: case 28 of the faults."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from a2bench.cli import main
from a2bench.errors import SuiteError, UsageError
from a2bench.generator import GeneratorInfo
from a2bench.metric import MetricInfo
from a2bench.results.leaderboard import collect
from a2bench.runs.store import RunStore
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Measurement, Status
from tests.helpers.fakes import Level
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do
from tests.helpers.secrets import CUT, FORMS, PRINTED, SECRET, TOKENS, WORDS
from tests.helpers.suites import write_suite

pytestmark = pytest.mark.slow

ECHOES = """
import json, shlex, sys
words = sys.argv[1:]
print(words, json.dumps(words), shlex.join(words), sep="\\n", file=sys.stderr)
sys.exit(3)
"""
SAYS = """
import json, sys
said = json.loads(open(sys.argv[1]).read())
sys.exit(said[int(json.load(sys.stdin)["case"][-3:]) - 1])
"""
LINES = (*WORDS, *(("--model", token) for token in TOKENS))
"""Several on one line, since each run takes its second; ``tests/unit/redaction`` has them apart."""
AT_ONCE = 6


def outputs(
    suite: Path, store: Path, out: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> str:
    """All that a run, a dry run and the reports on it leave on the screen and on the disk."""
    run = ["run", "--suite", str(suite), "--store", str(store), "--in-process"]
    run += ["--profile", "tests.helpers.fakes:profile", *more]
    assert main([*run, "--dry-run"]) == 0
    assert main(run) in (0, 2)
    main(["status", str(store), "--suite", str(suite)])
    main(["status", str(store), "--suite", str(suite), "--json"])
    out.mkdir()
    for name in ("board.csv", "board.md"):
        main(["leaderboard", str(store), "--out", str(out / name)])
    for name in ("scores.csv", "scores.jsonl"):
        main(["scores", str(store), "--out", str(out / name)])
    screen = capsys.readouterr()
    files = [p for folder in (store, out) for p in sorted(folder.rglob("*")) if p.is_file()]
    told = [p.read_text("utf-8") for p in files if p.suffix != ".mp4"]
    return "\n".join([screen.out, screen.err, *map(str, files), *told])


@pytest.mark.parametrize("first", range(0, len(LINES), AT_ONCE))
def test_a_secret_of_a_command_is_in_no_output(
    first: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forms = LINES[first : first + AT_ONCE]
    script = tmp_path / "model.py"
    script.write_text(ECHOES)
    suite = write_suite(tmp_path / "suite", 1)
    words = [word for form in forms for word in (*form, "--steps", "50")]
    line = shlex.join([sys.executable, str(script), *words])
    given = ["--command", line] if first % 4 else ["--param", f"command={line}"]
    seen = outputs(
        suite, tmp_path / "store", tmp_path / "out", capsys, "--model", "command", *given
    )
    assert [row for row in seen.splitlines() if SECRET in row] == []
    assert "ABCDEFGHABCDEFGH" not in seen
    assert "exit code 3" in seen
    assert seen.count("[redacted]") >= 3 * len(forms)  # manifest twice, record


def test_a_secret_that_a_program_prints_is_in_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held = "of/the <sea> \u00fc'x"
    monkeypatch.setenv("MODEL_KEY", f"{held}\n")
    forms = [told(held).strip("'\"") for told in FORMS.values()]
    said = (*PRINTED, *CUT, *forms)
    script = tmp_path / "model.py"
    script.write_text(SAYS)
    (tmp_path / "said.json").write_text(json.dumps(said))
    suite = write_suite(tmp_path / "suite", len(said))
    line = shlex.join([sys.executable, str(script), str(tmp_path / "said.json")])
    seen = outputs(
        suite, tmp_path / "store", tmp_path / "out", capsys, "--model", "command", "--command", line
    )
    assert [row for row in seen.splitlines() if SECRET in row] == []
    assert [form for form in forms if form in seen] == []
    assert seen.count("[redacted]") >= len(said)


@pytest.mark.parametrize("ended", [True, False])
def test_a_private_key_longer_than_what_is_kept_is_in_no_output(
    ended: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "model.py"
    end = "-----END PRIVATE KEY-----" if ended else "x"
    script.write_text(
        f"import sys; body = '{SECRET}/+ab\\n' * 9000\n"
        f"sys.exit('-----BEGIN PRIVATE KEY-----\\n' + body + {end!r} + '\\ndeclined')"
    )
    suite = write_suite(tmp_path / "suite", 1)
    line = shlex.join([sys.executable, str(script)])
    seen = outputs(
        suite, tmp_path / "store", tmp_path / "out", capsys, "--model", "command", "--command", line
    )
    assert SECRET not in seen
    assert ("declined" in seen) == ended


@pytest.mark.parametrize("what", ["id", "category", "suite", "version", "subset", "element"])
def test_a_suite_that_names_something_by_a_secret_is_refused(tmp_path: Path, what: str) -> None:
    token = f"ghp_{SECRET * 4}"
    path = write_suite(tmp_path / "suite", 1)
    head, case = map(json.loads, path.read_text().splitlines())
    if what in head:
        head[what] = token
    elif what in case:
        case[what] = token
    elif what == "subset":
        head["subsets"] = {token: [case["id"]]}
    else:
        manifest = path.parent / "manifest.csv"
        manifest.write_text(
            manifest.read_text().replace(f"\n{case['elements'][0]},", f"\n{token},")
        )
    path.write_text(f"{json.dumps(head)}\n{json.dumps(case)}\n")
    with pytest.raises(SuiteError, match=r"'\[redacted\]' holds a secret, and is published"):
        load_suite(path)


def test_a_secret_is_not_cut_to_a_part_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_KEY", f"{SECRET}-{'y' * 50}")
    script = tmp_path / "model.py"
    script.write_text("import os, sys; sys.exit(os.environ['MODEL_KEY'] + 'x' * 3970)")
    line = shlex.join([sys.executable, str(script)])
    suite = write_suite(tmp_path / "suite", 1)
    seen = outputs(
        suite, tmp_path / "store", tmp_path / "out", capsys, "--model", "command", "--command", line
    )
    assert "yyy" not in seen


@dataclass(frozen=True, kw_only=True)
class Keyed(MyGenerator):
    """A plug-in that puts what it is given into its parameters, its source and its failures."""

    api_key: str = ""
    url: str = ""

    @property
    def info(self) -> GeneratorInfo:
        params = {"api_key": self.api_key, "url": self.url}
        return GeneratorInfo(name="keyed", revision="1", params=params, source=self.url)

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        raise RuntimeError(f"{self} was refused at {self.url}")


@dataclass(frozen=True, kw_only=True)
class Telling(Level):
    """A metric whose parameters and details hold secrets."""

    url: str = f"https://me:{SECRET}@host/?sig={SECRET}"

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="telling", version="1", dimension="d", low=0, high=1, higher_is_better=True,
            needs=("video",), licence="Apache-2.0", source="tests",
            params={"url": self.url, "token": SECRET},
        )  # fmt: skip

    def score(self, case: Case, features: object) -> Measurement:
        return Measurement(value=0.5, detail={"asked": [self.url], "password": SECRET, "n": 3})


def test_a_parameter_that_is_a_secret_is_in_no_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path / "suite", 1)
    given = [f"api_key=p q {SECRET}", f"url=https://me:{SECRET}@host/v1?sig={SECRET}"]
    more = [word for one in given for word in ("--param", one)]
    model = f"{__name__}:Keyed"
    seen = outputs(suite, tmp_path / "s", tmp_path / "out", capsys, "--model", model, *more)
    assert SECRET not in seen
    assert "RuntimeError: Keyed(" in seen
    assert '"url":"https://[redacted]@host/v1?sig=[redacted]"' in seen


def test_a_secret_of_a_metric_is_in_no_output(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 1), Telling()), store)
    (score,) = (r for r in store.records().values() if r.kind == "score")
    url = "https://[redacted]@host/?sig=[redacted]"
    assert score.status is Status.OK
    assert score.detail == {"asked": [url], "password": "[redacted]", "n": 3}
    (row,) = collect([store])
    assert row.cell("telling").counts["ok"] == 1
    assert not [p for p in (tmp_path / "store").rglob("*.json*") if SECRET in p.read_text()]


@pytest.mark.parametrize("what", ["name", "revision"])
def test_a_model_is_not_named_by_a_secret(tmp_path: Path, what: str) -> None:
    given: dict[str, Any] = {what: f"git+https://{SECRET}@host/repository"}
    model = MyGenerator(**given)
    with pytest.raises(UsageError, match=rf"{what} 'git\+https://\[redacted\]@host") as caught:
        ask(make_suite(tmp_path / "s", 1), generator=model).prepare()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--model", "collage", "--param", f"token={SECRET}", "--param", f"token={SECRET}x"),
        ("run", "--model", "collage", "--param", f"--token {SECRET}"),
        ("run", "--model", f"https://me:{SECRET}@host"),
        ("run", "--model", "collage", f"password={SECRET}"),
        ("list", f"--password '{SECRET}'"),
        ("study", "status", f"https://host/?sig={SECRET}"),
    ],
)
def test_what_cannot_be_meant_is_told_without_its_secrets(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(words) in (1, 3)
    told = "".join(capsys.readouterr())
    assert "[redacted]" in told or "given twice" in told
    assert SECRET not in told


def test_a_traceback_are_shown_without_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    main(["--version"])
    try:
        raise RuntimeError("refused: token=" + SECRET)
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    told = capsys.readouterr().err
    assert told.endswith("RuntimeError: refused: token=[redacted]\n")
    assert SECRET not in told
