"""Folders of videos as people really have them: what counts, and what is left out with a word."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from a2bench.errors import UsageError, VideosError
from a2bench.evaluation import evaluate
from a2bench.generator import GeneratorInfo, generator_identity
from a2bench.generators.controls import Swapped
from a2bench.generators.folder import Folder
from a2bench.runs.request import Request
from a2bench.types import Case, Suite
from tests.helpers.fakes import Level
from tests.helpers.makers import make_frames, make_suite, write_as, write_video


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return make_suite(tmp_path / "suite", 3)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder called ``my-model`` with a video of each case."""
    for index in (1, 2, 3):
        write_video(tmp_path / "my-model" / f"case-{index:03d}.mp4", seed=index)
    return tmp_path / "my-model"


def asked(
    generator: object, suite: Suite, seeds: tuple[int, ...] = (0,), limit: int | None = None
) -> Request:
    return Request(
        suite=suite,
        cases=suite.cases[:limit],
        generator=generator,  # type: ignore[arg-type]
        metrics=(),
        profile="lite",
        seeds=seeds,
    )


def other(folder: Path, name: str, data: bytes = b"{}") -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


@pytest.mark.parametrize("suffix", [".m4v", ".MP4", ".ts", ".wmv", ".bin", ""])
def test_content_decides_whatever_the_suffix(suite: Suite, tmp_path: Path, suffix: str) -> None:
    made = tmp_path / f"a{suffix if suffix in ('.m4v', '.ts', '.wmv') else '.mp4'}"
    write_as(made, make_frames(), "wmv2" if suffix == ".wmv" else "libx264")
    (tmp_path / "v").mkdir()
    video = made.rename(tmp_path / "v" / f"case-001{suffix}")
    folder = Folder(videos=tmp_path / "v")
    (missing,) = folder.prepare(suite)
    assert missing == "without a video; it will count as failed (2):\n  case-002\n  case-003"
    folder.generate(suite.cases[0], seed=0, out=tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == video.read_bytes()


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("case-001.json", b"{}", "other files; left out (1):\n  case-001.json"),
        ("case-001.png", b"\x89PNG\r\n\x1a\n", "other files; left out (1):\n  case-001.png"),
        ("case-001.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "other files; left out (1):\n  case-001.webp"),
        ("case-001.m4a", b"\0\0\0\x18ftypM4A ", "other files; left out (1):\n  case-001.m4a"),
        ("case-009.mp4", b"<html>", "for no case of the suite; left out (1):\n  case-009.mp4"),
        (".DS_Store", b"x", ""),
    ],
)
def test_what_lies_beside_the_videos_is_named(
    suite: Suite, videos: Path, name: str, data: bytes, told: str
) -> None:
    other(videos, name, data)
    assert Folder(videos=videos).prepare(suite) == ((told,) if told else ())


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("case-003.mp4", b"<html>", "not a video: by its content"),
        ("case-003.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP: convert it"),
        ("case-003.flv", b"FLV\x01" + bytes(9), "an FLV: convert it to MP4"),
        ("case-003.m4v", b"", "the file is empty"),
    ],
)
def test_what_is_called_a_video_and_is_none_is_not_usable(
    suite: Suite, videos: Path, name: str, data: bytes, reason: str
) -> None:
    (videos / "case-003.mp4").unlink()
    other(videos, name, data)
    (told,) = Folder(videos=videos).prepare(suite)
    assert told.startswith("not usable; it will count as failed (1):")
    assert reason in told


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_videos_in_sub_folders_are_named(
    suite: Suite, videos: Path, tmp_path: Path, packed: bool
) -> None:
    write_video(videos / "old" / "case-001.mp4", seed=7)
    write_video(videos / "old" / "older" / "case-002.mkv", seed=8)
    other(videos, "old/notes.txt")
    if packed:
        with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
            for path in videos.rglob("*.m*"):
                archive.write(path, path.relative_to(videos))
    told = Folder(videos=tmp_path / "m.zip" if packed else videos).prepare(suite)
    expected = "in sub-folders; left out (2):\n  old/case-001.mp4\n  old/older/case-002.mkv"
    assert told == (expected,)


def test_videos_in_sub_folders_alone_stop_the_run(suite: Suite, tmp_path: Path) -> None:
    write_video(tmp_path / "m" / "seed 0" / "case-001.mp4")
    with pytest.raises(VideosError, match=r"but 1 in sub-folders, such as seed 0/case-001.mp4: "):
        Folder(videos=tmp_path / "m").prepare(suite)


def test_videos_that_a_table_in_their_folder_does_not_name(suite: Suite, videos: Path) -> None:
    rows = [f"case-00{index},case-00{index}.mp4" for index in (1, 2, 3)]
    (videos / "manifest.csv").write_text("\n".join(["case,video", *rows]))
    write_video(videos / "case-001-1.mp4", seed=7)
    told = Folder(videos=videos).prepare(suite)
    assert told == ("videos that the table does not name; left out (1):\n  case-001-1.mp4",)
    assert Folder(videos=videos / "manifest.csv").prepare(suite) == ()


def test_seeds_that_were_not_asked_for_are_named(suite: Suite, videos: Path) -> None:
    for seed in (1, 2):
        write_video(videos / f"case-001-{seed}.mp4", seed=10 + seed)
    folder = Folder(videos=videos)
    assert asked(folder, suite).prepare() == (
        "for seeds not asked for; left out: give --seeds 0,1,2 (2):\n"
        "  case-001-1.mp4\n  case-001-2.mp4",
    )
    (missing,) = asked(folder, suite, (0, 1, 2)).prepare()
    assert missing == (
        "without a video; it will count as failed (4):\n  case-002, seed 1\n  case-002, seed 2"
        "\n  case-003, seed 1\n  case-003, seed 2"
    )


def test_no_seed_that_was_asked_for_stops_the_run(suite: Suite, tmp_path: Path) -> None:
    write_video(tmp_path / "m" / "case-001-3.mp4")
    folder = Folder(videos=tmp_path / "m")
    with pytest.raises(
        VideosError, match=r"no video for --seeds 0, but case-001-3.mp4: give .* 0,3"
    ):
        asked(folder, suite).prepare()
    (missing,) = asked(folder, suite, (3,)).prepare()
    assert missing.endswith("(2):\n  case-002, seed 3\n  case-003, seed 3")


def test_only_what_was_asked_for_is_told(suite: Suite, videos: Path) -> None:
    (videos / "case-002.mp4").write_bytes(b"<html>")
    (videos / "case-003.mp4").unlink()
    write_video(videos / "case-002-1.mp4")
    assert asked(Folder(videos=videos), suite, limit=1).prepare() == ()
    told = asked(Folder(videos=videos), suite, limit=2).prepare()
    assert [text.partition(" (")[0] for text in told] == [
        "for seeds not asked for; left out: give --seeds 0,1",
        "not usable; it will count as failed",
    ]


def test_keys_do_not_change_with_what_is_asked_for(suite: Suite, videos: Path) -> None:
    first = suite.cases[0]
    folders = [Folder(videos=videos) for _ in range(2)]
    folders[0].prepare(suite)
    asked(folders[1], suite, limit=1).prepare()
    one, other = (generator_identity(folder, first, seed=0) for folder in folders)
    assert one == other
    swapped = Swapped()
    assert asked(swapped, suite, limit=1).prepare() == ()
    assert swapped.inputs(first, seed=0) == {"case": suite.cases[1].key}


@dataclass
class Plugin:
    """A generator from outside that knows of no more than the suite."""

    seen: int = 0

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(name="plugin", revision="")

    def prepare(self, suite: Suite) -> tuple[str, ...]:
        self.seen = len(suite.cases)
        return ("seen",)

    def inputs(self, case: Case, *, seed: int) -> dict[str, str]:
        return {}

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        write_video(out)


def test_a_plug_in_still_sees_the_whole_suite(suite: Suite) -> None:
    plugin = Plugin()
    assert asked(plugin, suite, limit=1).prepare() == ("seen",)
    assert plugin.seen == 3


@pytest.mark.parametrize(
    "name",
    ["videos", "Videos", "output", "my_results", "samples-2", "generated_videos", "001", "out.zip",
     "videos/manifest.csv"],
)  # fmt: skip
def test_a_general_name_is_no_model(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no name of a model, .* give --name"):
        Folder(videos=tmp_path / name)
    assert Folder(videos=tmp_path / name, name="videos").info.name == "videos"


@pytest.mark.parametrize("name", ["wan2.1", "sample-net", "my-model", "video-crafter", "v"])
def test_any_other_name_is_the_models(name: str, tmp_path: Path) -> None:
    assert Folder(videos=tmp_path / name).info.name == name


def run(videos: Path, suite: Suite, store: Path, **options: object) -> list[str]:
    """The warnings of an evaluation of two cases."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        folder = Folder(videos=videos, name=str(options.pop("name", "m")))
        rows = evaluate(
            folder,
            suite,
            store=store,
            limit=2,
            metrics=["tests.helpers.fakes:Level"],
            **options,  # type: ignore[arg-type]
        )
        assert Level().info.name in rows[0].metrics
    return [str(w.message) for w in caught if "already holds" in str(w.message)]


def test_other_videos_of_one_name_are_told(suite: Suite, videos: Path, tmp_path: Path) -> None:
    store, others = tmp_path / "store", tmp_path / "others"
    (videos / "case-002.mp4").rename(tmp_path / "later.mp4")
    assert run(videos, suite, store) == []
    (tmp_path / "later.mp4").rename(videos / "case-002.mp4")
    assert run(videos, suite, store) == [], "what was missing is new, and replaces nothing"
    for index in (1, 2):
        write_video(others / f"case-{index:03d}.mp4", seed=20 + index)
    assert run(others, suite, store, name="n") == []
    (told,) = run(others, suite, store)
    assert told == (
        f"{store} already holds other videos of 'm' for 2 of the 2 asked for; the newest count."
        " Give another --name (or revision) to keep both"
    )
    assert run(others, suite, store) == [], "they are the newest now"
    (told,) = run(videos, suite, store)
    assert "for 2 of the 2" in told
