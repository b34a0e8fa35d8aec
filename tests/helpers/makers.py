"""Tiny cases, suites and videos for tests: everything is made, nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from a2bench.keys import file_sha256
from a2bench.pictures import Frame
from a2bench.types import ROLES, Case, Element, Role, Suite
from a2bench.video import encode


def make_element(folder: Path, element_id: str, role: Role) -> Element:
    """An element whose image (32x32) has a colour and a stripe of its own."""
    random = np.random.default_rng(list(element_id.encode()))
    pixels = np.full((32, 32, 3), random.integers(0, 256, 3, dtype=np.uint8), dtype=np.uint8)
    pixels[8:16] = random.integers(0, 256, 3, dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / f"{element_id}.png"
    Image.fromarray(pixels).save(image)
    return Element(
        id=element_id,
        role=role,
        image=image,
        sha256=file_sha256(image),
        name=role,
        caption=f"a test {role}",
        subject=element_id,
    )


def make_case(
    folder: Path, case_id: str = "case-001", *, roles: Sequence[Role] = ROLES, prompt: str = ""
) -> Case:
    """A case with one element of each of ``roles``, their images in ``folder``."""
    elements = tuple(make_element(folder, f"{case_id}-{role}", role) for role in roles)
    return Case(id=case_id, prompt=prompt or f"Prompt of {case_id}.", elements=elements)


def make_suite(folder: Path, n: int = 3) -> Suite:
    """``n`` cases, ``case-001`` onwards."""
    cases = tuple(make_case(folder, f"case-{i:03d}") for i in range(1, n + 1))
    references = tuple(element for case in cases for element in case.elements)
    return Suite(name="tiny", version="1", cases=cases, references=references)


def make_frames(frames: int = 9, size: tuple[int, int] = (64, 48), seed: int = 0) -> list[Frame]:
    """Frames of (width, height): a light square moves over a plain ground coloured by ``seed``."""
    width, height = size
    random = np.random.default_rng(seed)
    ground = np.full((height, width, 3), random.integers(0, 128, 3, dtype=np.uint8), dtype=np.uint8)
    side = max(1, min(width, height) // 3)
    made = []
    for index in range(frames):
        frame = ground.copy()
        left = 2 * index % max(1, width - side)
        frame[height // 3 : height // 3 + side, left : left + side] = 230
        made.append(frame)
    return made


def write_video(
    path: Path,
    frames: int = 9,
    size: tuple[int, int] = (64, 48),
    fps: int = 15,
    *,
    seed: int = 0,
) -> Path:
    """An H.264 video of ``make_frames`` at ``path``, which is returned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(path, make_frames(frames, size, seed), fps=fps)
    return path


def write_as(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    *,
    times: Sequence[int] = (),
    matrix: Colorspace | None = None,
    setup: Callable[[VideoStream], None] = lambda stream: None,
) -> Path:
    """A video in any codec and pixel format, its container by suffix; ``times`` are in 1/60 s.

    ``frames`` are RGB or RGBA; ``setup`` may change the stream before the first is encoded;
    ``matrix`` is that of their colours.
    """
    height, width, channels = frames[0].shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=15)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if times:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 60)
        setup(stream)
        for index, pixels in enumerate(frames):
            frame = VideoFrame.from_ndarray(pixels, format="rgb24" if channels == 3 else "rgba")
            if matrix:
                frame = frame.reformat(format=pix_fmt, dst_colorspace=matrix)
            if times:
                frame.pts, frame.time_base = times[index], Fraction(1, 60)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
