"""What ``--json`` prints: one strict object with the tables' numbers, and docs/json.md tells it."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from a2bench import __version__
from a2bench.cli import main
from a2bench.cli.json_output import answer
from a2bench.doctor import Check
from a2bench.results.leaderboard import collect
from a2bench.runs.store import RunStore
from tests.helpers import ROOT
from tests.helpers.runs import command

BROKEN = "tests.helpers.fakes:ReadsBroken"
PUBLISHED = str(ROOT / "leaderboards" / "skyreels-a2-table-1.csv")
RECIPE = """
name = "mine"
version = "2"
title = "the level"
note = "twice"
divisor = 0.5
[weights]
level = 1.0
"""
NAMED = {"rows[].metrics", "row.metrics"}
"""Objects whose names are not fixed."""
WHOLE = {
    *("recipe.weights", "rows[].comprehensive.columns", "sets"),
    *("items[].weights", "items[].bounds"),
}
"""Fields that hold such an object and are told as one."""

Capture = pytest.CaptureFixture[str]


def strict(text: str) -> Any:
    """The object of one line of ASCII without control characters. Raises for NaN and infinities."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    (line,) = text.splitlines()
    assert line.isascii()
    assert line.isprintable()
    return json.loads(line, parse_constant=refuse)


def asked(capsys: Capture, *words: str, code: int = 0) -> dict[str, Any]:
    """What a command prints with ``--json``."""
    capsys.readouterr()
    assert main([*words, "--json"]) == code
    found = strict(capsys.readouterr().out)
    assert found.pop("a2bench") == __version__
    assert isinstance(found, dict)
    return found


@pytest.fixture
def store(words: list[str], tmp_path: Path) -> Path:
    """Three videos and their levels; for the first case a metric that fails, too."""
    assert main(words) == 0
    assert main([*words, "--cases", "case-001", "--metrics", BROKEN]) == 2
    return tmp_path / "store"


def levels(store: Path) -> list[float]:
    """The levels of the three videos, as the records hold them."""
    records = RunStore(store).records().values()
    return [r.value for r in records if r.value is not None and r.model == "my-generator"]


def check_row(row: dict[str, Any], store: Path) -> None:
    (held,) = (r for r in collect([RunStore(store)]) if r.model["name"] == "my-generator")
    assert {name: row[name] for name in ("model", "revision", "store", "profile", "suite")} == {
        "model": "my-generator",
        "revision": "1",
        "store": "",
        "profile": "tests.helpers.fakes:profile",
        "suite": "tiny",
    }
    assert (row["suite_version"], row["suite_sha256"]) == ("1", held.suite["key"])
    assert row["cases"] == 3
    level, broken = row["metrics"]["level"], row["metrics"]["reads_broken"]
    interval = held.cell("level").interval
    assert interval is not None
    assert level["mean"] == math.fsum(levels(store)) / 3
    assert (level["low"], level["high"]) == (interval.low, interval.high)
    assert level["counts"] == {
        "ok": 3, "failed": 0, "not_applicable": 0, "refused": 0, "missing": 0,
    }  # fmt: skip
    assert level["measured"] == held.measured("level")
    assert [broken["mean"], broken["low"], broken["high"]] == [None] * 3
    assert (broken["counts"]["failed"], broken["counts"]["missing"]) == (1, 2)


FAILURE = {
    "what": "reads_broken",
    "status": "failed",
    "reason": "RuntimeError: no such network",
    "works": [{"case": "case-001", "seed": 0}],
}


def test_status_tells_rows_failures_and_what_has_changed(
    store: Path, suite: Path, tmp_path: Path, capsys: Capture
) -> None:
    found = asked(capsys, "status", str(store))
    assert (found["schema"], found["store"]) == ("a2bench/status/1", str(store))
    (row,) = found["rows"]
    check_row(row, store)
    assert row["failures"] == [FAILURE]
    assert row["changed"] == []
    other = suite.with_name("other.jsonl")
    other.write_text(suite.read_text().replace("Prompt of case-002.", "Another."))
    (row,) = asked(capsys, "status", str(store), "--suite", str(other))["rows"]
    assert row["changed"] == ["case-002"]


def test_run_tells_what_it_did_and_judges_what_was_asked_for(
    words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    store = str(tmp_path / "store")
    first = asked(capsys, *words, "--cases", "case-001", "--metrics", f"level,{BROKEN}", code=2)
    counts = {name: first[name] for name in ("planned", "done", "failed", "complete", "notes")}
    assert counts == {"planned": 1, "done": 1, "failed": 1, "complete": False, "notes": []}
    assert first["rows"][0]["failures"] == [FAILURE]
    found = asked(capsys, *words)
    assert (found["schema"], found["store"]) == ("a2bench/run/1", store)
    assert (found["videos"], found["scores"]) == ({"held": 1, "asked": 3}, {"held": 1, "asked": 3})
    counts = {name: found[name] for name in ("planned", "done", "failed", "complete")}
    assert counts == {"planned": 2, "done": 2, "failed": 0, "complete": True}
    assert found["notes"] == [
        "my-generator (1): from earlier runs, not asked for now: reads_broken (1 failed), "
        "reads_broken (2 missing)"
    ]
    (row,) = found["rows"]
    check_row(row, tmp_path / "store")


def test_a_dry_run_tells_the_jobs_and_makes_nothing(
    words: list[str], store: Path, capsys: Capture
) -> None:
    before = sorted(store.rglob("*"))
    asking = ("--dry-run", "--seeds", "0-1", "--cases", "case-001", "--metrics", f"level,{BROKEN}")
    found = asked(capsys, *words, *asking)
    assert found == {
        "schema": "a2bench/plan/1",
        "store": str(store),
        "videos": {"held": 1, "asked": 2},
        "scores": {"held": 1, "asked": 4},
        "jobs": [
            {"case": "case-001", "seed": 0, "video": False, "metrics": ["reads_broken"]},
            {"case": "case-001", "seed": 1, "video": True, "metrics": ["level", "reads_broken"]},
        ],
    }
    assert sorted(store.rglob("*")) == before


def test_leaderboard_needs_no_file(store: Path, tmp_path: Path, capsys: Capture) -> None:
    found = asked(capsys, "leaderboard", str(store))
    assert (found["schema"], found["out"], found["recipe"]) == ("a2bench/leaderboard/1", None, None)
    (row,) = found["rows"]
    check_row(row, store)
    assert row.keys().isdisjoint({"comprehensive", "failures"})
    assert found["notes"] == []
    out = tmp_path / "board.csv"
    again = asked(capsys, "leaderboard", str(store), "--out", str(out))
    assert again == {**found, "out": str(out)}
    assert "my-generator" in out.read_text()
    assert main(["leaderboard", str(store)]) == 1
    assert "--out FILE, or ask for --json" in capsys.readouterr().err


def test_leaderboard_tells_the_comprehensive_score(
    store: Path, words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*words, "--param", "name==other", "--limit", "2"]) == 0
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE)
    found = asked(capsys, "leaderboard", str(store), "--recipe", str(recipe))
    assert found["recipe"] == {
        "name": "mine",
        "version": "2",
        "title": "the level",
        "note": "twice",
        "divisor": 0.5,
        "weights": {"level": 1.0},
    }
    other, mine = found["rows"]
    assert [other["model"], mine["model"]] == ["=other", "my-generator"]  # no cell of a spreadsheet
    (level,) = mine["metrics"].values()
    assert level["mean"] == math.fsum(levels(store)) / 3
    score = mine["comprehensive"]
    assert score["mean"] == 2 * level["mean"]
    assert score["low"] < score["mean"] < score["high"]
    rest = ("n", "n_fewest", "rank", "series", "alike", "unranked", "lacks", "columns")
    assert [score[name] for name in rest] == [3, 3, 1, "", [], "", "", {"level": "level"}]
    assert other["comprehensive"]["rank"] is None
    assert "on 2 cases, others on 3" in other["comprehensive"]["unranked"]


def test_leaderboard_tells_what_a_table_does_not(capsys: Capture) -> None:
    found = asked(capsys, "leaderboard", PUBLISHED, "--recipe", "table1")
    assert [f"{row['comprehensive']['mean']:.3f}" for row in found["rows"]] == [
        "0.807",
        "0.821",
        "0.826",
        "0.818",
    ]
    assert [row["comprehensive"]["rank"] for row in found["rows"]] == [4, 2, 1, 3]
    assert {row["cases"] for row in found["rows"]} == {None}
    ours = found["rows"][0]["metrics"]["id_consistency"]
    assert (ours["mean"], ours["low"], ours["counts"]) == (0.388, None, None)
    assert any("ranked by their scores alone" in note for note in found["notes"])


@pytest.mark.slow
def test_list_tells_models_metrics_and_suites(capsys: Capture) -> None:
    models = asked(capsys, "list", "models")
    assert (models["schema"], models["what"], models["sets"]) == ("a2bench/list/1", "models", {})
    about = {one["name"]: one["about"] for one in models["items"]}
    assert about["still"] == "The collage's first frame, held: nothing moves."
    metrics = asked(capsys, "list", "metrics", "--profile", "paper")
    held = {one["name"]: one for one in metrics["items"]}
    dynamic, judged = held["dynamic_degree"], held["judge_rationality"]
    assert (dynamic["low"], dynamic["high"], dynamic["higher_is_better"]) == (0.0, 1.0, True)
    assert (dynamic["dimension"], dynamic["needs"]) == ("visual quality", ["video"])
    assert held["cuts"]["high"] is None  # infinite
    assert judged["name"] in metrics["sets"]["judge"]
    suites = asked(capsys, "list", "suites")["items"]
    assert [(one["name"], one["cases"]) for one in suites] == [
        ("a2bench-open", 50),
        ("a2bench-open:mini", 6),
    ]
    assert all(re.fullmatch("[0-9a-f]{64}", one["sha256"]) for one in suites)


def test_doctor_tells_each_check_and_keeps_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    ear = Check(name="ear", ok=True, found="one", remedy="wash")
    eye = Check(name="eye", ok=False, found="none", remedy="pip install eye", needed=False)
    monkeypatch.setattr("a2bench.doctor.diagnose", lambda *_: [ear, eye])
    found = asked(capsys, "doctor", "--profile", "paper")
    assert found == {
        "schema": "a2bench/doctor/1",
        "profile": "paper",
        "ok": True,
        "checks": [
            {"name": "ear", "ok": True, "found": "one", "remedy": "", "needed": True},
            {
                "name": "eye", "ok": False, "found": "none",
                "remedy": "pip install eye", "needed": False,
            },
        ],
    }  # fmt: skip
    nose = Check(name="nose", ok=False, found="none")
    monkeypatch.setattr("a2bench.doctor.diagnose", lambda *_: [nose])
    assert asked(capsys, "doctor", code=3)["ok"] is False


def hurt(store: Path) -> tuple[Path, Path]:
    """Adds a line that is no record to a file of records and removes a video; returns both."""
    records = min((store / "records").glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    lines = records.read_bytes().splitlines(keepends=True)
    records.write_bytes(b"".join([*lines, b"{}\n"]))
    video = min((store / "videos").rglob("*.mp4"))
    video.unlink()
    return records, video


def test_store_check_tells_damage_and_keeps_its_exit_code(store: Path, capsys: Capture) -> None:
    found = asked(capsys, "store", "check", str(store))
    assert found == {
        "schema": "a2bench/store-check/1",
        "store": str(store),
        "records": 7,
        "superseded": 0,
        "videos": 3,
        "gone": [],
        "unused": [],
        "damage": [],
    }
    records, video = hurt(store)
    (store / "runs" / "foreign.json").write_text("[]")
    found = asked(capsys, "store", "check", str(store), code=2)
    assert (found["records"], found["videos"], found["gone"]) == (7, 2, [str(video)])
    line, manifest = found["damage"]
    assert (line["path"], line["line"]) == (str(records), 7)
    assert line["reason"] == "damaged record: it has no checksum"
    assert (manifest["path"], manifest["line"]) == (str(store / "runs" / "foreign.json"), None)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status", "nowhere"], 3),
        (["leaderboard", "nowhere"], 3),
        (["leaderboard", "nowhere", "--out", "x.pdf"], 1),
        (["store", "check", "nowhere"], 3),
        (["list", "planets"], 1),
        (["run", "--model", "colage"], 1),
        (["run", "--model", "collage", "--seeds", "x"], 1),
    ],
)
def test_what_could_not_be_done_prints_nothing_and_says_why(
    words: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--json"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("a2bench: ")


def test_texts_hold_no_secret_and_no_escape_sequence(capsys: Capture) -> None:
    leak = "curl -H 'Authorization: Bearer planted-secret-1'"
    answer("x/1", {"\x1b[31mred\x1b[0m": [leak, ("\x1b[2Ja\nb", 0.1, None, True)], "ü": "\udc80"})
    out = capsys.readouterr().out
    assert "planted" not in out
    found = strict(out)
    assert found["schema"] == "a2bench/x/1"
    assert found["red"][1] == ["a b", 0.1, None, True]
    assert "curl -H" in found["red"][0]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_never_printed(value: float, capsys: Capture) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        answer("x/1", {"value": value})
    assert capsys.readouterr().out == ""


def test_what_a_model_prints_goes_to_standard_error(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    model = ("--model", "tests.helpers.generators:Chatters", "--limit", "1")
    assert main([*words, *model, "--json"]) == 0
    out, err = capfd.readouterr()
    assert strict(out)["done"] == 1
    for who in ("Python", "the system", "C"):
        assert f"chatter of {who}\n" in err
    assert "1/1 cases" in err
    assert main([*words, *model]) == 0
    assert "n_ok" in capfd.readouterr().out  # standard output is what it was


@pytest.mark.slow
def test_what_workers_print_goes_to_standard_error(suite: Path, tmp_path: Path) -> None:
    model = ("--model", "tests.helpers.generators:Chatters", "--workers", "2", "--json")
    asking = command(suite, tmp_path / "store", *model)
    done = subprocess.run(asking, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert strict(done.stdout)["done"] == 3
    assert done.stderr.count("chatter of the system\n") == 3


def leaves(value: Any, at: str = "") -> Iterator[str]:
    """The names of all fields that hold no others, as docs/json.md writes them."""
    if isinstance(value, dict) and at not in WHOLE:
        for name, one in value.items():
            yield from leaves(one, f"{at}.{'*' if at in NAMED else name}".lstrip("."))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for one in value:
            yield from leaves(one, f"{at}[]")
    else:
        yield at


def documented() -> dict[str, set[str]]:
    """The fields of each section of docs/json.md; what a section refers to is put in."""
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    sections = {}
    for section in text.split("\n## ")[1:]:
        name, _, body = section.partition("\n")
        cells = re.findall(r"^\| (`.+?) \|", body, flags=re.MULTILINE)
        sections[name] = {field for cell in cells for field in re.findall("`(.+?)`", cell)}
    for place, name in (("rows[].failures[]", "Failures"), ("rows[]", "Rows"), ("row", "Rows")):
        for fields in sections.values():
            if place in fields:
                fields.remove(place)
                fields |= {f"{place}.{field}" for field in sections[name]}
    return {name: fields for name, fields in sections.items() if name.startswith("a2bench/")}


@pytest.mark.slow
def test_the_document_names_every_field_and_no_other(
    store: Path, words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    packed = tmp_path / "packed.zip"
    assert main(["submission", "pack", str(store), "--out", str(packed)]) == 0
    commands = [
        (("status", str(store)), 0),
        (("leaderboard", str(store)), 0),
        (("leaderboard", PUBLISHED, str(store), "--recipe", "table1"), 0),
        (("compare", *(3 * [str(store)]), "--metrics", "level"), 0),
        (("submission", "check", str(packed)), 0),
        (("doctor",), 0),
        *((("list", what), 0) for what in ("models", "metrics", "suites", "recipes", "tables")),
        ((*words, "--dry-run", "--seeds", "5"), 0),
        ((*words, "--metrics", BROKEN), 2),
        (("store", "check", str(store)), 2),
    ]
    said: dict[str, set[str]] = {}
    for asking, code in commands:
        if asking[:2] == ("store", "check"):
            hurt(store)
        found = asked(capsys, *asking, code=code)
        said.setdefault(found.pop("schema"), set()).update(leaves(found))
    assert said == documented()
