"""Two definitions of one metric: in columns of their own, and never ranked together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from a2bench.cli import main
from a2bench.metrics.judge.protocol import Price, Question, Reply, Shows
from a2bench.ratings.fit import collect_samples
from a2bench.results.definitions import base, label
from a2bench.results.leaderboard import collect, judges, table, to_csv, to_markdown
from a2bench.results.ranks import Scored, scored
from a2bench.results.recipe import parse
from a2bench.results.score_table import to_markdown as scores_to_markdown
from a2bench.results.table import apart, lines_of
from a2bench.runs.store import RunStore
from a2bench.types import Json, Suite, VideoId
from tests.helpers.fakes import Level, Levels
from tests.helpers.generators import MyGenerator
from tests.helpers.judge_server import verdict
from tests.helpers.judges import ask as ask_judge
from tests.helpers.judges import judge_metrics
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do

FACE = "judge_face_consistency"
RECIPE = """
name = "faces"
version = "1"
title = "t"
note = "n"
divisor = 1.0
[weights]
judge_face_consistency = 1.0
"""


@dataclass(frozen=True, kw_only=True)
class Says:
    """A judge that gives every video one score."""

    model: str
    score: int
    url: str = "http://127.0.0.1/v1"
    shows: Shows = "nothing"
    video_fps: float = 0.0
    max_output_tokens: int = 100
    price: Price | None = None

    @property
    def identity(self) -> Mapping[str, Json]:
        return {"judge": "openai", "url": self.url, "model": self.model}

    def missing(self) -> tuple[str, ...]:
        return ()

    def ask(self, question: Question, *, timeout_s: float) -> Reply:
        return Reply(text=json.dumps(verdict(question.schema["required"], self.score)))


def judge(store: RunStore, suite: Suite, says: Says, model: str = "one", **options: Any) -> None:
    """Lets a judge see a model's videos of a suite."""
    request = ask_judge(suite, judge_metrics(store, judge=says, **options))
    do(replace(request, generator=MyGenerator(name=model)), store)


def score(store: RunStore, recipe: str = RECIPE) -> list[Scored]:
    return scored(lines_of(table(collect([store]))), parse(recipe))


def faces(store: RunStore) -> dict[tuple[str, str], float]:
    """The judged faces by model and column."""
    lines = table(collect([store])).to_dict("records")
    columns = [c for c in map(str, lines[0]) if c.startswith(FACE) and c.endswith((FACE, ")"))]
    return {(r["model"], c): r[c] for r in lines for c in columns if not pd.isna(r[c])}


def test_two_models_by_two_judges_stand_in_two_columns_and_are_not_ranked_together(
    tmp_path: Path,
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 2)
    judge(store, suite, Says(model="strict", score=2), "one")
    assert faces(store) == {("one", FACE): 2.0}
    judge(store, suite, Says(model="kind", score=5), "two")
    assert faces(store) == {("one", f"{FACE} (strict)"): 2.0, ("two", f"{FACE} (kind)"): 5.0}
    (head, *_) = to_markdown(collect([store])).splitlines()
    assert f"| {FACE} (strict) |" in head and f"| {FACE} (kind) |" in head
    one, two = score(store)
    told = f"{FACE} measured otherwise"
    assert [(s.score, s.rank, s.unranked, s.shown(FACE)) for s in (one, two)] == [
        (2.0, None, told, "2.000 (strict)"),
        (5.0, None, told, "5.000 (kind)"),
    ]
    text = scores_to_markdown([one, two], parse(RECIPE))
    assert f"| 5.000 (kind) | 5.000 | – | not ranked: {told} |" in text
    line = table(collect([store])).to_dict("records")[0]
    assert line["metric_versions"].split().count(f"{FACE}@1") == 1
    assert len(line["metric_versions"].split()) == 15
    assert line["judge_text_flag_n_ok"] == 2  # whoever judges, the text is read alike


def test_a_second_judge_of_one_model_replaces_nobody(tmp_path: Path) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 2)
    judge(store, suite, Says(model="strict", score=2))
    judge(store, replace(suite, cases=suite.cases[:1]), Says(model="strict", score=2), "other")
    judge(store, suite, Says(model="kind", score=5))
    assert faces(store) == {
        ("one", f"{FACE} (strict)"): 2.0,
        ("one", f"{FACE} (kind)"): 5.0,
        ("other", f"{FACE} (strict)"): 2.0,
    }
    assert judges(collect([store])) == ["kind", "strict"]
    one, other = score(store)
    assert (one.score, one.lacks) == (None, f"{FACE} (of 2, name one: strict, kind)")
    assert (other.score, other.rank) == (2.0, 1)
    named = RECIPE.replace(f"{FACE} =", f'"{FACE} (kind)" =')
    assert [s.score for s in score(store, named)] == [5.0, None]


def test_what_differs_about_a_judge_of_one_name_is_told(tmp_path: Path) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    judge(store, suite, Says(model="m", score=2))
    judge(store, suite, Says(model="m", score=3), repeats=3, reuse=False)
    assert faces(store) == {
        ("one", f"{FACE} (m, repeats 1)"): 2.0,
        ("one", f"{FACE} (m, repeats 3)"): 3.0,
    }
    judge(store, suite, Says(model="m", score=4, url="http://elsewhere/v1"))
    there, here = "url http://elsewhere/v1", "url http://127.0.0.1/v1"
    assert faces(store) == {
        ("one", f"{FACE} (m, repeats 1, {here})"): 2.0,
        ("one", f"{FACE} (m, repeats 3, {here})"): 3.0,
        ("one", f"{FACE} (m, repeats 1, {there})"): 4.0,
    }


def test_judges_of_two_profiles_or_of_other_criteria_are_two_judges(tmp_path: Path) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    judge(store, suite, Says(model="strict", score=2))
    request = ask_judge(suite, judge_metrics(store, judge=Says(model="kind", score=5))[5:6])
    do(replace(request, profile="other"), store)
    names = [name for row in collect([store]) for name in row.metrics]
    assert f"{FACE} (strict)" in names  # whom nobody else judged
    assert "judge_rationality (kind)" in names and "judge_rationality (strict)" in names
    assert names.count("judge_text_flag") == 1


def test_any_metric_of_two_definitions_has_two_columns(tmp_path: Path) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 2)
    do(ask(suite, Level(version="1"), generator=MyGenerator(name="one")), store)
    do(ask(suite, Level(version="2"), generator=MyGenerator(name="two")), store)
    one, two = collect([store])
    assert (list(one.metrics), list(two.metrics)) == (["level (version 1)"], ["level (version 2)"])
    found = score(store, RECIPE.replace(FACE, "level"))
    assert [(s.rank, s.unranked) for s in found] == [(None, "level measured otherwise")] * 2
    # another profile is another way to measure, and its rows stand apart
    request = ask(suite, Level(levels=Levels(sampling="linspace-2")))
    do(replace(request, profile="paper"), store)
    assert list(collect([store])[0].metrics) == ["level"]
    again = RunStore(tmp_path / "again")
    do(ask(suite, Level()), again)
    do(ask(suite, Level(levels=Levels(sampling="linspace-2"))), again)
    (row,) = collect([again])
    assert list(row.metrics) == [
        "level (levels sampling all)",
        "level (levels sampling linspace-2)",
    ]
    assert all(row.cell(name).counts == {"ok": 2} for name in row.metrics)


def test_tables_that_may_be_of_two_judges_are_joined_apart(tmp_path: Path) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    judge(store, suite, Says(model="strict", score=2))
    strict = table(collect([store]))
    other = RunStore(tmp_path / "other")
    judge(other, suite, Says(model="kind", score=5), "two")
    joined = pd.concat(apart({"a.csv": strict, "b.csv": table(collect([other]))}))
    found = scored(lines_of(joined), parse(RECIPE))
    assert [(s.score, s.rank, s.columns[FACE]) for s in found] == [
        (2.0, None, f"{FACE} (a.csv)"),
        (5.0, None, f"{FACE} (b.csv)"),
    ]
    assert all(s.columns[FACE] in s.line.measured for s in found)
    assert f"{FACE} (a.csv)_n_ok" in joined
    (same, twice) = apart({"a.csv": strict, "b.csv": strict.copy()})
    assert list(same) == list(twice) == list(strict)


def test_the_commands_tell_two_judges_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = RunStore(tmp_path / "one"), RunStore(tmp_path / "two")
    suite, out = make_suite(tmp_path / "s", 1), tmp_path / "x.csv"
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE)
    judge(one, suite, Says(model="strict", score=2), "one")
    judge(two, suite, Says(model="kind", score=5), "two")
    stores = [str(one.root), str(two.root)]
    assert main(["leaderboard", *stores, "--out", str(out)]) == 0
    assert out.read_text() == to_csv(collect([one, two]))
    assert f"{FACE} (strict)" in capsys.readouterr().out
    assert main(["leaderboard", stores[0], "--out", str(out)]) == 0
    command = ["leaderboard", stores[1], str(out), "--recipe", str(recipe)]
    assert main([*command, "--out", str(tmp_path / "y.md")]) == 0
    assert "| 5.000 (run stores) | 5.000 | 1 |" in (tmp_path / "y.md").read_text()


def test_weights_are_not_compared_with_several_judges_at_once(tmp_path: Path) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 2)
    target = {VideoId(case.id, "one", 0): 3.0 for case in suite.cases}
    do(ask(suite, Level(), generator=MyGenerator(name="one")), store)
    judge(store, suite, Says(model="strict", score=2))
    samples = collect_samples(collect([store]), target)
    assert samples.judge is not None and list(samples.judge) == [2.0, 2.0]
    judge(store, suite, Says(model="kind", score=5))
    samples = collect_samples(collect([store]), target)
    assert (samples.judge, samples.metrics) == (None, ("level",))
    assert samples.left_out.endswith("; of several judges: kind, strict")


def test_a_column_is_its_metric_and_what_tells_it_apart() -> None:
    assert (base(FACE), label(FACE)) == (FACE, "")
    assert (base(f"{FACE} (a (b))"), label(f"{FACE} (a (b))")) == (FACE, "a (b)")
