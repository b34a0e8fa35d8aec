"""Stores checked, mended, made smaller and put together; nothing that was made is deleted."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from a2bench.cli import main
from a2bench.errors import CannotRun
from a2bench.keys import canonical_json
from a2bench.results.leaderboard import collect, to_csv
from a2bench.results.upkeep import check, compact, merge, repair
from a2bench.runs.loop import Policy
from a2bench.runs.store import RunStore
from a2bench.types import Suite
from tests.helpers.fakes import Level
from tests.helpers.generators import FromElsewhere, MyGenerator, Otherwise, Raises
from tests.helpers.runs import ask, do, flip_digit, only, stored


def test_a_whole_store_is_whole(store: RunStore) -> None:
    found = check(store)
    assert (len(found.records), found.superseded, len(found.videos)) == (6, 0, 3)
    assert (found.gone, found.unused, found.damage) == ((), (), ())


def test_a_video_that_was_deleted_is_no_damage(store: RunStore) -> None:
    path = only(store.root, "videos/*/*.mp4")
    path.unlink()
    found = check(store)
    assert (found.gone, found.damage) == ((path,), ())


def test_compacting_keeps_what_counts(store: RunStore, suite: Suite) -> None:
    do(ask(suite), store, Policy.ALWAYS)
    unused = store.video_path(stored(store, 5))  # of a run that was killed
    (store.root / "tmp" / "host-123-left").mkdir()
    before = to_csv(collect([store]))
    found = compact(store)
    assert (len(found.records), found.superseded, found.unused) == (6, 6, (unused,))
    assert to_csv(collect([store])) == before
    again = check(store)
    assert (again.superseded, again.unused, len(again.videos)) == (0, (), 3)
    assert len(list((store.root / "records").iterdir())) == 1
    assert list((store.root / "tmp").iterdir()) == []
    assert len(list((store.root / "removed" / "records").iterdir())) == 2
    assert do(ask(suite), store) == []  # nothing is done again


def test_compacting_brings_an_older_store_up_to_date(store: RunStore, suite: Suite) -> None:
    """As 0.1 left it: lines without a checksum, videos that are named by their keys."""
    before = to_csv(collect([store]))
    records = store.records()
    for record in records.values():
        if record.kind == "video":
            old = store.root / "videos" / record.key[:2] / f"{record.key}.mp4"
            old.parent.mkdir(exist_ok=True)
            store.video_path(record.video_sha256).rename(old)
    path = only(store.root, "records/*.jsonl")
    rows = [canonical_json({"schema": 1, **asdict(record)}) for record in records.values()]
    path.write_text("\n".join(rows) + "\n")
    for manifest in (store.root / "runs").iterdir():
        row = json.loads(manifest.read_text())
        del row["check"]
        manifest.write_text(json.dumps({**row, "schema": 1}))
    assert to_csv(collect([store])) == before
    assert do(ask(suite), store) == []
    compact(store)
    assert store.records() == records
    assert all(b'"check"' in one.read_bytes() for one in (store.root / "records").iterdir())
    names = {one.stem for one in (store.root / "videos").rglob("*.mp4")}
    assert names == {record.video_sha256 for record in records.values()}
    assert to_csv(collect([store])) == before
    assert do(ask(suite), store) == []


def test_a_damaged_store_is_neither_compacted_nor_merged(store: RunStore, tmp_path: Path) -> None:
    flip_digit(store.root)
    for act in (lambda: compact(store), lambda: merge(RunStore(tmp_path / "new"), [store])):
        with pytest.raises(CannotRun, match=r"is damaged: a2bench store repair .* comes first"):
            act()
    assert not (tmp_path / "new").exists()


def test_nothing_is_mended_while_a_run_is_at_work(store: RunStore) -> None:
    with store.staging(), pytest.raises(CannotRun, match="a run is at work on"):
        repair(store)
    assert repair(store).damage == ()


class Waits(Exception):
    """Raised where a run would wait."""


def test_no_run_begins_while_a_store_is_looked_after(
    store: RunStore, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that begins as videos are hashed would lose what it makes."""
    told: list[str] = []

    def begin() -> None:
        with store.at_work():
            pytest.fail("it has begun")

    def tell(text: str, **_: int) -> None:
        told.append(text)
        raise Waits

    monkeypatch.setattr("a2bench.runs.store._BRIEFLY_S", 0.01)
    monkeypatch.setattr("a2bench.runs.store.warnings.warn", tell)
    other = RunStore(store.root.with_name("other"))
    do(ask(suite), other)
    for act in (compact, repair, lambda store, *, tick: merge(store, [other], tick=tick)):
        with pytest.raises(Waits):
            act(store, tick=begin)
    assert told == [f"a2bench store is at work on {store.root}: waiting until it has ended"] * 3
    assert check(store).damage == ()


def test_a_run_waits_and_goes_on(
    store: RunStore, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("a2bench.runs.store._BRIEFLY_S", 0.01)
    with ExitStack() as stack:
        stack.enter_context(store.locked(pytest.fail))
        monkeypatch.setattr("a2bench.runs.store.warnings.warn", lambda *_, **__: stack.close())
        assert len(do(ask(suite), store, Policy.ALWAYS)) == 6


def test_several_runs_are_at_work_and_one_looks_after(store: RunStore) -> None:
    with store.at_work(), store.at_work():
        for act in (compact, repair, lambda store: merge(store, [RunStore(store.root.parent)])):
            with pytest.raises(CannotRun, match="a run is at work on"):
                act(store)
    with (
        pytest.MonkeyPatch.context() as patch,
        store.locked(pytest.fail),
        pytest.raises(CannotRun, match=r"a2bench store is at work on .*: wait until it has ended"),
    ):
        patch.setattr("a2bench.runs.store._BRIEFLY_S", 0.01)
        compact(store)
    compact(store)


def test_a_manifest_that_was_taken_out_does_not_hide_what_comes_now(
    tmp_path: Path, suite: Suite
) -> None:
    store = RunStore(tmp_path / "store")
    for _ in range(3):
        do(ask(suite, generator=Raises()), store)
    only(store.root, "runs/*.json").write_text("")
    repair(store)
    assert store.newest_revision() == 3
    assert {one.revision for one in do(ask(suite), store)} == {4}  # the model is cured
    assert collect([store])[0].cell("level").counts == {"ok": 3}


def two_stores(folder: Path, suite: Suite) -> list[RunStore]:
    """One store with the first two cases and one metric, one with the last two and two metrics."""
    stores = [RunStore(folder / name) for name in "ab"]
    do(replace(ask(suite), cases=suite.cases[:2]), stores[0])
    do(replace(ask(suite, Level(), Level(name="other")), cases=suite.cases[1:]), stores[1])
    return stores


def test_a_merged_store_says_what_its_parts_say_together(tmp_path: Path, suite: Suite) -> None:
    parts = two_stores(tmp_path, suite)
    new = RunStore(tmp_path / "new")
    merge(new, parts)
    assert to_csv(collect([new])) == to_csv(collect(parts))
    assert len(check(new).videos) == 3
    assert check(new).damage == ()
    merge(parts[0], parts[1:])
    assert to_csv(collect(parts[:1])) == to_csv(collect([new]))
    assert len(collect(parts[1:])[0].works) == 2  # the other stays as it is


def test_a_failure_replaces_no_outcome(tmp_path: Path, suite: Suite) -> None:
    good, bad = (RunStore(tmp_path / name) for name in ("good", "bad"))
    do(ask(suite), good)
    do(ask(suite), bad)
    scores = [record for record in bad.records().values() if record.kind == "score"]
    failure: dict[str, Any] = {"value": None, "status": type(scores[0].status).FAILED, "error": "x"}
    bad.writer().append(*(replace(one, revision=9, **failure) for one in scores))
    merge(good, [bad])
    assert collect([good])[0].cell("level").counts == {"ok": 3}
    merge(bad, [good])
    assert collect([bad])[0].cell("level").counts == {"ok": 3}


def test_other_videos_of_one_model_are_not_merged(tmp_path: Path, suite: Suite) -> None:
    parts = [RunStore(tmp_path / name) for name in "ab"]
    do(ask(suite, generator=MyGenerator()), parts[0])
    do(ask(suite, generator=MyGenerator()), parts[1])
    record = next(r for r in parts[1].records().values() if r.kind == "video")
    parts[1].writer().append(replace(record, video_sha256="ab" * 32, revision=2))
    with pytest.raises(CannotRun, match=r"/a and .*/b hold other videos of 'my-generator'"):
        merge(RunStore(tmp_path / "new"), parts)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("what", ["profile", "suite"])
def test_other_videos_are_not_merged_whatever_the_profile_and_the_suite(
    tmp_path: Path, suite: Suite, what: str
) -> None:
    """A video is made for all profiles, and for all suites that have its case."""
    asked = ask(replace(suite, name="b") if what == "suite" else suite)
    asked = replace(asked, profile="b") if what == "profile" else asked
    same, other, elsewhere = (RunStore(tmp_path / name) for name in ("s", "o", "e"))
    do(ask(suite), same)
    do(replace(asked, generator=Otherwise()), other)
    do(replace(asked, generator=FromElsewhere()), elsewhere)
    for one in (other, elsewhere):
        with pytest.raises(CannotRun, match="hold other videos of 'my-generator'"):
            merge(RunStore(tmp_path / "new"), [same, one])
    fits = RunStore(tmp_path / "fits")
    do(asked, fits)
    merge(RunStore(tmp_path / "new"), [same, fits])
    assert [row.cell("level").counts for row in collect([RunStore(tmp_path / "new")])] == [
        {"ok": 3},
        {"ok": 3},
    ]


def test_a_store_that_has_more_videos_than_its_copy_is_merged_with_it(
    tmp_path: Path, suite: Suite, store: RunStore
) -> None:
    copy = RunStore(Path(shutil.copytree(store.root, tmp_path / "copy")))
    do(replace(ask(suite, generator=FromElsewhere()), profile="b"), store)
    merge(copy, [store])
    assert to_csv(collect([copy])) == to_csv(collect([store]))


def test_what_lies_in_the_way_of_a_video_is_not_merged(store: RunStore, tmp_path: Path) -> None:
    new = RunStore(tmp_path / "new")
    sha256 = only(store.root, "videos/*/*.mp4").stem
    path = new.video_path(sha256)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"junk")
    merge(new, [store])
    assert check(new).damage == ()
    assert new.video(sha256).sha256 == sha256
    path.write_bytes(b"junk")
    with pytest.raises(CannotRun, match=r"new is damaged: a2bench store repair .* comes first"):
        merge(new, [store])


def test_each_store_is_merged_once(store: RunStore, suite: Suite, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(store.root)
    new = RunStore(tmp_path / "new")
    merge(new, [store, RunStore(link), store])
    assert check(new).superseded == 0
    before = check(store)
    for sources in ([store], [new, RunStore(link)]):
        with pytest.raises(CannotRun, match="itself: name the stores to add to it"):
            merge(store, sources)
    assert check(store) == before


@pytest.mark.filterwarnings("default:.* damaged ")
def test_the_commands_say_it(
    store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(store.root)
    assert main(["store", "check", root]) == 0
    assert "6 records count, 0 lines are superseded" in capsys.readouterr().out
    path = flip_digit(store.root)
    assert main(["store", "check", root]) == 2
    told = capsys.readouterr().out
    assert re.search(rf"damaged: {path}:\d: damaged record: its checksum is not that", told)
    assert f"next: a2bench store repair {root}" in told
    assert main(["leaderboard", root, "--out", str(tmp_path / "x.csv")]) == 0
    assert f"a2bench store check {root} tells all" in capsys.readouterr().err
    assert main(["store", "repair", root]) == 0
    assert f"taken out: 1, kept in {root}/removed" in capsys.readouterr().out
    assert main(["store", "compact", root]) == 0
    assert main(["store", "merge", str(tmp_path / "new"), root]) == 0
    assert f"5 records in {tmp_path / 'new'}" in capsys.readouterr().out
    assert main(["store", "check", str(tmp_path / "none")]) == 3
