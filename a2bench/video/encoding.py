"""Frames to a file, the same bytes for the same frames."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame

from a2bench.pictures import Frame


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
