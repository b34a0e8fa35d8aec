"""Pictures as pixels: read upright, laid over white, cropped to what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from a2bench.boxes import Box
from a2bench.types import Element

Frame = NDArray[np.uint8]
"""A picture in RGB, shape (height, width, 3)."""
Rgba = NDArray[np.uint8]
"""Straight (not premultiplied) colour and alpha, shape (height, width, 4)."""
Mask = NDArray[np.bool_]
"""Shape (height, width)."""
Floats = NDArray[np.float32]

LONG_SIDE_PX = 1024
OPAQUE = 127
PLAIN_DISTANCE = 24
"""RGB distance (largest channel) up to which a pixel has the colour of a plain page."""


def upright(
    path: Path,
    mode: str,
    long_side_px: int,
    way: Image.Resampling = Image.Resampling.LANCZOS,
) -> Image.Image:
    """A picture file as people see it, in a Pillow mode, its long side at most so many pixels.

    Every picture file is read here, but for the suite's own check of its references.
    """
    with Image.open(path) as image:
        turned = ImageOps.exif_transpose(image).convert(mode)
    turned.thumbnail((long_side_px, long_side_px), way)
    return turned


def read_rgba(element: Element) -> Rgba:
    """A reference image as straight RGBA, its long side at most 1024 px."""
    return np.asarray(upright(element.image, "RGBA", LONG_SIDE_PX, Image.Resampling.BOX))


def over_white(rgba: Rgba) -> Frame:
    """The picture as it looks on a white page, rounded to the nearest level."""
    colour, alpha = rgba[..., :3].astype(np.uint16), rgba[..., 3:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def bounds(mask: Mask) -> tuple[slice, slice]:
    """The rows and columns of the smallest part that holds all of a mask, which is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def subject_only(rgba: Rgba) -> Rgba:
    """The picture cropped to its subject, with all else transparent.

    Transparency is taken as it is. Without any, a page of one colour (the four corners agree) is
    made transparent wherever its colour appears; a photograph stays whole.
    """
    if (rgba[..., 3] > OPAQUE).all():
        corners = rgba[:: max(1, len(rgba) - 1), :: max(1, rgba.shape[1] - 1), :3].astype(int)
        page = np.median(corners, axis=(0, 1))
        if np.abs(corners - page).max() <= PLAIN_DISTANCE:
            apart = np.abs(rgba[..., :3] - page).max(axis=-1) > PLAIN_DISTANCE
            rgba = np.dstack([rgba[..., :3], (255 * apart).astype(np.uint8)])
    seen = rgba[..., 3] > OPAQUE
    if not seen.any():
        return np.dstack([rgba[..., :3], np.full(rgba.shape[:2], 255, np.uint8)])
    return rgba[bounds(seen)]


def resized(image: Frame, size: tuple[int, int], box: Box | None = None) -> Frame:
    """The image, or a box of it, at (width, height); reduced without aliasing."""
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box))


def shown_on_white(frame: Frame, mask: Mask) -> Frame:
    """What a mask shows of a frame, cropped to it, on white."""
    part = bounds(mask)
    return np.where(mask[part][..., None], frame[part], np.uint8(255))
