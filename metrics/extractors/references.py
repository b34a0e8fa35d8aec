"""Reference images as pixels: upright, of bounded size, and where the subject is in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from a2bench.types import Element
from a2bench.video import Frame

Rgba = NDArray[np.uint8]
"""Straight (not premultiplied) colour and alpha, shape (height, width, 4)."""

LONG_SIDE_PX = 1024
PLAIN_DISTANCE = 24
"""RGB distance (largest channel) up to which a pixel has the colour of a plain page."""


def read_rgba(element: Element) -> Rgba:
    """A reference image as straight RGBA, its long side at most 1024 px."""
    with Image.open(element.image) as image:
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    upright.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX), Image.Resampling.BOX)
    return np.asarray(upright)


def over_white(rgba: Rgba) -> Frame:
    """The picture as it looks on a white page."""
    colour, alpha = rgba[..., :3].astype(np.uint16), rgba[..., 3:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def subject_only(rgba: Rgba) -> Rgba:
    """The picture cropped to its subject, with all else transparent.

    Transparency is taken as it is. Without any, a page of one colour (the four corners agree) is
    made transparent wherever its colour appears; a photograph stays whole.
    """
    if (rgba[..., 3] > 127).all():
        corners = rgba[:: max(1, len(rgba) - 1), :: max(1, rgba.shape[1] - 1), :3].astype(int)
        page = np.median(corners, axis=(0, 1))
        if np.abs(corners - page).max() <= PLAIN_DISTANCE:
            apart = np.abs(rgba[..., :3] - page).max(axis=-1) > PLAIN_DISTANCE
            rgba = np.dstack([rgba[..., :3], (255 * apart).astype(np.uint8)])
    seen = rgba[..., 3] > 127
    if not seen.any():
        return np.dstack([rgba[..., :3], np.full(rgba.shape[:2], 255, np.uint8)])
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def by_subject(elements: Sequence[Element]) -> list[tuple[Element, ...]]:
    """The elements grouped by what they show; one without a subject stands for itself."""
    groups: dict[str, list[Element]] = {}
    for element in elements:
        groups.setdefault(element.subject or element.sha256, []).append(element)
    return [tuple(group) for group in groups.values()]
