"""A study from run stores: which videos, which pages, and what may not be seen of them."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2bench.cli import main
from a2bench.criteria import criteria
from a2bench.errors import A2BenchError, CannotRun, UsageError
from a2bench.keys import file_sha256
from a2bench.ratings.answers import Kind
from a2bench.results.videos import opened
from a2bench.runs.record import Record
from a2bench.runs.store import RunStore
from a2bench.study.database import Database
from a2bench.study.design import Design
from a2bench.study.folder import open_study
from a2bench.study.making import Options, applicable, make, plan
from a2bench.study.selection import choose
from a2bench.types import Role, Status, Suite
from a2bench.video import decode, probe
from tests.helpers.makers import make_case, make_suite
from tests.helpers.runs import stored
from tests.helpers.study_pages import rate, someone

OURS = tuple(c for c in criteria() if c.set == "a2bench")


def make_store(
    folder: Path,
    model: str,
    suite: Suite,
    *,
    lacking: tuple[str, ...] = (),
    size: tuple[int, int] = (64, 48),
    fps: int = 15,
    revision: str = "1",
    seeds: tuple[int, ...] = (0,),
) -> RunStore:
    """A run store with a video of each case, as a run leaves it; without those of ``lacking``."""
    store = RunStore(folder).create()
    writer = store.writer()
    works: list[tuple[str, str, int, str]] = []
    for number, case in enumerate(suite.cases):
        for seed in seeds:
            key = f"{len(works):02x}{model}{seed}"
            works.append((case.id, case.key, seed, key))
            sha256 = ""
            if case.id not in lacking:
                sha256 = stored(store, 5, size, fps, seed=number + 100 * ord(model[0]))
            writer.append(
                Record(
                    kind="video", key=key, model=model, case_id=case.id, case_key=case.key,
                    seed=seed, status=Status.OK if sha256 else Status.FAILED, revision=1,
                    video_sha256=sha256,
                )
            )  # fmt: skip
    request = {
        "model": {"name": model, "revision": revision},
        "suite": {"name": suite.name, "version": suite.version, "key": suite.key},
        "profile": "lite",
        "works": works,
        "metrics": [],
    }
    store.write_manifest(request, {})
    return store


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return cut_out(make_suite(tmp_path / "suite"))


def cut_out(suite: Suite) -> Suite:
    """Makes the edges of its images transparent, so that no subject has to be looked for."""
    for case in suite.cases:
        for element in case.elements:
            pixels = np.array(Image.open(element.image).convert("RGBA"))
            pixels[:4, :, 3] = 0
            Image.fromarray(pixels).save(element.image)
    return suite


def make_stores(tmp_path: Path, suite: Suite, models: str = "abcd") -> list[RunStore]:
    return [make_store(tmp_path / model, model, suite) for model in models]


def made(tmp_path: Path, suite: Suite, stores: list[RunStore], **options: int) -> Design:
    chosen = choose(stores, suite.cases, ())
    return make(plan(suite, chosen, Options(criteria=OURS, **options)), tmp_path / "study")


def test_a_study_shows_every_model_of_every_case_under_random_names(
    tmp_path: Path, suite: Suite
) -> None:
    stores = make_stores(tmp_path, suite)
    design = made(tmp_path, suite, stores)
    with open_study(tmp_path / "study") as database:
        assert database.design() == design
    rated = design.of(Kind.RATED)
    assert sorted(item.case for item in rated) == [case.id for case in suite.cases]
    assert all({c.video.model for c in item.clips} == set("abcd") for item in rated)
    assert all(item.criteria == tuple(c.id for c in OURS) for item in rated)
    assert len({tuple(c.video.model for c in item.clips) for item in rated}) > 1
    kinds = Counter(item.kind for item in design.items)
    assert kinds == {Kind.RATED: 3, Kind.TRAIN: 2, Kind.GOLD: 2, Kind.TRAP: 2}
    named = [clip.media for item in design.items for clip in item.clips]
    named += [reference.media for shown in design.shown for reference in shown.references]
    files = {path.name for path in (tmp_path / "study" / "media").iterdir()}
    assert set(named) == files and all(len(Path(name).stem) == 32 for name in files)
    assert sum(name.endswith(".mp4") for name in files) == 12 + 6 * 4
    assert {p.name for p in tmp_path.iterdir()} == {"suite", "study", *"abcd"}


@pytest.mark.slow
def test_a_study_is_its_owner_s_alone(tmp_path: Path, suite: Suite) -> None:
    before = os.umask(0o022)
    try:
        made(tmp_path, suite, make_stores(tmp_path, suite))
        folder, out = tmp_path / "study", tmp_path / "ratings.csv"
        with open_study(folder) as database:
            rater = someone(database)
            while rate(database, rater):
                pass
        raters = tmp_path / "raters.csv"
        words = ["study", "export", str(folder), "--out", str(out), "--raters", str(raters)]
        assert main(words) == 0
        assert main(["study", "analyse", str(out), "--out", str(tmp_path / "tables")]) == 0
    finally:
        os.umask(before)
    files = [folder / "study.json", *folder.glob("study.sqlite*"), out, raters]
    files += (tmp_path / "tables").iterdir()
    assert {path.name for path in files} >= {"study.sqlite", "mos.csv", "raters.csv", "notes.txt"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.slow
def test_a_clip_is_the_copy_of_its_own_video(tmp_path: Path, suite: Suite) -> None:
    design = made(tmp_path, suite, make_stores(tmp_path, suite))
    for item in design.of(Kind.RATED):
        for clip in item.clips:
            store = RunStore(tmp_path / clip.video.model)
            records = store.records().values()
            (record,) = (r for r in records if r.case_id == clip.video.case)
            source = store.video_path(record.video_sha256)
            assert clip.sha256 == record.video_sha256 == file_sha256(source)
            pictures = []
            for path in (source, tmp_path / "study" / "media" / clip.media):
                pictures.append(np.stack([frame for _, frame in decode(probe(path))]))
            assert np.abs(pictures[0].astype(int) - pictures[1]).mean() < 3


def test_the_known_answers_belong_to_the_clips(tmp_path: Path, suite: Suite) -> None:
    design = made(tmp_path, suite, make_stores(tmp_path, suite))
    for item in design.items:
        models = [clip.video.model for clip in item.clips]
        if item.kind in (Kind.TRAIN, Kind.GOLD):
            assert item.expected["video_quality", models.index("noise")] == (1, 2)
            assert item.expected["video_quality", models.index("blurred")] == (1, 2)
            assert item.expected["face_consistency", models.index("collage")] == (4, 5)
            assert item.expected["face_consistency", models.index("swapped")] == (1, 2)
            assert bool(item.feedback) == (item.kind is Kind.TRAIN)
        elif item.kind is Kind.TRAP:
            (bounds,) = set(item.expected.values())
            assert bounds[0] == bounds[1] and 1 <= bounds[0] <= 5
            assert set(item.expected) == {(criterion, 0) for criterion in item.criteria}
        else:
            assert not item.expected


@pytest.mark.slow
def test_a_trap_looks_like_the_rest_at_first(tmp_path: Path, suite: Suite) -> None:
    sizes = (400, 240)
    stores = [make_store(tmp_path / m, m, suite, size=sizes) for m in "ab"]
    design = made(tmp_path, suite, stores)
    trap = design.of(Kind.TRAP)[0]
    path = tmp_path / "study" / "media" / trap.clips[0].media
    frames = [frame for _, frame in decode(probe(path))]
    middle = [frame[100:140, 120:280] for frame in frames]
    assert (middle[-1] > 250).mean() > 0.3
    assert (middle[0] > 250).mean() < 0.1


def test_copies_have_one_size_one_rate_and_tell_nothing(tmp_path: Path, suite: Suite) -> None:
    stores = [
        make_store(tmp_path / "wide", "wide", suite, size=(96, 48), fps=24),
        make_store(tmp_path / "tall", "tall", suite, size=(32, 64), fps=15),
    ]
    design = made(tmp_path, suite, stores)
    assert (design.width, design.height, design.fps) == (96, 48, 60)
    for item in design.items:
        for clip in item.clips:
            path = tmp_path / "study" / "media" / clip.media
            video = probe(path)
            assert (video.width, video.height, video.fps) == (96, 48, 60)
            assert abs(video.duration_s - clip.duration_s) < 0.02
            assert clip.video.model.encode() not in path.read_bytes()
    (tall,) = (c for c in design.of(Kind.RATED)[0].clips if c.video.model == "tall")
    frame = next(decode(probe(tmp_path / "study" / "media" / tall.media)))[1]
    assert frame[:, :32].max() < 20 and frame[:, -32:].max() < 20
    assert frame[:, 40:56].max() > 100


def test_criteria_that_do_not_apply_are_left_out(tmp_path: Path) -> None:
    roles: tuple[tuple[Role, ...], ...] = (("object",), ("character", "background"))
    cases = tuple(make_case(tmp_path / "s", f"c{n}", roles=r) for n, r in enumerate(roles))
    suite = cut_out(Suite(name="odd", version="1", cases=cases))
    design = made(tmp_path, suite, make_stores(tmp_path, suite, "ab"))
    asked = {item.case: set(item.criteria) for item in design.of(Kind.RATED)}
    assert asked["c1"] - asked["c0"] == {
        "face_consistency", "dress_consistency", "background_consistency",
    }  # fmt: skip
    assert asked["c0"] - asked["c1"] == {"object_consistency"}
    only = tuple(c for c in OURS if c.id == "face_consistency")
    assert applicable(only, cases[0]) == ()
    chosen = choose(make_stores(tmp_path / "again", suite, "ab"), cases, ())
    with pytest.raises(CannotRun, match="no criterion applies to c0"):
        plan(suite, chosen, Options(criteria=only))


def test_more_models_than_places_share_the_cases(tmp_path: Path, suite: Suite) -> None:
    design = made(tmp_path, suite, make_stores(tmp_path, suite, "abcdef"), votes=2)
    votes: Counter[tuple[str, str]] = Counter()
    for item in design.of(Kind.RATED):
        assert len(item.clips) == 4
        for clip in item.clips:
            votes[clip.video.case, clip.video.model] += item.votes
    assert len(votes) == 3 * 6 and min(votes.values()) >= 2
    files = [p for p in (tmp_path / "study" / "media").iterdir() if p.suffix == ".mp4"]
    assert len(files) == 3 * 6 + 6 * 4


def test_a_case_that_a_model_lacks_is_left_out_and_told(tmp_path: Path, suite: Suite) -> None:
    stores = make_stores(tmp_path, suite, "ab")
    stores.append(make_store(tmp_path / "c", "c", suite, lacking=("case-002",)))
    chosen = choose(stores, suite.cases, ())
    assert [t.case.id for t in chosen.shown] == ["case-001", "case-003"]
    assert chosen.left_out == ("no video of c for 1 case: case-002",)
    assert len(choose(stores, suite.cases, ("a", "b")).shown) == 3
    first = choose(stores, suite.cases[1:], (), limit=1)
    assert [t.case.id for t in first.shown] == ["case-003"]
    assert choose(stores, suite.cases, (), limit=1).left_out == ()
    first_of_c = next(iter(stores[2].records().values()))
    stores[2].video_path(first_of_c.video_sha256).unlink()
    with pytest.raises(CannotRun, match=r"no case has a video.*\n.*of c for 2 cases"):
        choose(stores, suite.cases[:2], ())


def test_every_seed_is_a_page_of_its_own(tmp_path: Path, suite: Suite) -> None:
    stores = [make_store(tmp_path / m, m, suite, seeds=(0, 1)) for m in "ab"]
    stores[0] = make_store(tmp_path / "a2", "a", suite, seeds=(0, 1, 2))
    chosen = choose(stores, suite.cases[:1], ())
    assert [t.seed for t in chosen.shown] == [0, 1]
    assert chosen.left_out == ("no video of b for 1 case: case-001 seed 2",)


@pytest.mark.parametrize(
    ("models", "asked", "error", "told"),
    [
        ("a", (), UsageError, "at least two models; the stores hold a"),
        ("ab", ("a",), UsageError, "at least two models"),
        ("ab", ("a", "x"), UsageError, "no videos of x; the stores hold a, b"),
    ],
)
def test_a_wrong_choice_of_models_is_told(
    tmp_path: Path,
    suite: Suite,
    models: str,
    asked: tuple[str, ...],
    error: type[A2BenchError],
    told: str,
) -> None:
    with pytest.raises(error, match=told):
        choose(make_stores(tmp_path, suite, models), suite.cases, asked)


def test_two_models_of_one_name_are_refused(tmp_path: Path, suite: Suite) -> None:
    stores = make_stores(tmp_path, suite, "ab")
    stores.append(make_store(tmp_path / "other", "a", suite, revision="2"))
    with pytest.raises(UsageError, match="two models are called a"):
        choose(stores, suite.cases, ())


def test_a_folder_without_a_store_is_told(tmp_path: Path, suite: Suite) -> None:
    with pytest.raises(CannotRun, match="nothing is no run store: a2bench run --store"):
        choose(opened([tmp_path / "nothing"]), suite.cases, ())


def test_an_interrupted_study_leaves_nothing_and_can_be_made_again(
    tmp_path: Path, suite: Suite
) -> None:
    chosen = choose(make_stores(tmp_path, suite, "ab"), suite.cases, ())
    planned = plan(suite, chosen, Options(criteria=OURS))
    ticks = []

    def stop() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            raise KeyboardInterrupt

    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        make(planned, tmp_path / "study", tick=stop)
    assert {path.name for path in tmp_path.iterdir()} == before
    killed = tmp_path / ".study.partial" / "media"  # as a kill -9 leaves it
    killed.mkdir(parents=True)
    (killed / "half.mp4").write_bytes(b"x")
    make(planned, tmp_path / "study", tick=lambda: ticks.append(1))
    assert len(ticks) == 3 + planned.files
    assert {path.name for path in tmp_path.iterdir()} == before | {"study"}
    assert not (tmp_path / "study" / "media" / "half.mp4").exists()
    with pytest.raises(CannotRun, match="a study is never changed"):
        make(planned, tmp_path / "study")


def test_a_database_that_is_taken_stops_it(tmp_path: Path, suite: Suite, study_url: str) -> None:
    planned = plan(
        suite, choose(make_stores(tmp_path, suite, "ab"), suite.cases, ()), Options(criteria=OURS)
    )
    design = make(planned, tmp_path / "first", url=study_url)
    with open_study(tmp_path / "first", study_url) as database:
        assert database.design().key == design.key
    with pytest.raises(CannotRun, match="already holds"):
        make(planned, tmp_path / "second", url=study_url)
    assert not (tmp_path / "second").exists()


@pytest.mark.slow
def test_the_commands_of_a_study(
    tmp_path: Path,
    suite: Suite,
    study_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    make_stores(tmp_path, suite, "ab")
    folder, out, every = tmp_path / "study", tmp_path / "r.csv", tmp_path / "every.csv"
    monkeypatch.setattr("a2bench.suites.suite.load_suite", lambda name: suite)
    runs = ["--run", str(tmp_path / "a"), "--run", str(tmp_path / "b")]
    command = ["study", "new", str(folder), *runs, "--votes", "2", "--database", study_url]
    assert main(command) == 0
    told = capfd.readouterr().out
    assert "a, b on 3 cases, 2 side by side" in told
    assert "6 pages to rate: 2 raters, of 3 pages each, are enough" in told
    assert main(command) == 3
    monkeypatch.setenv("A2BENCH_STUDY_DATABASE", study_url)
    capfd.readouterr()
    invite = ["study", "invite", str(folder), "--base-url", "https://x.org/"]
    assert main([*invite, "--count", "3"]) == 0
    links = capfd.readouterr().out.split()
    assert all(link.startswith("https://x.org/?invite=") for link in links) and len(links) == 3
    assert main([*invite, "--admin"]) == 0
    admin = capfd.readouterr().out.strip()
    with Database(study_url) as database:
        assert database.is_admin(admin)
        code = database.join(links[0].partition("=")[2])
        while rate(database, database.rater(code)):
            pass
    assert main(["study", "status", str(folder)]) == 0
    assert "3 of 6 votes; 1 raters, 1 of 3 invitations used" in capfd.readouterr().out
    assert main(["study", "export", str(folder), "--out", str(out), "--raters", str(every)]) == 0
    assert len(out.read_text().splitlines()) == 1 + 3 * 2 * 10
    assert len(every.read_text().splitlines()) == 1 + 7 * 2 * 10
    assert main(["study", "withdraw", str(folder), code]) == 0
    assert "140 answers" in capfd.readouterr().out
    assert main(["study", "withdraw", str(folder), code]) == 1
    capfd.readouterr()
    assert main(["study", "status", str(tmp_path)]) == 3
    assert "is no study" in capfd.readouterr().err
    secrets = [admin, code, "correct-horse"]
    for path in (out, every, folder / "study.json"):
        assert not any(secret in path.read_text() for secret in secrets)
    assert json.loads((folder / "study.json").read_text())["votes"] == 2


def test_an_unreadable_video_is_told(tmp_path: Path, suite: Suite) -> None:
    stores = make_stores(tmp_path, suite, "ab")
    chosen = choose(stores, suite.cases, ())
    planned = plan(suite, chosen, Options(criteria=OURS))
    broken = chosen.shown[0].videos["b"].path
    broken.write_bytes(broken.read_bytes()[:900])
    with pytest.raises(CannotRun, match="is not the video that was recorded"):
        plan(suite, chosen, Options(criteria=OURS))
    with pytest.raises(CannotRun, match=r"unreadable video: .*\nleave its case out"):
        make(planned, tmp_path / "study")
    assert not list(tmp_path.glob("*study*"))


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    assert main(["study", "status", str(tmp_path)]) == 3
    assert "pip install 'a2bench[study]'" in capfd.readouterr().err


@pytest.mark.parametrize("asked", ["", "nonsense", "face_consistency,nonsense"])
def test_unknown_criteria_are_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], asked: str
) -> None:
    command = ["study", "new", str(tmp_path / "s"), "--run", str(tmp_path), "--criteria", asked]
    assert main(command) == 1
    assert "give a set (a2bench, lynx) or ids (face_consistency" in capfd.readouterr().err
