from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from a2bench.cli import judge as cli_judge
from a2bench.errors import CannotRun
from a2bench.keys import file_sha256
from a2bench.metrics.judge import scores as judge
from a2bench.ratings.judge_agreement import Rated, agreements, read_ratings
from a2bench.runs.store import RunStore
from a2bench.types import Status, VideoId
from tests.helpers.judge_server import Answer, gemini, verdict
from tests.helpers.judges import SILENT, ask, gemini_service, judge_metrics
from tests.helpers.makers import make_suite
from tests.helpers.runs import do
from tests.helpers.suites import write_suite

FACE = "face_consistency"
HEADER = "model,case,criterion,score,rater\n"


def video(case: int, criterion: str = FACE) -> Rated:
    return Rated(VideoId(f"case-{case}", "m", 0), criterion)


def run(*arguments: str) -> None:
    cli_judge.app(args=list(arguments), standalone_mode=False)


def test_agreement_with_known_answers() -> None:
    scores = {video(1): 1.0, video(2): 3.0, video(3): 4.0, video(4): 5.0, video(5): 2.0}
    people = {video(1): [1, 1], video(2): [2, 3], video(3): [5, 5, 4], video(4): [5], video(9): [1]}
    face, every = agreements(scores, people)
    means = [1.0, 2.5, 14 / 3, 5.0]
    assert (face.criterion, face.videos, face.ratings, every.criterion) == (FACE, 4, 8, "all")
    assert face.bias.mean == pytest.approx((13 - sum(means)) / 4)
    assert face.spearman == pytest.approx(stats.spearmanr([1, 3, 4, 5], means).statistic)
    assert face.kendall == pytest.approx(stats.kendalltau([1, 3, 4, 5], means).statistic)
    assert face.exact == 5 / 8  # 1 1, 3, 4, 5
    assert face.exact_people == pytest.approx(2 / 5)  # of (1 1), (2 3), (5 5) (5 4) (5 4)


def test_a_judge_that_always_says_the_same_has_no_rank_correlation() -> None:
    scores = {video(n): 3.0 for n in range(3)}
    face, _ = agreements(scores, {video(n): [n + 2] for n in range(3)})
    assert (face.spearman, face.kendall, face.exact_people) == (None, None, None)
    assert face.exact == pytest.approx(1 / 3)
    assert face.bias.mean == 0.0


def test_repeats_are_rounded_before_they_are_compared() -> None:
    face, _ = agreements({video(1): 3.5, video(2): 3.25}, {video(1): [4], video(2): [3]})
    assert face.exact == 1.0


def test_ratings_are_read_and_every_fault_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(HEADER + f"m,case-1,{FACE},4,a\nm,case-1,{FACE},5,b\nm,case-2,{FACE},,a\n")
    assert read_ratings(path) == {video(1): [4, 5]}
    path.write_text(HEADER + "m,c,nose,4,a\n" + f"m,c,{FACE},6,a\nm,c,{FACE},4.5,a\n")
    with pytest.raises(CannotRun) as error:
        read_ratings(path)
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["2", "3", "4"]
    path.write_text("model,case\n")
    with pytest.raises(CannotRun, match="score: the column is missing; found: model, case"):
        read_ratings(path)


def judge_three(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> RunStore:
    store = RunStore(folder / "store")
    with gemini_service(monkeypatch):
        do(ask(make_suite(folder / "s", 3), judge_metrics(store, **options)), store)
    return store


@pytest.mark.slow
def test_the_command_compares_a_store_with_ratings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, ratings = judge_three(tmp_path, monkeypatch), tmp_path / "r.csv"
    rows = [f"my-generator,case-00{n},{FACE},{score},a" for n, score in ((1, 4), (2, 5), (9, 1))]
    ratings.write_text(HEADER + "\n".join(rows) + "\n")
    out = tmp_path / "a.csv"
    run("agreement", str(store.root), "--ratings", str(ratings), "--out", str(out))
    shown = capsys.readouterr().out
    assert "-0.50" in shown
    assert "2 scores compared; 1 rated ones were not judged" in shown
    lines = out.read_text().splitlines()
    assert lines[1].startswith("face_consistency,2,2,,,0.5,,-0.5,")
    ratings.write_text(HEADER + f"other,case-001,{FACE},4,a\n")
    with pytest.raises(CannotRun, match="names of models, cases and criteria"):
        run("agreement", str(store.root), "--ratings", str(ratings))
    with pytest.raises(CannotRun, match="is not a file"):
        run("agreement", str(store.root), "--ratings", str(tmp_path))


@pytest.mark.slow
def test_of_two_judges_one_is_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, suite = judge_three(tmp_path, monkeypatch), make_suite(tmp_path / "s", 3)
    ids = [m.info.name.removeprefix("judge_") for m in judge_metrics(store)][:-1]
    lines = [json.dumps({"case": c.id, "reply": verdict(ids, 2)}) for c in suite.cases]
    recorded = tmp_path / "answers.jsonl"
    recorded.write_text("\n".join(lines))
    request = ask(suite, judge_metrics(store, spec=f"recorded:{recorded}"))
    do(replace(request, profile="other"), store)
    ratings = tmp_path / "r.csv"
    ratings.write_text(HEADER + f"my-generator,case-001,{FACE},4,a\n")
    command = ["agreement", str(store.root), "--ratings", str(ratings)]
    replayed = f"recorded {file_sha256(recorded)[:8]}"
    with pytest.raises(CannotRun, match=rf"gemini-2\.5-pro; {replayed}\. .*--judge NAME"):
        run(*command)
    for name, bias in (("gemini-2.5-pro", "+0.00"), (replayed, "-2.00")):
        run(*command, "--judge", name)
        assert bias in capsys.readouterr().out
    with pytest.raises(CannotRun, match=r"no judge 'nobody' there: gemini-2\.5-pro, recorded"):
        run(*command, "--judge", "nobody")


def test_two_judged_scores_of_one_video_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, suite = judge_three(tmp_path, monkeypatch), make_suite(tmp_path / "s", 3)
    ids = [m.info.name.removeprefix("judge_") for m in judge_metrics(store)][:-1]
    with gemini_service(monkeypatch) as service:
        service.answers = [Answer(body=gemini(json.dumps(verdict(ids, 2))))]
        request = ask(suite, judge_metrics(store, reuse=False))
        do(replace(request, profile="other"), store)
    ratings = tmp_path / "r.csv"
    ratings.write_text(HEADER + f"my-generator,case-001,{FACE},4,a\n")
    with pytest.raises(CannotRun, match="two judged scores of case-001"):
        run("agreement", str(store.root), "--ratings", str(ratings))


@pytest.mark.slow
def test_costs_are_told_and_answers_exported_for_a_recorded_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = judge_three(tmp_path, monkeypatch)
    run("costs", str(store.root))
    shown = " ".join(capsys.readouterr().out.split())
    assert "gemini gemini-2.5-pro" in shown
    assert "3 ok" in shown and "3000" in shown and "750" in shown and "0.0112" in shown
    recorded = tmp_path / "answers.jsonl"
    run("export", str(store.root), "--out", str(recorded))
    again = RunStore(tmp_path / "again")
    metrics = judge_metrics(again, spec=f"recorded:{recorded}")
    records = do(ask(make_suite(tmp_path / "s", 3), metrics), again)
    assert {r.status for r in records} == {Status.OK}
    with pytest.raises(CannotRun, match="no judge was asked"):
        run("costs", str(tmp_path))


@pytest.mark.slow
def test_the_probe_tells_what_text_in_the_video_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(judge, "FrameText", lambda: SILENT)
    store, suite = judge_three(tmp_path, monkeypatch), write_suite(tmp_path / "s", 3)
    command = ["probe", str(store.root), "--suite", str(suite), "--limit", "1"]
    with gemini_service(monkeypatch) as service:
        run(*command)
        assert len(service.calls) == 4
        shown = capsys.readouterr().out
        assert all(place in shown for place in ("top", "middle", "bottom"))
        assert "+0.00" in shown
        run(*command)
        assert len(service.calls) == 4  # nothing is paid twice
    assert not list((tmp_path / "store" / "tmp").iterdir())
    with pytest.raises(CannotRun, match="holds no video of a2bench-open"):
        run("probe", str(store.root))
