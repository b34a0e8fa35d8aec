"""Playback copies: the whole picture, the right time, nothing else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2bench.study.known_answers import told_to_press
from a2bench.study.playback import (
    MOST_KBPS,
    Format,
    common_format,
    copy_picture,
    copy_video,
    letterboxed,
    write_clip,
)
from a2bench.types import Video
from a2bench.video import decode, probe
from tests.helpers.makers import make_frames, write_video

TINY = Format(width=64, height=48, fps=Fraction(15))


def video(width: int, height: int, fps: float = 15.0) -> Video:
    return Video(
        path=Path("x"), sha256="", width=width, height=height, fps=fps, frames=9, duration_s=9 / fps
    )


@pytest.mark.parametrize(
    ("videos", "expected"),
    [
        ([video(832, 480)], (832, 480, 15)),
        ([video(832, 480), video(1280, 720)], (1280, 720, 15)),
        ([video(3840, 2160)], (1280, 720, 15)),
        ([video(1080, 1920)], (720, 1280, 15)),
        ([video(63, 47)], (64, 48, 15)),
        ([video(64, 48, 24.0), video(64, 48, 23.99)], (64, 48, 24)),
        ([video(64, 48, 24.0), video(64, 48, 16.0)], (64, 48, 60)),
        ([video(64, 48, 30000 / 1001)], (64, 48, Fraction(30000, 1001))),
    ],
)
def test_the_common_format_is_that_of_the_largest(
    videos: list[Video], expected: tuple[int, int, Fraction]
) -> None:
    found = common_format(videos)
    assert (found.width, found.height, found.fps) == expected


@pytest.mark.parametrize("size", [(64, 48), (32, 48), (128, 48), (20, 20), (640, 480), (9, 99)])
def test_a_letterboxed_frame_is_whole_and_in_the_middle(size: tuple[int, int]) -> None:
    frame = np.full((size[1], size[0], 3), 200, np.uint8)
    box = letterboxed(frame, 64, 48)
    assert box.shape == (48, 64, 3)
    rows, columns = (np.flatnonzero(box[..., 0].any(axis=axis)) for axis in (1, 0))
    assert len(rows) == 48 or len(columns) == 64
    assert len(columns) / len(rows) == pytest.approx(size[0] / size[1], rel=0.1)
    assert abs(rows[0] + rows[-1] - 47) <= 1 and abs(columns[0] + columns[-1] - 63) <= 1
    assert (box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 200).all()


@pytest.mark.parametrize(("fps", "frames"), [(15, 9), (24, 24), (50, 10), (7, 3), (120, 60)])
def test_another_rate_keeps_the_time_of_each_frame(tmp_path: Path, fps: int, frames: int) -> None:
    levels = np.linspace(20, 230, frames)
    shown = [np.full((48, 64, 3), level, np.uint8) for level in levels]
    form = Format(width=64, height=48, fps=Fraction(60))
    write_clip(shown, fps, tmp_path / "copy.mp4", form)
    copy = probe(tmp_path / "copy.mp4")
    assert copy.fps == 60
    assert abs(copy.duration_s - frames / fps) <= 1 / 60
    for index, frame in decode(copy):
        due = min(int(index / 60 * fps + 0.5), frames - 1)
        nearest = np.abs(levels - frame.mean()).argmin()
        assert abs(int(nearest) - due) <= max(1, fps / 60)


def test_the_same_rate_keeps_each_frame_once(tmp_path: Path) -> None:
    original = probe(write_video(tmp_path / "video.mp4", 9))
    copy_video(original, tmp_path / "copy.mp4", TINY)
    assert probe(tmp_path / "copy.mp4").frames == 9


def test_noise_stays_within_the_rate(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = (random.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(60))
    form = Format(width=320, height=240, fps=Fraction(15))
    write_clip(noise, 15, tmp_path / "noise.mp4", form)
    assert (tmp_path / "noise.mp4").stat().st_size < 1.3 * 4 * MOST_KBPS * 1000 / 8


def test_a_picture_is_upright_over_white_and_tells_nothing(tmp_path: Path) -> None:
    pixels = np.zeros((40, 20, 4), np.uint8)
    pixels[:20] = (255, 0, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    exif[0x013B] = "the author"
    Image.fromarray(pixels).save(tmp_path / "in.png", exif=exif)
    copy_picture(tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as copy:
        assert copy.mode == "RGB" and not copy.info and not copy.getexif()
        found = np.asarray(copy)
    assert (found[:19] == 255).all()
    assert (found[21:] == (255, 0, 0)).all()


def test_a_large_picture_is_made_smaller(tmp_path: Path) -> None:
    Image.new("RGB", (3000, 1500)).save(tmp_path / "in.jpg")
    copy_picture(tmp_path / "in.jpg", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as copy:
        assert copy.size == (1024, 512)


def test_a_trap_says_its_score_in_the_last_two_thirds() -> None:
    frames = make_frames(9, (320, 180))
    told = {score: list(told_to_press(frames, score, 9)) for score in (1, 2)}
    for index, frame in enumerate(frames):
        same = [np.array_equal(told[score][index], frame) for score in (1, 2)]
        assert same == [index < 3] * 2
    assert not np.array_equal(told[1][8], told[2][8])
