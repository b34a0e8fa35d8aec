"""Videos as people really have them, each with what must become of it.

``docs/videos.md`` is made of this list: ``python -m tests.helpers.video_files`` writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from tests.helpers import ROOT
from tests.helpers.makers import make_frames, write_as

PAGE = ROOT / "docs" / "videos.md"
RED, BLUE = (200, 60, 40), (30, 60, 210)
SIZE = (64, 48)


class VideoFile(NamedTuple):
    """``what`` a file is, how to ``write`` one, and what becomes of it.

    ``outcome`` is that its frames are read as they are, converted, or that it is refused; ``tells``
    is in the notes of a converted one and in the reason for a refused one. ``size`` is as shown.
    """

    what: str
    suffix: str
    write: Callable[[Path], object]
    outcome: Literal["read", "converted", "refused"]
    tells: str = ""
    size: tuple[int, int] = SIZE


def halves(frames: int = 6, size: tuple[int, int] = SIZE, alpha: int | None = None) -> list[Any]:
    """Frames that are red on the left and blue on the right, perhaps with one alpha."""
    width, height = size
    frame = np.zeros((height, width, 3), np.uint8)
    frame[:, : width // 2], frame[:, width // 2 :] = RED, BLUE
    if alpha is not None:
        frame = np.dstack([frame, np.full((height, width), alpha, np.uint8)])
    return [frame] * frames


def written(
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    frames: list[NDArray[np.uint8]] | None = None,
    *,
    times: tuple[int, ...] = (),
    matrix: Colorspace | None = None,
    **context: Any,
) -> Callable[[Path], object]:
    """Writes ``halves`` in a codec; ``context`` are attributes of its context."""

    def setup(stream: VideoStream) -> None:
        if codec == "libx264":
            stream.options = {"crf": "4"}
        if codec == "libvpx":
            stream.options = {"auto-alt-ref": "0"}  # as its alpha needs
        for name, value in context.items():
            setattr(stream.codec_context, name, value)

    return lambda path: write_as(
        path,
        halves() if frames is None else frames,
        codec,
        pix_fmt,
        times=times,
        matrix=matrix,
        setup=setup,
    )


def cut(write: Callable[[Path], object], share: float) -> Callable[[Path], object]:
    """The first part of what is written."""

    def cut_off(path: Path) -> None:
        write(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return cut_off


def damaged(write: Callable[[Path], object], count: int = 40) -> Callable[[Path], object]:
    """What is written with so many random bytes in its last two thirds."""

    def change(path: Path) -> None:
        write(path)
        data = bytearray(path.read_bytes())
        random = np.random.default_rng(0)
        for place in random.integers(len(data) // 3, len(data) * 9 // 10, count):
            data[place] = random.integers(256)
        path.write_bytes(data)

    return change


def _noise(frames: int = 30) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(frames)]


def _webp(path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in make_frames(4)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])


HD = (1280, 720)
FILES = (
    VideoFile("H.264 in MP4", ".mp4", written(), "read"),
    VideoFile("H.264 in M4V", ".m4v", written(), "read"),
    VideoFile("ProRes in QuickTime", ".mov", written("prores_ks", "yuv422p10le"), "read"),
    VideoFile("H.264 in Matroska", ".mkv", written(), "read"),
    VideoFile("VP9 in WebM", ".webm", written("libvpx-vp9"), "read"),
    VideoFile("AV1 in MP4", ".mp4", written("libsvtav1"), "read"),
    VideoFile("HEVC in MP4", ".mp4", written("libx265"), "read"),
    VideoFile("MPEG-4 in AVI", ".avi", written("mpeg4"), "read"),
    VideoFile("H.264 in a transport stream", ".ts", written(), "read"),
    VideoFile("WMV", ".wmv", written("wmv2"), "read"),
    VideoFile("GIF", ".gif", written("gif", "rgb8"), "read"),
    VideoFile("10-bit", ".mp4", written("libx264", "yuv420p10le"), "read"),
    VideoFile("full-range colours", ".mp4", written("libx264", "yuvj444p"), "read"),
    VideoFile(
        "colours tagged BT.709",
        ".mkv",
        written("ffv1", "yuv444p", matrix=Colorspace.ITU709, colorspace=1),
        "read",
    ),
    VideoFile(
        "HD without a tag of its colours",
        ".mkv",
        written("ffv1", "yuv444p", halves(3, HD), matrix=Colorspace.ITU709),
        "converted",
        "untagged: taken as BT.709",
        HD,
    ),
    VideoFile(
        "pixels twice as wide as high",
        ".mp4",
        written(sample_aspect_ratio=Fraction(2, 1)),
        "converted",
        "shown as 128x48, stored as 64x48",
        (128, 48),
    ),
    VideoFile(
        "pixels twice as high as wide",
        ".mkv",
        written(sample_aspect_ratio=Fraction(1, 2)),
        "converted",
        "shown as 64x96, stored as 64x48",
        (64, 96),
    ),
    VideoFile(
        "a frame rate that varies",
        ".mp4",
        written(times=(0, 1, 2, 20, 21, 40)),
        "converted",
        "frame rate varies from 3.158 to 60, 7.5 on average",
    ),
    VideoFile(
        "VP9 with alpha",
        ".webm",
        written("libvpx-vp9", "yuva420p", halves(alpha=51)),
        "converted",
        "transparent parts are laid over white",
    ),
    VideoFile(
        "VP8 with alpha", ".webm", written("libvpx", "yuva420p", halves(alpha=51)), "converted",
        "transparent parts are laid over white",
    ),
    VideoFile(
        "HDR (PQ)", ".mp4", written("libx265", "yuv420p10le", color_trc=16), "refused",
        r"HDR \(PQ\), which is not converted",
    ),
    VideoFile(
        "HDR (HLG)", ".mp4", written("libx265", "yuv420p10le", color_trc=18), "refused",
        r"HDR \(HLG\), which is not converted",
    ),
    VideoFile("an animated WebP", ".webp", _webp, "refused", "a WebP: convert it"),
    VideoFile(
        "an FLV", ".flv", written(), "refused", "an FLV: convert it to MP4"
    ),
    VideoFile(
        "H.264 with damaged data",
        ".mp4",
        damaged(written(frames=_noise())),
        "refused",
        r"frame \d+ is damaged",
    ),
    VideoFile(
        "VP8 with damaged data",
        ".webm",
        damaged(written("libvpx", frames=_noise()), 800),
        "refused",
        r"frame \d+ is damaged",
    ),
    VideoFile(
        "a GIF that was cut off", ".gif", cut(written("gif", "rgb8", _noise()), 0.66), "refused",
        "cut off: its last picture or its end mark is missing",
    ),
    VideoFile(
        "a GIF without its end mark", ".gif", cut(written("gif", "rgb8"), 0.9999), "refused",
        "cut off: its last picture or its end mark is missing",
    ),
    VideoFile(
        "an AVI that was cut off", ".avi", cut(written("mpeg4", frames=_noise()), 0.9), "refused",
        "cut off: .* bytes are missing",
    ),
    VideoFile(
        "an MP4 that was cut off", ".mp4", cut(written(frames=_noise()), 0.9), "refused", "cut off"
    ),
    VideoFile(
        "a WebM that was cut off", ".webm", cut(written("libvpx-vp9", frames=_noise()), 0.8),
        "refused", "cut off: it ends at",
    ),
    VideoFile(
        "a page saved as .mp4", ".mp4", lambda path: path.write_text("<html>"), "refused",
        "not a video: by its content",
    ),
)  # fmt: skip


def page() -> str:
    """The page for users."""
    rows = [f"| {one.what} | {one.outcome} | {_told(one)} |" for one in FILES]
    return "\n".join([HEAD, *rows, TAIL])


def _told(one: VideoFile) -> str:
    text = one.tells.replace("\\", "").replace("d+", "17").replace(".*", "12,345")
    return f"“{text}”" if text else ""


HEAD = """# Videos: what is read, converted and refused

A file is known by its content and not by its name. It is shown as a player shows it: upright, with
square pixels, in 8-bit RGB, alpha over white, each frame once. `a2bench inspect VIDEO` tells what
is read from a file.

This table is made from the list that the tests use (`python -m tests.helpers.video_files`).

| file | outcome | what is told |
| --- | --- | --- |"""

TAIL = """
**Read** are MP4, MOV, M4V, MKV, WebM, AVI, GIF, MPEG transport streams and WMV with any codec of
FFmpeg.

**Converted**: what had to be changed or decided stands in the record of the video (`read`) and is
part of the keys of its scores. Pixels that are not square are stretched along their shorter side,
so nothing is lost. Where the frame rate varies, policies that mean time (`fps-8` of the dynamic
degree) take the frame nearest in time; the others take frames as they come. Colours without a tag
are BT.601 up to 1024x576 and BT.709 above, as players have it; the record says which (`colour`).
BT.2020 primaries and interlaced fields are told, not converted.

**Refused** with the reason: what a decoder reports as damaged (also one frame of many), what ends
before its end, HDR, what is mirrored or turned by other than quarters, stills, playlists, sound
only, and what is over 600 s, 20,000 frames, 35 megapixels or 4 GiB. Damage that a decoder does not
see cannot be told: VP9, GIF and most others have no check of their data, so that a changed bit may
decode to another picture.
"""

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
