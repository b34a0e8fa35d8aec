"""Faults 7 to 10: videos that are broken, tiny, unusual or huge."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from a2bench.errors import VideoError
from a2bench.generators.folder import Folder
from a2bench.runs.store import RunStore
from a2bench.types import Status
from a2bench.video import Limits, decode, encode, probe, sample_indices
from tests.helpers.makers import make_frames, make_suite, write_as, write_video
from tests.helpers.runs import ask, do

NOT_A_VIDEO = "not a video: by its content"


def noise(frames: int = 30) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Frames of about equal size, so that a cut at any share of the file hits some."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(frames)]


def write_pictures(path: Path, sizes: Sequence[tuple[int, int]]) -> Path:
    """A motion JPEG whose pictures have the given sizes; the header tells the first."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=15)
        stream.width, stream.height = sizes[0]
        stream.pix_fmt = "yuvj420p"
        for index, size in enumerate(sizes):
            container.mux(jpeg_packet(stream, size, index))
    return path


def jpeg_packet(stream: VideoStream, size: tuple[int, int], index: int) -> av.Packet[Any]:
    data = io.BytesIO()
    Image.new("RGB", size, (9, 99, 200)).save(data, "JPEG")
    packet = av.Packet(data.getvalue())
    packet.stream, packet.time_base = stream, Fraction(1, 15)
    packet.pts = packet.dts = index
    packet.is_keyframe = True
    return packet


def write_sound(path: Path, *, cover: bool) -> Path:
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=44100)
        silence = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 44100
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            container.mux(jpeg_packet(picture, (64, 48), 0))
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def test_fault_07_broken_videos_fail_and_the_others_do_not_notice(tmp_path: Path) -> None:
    suite, videos = make_suite(tmp_path / "suite", 4), tmp_path / "videos"
    good = write_video(videos / "case-001.mp4").read_bytes()
    (videos / "case-002.mp4").write_bytes(b"")
    (videos / "case-003.mp4").write_bytes(good[: len(good) * 2 // 3])
    (videos / "case-004.mp4").write_text("<!DOCTYPE html><html><body>404</body></html>")
    request = ask(suite, generator=Folder(videos=videos, name="m"))
    (warning,) = request.prepare()
    assert warning.count("unreadable video") == 3
    records = do(request, RunStore(tmp_path / "store"))
    made = {r.case_id: r for r in records if r.kind == "video"}
    assert made["case-001"].status is Status.OK
    for case_id in ("case-002", "case-003", "case-004"):
        assert made[case_id].status is Status.FAILED
        assert f"unreadable video: {videos / case_id}.mp4" in (made[case_id].error or "")
    assert "(sha256 " in (made["case-003"].error or "")
    assert [(r.case_id, r.status) for r in records if r.metric] == [("case-001", Status.OK)]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.98])
@pytest.mark.parametrize(
    ("name", "codec"), [("faststart.mp4", ""), ("a.mp4", "libx264"), ("a.avi", "mpeg4")]
)
def test_fault_07_a_file_that_is_cut_off_is_noticed(
    tmp_path: Path, name: str, codec: str, share: float
) -> None:
    path = tmp_path / name
    write_as(path, noise(), codec) if codec else encode(path, noise())
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(VideoError, match=r"unreadable video: .*cut off"):
        probe(path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.webm", "libvpx-vp9")])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_fault_07_a_stream_that_ends_before_its_time_is_noticed(
    tmp_path: Path, name: str, codec: str, share: float
) -> None:
    path = write_as(tmp_path / name, noise(), codec)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(VideoError, match=r"cut off: it ends at .* of 2\.00 seconds"):
        probe(path)


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:5,\nother.mp4\n", "ffconcat version 1.0\nfile other.mp4\n"]
)
def test_fault_07_a_script_cannot_bring_in_another_file(tmp_path: Path, text: str) -> None:
    write_video(tmp_path / "other.mp4")
    (tmp_path / "a.mp4").write_text(text)
    with pytest.raises(VideoError, match=NOT_A_VIDEO):
        probe(tmp_path / "a.mp4")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_fault_07_a_picture_is_no_video(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.mp4", kind)
    with pytest.raises(VideoError, match="a WebP" if kind == "WEBP" else NOT_A_VIDEO):
        probe(tmp_path / "a.mp4")


def test_fault_07_an_unknown_codec_is_named_as_such(tmp_path: Path) -> None:
    path = write_as(tmp_path / "a.mp4", make_frames())
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(VideoError, match="its codec has no decoder"):
        probe(path)


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("size", [(64, 48), (1, 1), (65, 49)])
def test_fault_08_tiny_videos_decode_and_every_policy_stays_inside(
    tmp_path: Path, frames: int, size: tuple[int, int]
) -> None:
    video = probe(write_as(tmp_path / "a.mkv", make_frames(frames, size), "ffv1", "bgr0"))
    assert (video.width, video.height, video.frames, video.fps) == (*size, frames, 15.0)
    assert [frame.shape for _, frame in decode(video)] == [(size[1], size[0], 3)] * frames
    for policy in ("all", "linspace-32", "middle-8", "fps-8", "even-odd"):
        taken = sample_indices(policy, video.frames, video.fps)
        assert set(taken) <= set(range(frames))
        assert taken


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [
        ("libx264", "yuv420p10le", ".mp4"),
        ("libx264", "gray", ".mp4"),
        ("qtrle", "argb", ".mov"),
    ],
)
@pytest.mark.parametrize("degrees", [0, 90])
@pytest.mark.parametrize("times", [(), (0, 1, 2, 10, 11, 30, 31, 40, 60)], ids=["even", "uneven"])
def test_fault_09_unusual_videos_become_upright_rgb(
    tmp_path: Path, codec: str, pix_fmt: str, suffix: str, degrees: int, times: tuple[int, ...]
) -> None:
    path = write_as(
        tmp_path / f"a{suffix}", make_frames(), codec, pix_fmt,
        times=times, setup=lambda s: s.set_display_rotation(degrees),
    )  # fmt: skip
    video = probe(path)
    assert video.fps == (8.0 if times else 15.0)
    frames = [frame for _, frame in decode(video)]
    assert [frame.shape for frame in frames] == [(64, 48, 3) if degrees else (48, 64, 3)] * 9
    assert all(frame.dtype == np.uint8 for frame in frames)


@pytest.mark.parametrize("cover", [False, True])
def test_fault_09_sound_alone_is_refused(tmp_path: Path, cover: bool) -> None:
    with pytest.raises(VideoError, match="no video stream"):
        probe(write_sound(tmp_path / "a.mp4", cover=cover))


def test_fault_09_a_picture_that_changes_its_size_is_refused(tmp_path: Path) -> None:
    video = probe(write_pictures(tmp_path / "a.mov", [(64, 48), (64, 48), (128, 96)]))
    with pytest.raises(VideoError, match="changes from 64x48 to 128x96 at frame 2"):
        list(decode(video))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_fault_10_eight_hours_are_refused_by_the_header(tmp_path: Path, suffix: str) -> None:
    times = [0, 8 * 3600 * 60]
    with pytest.raises(VideoError, match="28,800 seconds are over the limit of 600"):
        probe(write_as(tmp_path / f"a{suffix}", make_frames(2), times=times))


def test_fault_10_a_16k_picture_is_refused_by_the_header(tmp_path: Path) -> None:
    path = write_as(tmp_path / "a.mov", make_frames(2), "qtrle", "rgb24")
    data = bytearray(path.read_bytes())
    at = data.index(b"rle ") + 28  # width and height of the sample description
    assert struct.unpack_from(">HH", data, at) == (64, 48)
    struct.pack_into(">HH", data, at, 16384, 16384)
    path.write_bytes(data)
    with pytest.raises(VideoError, match="over the limit of 35,389,440 pixels a frame"):
        probe(path)


def test_fault_10_a_picture_that_grows_over_the_limit_is_not_decoded(tmp_path: Path) -> None:
    video = probe(write_pictures(tmp_path / "a.mov", [(64, 48), (64, 48), (512, 512)]))
    limits = Limits(max_pixels=128 * 128)
    with pytest.raises(VideoError, match="FFmpeg: "):
        list(decode(video, limits=limits))


def test_fault_10_a_huge_file_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"
    with path.open("wb") as file:
        file.truncate(2**33)  # a hole: it takes no room
    monkeypatch.delattr("a2bench.video.reading.file_sha256")
    with pytest.raises(VideoError, match="8,589,934,592 bytes are over the limit"):
        probe(path)
