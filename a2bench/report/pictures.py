"""Pictures of a page, as data addresses: references, and each video as a strip of its frames."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from markupsafe import Markup
from PIL import Image

from a2bench.pictures import over_white, upright
from a2bench.types import Element, Video
from a2bench.video import decode, sampled

FRAMES = 8
WIDTHS_PX = (208, 176, 144, 112, 88)
QUALITY = 62
REFERENCE_PX = 132


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Frames of a video side by side, each ``width`` by ``height``; ``indices`` say which."""

    address: str
    width: int
    height: int
    indices: tuple[int, ...]


def strip(video: Video, most_bytes: int, frames: Sequence[int] = ()) -> Strip:
    """The frames of a video, by default ``FRAMES`` spread evenly, as one JPEG.

    As wide as one of ``WIDTHS_PX`` so that it has no more than ``most_bytes``, or the least.
    Raises ``VideoError`` for a video that cannot be read.
    """
    indices = tuple(frames) or tuple(sampled(f"linspace-{FRAMES}", video))
    pictures = [Image.fromarray(frame) for _, frame in decode(video, frozenset(indices))]
    for width in WIDTHS_PX:
        height = max(1, round(video.height * width / video.width))
        whole = Image.new("RGB", (width * len(pictures), height))
        for at, picture in enumerate(pictures):
            small = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
            whole.paste(small, (at * width, 0))
        found = _jpeg(whole)
        if len(found) <= most_bytes:
            break
    return Strip(address=_address(found), width=width, height=height, indices=indices)


def reference(element: Element) -> str:
    """A reference as people see it, small."""
    picture = Image.fromarray(
        over_white(np.asarray(upright(element.image, "RGBA", 4 * REFERENCE_PX)))
    )
    picture.thumbnail((2 * REFERENCE_PX, REFERENCE_PX), Image.Resampling.LANCZOS)
    return _address(_jpeg(picture))


def _jpeg(picture: Image.Image) -> bytes:
    picture.save(held := BytesIO(), "JPEG", quality=QUALITY, optimize=True)
    return held.getvalue()


def _address(jpeg: bytes) -> str:
    """It says that there is nothing in it to escape."""
    return Markup(f"data:image/jpeg;base64,{b64encode(jpeg).decode('ascii')}")  # noqa: S704
