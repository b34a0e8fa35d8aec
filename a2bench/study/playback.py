"""Copies for the screen: of one size and rate, without a name, without metadata.

Nothing but the picture may tell which model made a video. Metrics read the originals, never these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from a2bench.pictures import Frame, over_white, upright
from a2bench.types import Video
from a2bench.video import decode, encode

LONG_SIDE_PX = 1280
PICTURE_PX = 1024
MOST_KBPS = 8000
SCREEN_HZ = 60


@dataclass(frozen=True, kw_only=True)
class Format:
    """What all copies of a study have in common; pixels, both even."""

    width: int
    height: int
    fps: Fraction


def common_format(videos: Sequence[Video]) -> Format:
    """The size of the largest video, at most 1280 pixels long, and the rate that all have.

    Where rates differ it is that of a screen, on which each frame is then shown as long as a
    browser would show it anyway.
    """
    largest = max(videos, key=lambda video: (video.width * video.height, video.width))
    scale = min(1.0, LONG_SIDE_PX / max(largest.width, largest.height))
    rates = {video.fps for video in videos}
    same = max(rates) / min(rates) < 1.001
    return Format(
        width=_even(largest.width * scale),
        height=_even(largest.height * scale),
        fps=Fraction(max(rates)).limit_denominator(1001) if same else Fraction(SCREEN_HZ),
    )


def copy_video(video: Video, out: Path, form: Format) -> None:
    """Writes a video's playback copy. Raises ``VideoError`` when the video cannot be decoded."""
    frames = (frame for _, frame in decode(video))
    write_clip(frames, video.fps, out, form)


def write_clip(frames: Iterable[Frame], fps: float, out: Path, form: Format) -> None:
    """Writes frames of a rate as H.264 of the common format: letterboxed, never cropped."""
    shown = (letterboxed(frame, form.width, form.height) for frame in frames)
    encode(out, _timed(shown, fps, form.fps), fps=form.fps, most_kbps=MOST_KBPS)


def copy_picture(path: Path, out: Path) -> None:
    """Writes a reference picture as people see it: upright, over white, at most 1024 pixels."""
    picture = over_white(np.asarray(upright(path, "RGBA", PICTURE_PX)))
    Image.fromarray(picture).save(out, "PNG")


def letterboxed(frame: Frame, width: int, height: int) -> Frame:
    """The whole frame, as large as it fits, in the middle of black."""
    old_height, old_width = frame.shape[:2]
    scale = min(width / old_width, height / old_height)
    size = max(1, round(old_width * scale)), max(1, round(old_height * scale))
    if size != (old_width, old_height):
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        frame = np.asarray(cv2.resize(frame, size, interpolation=way), dtype=np.uint8)
    if size == (width, height):
        return frame
    box = np.zeros((height, width, 3), np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    box[top : top + size[1], left : left + size[0]] = frame
    return box


def _timed(frames: Iterable[Frame], fps: float, rate: Fraction) -> Iterator[Frame]:
    """Each frame until the next one is due, at another rate."""
    if abs(fps / float(rate) - 1) < 0.001:
        yield from frames
        return
    written = 0
    for index, frame in enumerate(frames):
        until = round((index + 1) / fps * float(rate))
        for _ in range(until - written):
            yield frame
        written = max(written, until)


def _even(length_px: float) -> int:
    return max(2, 2 * round(length_px / 2))
