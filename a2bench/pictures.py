"""Pictures as pixels: read upright, laid over white, cropped to what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from a2bench.boxes import Box
from a2bench.errors import PictureError
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
PLAIN_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"})
"""Pillow's modes of pictures with at most 8 bits for each colour."""
_PNG_DEPTH_AT = 24
_ORIENTATION = 0x0112


def upright(
    path: Path,
    mode: Literal["RGB", "RGBA"],
    long_side_px: int,
    way: Image.Resampling = Image.Resampling.LANCZOS,
) -> Image.Image:
    """A picture file as people see it, its long side at most so many pixels.

    References, and all that people are shown of them, are read here. A picture is turned as its
    EXIF data says; 16 bits become 8 by ``value / 257``, rounded; in ``RGB`` what is transparent
    lies on white. Raises ``PictureError`` with the reason of ``refusal``.
    """
    with Image.open(path) as image:
        if reason := refusal(image):
            raise PictureError(f"{path}: {reason}")
        shown = _of_16_bits(path, image) if _has_16_bits(image) else image
        turned = ImageOps.exif_transpose(shown)
    shown = _in_mode(turned, mode)
    shown.thumbnail((long_side_px, long_side_px), way)
    return shown


def refusal(image: Image.Image) -> str:
    """Why an opened picture cannot be read as people see it; empty when it can. Decodes nothing."""
    if image.format in ("PNG", "WEBP", "AVIF", "GIF") and getattr(image, "n_frames", 1) > 1:
        return f"an animated {image.format}: save the picture that is meant as a PNG"
    if image.mode not in PLAIN_MODES and not _has_16_bits(image):
        return (
            f"its pixels are of the kind {image.mode}: save it as a PNG of 8 bits for each colour"
        )
    if image.mode == "CMYK" and image.format == "JPEG":
        if "adobe" not in image.info:
            return "a CMYK JPEG that does not say which way its inks count: save it in RGB"
        if "icc_profile" in image.info:
            return "a CMYK JPEG with a profile of its inks, which is not applied: save it in RGB"
    return ""


def _has_16_bits(image: Image.Image) -> bool:
    """Whether it is a PNG of 16 bits for each colour; Pillow clips such, or drops the low byte."""
    if not isinstance(image, ImageFile.ImageFile) or image.format != "PNG" or image.fp is None:
        return False
    place = image.fp.tell()
    image.fp.seek(_PNG_DEPTH_AT)
    depth = image.fp.read(1)
    image.fp.seek(place)
    return bool(depth == b"\x10")


def _of_16_bits(path: Path, image: Image.Image) -> Image.Image:
    import cv2

    values = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.shape[:2] != image.size[::-1]:
        raise PictureError(f"{path}: a PNG of 16 bits that cannot be decoded")
    layers = values.reshape(*values.shape[:2], -1)
    colour = layers[..., 2::-1] if layers.shape[2] > 1 else np.repeat(layers, 3, axis=2)
    alpha = layers[..., 3:] if layers.shape[2] == 4 else None
    if alpha is None and (hidden := image.info.get("transparency")) is not None:
        seen = (colour != np.array(hidden)).any(axis=2, keepdims=True)
        alpha = 65535 * seen.astype(np.uint16)
    whole = colour if alpha is None else np.dstack([colour, alpha])
    scaled = Image.fromarray(((whole.astype(np.uint32) + 128) // 257).astype(np.uint8))
    scaled.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return scaled


def _in_mode(image: Image.Image, mode: Literal["RGB", "RGBA"]) -> Image.Image:
    if image.mode == "CMYK":
        return image.convert("RGB").convert(mode)
    if mode == "RGBA" or not ("A" in image.getbands() or "transparency" in image.info):
        return image.convert(mode)
    return Image.fromarray(over_white(np.asarray(image.convert("RGBA"))))


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
