from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from a2bench.errors import CannotRun
from a2bench.features import ExtractorInfo
from a2bench.metric import Metric
from a2bench.results.leaderboard import collect, to_csv
from a2bench.runs.loop import Policy, plan
from a2bench.runs.store import RunStore
from a2bench.types import Status
from tests.helpers.fakes import Level, Levels, Misbehaves, ReadsBroken
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do


@dataclass(frozen=True, kw_only=True)
class Licensed(Levels):
    """Levels by weights under a licence."""

    @property
    def info(self) -> ExtractorInfo:
        return replace(super().info, licence="CC-BY-NC-4.0")


def test_the_licence_of_the_weights_stands_in_every_score_and_in_no_key(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "s", 1)
    free, bound = ask(suite, Level()), ask(suite, Level(levels=Licensed()))
    video, score = do(bound, RunStore(tmp_path / "store"))
    assert (video.licence, score.licence) == ("", "Apache-2.0; CC-BY-NC-4.0")
    (metric,) = bound.manifest()["metrics"]
    assert metric["licence"] == score.licence
    assert do(free, RunStore(tmp_path / "other"))[1].key == score.key


def test_a_second_run_finds_everything_in_the_store(tmp_path: Path) -> None:
    request, store = ask(make_suite(tmp_path / "s")), RunStore(tmp_path / "store")
    first = do(request, store)
    assert [r.kind for r in first] == ["video", "score"] * 3
    again = plan(request, store.records(), Policy.ONLY_MISSING)
    assert (again.jobs, again.videos, again.scores) == ((), (3, 3), (3, 3))


def test_a_new_metric_scores_the_videos_that_are_there(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s"), RunStore(tmp_path / "store")
    do(ask(suite), store)
    records = do(ask(suite, Level(), Level(name="other")), store)
    assert [(r.kind, r.metric) for r in records] == [("score", "other")] * 3


@pytest.mark.parametrize(
    "changed",
    [
        {"metrics": (Level(version="2"),)},
        {"profile": "paper"},
        {"seeds": (1,)},
    ],
)
def test_a_change_of_what_matters_is_a_miss(tmp_path: Path, changed: dict[str, Any]) -> None:
    request, store = ask(make_suite(tmp_path / "s")), RunStore(tmp_path / "store")
    do(request, store)
    other = plan(replace(request, **changed), store.records(), Policy.ONLY_MISSING)
    assert (len(other.jobs), other.scores[0]) == (3, 0)


def test_a_changed_prompt_is_a_miss_and_a_new_id_is_not(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s"), RunStore(tmp_path / "store")
    do(ask(suite), store)
    one, two, three = suite.cases
    cases = (replace(one, prompt="another"), replace(two, id="renamed"), three)
    work = plan(ask(replace(suite, cases=cases)), store.records(), Policy.ONLY_MISSING)
    assert [job.case.prompt for job in work.jobs] == ["another"]


def test_policies(tmp_path: Path) -> None:
    request, store = ask(make_suite(tmp_path / "s")), RunStore(tmp_path / "store")
    assert plan(request, {}, Policy.ONLY_CACHED).jobs == ()
    do(request, store)
    assert len(do(request, store, Policy.ALWAYS)) == 6
    assert len(store.records()) == 6


def test_failures_are_isolated_recorded_and_tried_again(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s", 1), RunStore(tmp_path / "store")
    how = ("raise", "nan", "detail", "na")
    metrics: list[Metric] = [*(Misbehaves(how=h) for h in how), ReadsBroken(), Level()]
    records = {r.metric: r for r in do(ask(suite, *metrics), store)}
    assert {name: r.status.value for name, r in records.items()} == {
        "": "ok",
        "does_raise": "failed",
        "does_nan": "failed",
        "does_detail": "failed",
        "does_na": "not_applicable",
        "reads_broken": "failed",
        "level": "ok",
    }
    assert records["does_raise"].error == "RuntimeError: broken on purpose"
    assert records["does_nan"].error == "does_nan: non-finite value nan"
    assert records["reads_broken"].error == "RuntimeError: no such network"
    assert all(
        (r.value is None) == (r.status is not Status.OK or r.kind == "video")
        for r in records.values()
    )
    again = plan(ask(suite, *metrics), store.records(), Policy.ONLY_MISSING)
    assert again.jobs[0].metrics == ("does_raise", "does_nan", "does_detail", "reads_broken")


def test_a_video_that_is_gone_or_was_changed_is_made_again(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s", 2), RunStore(tmp_path / "store")
    do(ask(suite), store)
    gone, changed = (
        store.video_path(job.key) for job in store.records().values() if job.kind == "video"
    )
    gone.unlink()
    changed.write_bytes(b"not what was made")
    records = do(ask(suite, Level(name="new")), store)
    assert sorted(r.kind for r in records) == ["score", "score", "video", "video"]
    assert all(r.status is Status.OK for r in records)


def test_each_seed_is_a_work_and_a_case_counts_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s"), seeds=(0, 1)), store)
    (row,) = collect([store])
    assert row.cell("level").counts == {"ok": 6}
    assert to_csv([row]).splitlines()[1].startswith("my-generator,1,test,tiny,1,3,2,")


class NoWeights(Levels):
    def missing(self) -> tuple[str, ...]:
        return ("weights levels.pth are missing: type this",)


def test_missing_weights_stop_a_run_before_anything_is_made(tmp_path: Path) -> None:
    request = ask(make_suite(tmp_path / "s"), Level(levels=NoWeights()))
    with pytest.raises(CannotRun, match=r"levels\.pth are missing: type this"):
        request.prepare()
