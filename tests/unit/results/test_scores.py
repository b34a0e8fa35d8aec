from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from a2bench.cli import main
from a2bench.results.leaderboard import collect
from a2bench.results.scores import COLUMNS, scores
from a2bench.runs.store import RunStore
from tests.helpers.fakes import Level, Misbehaves
from tests.helpers.generators import MyGenerator, WritesNothing
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    held, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 2)
    metrics = (Level(), Misbehaves(how="raise"), Misbehaves(how="na"))
    do(ask(suite, *metrics, generator=MyGenerator(name="=one"), seeds=(0, 1)), held)
    return held


def test_each_score_has_a_line_with_what_came_of_it(store: RunStore) -> None:
    table = scores(collect([store]))
    assert list(table) == list(COLUMNS)
    assert len(table) == 2 * 2 * 3
    first = table.iloc[0].to_dict()
    values = {r.key: r for r in store.records().values() if r.metric == "level"}
    held = next(r for r in values.values() if (r.case_id, r.seed) == (first["case"], 0))
    assert (first["model"], first["metric"], first["seed"]) == ("=one", "level", 0)
    assert (first["value"], first["seconds"]) == (held.value, held.seconds)
    assert (first["status"], first["reason"]) == ("ok", "")
    assert json.loads(first["detail"]) == dict(held.detail)
    assert first["video_sha256"] == held.video_sha256
    assert first["video_seconds"] > 0
    raised, na = (table[table["metric"] == f"does_{how}"] for how in ("raise", "na"))
    assert set(raised["status"]) == {"failed"} and raised["value"].isna().all()
    assert raised["reason"].str.contains("broken on purpose").all()
    assert set(zip(na["status"], na["reason"], strict=True)) == {
        ("not_applicable", "never applies")
    }


def test_a_video_that_failed_is_what_its_scores_are(tmp_path: Path) -> None:
    held, suite = RunStore(tmp_path / "other"), make_suite(tmp_path / "t", 1)
    do(ask(suite, generator=WritesNothing()), held)
    (line,) = scores(collect([held])).to_dict("records")
    (record,) = held.records().values()
    assert (line["status"], line["reason"]) == ("failed", record.error)
    assert pd.isna(line["value"]) and pd.isna(line["seconds"]) and line["detail"] == "{}"


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_each_format_holds_the_same_to_the_last_digit(
    store: RunStore, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"scores.{ending}"
    assert main(["scores", str(store.root), "--out", str(out)]) == 0
    assert "12 scores in " in capsys.readouterr().out
    expected = scores(collect([store]))
    if ending == "csv":
        read = pd.read_csv(out, dtype=COLUMNS, keep_default_na=False, na_values={"value": ""})
        assert set(read["model"]) == {"'=one"}  # no spreadsheet takes it for a formula
        read["model"] = "=one"
    elif ending == "jsonl":
        read = pd.DataFrame(map(json.loads, out.read_text().splitlines())).astype(COLUMNS)
    else:
        read = pd.read_parquet(out)
    columns = ["model", "case", "seed", "metric", "value", "status", "reason", "detail", "measured"]
    left, right = (t[columns].astype(object).fillna("") for t in (read, expected))
    assert left.to_dict("records") == right.to_dict("records")


def test_the_command_refuses_what_it_cannot_do(
    store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scores", str(store.root), "--out", "x.xlsx"]) == 1
    assert "x.xlsx: use a name that ends in .csv, .jsonl, .parquet" in capsys.readouterr().err
    assert main(["scores", str(tmp_path / "none"), "--out", "x.csv"]) == 3
    assert "is no run store" in capsys.readouterr().err
    assert main(["scores", str(RunStore(tmp_path / "new").create().root), "--out", "x.csv"]) == 3
    assert "nothing was run" in capsys.readouterr().err
