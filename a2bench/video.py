"""Video files in and out: probe with limits, decode once, sample by named policies, encode.

Read: MP4, MOV, MKV, WebM, AVI and GIF, known by content and not by name; any codec of FFmpeg. What
only points to other files (playlists, scripts), still images and raw streams are refused. Pixels
are taken as square; the alpha of VP8 and VP9 is ignored by their decoders.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from a2bench.errors import UsageError, VideoError
from a2bench.keys import file_sha256
from a2bench.pictures import Frame as Frame  # plug-ins know it from here
from a2bench.pictures import over_white
from a2bench.types import Video

_FORMATS = "mov,mp4,matroska,webm,avi,gif"


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

    Raises ``VideoError`` for what is not a video, is cut off, or is over ``limits``.
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
        frames, fps = _count(container, stream, limits)
        container.seek(0)
        first = next(container.decode(stream), None)
        if first is None:
            raise ValueError("no frame decodes")
        _refuse_mirrored(first)
        turned = _quarters(first) % 2 == 1
    return Video(
        path=path,
        sha256=sha256,
        width=first.height if turned else first.width,
        height=first.width if turned else first.height,
        fps=fps,
        frames=frames,
        duration_s=frames / fps,
    )


def decode(
    video: Video, indices: Collection[int] | None = None, *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[tuple[int, Frame]]:
    """Yields (index, RGB frame) in order, for all frames or for those in ``indices``.

    Frames are upright (rotation metadata applied); alpha is laid over white; 10-bit and grey
    become 8-bit RGB. Frames of a variable rate are taken as they come, none repeated or dropped.
    All frames are decoded, so a file that ends early is always noticed. Raises ``VideoError``.
    """
    count = 0
    with _opened(video.path, video.sha256, limits) as (container, stream):
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            if indices is None or count in indices:
                rgb = _to_rgb(frame)
                height, width = rgb.shape[:2]
                if (width, height) != (video.width, video.height):
                    raise ValueError(
                        f"the picture changes from {video.width}x{video.height} to"
                        f" {width}x{height} at frame {count}"
                    )
                yield count, rgb
            count += 1
        if count < video.frames:
            raise ValueError(f"only {count} of {video.frames} frames decode")


def sample_indices(policy: str, frames: int, fps: float) -> tuple[int, ...]:
    """The frame indices that a named sampling policy takes from ``frames`` frames.

    - ``all``: every frame
    - ``linspace-N``: N frames evenly from the first to the last, ``trunc(linspace(0, n-1, N))``
      (OpenS2V-Eval); all frames when there are fewer than N
    - ``middle-N``: the middle of each of N equal segments, padded with the last (VBench, ViCLIP)
    - ``fps-R``: every ``max(1, round(fps / R))``-th frame, about R a second (VBench, RAFT)
    - ``even-odd``: up to the last even index, so that each odd frame has two neighbours (VBench)
    - ``none``: no frame

    Raises ``UsageError`` for another name.
    """
    match = re.fullmatch(r"(all|none|even-odd)|(linspace|middle|fps)-([1-9]\d*)", policy)
    if match is None:
        raise UsageError(
            f"no sampling policy {policy!r}: use all, none, even-odd, linspace-N, middle-N or fps-R"
        )
    if frames < 1 or policy == "none":
        return ()
    if policy == "all":
        return tuple(range(frames))
    if policy == "even-odd":
        return tuple(range(frames - (frames + 1) % 2))
    kind, number = match[2], int(match[3])
    if kind == "fps":
        return tuple(range(0, frames, max(1, round(fps / number))))
    if kind == "linspace":
        return tuple(dict.fromkeys(np.linspace(0, frames - 1, number).astype(int).tolist()))
    edges = np.linspace(0, frames, min(number, frames) + 1).astype(int)
    middles = ((edges[:-1] + edges[1:] - 1) // 2).tolist()
    return tuple(middles + [middles[-1]] * (number - len(middles)))


def encode(
    path: Path,
    frames: Iterable[Frame],
    *,
    fps: int | Fraction = 15,
    crf: int = 18,
    most_kbps: int | None = None,
) -> None:
    """Writes RGB frames of one even size as H.264 (yuv420p, faststart) in MP4.

    ``crf`` is the quality, 0 (lossless) to 51; ``most_kbps`` bounds the rate over a second.

    The same frames give the same bytes on any number of cores: one encoder thread, and no
    macroblock-tree rate control, whose result differs now and then on the same input.
    Raises ``ValueError`` when there is no frame, a side is odd, or the size changes.
    """
    shape: tuple[int, ...] = ()
    bound = f":vbv-maxrate={most_kbps}:vbv-bufsize={most_kbps}" if most_kbps else ""
    options = {"movflags": "faststart"}
    with av.open(str(path.absolute()), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        for array in frames:
            if not shape:
                shape = array.shape
                height, width = shape[:2]
                if height % 2 or width % 2:
                    raise ValueError(f"H.264 needs even sides, not {width}x{height}")
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.options = {
                    "crf": str(crf),
                    "preset": "veryfast",
                    "threads": "1",
                    "x264-params": f"no-mbtree=1{bound}",
                }
            elif array.shape != shape:
                raise ValueError(f"a frame of shape {array.shape} among frames of shape {shape}")
            container.mux(stream.encode(VideoFrame.from_ndarray(array, format="rgb24")))
        if not shape:
            raise ValueError("no frame to encode")
        container.mux(stream.encode(None))


@contextmanager
def _opened(
    path: Path, sha256: str, limits: Limits
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A file and its first film; ``ValueError`` and FFmpeg's errors become ``VideoError``."""
    options = {
        "protocol_whitelist": "file",  # a script or playlist must not reach other files or hosts
        "format_whitelist": _FORMATS,
        "max_pixels": str(limits.max_pixels),  # also for what FFmpeg decodes while it opens a file
    }
    try:
        with _container(path, options) as container:
            cover = Disposition.attached_pic
            stream = next((s for s in container.streams.video if not s.disposition & cover), None)
            if stream is None:
                raise ValueError("no video stream")
            if stream.codec_context is None:
                raise ValueError("its codec has no decoder")
            stream.codec_context.options = {"max_pixels": options["max_pixels"]}
            yield container, stream
    except (av.error.FFmpegError, OSError, ValueError) as error:
        told = getattr(error, "strerror", None)
        reason = f"FFmpeg: {told}" if told else str(error)
        raise VideoError(f"unreadable video: {path} (sha256 {sha256[:12]}): {reason}") from error


def _container(path: Path, options: dict[str, str]) -> InputContainer:
    try:
        return av.open(str(path.absolute()), options=options)
    except (av.error.InvalidDataError, av.error.ArgumentError, av.error.EOFError) as error:
        reason = "damaged, cut off, or not an MP4, MOV, MKV, WebM, AVI or GIF file"
        raise ValueError(reason) from error


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


def _count(container: InputContainer, stream: VideoStream, limits: Limits) -> tuple[int, float]:
    """The frames that will be shown and their mean rate, from the packets alone.

    A header that counts its frames is held to the count, another one (Matroska) to its duration.
    """
    held, end_s = 0, 0.0
    times: list[Fraction | None] = []
    for packet in container.demux():
        if packet.size == 0:
            continue
        if packet.is_corrupt:
            raise ValueError(f"cut off after {held} frames")
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
    fps = _rate([t for t in times if t is not None], stream.average_rate)
    told_s = ((container.start_time or 0) + (container.duration or 0)) / 1_000_000
    if not stream.frames and end_s < told_s - 2 / fps:
        raise ValueError(f"cut off: it ends at {end_s:.2f} of {told_s:.2f} seconds")
    return len(times), fps


def _rate(times: list[Fraction], told: Fraction | None) -> float:
    """Frames a second: what the container tells, or what its timestamps mean if that is another.

    Headers of a variable rate often name the highest or the usual rate instead of the mean.
    """
    span = max(times) - min(times) if times else Fraction(0)
    rate = (len(times) - 1) / span if span else told
    if not rate:
        raise ValueError("the container tells no frame rate")
    return float(told if told and abs(told / rate - 1) < 0.05 else rate)


def _quarters(frame: VideoFrame) -> int:
    """Counter-clockwise quarter turns that bring a frame upright."""
    return frame.rotation // 90 % 4


def _refuse_mirrored(frame: VideoFrame) -> None:
    """For the first frame only: one whose side data was read stays until cycles are collected."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is not None:
        a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32)[:5].tolist()
        if frame.rotation % 90 or a * d < b * c:
            raise ValueError("its metadata mirrors it or turns it by other than quarters")


def _to_rgb(frame: VideoFrame) -> Frame:
    if any(component.is_alpha for component in frame.format.components):
        rgb = over_white(np.asarray(frame.to_ndarray(format="rgba"), np.uint8))
    else:
        rgb = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    return np.ascontiguousarray(np.rot90(rgb, _quarters(frame)))


def _over(value: float, limit: float, unit: str) -> str:
    return f"{value:,.0f} {unit} are over the limit of {limit:,.0f}"
