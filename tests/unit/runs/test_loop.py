from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from a2bench import evaluate
from a2bench.errors import CannotRun, StoreError, UsageError
from a2bench.features import ExtractorInfo, FeatureBank
from a2bench.metric import Metric, MetricInfo
from a2bench.results.failures import failures
from a2bench.results.leaderboard import collect, to_csv
from a2bench.runs.loop import Policy, plan
from a2bench.runs.store import RunStore
from a2bench.types import Case, Measurement, Status
from tests.helpers.fakes import Level, Levels, Misbehaves, ReadsBroken
from tests.helpers.generators import MyGenerator
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


@dataclass(frozen=True, kw_only=True)
class Says(Level):
    """A metric with a value, a name and bounds of its own."""

    value: float = 0.5
    low: float = 0.0
    high: float = 1.0

    @property
    def info(self) -> MetricInfo:
        return replace(super().info, low=self.low, high=self.high)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        return Measurement(value=self.value)


def test_a_value_outside_the_metric_s_own_bounds_is_a_failed_score(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s", 2), RunStore(tmp_path / "store")
    _, score, *_ = do(ask(suite, Says(value=17.5)), store)
    assert (score.status, score.value) == (Status.FAILED, None)
    assert score.error == "level: 17.5 is outside its bounds 0 to 1"
    (row,) = collect([store])
    assert str(row.cell("level")) == "– (2 failed)"


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (1.0000000000000002, 1.0000000000000002, 1.0000000000000002),
        (-1e-17, -1e-17, -1e-17),
        (1.0, 0.342380, 1.0),  # two of two: Wilson's interval
        (0.0, 0.0, 0.657620),
    ],
)
def test_what_a_float_rounds_is_kept_as_it_is(
    tmp_path: Path, value: float, low: float, high: float
) -> None:
    store = RunStore(tmp_path / "store")
    _, score, *_ = do(ask(make_suite(tmp_path / "s", 2), Says(value=value)), store)
    assert score.value == value
    interval = collect([store])[0].cell("level").interval
    assert interval is not None
    assert interval.mean == value
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-6)


def test_bounds_may_be_infinite(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 2), Says(value=300.0, high=math.inf)), store)
    assert str(collect([store])[0].cell("level")) == "300.000 [300.000, 300.000]"
    do(ask(make_suite(tmp_path / "s", 2), Says(value=-0.5, high=math.inf, name="below")), store)
    assert str(collect([store])[0].cell("below")) == "– (2 failed)"


def test_a_stored_value_outside_the_bounds_counts_as_failed_and_is_measured_anew(
    tmp_path: Path,
) -> None:
    suite, store = make_suite(tmp_path / "s", 3), RunStore(tmp_path / "store")
    do(ask(suite), store)
    scores = [r for r in store.records().values() if r.kind == "score"]
    rest = [one.value for one in scores[1:] if one.value is not None]
    store.writer().append(replace(scores[0], value=17.5))  # as 0.1 wrote it
    (row,) = collect([store])
    cell = row.cell("level")
    assert cell.counts == {"ok": 2, "failed": 1}
    assert cell.interval is not None
    assert cell.interval.mean == sum(rest) / 2
    (told,) = failures(row)
    assert (told.what, told.works) == ("level", [(scores[0].case_id, 0)])
    assert told.reason == "level: 17.5 is outside its bounds 0 to 1"
    again = do(ask(suite), store)
    assert [(r.key, r.value) for r in again] == [(scores[0].key, scores[0].value)]
    assert collect([store])[0].cell("level").counts == {"ok": 3}


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (0.0, math.nan)])
def test_bounds_that_are_none_are_refused(low: float, high: float) -> None:
    with pytest.raises(UsageError, match="metric level: its bounds are"):
        Says(low=low, high=high).info  # noqa: B018


def test_a_video_that_is_gone_or_was_changed_is_made_again(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "s", 2), RunStore(tmp_path / "store")
    do(ask(suite), store)
    gone, changed = (
        store.video_path(r.video_sha256) for r in store.records().values() if r.kind == "video"
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


class Keeps(MyGenerator):
    """Writes a video that has another name, by which it can be changed."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        super().generate(case, seed=seed, out=out)
        os.link(out, out.parents[3] / "mine.mp4")


def test_a_stored_video_has_no_other_name(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 1), generator=Keeps()), store)
    (video,) = (store.root / "videos").glob("*/*.mp4")
    assert video.read_bytes() == (tmp_path / "mine.mp4").read_bytes()
    (tmp_path / "mine.mp4").write_bytes(b"changed")
    assert store.video(video.stem).path == video


class Deletes(MyGenerator):
    """Deletes the store while it is at work."""

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        shutil.rmtree(out.parents[2])


def test_a_store_that_is_deleted_stops_the_run_and_does_not_come_back(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    with pytest.raises(StoreError, match=f"cannot write {store.root}"):
        do(ask(make_suite(tmp_path / "s", 2), generator=Deletes()), store)
    with pytest.raises(StoreError, match="tmp is gone"), store.staging():
        pass
    assert not store.root.exists()


def test_only_cached_writes_nothing_where_it_was_asked_for_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {
        "model": MyGenerator(),
        "suite": make_suite(tmp_path / "s", 1),
        "profile": "tests.helpers.fakes:profile",
        "store": tmp_path / "store",
    }
    expected = evaluate(**asked)
    monkeypatch.setattr(RunStore, "create", pytest.fail)  # as in a store that is read-only
    (row,) = evaluate(**asked, policy="only-cached")
    assert row.works == expected[0].works


def test_a_store_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the store is '': name a folder"):
        evaluate("collage", store="")
