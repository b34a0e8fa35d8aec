"""From what a decoder gives to what people see: size, turn, colours."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace

from a2bench.pictures import Frame, over_white

SAME = 0.01
"""A pixel that is up to this share wider or higher than square is taken as square."""
SD_PX = (1024, 576)
"""The largest picture whose untagged colours are BT.601, as players have it; a larger is BT.709."""
_UNTAGGED = 2
_MATRICES = {1: "BT.709", 4: "FCC", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020"}
_HDR = {16: "PQ", 18: "HLG"}
_BT2020 = 9


@dataclass(frozen=True, kw_only=True)
class Display:
    """How the frames of a film are brought to what people see.

    ``coded`` is the size that the decoder gives, ``shown`` that with square pixels, before it is
    turned; both (width, height). ``quarters`` are counter-clockwise. ``matrix`` is what untagged
    colours are taken for. ``notes`` tell what was changed or decided; they decide the pixels.
    """

    coded: tuple[int, int]
    shown: tuple[int, int]
    quarters: int
    matrix: Colorspace | None
    colour: str
    notes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """The frames' (width, height)."""
        return self.shown if self.quarters % 2 == 0 else self.shown[::-1]

    def rgb(self, frame: VideoFrame) -> Frame:
        """A frame as RGB (height, width, 3). Raises ``ValueError`` when its size is another."""
        if (frame.width, frame.height) != self.coded:
            raise ValueError(
                f"the picture changes from {_times(self.coded)} to {frame.width}x{frame.height}"
            )
        form = "rgba" if _has_alpha(frame) else "rgb24"
        width, height = self.shown
        square = frame.reformat(
            width, height, form, src_colorspace=self.matrix, interpolation="BICUBIC"
        )
        pixels = np.asarray(square.to_ndarray(), np.uint8)
        rgb = over_white(pixels) if form == "rgba" else pixels
        return np.ascontiguousarray(np.rot90(rgb, self.quarters))


def display_of(first: VideoFrame, pixel: Fraction | None) -> Display:
    """The display of a film by its first frame and the shape of its pixels, width to height.

    Of one whose pixels are not square the shorter side of a pixel is stretched: nothing is lost.
    Raises ``ValueError`` for HDR, and for what is mirrored or turned by other than quarters.

    Only for the first frame: one whose side data was read stays until cycles are collected.
    """
    matrix: Any = first.side_data.get("DISPLAYMATRIX")
    if matrix is not None:
        a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32)[:5].tolist()
        if first.rotation % 90 or a * d < b * c:
            raise ValueError("its metadata mirrors it or turns it by other than quarters")
    if curve := _HDR.get(int(first.color_trc)):
        raise ValueError(f"it is HDR ({curve}), which is not converted: make an SDR copy")
    coded = first.width, first.height
    shown = _square(coded, pixel)
    assumed, colour = _colour(first, shown)
    notes = []
    if shown != coded:
        notes.append(f"its pixels are {pixel}: shown as {_times(shown)}, stored as {_times(coded)}")
    if assumed is Colorspace.ITU709:
        notes.append("its colours are untagged: taken as BT.709, as HD has them")
    if int(first.color_primaries) == _BT2020:
        notes.append("its primaries are BT.2020: taken as BT.709")
    if _has_alpha(first) and not first.format.is_rgb:
        notes.append("its transparent parts are laid over white")
    if first.interlaced_frame:
        notes.append("it is interlaced: both fields are taken as one frame")
    return Display(
        coded=coded,
        shown=shown,
        quarters=first.rotation // 90 % 4,
        matrix=assumed,
        colour=colour,
        notes=tuple(notes),
    )


def _square(coded: tuple[int, int], pixel: Fraction | None) -> tuple[int, int]:
    width, height = coded
    if not pixel or abs(pixel - 1) <= SAME:
        return coded
    return (round(width * pixel), height) if pixel > 1 else (width, round(height / pixel))


def _colour(first: VideoFrame, shown: tuple[int, int]) -> tuple[Colorspace | None, str]:
    """What untagged colours are taken for, and all of it in words."""
    if first.format.is_rgb or len(first.format.components) < 3:
        return None, "grey" if not first.format.is_rgb else "RGB"
    tag = int(first.colorspace)
    if tag != _UNTAGGED:
        return None, _MATRICES.get(tag, f"matrix {tag}")
    small = max(shown) <= SD_PX[0] and min(shown) <= SD_PX[1]
    return (
        (Colorspace.ITU601, "BT.601, assumed") if small else (Colorspace.ITU709, "BT.709, assumed")
    )


def _has_alpha(frame: VideoFrame) -> bool:
    return any(component.is_alpha for component in frame.format.components)


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
