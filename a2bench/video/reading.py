"""Video files read: probe with limits, decode once.

Frames come as they are shown: upright, in their display size, in 8-bit RGB, alpha over white.
What had to be decided or changed for that stands in ``Video.notes``, which enter the scores' keys.
What a decoder reports as damaged is refused, and so is what cannot be shown rightly (HDR).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from a2bench.errors import VideoError
from a2bench.keys import file_sha256
from a2bench.pictures import Frame
from a2bench.types import Video
from a2bench.video.display import Display, display_of
from a2bench.video.kinds import DEMUXERS, NAMES, kind_of, unfinished

VARIES = 0.3
"""The share of the usual time between frames by which one may be off at a constant rate."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is refused before a frame is decoded."""

    max_bytes: int = 4 * 2**30
    max_pixels: int = 8192 * 4320
    max_duration_s: float = 600.0
    max_frames: int = 20_000


DEFAULT_LIMITS = Limits()


def probe(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> Video:
    """Reads a video's header, counts its frames by their packets and decodes the first.

    Raises ``VideoError`` for what is not a video, is cut off, cannot be shown rightly, or is over
    ``limits``.
    """
    if not path.is_file():
        raise VideoError(f"unreadable video: {path}: no such file")
    size = path.stat().st_size
    if not size:
        raise VideoError(f"unreadable video: {path}: the file is empty")
    if size > limits.max_bytes:
        raise VideoError(f"unreadable video: {path}: {_over(size, limits.max_bytes, 'bytes')}")
    sha256 = file_sha256(path)
    with _opened(path, sha256, limits) as (container, stream):
        _check_header(container, stream, limits)
        times, frames, fps = _count(container, stream, limits)
        container.seek(0)
        first = next(_frames(container, stream, limits), None)
        if first is None:
            raise ValueError("no frame decodes")
        display = display_of(first, stream.sample_aspect_ratio)
        width, height = display.size
        if width * height > limits.max_pixels:
            raise ValueError(_over(width * height, limits.max_pixels, "pixels a frame"))
        varying = _varying(times)
    return Video(
        path=path,
        sha256=sha256,
        width=width,
        height=height,
        fps=fps,
        frames=frames,
        duration_s=frames / fps,
        times_s=varying,
        colour=display.colour,
        notes=(*display.notes, *((_rates(varying, fps),) if varying else ())),
    )


def decode(
    video: Video, indices: Collection[int] | None = None, *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[tuple[int, Frame]]:
    """Yields (index, RGB frame) in order, for all frames or for those in ``indices``.

    Frames are upright, with square pixels; alpha is laid over white; 10-bit and grey become 8-bit
    RGB. Frames of a variable rate are taken as they come, none repeated or dropped. All frames are
    decoded, so a file that is damaged or ends early is always noticed. Raises ``VideoError``.
    """
    count = 0
    with _opened(video.path, video.sha256, limits) as (container, stream):
        display: Display | None = None
        for frame in _frames(container, stream, limits):
            display = display or display_of(frame, stream.sample_aspect_ratio)
            if indices is None or count in indices:
                try:
                    rgb = display.rgb(frame)
                except ValueError as error:
                    raise ValueError(f"{error} at frame {count}") from error
                yield count, rgb
            count += 1
        if count < video.frames:
            raise ValueError(f"only {count} of {video.frames} frames decode")


def _frames(container: InputContainer, stream: VideoStream, limits: Limits) -> Iterator[VideoFrame]:
    """The frames of a film. ``ValueError`` for one that its decoder reports as damaged."""
    frames = _with_alpha(container, stream, limits) or container.decode(stream)
    count = 0
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            raise ValueError(f"frame {count} is damaged: FFmpeg: {error.strerror}") from error
        if frame.is_corrupt:
            raise ValueError(f"frame {count} is damaged: its decoder had to guess parts of it")
        yield frame
        count += 1


def _with_alpha(
    container: InputContainer, stream: VideoStream, limits: Limits
) -> Iterator[VideoFrame] | None:
    """The frames of a VP8 or VP9 film with alpha; FFmpeg's own decoders would leave it out."""
    metadata = {name.lower(): value for name, value in stream.metadata.items()}
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if name is None or metadata.get("alpha_mode") != "1":
        return None
    decoder: Any = VideoCodecContext.create(name, "r")
    decoder.options = _decoding(limits)
    return (
        frame
        for packet in container.demux(stream)
        for frame in decoder.decode(packet if packet.size else None)
    )


@contextmanager
def _opened(
    path: Path, sha256: str, limits: Limits
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A file and its first film; ``ValueError`` and FFmpeg's errors become ``VideoError``."""
    options = {
        "protocol_whitelist": "file",  # a script or playlist must not reach other files or hosts
        "format_whitelist": DEMUXERS,
        "max_pixels": str(limits.max_pixels),  # also for what FFmpeg decodes while it opens a file
    }
    try:
        _check_kind(path)
        with _container(path, options) as container:
            cover = Disposition.attached_pic
            stream = next((s for s in container.streams.video if not s.disposition & cover), None)
            if stream is None:
                raise ValueError("no video stream")
            if stream.codec_context is None:
                raise ValueError("its codec has no decoder")
            stream.codec_context.options = _decoding(limits)
            yield container, stream
    except (av.error.FFmpegError, OSError, ValueError) as error:
        told = getattr(error, "strerror", None)
        reason = f"FFmpeg: {told}" if told else str(error)
        raise VideoError(f"unreadable video: {path} (sha256 {sha256[:12]}): {reason}") from error


def _container(path: Path, options: dict[str, str]) -> InputContainer:
    try:
        return av.open(str(path.absolute()), options=options, metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.ArgumentError, av.error.EOFError) as error:
        reason = "damaged or cut off: its container cannot be read"
        raise ValueError(reason) from error


def _decoding(limits: Limits) -> dict[str, str]:
    """Options of a decoder: what it finds damaged it must tell and not hide.

    It works by slices and not by frames at once: then some decoders (VP8) tell no error.
    """
    return {"max_pixels": str(limits.max_pixels), "err_detect": "crccheck+explode"}


def _check_kind(path: Path) -> None:
    """Refuses what is no video by its content, a kind that is not read, and what is cut off."""
    kind = kind_of(path)
    if kind is None:
        raise ValueError(f"not a video: by its content it is none of {NAMES}")
    if kind.refused:
        raise ValueError(kind.refused)
    if reason := unfinished(path, kind):
        raise ValueError(reason)


def _check_header(container: InputContainer, stream: VideoStream, limits: Limits) -> None:
    if stream.width * stream.height < 1:
        most = f"{limits.max_pixels:,} pixels a frame"
        raise ValueError(f"the picture has no size, or one over the limit of {most}")
    for value, limit, unit in (
        (stream.width * stream.height, limits.max_pixels, "pixels a frame"),
        ((container.duration or 0) / 1_000_000, limits.max_duration_s, "seconds"),
        (stream.frames, limits.max_frames, "frames"),
    ):
        if value > limit:
            raise ValueError(_over(value, limit, unit))


def _count(
    container: InputContainer, stream: VideoStream, limits: Limits
) -> tuple[list[Fraction], int, float]:
    """When the frames are shown, how many there are and their mean rate, from the packets alone.

    A header that counts its frames is held to the count, another one (Matroska) to its duration.
    """
    held, end_s = 0, 0.0
    times: list[Fraction | None] = []
    for packet in container.demux():
        if packet.size == 0:
            continue
        if packet.is_corrupt:
            raise ValueError(f"damaged or cut off after {held} frames")
        time = None if packet.pts is None else packet.pts * packet.time_base
        end_s = max(end_s, float((time or 0) + (packet.duration or 0) * packet.time_base))
        if packet.stream.index == stream.index:
            held += 1
            if not packet.is_discard:  # cut away by the container's edit list
                times.append(time)
        if held > limits.max_frames:
            raise ValueError(_over(held, limits.max_frames, "frames"))
    if held < stream.frames:
        raise ValueError(f"cut off: {held} of {stream.frames} frames")
    if not times:
        raise ValueError("it holds no frame")
    known = sorted(time for time in times if time is not None)
    fps = _rate(known, stream.average_rate)
    told_s = ((container.start_time or 0) + (container.duration or 0)) / 1_000_000
    if not stream.frames and end_s < told_s - 2 / fps:
        raise ValueError(f"cut off: it ends at {end_s:.2f} of {told_s:.2f} seconds")
    return known if len(known) == len(times) else [], len(times), fps


def _rate(times: list[Fraction], told: Fraction | None) -> float:
    """Frames a second: what the container tells, or what its timestamps mean if that is another.

    Headers of a variable rate often name the highest or the usual rate instead of the mean.
    """
    span = max(times) - min(times) if times else Fraction(0)
    rate = (len(times) - 1) / span if span else told
    if not rate:
        raise ValueError("the container tells no frame rate")
    return float(told if told and abs(told / rate - 1) < 0.05 else rate)


def _varying(times: Sequence[Fraction]) -> tuple[float, ...]:
    """When each frame is shown, from the first on, where the rate varies; else nothing."""
    if len(times) < 3:
        return ()
    steps = [float(later - earlier) for earlier, later in pairwise(times)]
    usual = median(steps)
    if all(abs(step - usual) <= VARIES * usual for step in steps):
        return ()
    return tuple(float(time - times[0]) for time in times)


def _rates(times_s: Sequence[float], fps: float) -> str:
    steps = [later - earlier for earlier, later in pairwise(times_s)]
    least, most = (1 / step if step else math.inf for step in (max(steps), min(steps)))
    return f"its frame rate varies from {least:.4g} to {most:.4g}, {fps:.4g} on average"


def _over(value: float, limit: float, unit: str) -> str:
    return f"{value:,.0f} {unit} are over the limit of {limit:,.0f}"
