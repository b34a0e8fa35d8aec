from __future__ import annotations

import json
import pickle
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from a2bench.errors import GeneratorError, UsageError, VideoError, VideosError
from a2bench.generator import generator_identity
from a2bench.generators.folder import Folder
from a2bench.types import Suite
from a2bench.video import decode, encode, probe
from tests.helpers.makers import make_frames, make_suite, write_as, write_video


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return make_suite(tmp_path / "suite", 3)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder called ``my-model`` with a video of each case."""
    folder = tmp_path / "my-model"
    for index in (1, 2, 3):
        write_video(folder / f"case-{index:03d}.mp4", seed=index)
    return folder


def made(folder: Folder, suite: Suite, out: Path, *, case: int = 0, seed: int = 0) -> bytes:
    folder.generate(suite.cases[case], seed=seed, out=out)
    return out.read_bytes()


def test_videos_are_found_by_case_id_and_copied_as_they_are(
    suite: Suite, videos: Path, tmp_path: Path
) -> None:
    folder = Folder(videos=videos)
    assert folder.prepare(suite) == ()
    for index in range(3):
        original = (videos / f"case-{index + 1:03d}.mp4").read_bytes()
        assert made(folder, suite, tmp_path / "out.mp4", case=index) == original


def test_a_number_after_the_id_is_the_seed(suite: Suite, videos: Path, tmp_path: Path) -> None:
    second = write_video(videos / "case-001-1.MP4", seed=9).read_bytes()
    folder = Folder(videos=videos)
    assert folder.prepare(suite) == ()
    assert made(folder, suite, tmp_path / "out.mp4", seed=1) == second
    with pytest.raises(GeneratorError, match="no video of case case-001 for seed 2"):
        made(folder, suite, tmp_path / "none.mp4", seed=2)


def test_a_case_id_that_ends_in_a_number_is_itself(suite: Suite, tmp_path: Path) -> None:
    one, two, _ = suite.cases
    cases = (replace(one, id="open"), replace(two, id="open-1"))
    folder = Folder(videos=tmp_path / "v")
    for name in ("open", "open-1"):
        write_video(tmp_path / "v" / f"{name}.mp4")
    assert folder.prepare(replace(suite, cases=cases)) == ()


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mov", "libx264"), (".mkv", "libx264"), (".webm", "libvpx-vp9"), (".avi", "mpeg4")],
)
def test_other_containers_are_copied_unchanged(
    suite: Suite, tmp_path: Path, suffix: str, codec: str
) -> None:
    (tmp_path / "v").mkdir()
    path = write_as(tmp_path / "v" / f"case-001{suffix}", make_frames(), codec)
    folder = Folder(videos=tmp_path / "v")
    folder.prepare(suite)
    assert made(folder, suite, tmp_path / "out.mp4") == path.read_bytes()
    assert probe(tmp_path / "out.mp4").frames == 9


def test_missing_extra_unusable_and_wide_videos_are_listed(suite: Suite, videos: Path) -> None:
    (videos / "case-003.mp4").unlink()
    (videos / "case-002.mp4").write_text("<html>")
    write_video(videos / "case-004.mov")
    write_video(videos / "case-001.mp4", size=(256, 48))
    (videos / "notes.txt").write_text("told")
    (videos / ".case-001.mp4").write_text("ignored")
    missing, extra, others, unusable, wide = Folder(videos=videos).prepare(suite)
    assert missing == "without a video; it will count as failed (1):\n  case-003"
    assert extra == "for no case of the suite; left out (1):\n  case-004.mov"
    assert others == "other files; left out (1):\n  notes.txt"
    assert unusable.startswith("not usable; it will count as failed (1):\n  unreadable video: ")
    assert wide.endswith("case-001.mp4 (256x48)")


def test_long_lists_are_cut_with_a_count(tmp_path: Path) -> None:
    write_video(tmp_path / "v" / "case-001.mp4")
    (missing,) = Folder(videos=tmp_path / "v").prepare(make_suite(tmp_path / "suite", 30))
    assert "(29):" in missing
    assert missing.count("\n") == 21
    assert missing.endswith("\n  and 9 more")


def test_an_unusable_video_fails_with_its_reason(
    suite: Suite, videos: Path, tmp_path: Path
) -> None:
    (videos / "case-001.mp4").write_bytes(b"")
    folder = Folder(videos=videos)
    folder.prepare(suite)
    with pytest.raises(VideoError, match=r"case-001\.mp4: the file is empty"):
        made(folder, suite, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_two_videos_of_one_case_stop_the_run(suite: Suite, videos: Path) -> None:
    write_video(videos / "case-001-0.mp4")
    write_video(videos / "case-002.MOV")
    with pytest.raises(VideosError) as caught:
        Folder(videos=videos).prepare(suite)
    assert caught.value.faults == [
        "case case-001, seed 0, has 2 videos: case-001-0.mp4, case-001.mp4",
        "case case-002, seed 0, has 2 videos: case-002.MOV, case-002.mp4",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere", "there is no folder"),
        ("empty", "but no video at all"),
        ("others", "but 1 others, such as a.mp4"),
    ],
)
def test_a_folder_without_any_case_stops_the_run(
    suite: Suite, tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "empty").mkdir()
    write_video(tmp_path / "others" / "a.mp4")
    with pytest.raises(VideosError, match=reason):
        Folder(videos=tmp_path / name).prepare(suite)


@pytest.mark.parametrize("where", ["given", "found"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_names_the_videos(suite: Suite, tmp_path: Path, kind: str, where: str) -> None:
    rows = [("case-001", "a/x.mp4", 0), ("case-001", "a\\y.mp4", 1), ("case-002", "z.mp4", 0)]
    for index, (_, video, _) in enumerate(rows):
        write_video(tmp_path / "v" / video.replace("\\", "/"), seed=index)
    table = tmp_path / "v" / f"{'manifest' if where == 'found' else 'table'}.{kind}"
    if kind == "csv":
        lines = ["case,video,seed", *(f"{c},{v},{s or ''}" for c, v, s in rows)]
        table.write_text("\r\n".join(lines), encoding="utf-8-sig")
    else:
        named = [{"case": c, "video": v, **({"seed": s} if s else {})} for c, v, s in rows]
        table.write_text("".join(json.dumps(row) + "\n\n" for row in named))
    folder = Folder(videos=table if where == "given" else tmp_path / "v")
    (missing,) = folder.prepare(suite)
    assert missing.endswith("case-003")
    assert folder.info.name == "v"
    expected = (tmp_path / "v" / "a" / "y.mp4").read_bytes()
    assert made(folder, suite, tmp_path / "out.mp4", seed=1) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("case,file\ncase-001,a.mp4\n", "1: video: the column is missing; found: case, file"),
        ("case,video\ncase-001,\n", "2: video: it needs a case and a video"),
        ("case,video,seed\ncase-001,a.mp4,one\n", "2: seed: 'one' is no whole number"),
        ("case,video,seed\ncase-001,a.mp4,-1\n", "2: seed: '-1' is no whole number"),
        ("case,video\ncase-001,a.mp4\ncase-001,b.mp4\n", "seed 0, has 2 videos"),
        ("case,video\ncase-001,\xff\n", "2: line: not UTF-8 at byte 10"),
    ],
)
def test_faults_in_a_table_stop_the_run(
    suite: Suite, tmp_path: Path, text: str, fault: str
) -> None:
    write_video(tmp_path / "a.mp4")
    (tmp_path / "manifest.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(VideosError, match=fault):
        Folder(videos=tmp_path).prepare(suite)


@pytest.mark.parametrize("line", ["{", "[1]", '"case-001"', '{"case": 1, "video": "a.mp4"}'])
def test_faults_in_json_lines_stop_the_run(suite: Suite, tmp_path: Path, line: str) -> None:
    table = tmp_path / "videos.jsonl"
    table.write_text('{"case": "case-001", "video": "a.mp4"}\n' + line)
    with pytest.raises(VideosError, match=r"videos\.jsonl:2: "):
        Folder(videos=table).prepare(suite)


def test_a_table_may_name_what_is_not_there_yet(suite: Suite, tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    (tmp_path / "manifest.csv").write_text("case,video\ncase-001,a.mp4\ncase-002,b.mp4\n")
    _, unusable = Folder(videos=tmp_path).prepare(suite)
    assert unusable.endswith("b.mp4: no such file")


def test_the_last_panel_is_cut_out(suite: Suite, tmp_path: Path) -> None:
    panels = [make_frames(5, (64, 48), seed) for seed in range(4)]
    strip = [np.concatenate(frames, axis=1) for frames in zip(*panels, strict=True)]
    (tmp_path / "v").mkdir()
    encode(tmp_path / "v" / "case-001.mp4", strip, fps=Fraction(30000, 1001), crf=1)
    folder = Folder(videos=tmp_path / "v", crop_panels=4)
    assert len(folder.prepare(suite)) == 1  # missing cases only: no hint at panels
    folder.generate(suite.cases[0], seed=0, out=tmp_path / "out.mp4")
    video = probe(tmp_path / "out.mp4")
    assert (video.width, video.height, video.frames) == (64, 48, 5)
    assert video.fps == 30000 / 1001
    whole = decode(probe(tmp_path / "v" / "case-001.mp4"))
    for (_, frame), (_, before) in zip(decode(video), whole, strict=True):
        assert np.abs(frame.astype(int) - before[:, 192:]).mean() < 2


def test_an_odd_panel_loses_a_column(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    write_as(tmp_path / "v" / "case-001.mp4", make_frames(3, (66, 49)), pix_fmt="yuv444p")
    folder = Folder(videos=tmp_path / "v", crop_panels=2)
    folder.prepare(suite)
    folder.generate(suite.cases[0], seed=0, out=tmp_path / "out.mp4")
    video = probe(tmp_path / "out.mp4")
    assert (video.width, video.height) == (32, 48)


def test_a_width_that_does_not_divide_is_told(suite: Suite, videos: Path, tmp_path: Path) -> None:
    folder = Folder(videos=videos, crop_panels=3)
    (unusable,) = folder.prepare(suite)
    assert "64x48 does not divide into 3 panels" in unusable
    with pytest.raises(VideoError, match="64x48 does not divide into 3 panels"):
        made(folder, suite, tmp_path / "out.mp4")


def test_the_number_of_panels_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--crop-panels 0"):
        Folder(videos=tmp_path, crop_panels=0)


def test_identity_follows_content_and_not_place(suite: Suite, videos: Path) -> None:
    def key(folder: Folder) -> dict[str, object]:
        folder.prepare(suite)
        return generator_identity(folder, suite.cases[0], seed=0)

    before = key(Folder(videos=videos))
    assert before["params"] == {"crop_panels": 1}
    moved = videos.rename(videos.with_name("elsewhere"))
    assert key(Folder(videos=moved, name="my-model")) == before
    assert key(Folder(videos=moved, name="my-model", revision="2")) != before
    assert key(Folder(videos=moved, name="my-model", crop_panels=2)) != before
    write_video(moved / "case-001.mp4", seed=50)
    assert key(Folder(videos=moved, name="my-model")) != before


def test_a_video_that_changes_during_the_run_fails(
    suite: Suite, videos: Path, tmp_path: Path
) -> None:
    folder = Folder(videos=videos)
    folder.prepare(suite)
    write_video(videos / "case-001.mp4", seed=50)
    with pytest.raises(GeneratorError, match="has changed since the run began"):
        made(folder, suite, tmp_path / "out.mp4")


def test_it_travels_to_another_process(suite: Suite, videos: Path, tmp_path: Path) -> None:
    folder = Folder(videos=videos)
    folder.prepare(suite)
    copy = pickle.loads(pickle.dumps(folder))
    assert copy == folder
    assert made(copy, suite, tmp_path / "out.mp4") == (videos / "case-001.mp4").read_bytes()


@pytest.mark.parametrize("inside", ["", "my submission/"])
def test_a_zip_is_unpacked_and_removed(
    suite: Suite, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    temporary = tmp_path / "temporary"
    (temporary / "a2bench-killed" / "content").mkdir(parents=True)  # by a run that was killed
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with zipfile.ZipFile(tmp_path / "entry.zip", "w") as archive:
        for path in videos.iterdir():
            archive.write(path, inside + path.name)
            archive.writestr(f"__MACOSX/{inside}._{path.name}", "ignored")
    folder = Folder(videos=tmp_path / "entry.zip")
    assert folder.prepare(suite) == ()
    assert folder.info.name == "entry"
    copy = pickle.loads(pickle.dumps(folder))
    assert made(copy, suite, tmp_path / "out.mp4") == (videos / "case-001.mp4").read_bytes()
    assert len(list(temporary.iterdir())) == 1
    del folder
    assert list(temporary.iterdir()) == []
