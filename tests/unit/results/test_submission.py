"""A row in one file: what goes in comes out, and nothing that does not belong there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from a2bench.cli import main
from a2bench.errors import CannotRun
from a2bench.results.leaderboard import Row, collect, to_csv
from a2bench.results.submission import add, opened, pack
from a2bench.results.upkeep import check
from a2bench.runs.record import to_line
from a2bench.runs.store import RunStore
from tests.helpers.generators import MyGenerator, Otherwise
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    """Two models on two cases and seeds."""
    folder = tmp_path_factory.mktemp("submission")
    suite, store = make_suite(folder / "suite", 2), RunStore(folder / "store")
    for name in ("one", "two"):
        do(ask(suite, generator=MyGenerator(name=name), seeds=(0, 1)), store)
    return store


@pytest.fixture(scope="module")
def row(store: RunStore) -> Row:
    return next(row for row in collect([store]) if row.model["name"] == "one")


@pytest.fixture(scope="module")
def packed(store: RunStore, row: Row) -> Path:
    out = store.root.parent / "one.zip"
    assert pack(row, out) == 4
    return out


def altered(packed: Path, out: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of a file with other contents; an entry becomes what ``change`` gives, None: none."""
    with ZipFile(packed) as old, ZipFile(out, "w", ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = change(entry.filename, old.read(entry))
            if content is not None:
                new.writestr(entry.filename, content)
    return out


def test_a_row_comes_out_as_it_went_in(packed: Path, row: Row, tmp_path: Path) -> None:
    with opened(packed) as (found, held):
        assert to_csv([found.row]) == to_csv([row])
        assert "not measured again" in found.remarks[0]
        assert "is not at hand, its cases were not compared" in found.remarks[1]
        assert check(held).damage == ()
    target = RunStore(tmp_path / "all")
    add(packed, target)
    assert to_csv(collect([target])) == to_csv([row])
    assert len(check(target).videos) == len({w.video.video_sha256 for w in row.works if w.video})


def test_the_other_rows_of_a_store_stay_at_home(packed: Path) -> None:
    with ZipFile(packed) as file:
        text = b"".join(file.read(e) for e in file.infolist() if not e.filename.endswith(".mp4"))
    assert b'"one"' in text
    assert b'"two"' not in text


def test_a_second_row_is_added_and_changes_none(
    store: RunStore, packed: Path, tmp_path: Path
) -> None:
    other = next(row for row in collect([store]) if row.model["name"] == "two")
    pack(other, tmp_path / "two.zip")
    target = RunStore(tmp_path / "all")
    add(packed, target)
    before = to_csv(collect([target])).splitlines()
    add(tmp_path / "two.zip", target)
    assert to_csv(collect([target])).splitlines()[:2] == before
    assert to_csv(collect([target])) == to_csv(collect([store]))


def test_a_value_that_was_changed_is_found(packed: Path, tmp_path: Path) -> None:
    def raise_values(name: str, content: bytes) -> bytes:
        return content.replace(b'"value":0.', b'"value":1.') if ".jsonl" in name else content

    path = altered(packed, tmp_path / "x.zip", raise_values)
    reason = r"records.*its checksum is not that of its content"
    with pytest.raises(CannotRun, match=reason), opened(path):
        pass


def test_another_video_is_found(packed: Path, tmp_path: Path) -> None:
    def swap(name: str, content: bytes) -> bytes:
        return content + b"\0" if name.endswith(".mp4") else content

    path = altered(packed, tmp_path / "x.zip", swap)
    with pytest.raises(CannotRun, match=r"not the video that was recorded"), opened(path):
        pass


@pytest.mark.parametrize(
    ("part", "content", "reason"),
    [
        (".mp4", None, "is missing"),
        ("submission.json", None, "is no submission"),
        ("submission.json", b"[]", "of another schema"),
        ("submission.json", b'{"schema":"a2bench/submission/1"}', "another row than its records"),
        ("runs/", None, "holds 0 rows"),
        ("records/", None, "is no submission"),
    ],
)
def test_what_lacks_a_part_is_none(
    packed: Path, tmp_path: Path, part: str, content: bytes | None, reason: str
) -> None:
    path = altered(packed, tmp_path / "x.zip", lambda name, held: content if part in name else held)
    with pytest.raises(CannotRun, match=reason), opened(path):
        pass


def test_records_of_no_work_of_the_row_are_refused(
    store: RunStore, packed: Path, tmp_path: Path
) -> None:
    """Scores of another model, which the merged store would believe."""
    others = [r for r in store.records().values() if r.kind == "score" and r.model == "two"]
    forged = b"".join(to_line(replace(record, value=0.01, revision=9)) for record in others)
    path = shutil.copyfile(packed, tmp_path / "x.zip")
    with ZipFile(path, "a") as file:
        file.writestr("submission/records/zz.jsonl", forged)
    with pytest.raises(CannotRun, match="holds 4 records of no work of its row"):
        add(path, RunStore(tmp_path / "all"))


def test_other_scores_of_a_row_that_is_there_are_refused(
    store: RunStore, packed: Path, row: Row, tmp_path: Path
) -> None:
    target = RunStore(shutil.copytree(store.root, tmp_path / "all"))
    works = [
        replace(w, scores={m: replace(r, value=0.02, revision=9) for m, r in w.scores.items()})
        for w in row.works
    ]
    pack(replace(row, works=works), tmp_path / "x.zip")
    before = to_csv(collect([target]))
    with pytest.raises(CannotRun, match="holds another outcome of level in case-001"):
        add(tmp_path / "x.zip", target)
    assert to_csv(collect([target])) == before
    add(packed, target)  # the same row again changes nothing
    assert to_csv(collect([target])) == before


def test_a_metric_that_is_defined_otherwise_here_is_refused(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "suite", 2), RunStore(tmp_path / "store")
    request = replace(ask(suite), profile="tests.helpers.fakes:profile")
    do(request, store)
    (held,) = collect([store])
    pack(held, tmp_path / "good.zip")
    with opened(tmp_path / "good.zip"):
        pass
    (manifest,) = store.manifests()
    told = {
        **manifest["request"],
        "metrics": [{**m, "high": 1000.0} for m in manifest["request"]["metrics"]],
    }
    next(store.root.glob("runs/*.json")).unlink()
    store.write_manifest(told, manifest["provenance"])
    (forged,) = collect([store])
    pack(forged, tmp_path / "bad.zip")
    with (
        pytest.raises(CannotRun, match="level is not defined so here: high"),
        opened(tmp_path / "bad.zip"),
    ):
        pass


def entry(name: str, mode: int = 0) -> ZipInfo:
    found = ZipInfo(name)
    found.external_attr = mode << 16
    return found


@pytest.mark.parametrize(
    ("hostile", "content", "reason"),
    [
        (entry("submission/../../evil.json"), b"x", "leads outside"),
        (entry("/etc/cron.d/evil"), b"x", "leads outside"),
        (entry("submission/records/link.jsonl", 0o120777), b"/etc/passwd", "is a link or a device"),
        (entry("submission/run.sh"), b"x", "does not belong there"),
        (entry("submission/videos/ab/x.mp4"), b"x", "does not belong there"),
        (entry("submission/records/bomb.jsonl"), b"\0" * 30_000_000, "times its size"),
    ],
)
def test_fault_19_a_hostile_entry_is_refused_before_anything_is_written(
    packed: Path,
    tmp_path: Path,
    hostile: ZipInfo,
    content: bytes,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = shutil.copyfile(packed, tmp_path / "x.zip")
    with ZipFile(path, "a") as file:
        file.writestr(hostile, content, ZIP_DEFLATED)
    monkeypatch.setattr(
        "a2bench.generators.archive._write", lambda *_: pytest.fail("something was written")
    )
    target = RunStore(tmp_path / "all")
    with pytest.raises(CannotRun, match=reason):
        add(path, target)
    assert not target.exists()


def test_a_store_with_other_videos_refuses_a_submission(packed: Path, tmp_path: Path) -> None:
    suite, target = make_suite(tmp_path / "suite", 2), RunStore(tmp_path / "all")
    do(ask(suite, generator=Otherwise(name="one")), target)
    before = to_csv(collect([target]))
    with pytest.raises(CannotRun, match="holds another outcome of the video in case-001"):
        add(packed, target)
    assert to_csv(collect([target])) == before


def test_only_whole_rows_are_packed(store: RunStore, row: Row, tmp_path: Path) -> None:
    copy = RunStore(shutil.copytree(store.root, tmp_path / "store"))
    gone = next(copy.root.glob("videos/*/*.mp4"))
    gone.unlink()
    rows = collect([copy])
    own = [r for r in rows if any(w.video and w.video.video_sha256 == gone.stem for w in r.works)]
    with pytest.raises(CannotRun, match=r"case-00\d are no longer in the store"):
        pack(own[0], tmp_path / "x.zip")
    empty = replace(row, works=[replace(work, video=None, scores={}) for work in row.works])
    with pytest.raises(CannotRun, match="has no video"):
        pack(empty, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_the_commands(store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, target = tmp_path / "one.zip", tmp_path / "all"
    assert main(["submission", "pack", str(store.root), "--out", str(out)]) == 1
    assert "has several rows" in capsys.readouterr().err
    assert main(["submission", "pack", f"{store.root}:one", "--out", str(out)]) == 0
    assert "one (1): 4 videos in" in capsys.readouterr().out
    assert main(["submission", "check", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["row"]["model"]) == ("a2bench/submission/1", "one")
    assert main(["submission", "add", str(out), str(target)]) == 0
    assert "added to" in capsys.readouterr().out
    assert main(["leaderboard", str(target), "--out", str(tmp_path / "t.csv")]) == 0
    (tmp_path / "none.zip").write_bytes(b"x")
    assert main(["submission", "check", str(tmp_path / "none.zip")]) == 3
    assert "cannot be unpacked" in capsys.readouterr().err
