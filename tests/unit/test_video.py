from __future__ import annotations

import gc
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from a2bench.errors import UsageError, VideoError
from a2bench.keys import file_sha256
from a2bench.pictures import Frame
from a2bench.video import Limits, decode, encode, probe, sample_indices
from tests.helpers.makers import make_frames, write_as, write_video


def frames_of(path: Path) -> list[Frame]:
    return [frame for _, frame in decode(probe(path))]


def marked() -> list[Frame]:
    """Frames whose upper left corner is red."""
    frames = make_frames()
    for frame in frames:
        frame[:16, :16] = (255, 0, 0)
    return frames


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize(
    ("policy", "frames", "expected"),
    [
        ("middle-8", 81, (4, 14, 24, 34, 44, 54, 64, 75)),
        ("middle-8", 69, (3, 12, 20, 29, 38, 46, 55, 64)),
        ("middle-8", 3, (0, 1, 2, 2, 2, 2, 2, 2)),
        ("middle-1", 81, (40,)),
        ("fps-8", 81, tuple(range(0, 81, 2))),
        ("fps-8", 69, tuple(range(0, 69, 2))),
        ("fps-60", 4, (0, 1, 2, 3)),
        ("linspace-4", 10, (0, 3, 6, 9)),
        ("linspace-4", 81, (0, 26, 53, 80)),
        ("linspace-32", 10, tuple(range(10))),
        ("linspace-1", 10, (0,)),
        ("even-odd", 9, tuple(range(9))),
        ("even-odd", 8, tuple(range(7))),
        ("even-odd", 2, (0,)),
        ("even-odd", 1, (0,)),
        ("all", 3, (0, 1, 2)),
        ("none", 3, ()),
        ("middle-8", 0, ()),
    ],
)
def test_sampling_takes_the_frames_that_the_sources_take(
    policy: str, frames: int, expected: tuple[int, ...]
) -> None:
    assert sample_indices(policy, frames, 15.0) == expected


@pytest.mark.parametrize(("fps", "step"), [(6.0, 1), (15.0, 2), (24.0, 3), (30.0, 4), (29.97, 4)])
def test_fps_8_follows_the_frame_rate(fps: float, step: int) -> None:
    assert sample_indices("fps-8", 81, fps) == tuple(range(0, 81, step))


@pytest.mark.parametrize(
    "policy", ["", "every", "fps-0", "fps-2.5", "linspace", "middle-08", "all "]
)
def test_another_policy_is_refused(policy: str) -> None:
    with pytest.raises(UsageError, match="no sampling policy"):
        sample_indices(policy, 81, 15.0)


def test_what_is_encoded_is_probed_and_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 9, (64, 48), 15)
    video = probe(path)
    assert (video.width, video.height, video.frames, video.fps) == (64, 48, 9, 15.0)
    assert video.duration_s == pytest.approx(0.6)
    assert video.sha256 == file_sha256(path)
    decoded = list(decode(video))
    assert [index for index, _ in decoded] == list(range(9))
    for (_, frame), original in zip(decoded, make_frames(), strict=True):
        assert frame.dtype == np.uint8
        assert difference(frame, original) < 3


def test_decode_yields_the_frames_that_are_asked_for(tmp_path: Path) -> None:
    video = probe(write_video(tmp_path / "a.mp4"))
    everything = dict(decode(video))
    some = dict(decode(video, {7, 2}))
    assert list(some) == [2, 7]
    assert all(np.array_equal(some[index], everything[index]) for index in some)


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    one, two, other = (tmp_path / f"{name}.mp4" for name in ("one", "two", "other"))
    write_video(one), write_video(two), write_video(other, seed=1)
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


def test_encode_takes_broken_frame_rates(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", make_frames(), fps=Fraction(30000, 1001))
    assert probe(tmp_path / "a.mp4").fps == 30000 / 1001


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [([], "no frame"), ([(5, 4, 3)], "even sides, not 4x5"), ([(4, 4, 3), (6, 4, 3)], "shape")],
)
def test_encode_refuses(tmp_path: Path, shapes: list[tuple[int, ...]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        encode(tmp_path / "a.mp4", [np.zeros(shape, dtype=np.uint8) for shape in shapes])


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif"])
def test_a_container_is_known_by_its_content(tmp_path: Path, suffix: str) -> None:
    codec = {".webm": "libvpx-vp9", ".avi": "mpeg4", ".gif": "gif"}.get(suffix, "libx264")
    frames = make_frames(9)
    path = write_as(
        tmp_path / f"a{suffix}", frames, codec, "rgb8" if suffix == ".gif" else "yuv420p"
    )
    video = probe(path.rename(tmp_path / "renamed.mp4"))
    assert (video.width, video.height, video.frames) == (64, 48, 9)
    assert video.fps == pytest.approx(15.0, rel=0.01)
    assert next(decode(video))[1].mean() == pytest.approx(frames[0].mean(), abs=2)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_metadata_is_applied(tmp_path: Path, degrees: int) -> None:
    plain = frames_of(write_as(tmp_path / "plain.mp4", marked()))
    path = write_as(tmp_path / "a.mp4", marked(), setup=lambda s: s.set_display_rotation(degrees))
    video = probe(path)
    assert (video.width, video.height) == ((48, 64) if degrees % 180 else (64, 48))
    upright = frames_of(path)
    assert np.array_equal(upright[0], np.rot90(plain[0], degrees // 90))
    _, opencv = cv2.VideoCapture(str(path)).read()
    assert np.array_equal(upright[0], opencv[..., ::-1])


@pytest.mark.parametrize(
    "setup",
    [lambda s: s.set_display_rotation(45), lambda s: s.set_display_rotation(0, hflip=True)],
    ids=["oblique", "mirrored"],
)
def test_other_display_matrices_are_refused(
    tmp_path: Path, setup: Callable[[VideoStream], None]
) -> None:
    path = write_as(tmp_path / "a.mp4", marked(), setup=setup)
    with pytest.raises(VideoError, match="mirrors it or turns it"):
        probe(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_rate_counts_at_its_mean(tmp_path: Path, suffix: str) -> None:
    times = [0, 1, 2, 10, 11, 30, 31, 40, 60]
    path = write_as(tmp_path / f"a{suffix}", make_frames(), times=times)
    video = probe(path)
    assert (video.fps, video.frames) == (8.0, 9)
    assert len(frames_of(path)) == 9


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [
        ("libx264", "yuv420p10le", ".mp4"),
        ("libx264", "yuv444p", ".mp4"),
        ("libx264", "yuvj420p", ".mp4"),
        ("ffv1", "yuv422p12le", ".mkv"),
        ("ffv1", "bgr0", ".mkv"),
        ("prores_ks", "yuv422p10le", ".mov"),
    ],
)
def test_depths_and_subsamplings_become_8_bit_rgb(
    tmp_path: Path, codec: str, pix_fmt: str, suffix: str
) -> None:
    path = write_as(tmp_path / f"a{suffix}", make_frames(), codec, pix_fmt)
    for frame, original in zip(frames_of(path), make_frames(), strict=True):
        assert difference(frame, original) < 4


def test_the_colour_matrix_of_the_file_is_used(tmp_path: Path) -> None:
    def tag(stream: VideoStream) -> None:
        stream.codec_context.colorspace = 1  # BT.709

    path = write_as(tmp_path / "a.mkv", marked(), "ffv1", "yuv444p", setup=tag)
    assert difference(frames_of(path)[0], marked()[0]) < 2


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "gray"), ("ffv1", "gray16le")])
def test_grey_becomes_three_equal_channels(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    frame = frames_of(write_as(tmp_path / "a.mkv", make_frames(), codec, pix_fmt))[0]
    assert frame.shape == (48, 64, 3)
    assert np.array_equal(frame[..., 0], frame[..., 1])
    assert np.array_equal(frame[..., 0], frame[..., 2])
    assert len(np.unique(frame)) > 1


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [("qtrle", "argb", ".mov"), ("png", "rgba", ".mov"), ("ffv1", "bgra", ".mkv")],
)
def test_alpha_is_laid_over_white(tmp_path: Path, codec: str, pix_fmt: str, suffix: str) -> None:
    frames = [np.full((48, 64, 4), (200, 100, 0, 255), dtype=np.uint8) for _ in range(2)]
    for frame in frames:
        frame[:, :16, 3] = 0
        frame[:, 16:32, 3] = 51
    decoded = frames_of(write_as(tmp_path / f"a{suffix}", frames, codec, pix_fmt))[0]
    assert decoded[0, [0, 20, 40]].tolist() == [[255, 255, 255], [244, 224, 204], [200, 100, 0]]


def test_odd_sizes_stay_as_they_are(tmp_path: Path) -> None:
    path = write_as(tmp_path / "a.mp4", make_frames(3, (65, 49)), pix_fmt="yuv444p")
    assert (probe(path).width, probe(path).height) == (65, 49)
    assert frames_of(path)[0].shape == (49, 65, 3)


def test_frames_that_an_edit_list_cuts_away_are_not_counted(tmp_path: Path) -> None:
    data = bytearray(write_as(tmp_path / "a.mp4", make_frames(20)).read_bytes())
    at = data.index(b"elst") + 12
    duration, start = struct.unpack_from(">Ii", data, at)
    struct.pack_into(">Ii", data, at, duration - 200, start + 3 * 1024)  # 3 frames later
    path = tmp_path / "b.mp4"
    path.write_bytes(data)
    assert probe(path).frames == len(frames_of(path)) == 17


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_pixels=64 * 48 - 1), "3,072 pixels a frame are over the limit of 3,071"),
        (Limits(max_duration_s=0.5), "seconds are over"),
        (Limits(max_frames=8), "9 frames are over the limit of 8"),
        (Limits(max_bytes=100), "bytes are over the limit of 100"),
    ],
)
def test_limits(tmp_path: Path, limits: Limits, reason: str) -> None:
    path = write_video(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match=reason):
        probe(path, limits=limits)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.mp4"):
        with pytest.raises(VideoError, match="no such file"):
            probe(path)


@pytest.mark.slow
def test_a_frame_that_was_used_is_freed_at_once(tmp_path: Path) -> None:
    video = probe(write_video(tmp_path / "v.mp4", 60))
    gc.collect()
    gc.disable()
    try:
        count = sum(1 for _ in decode(video))
        waiting = gc.collect()
    finally:
        gc.enable()
    assert count == 60
    assert waiting < 20  # frames in cycles would wait for the collector, all of them
