"""Reference pictures as people really have them, each with what must become of it.

``docs/pictures.md`` is made of this list: ``python -m tests.helpers.picture_files`` writes it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.helpers import ROOT

PAGE = ROOT / "docs" / "pictures.md"
Colour = tuple[int, ...]
RED, BLUE = (200, 60, 40), (30, 60, 210)
WIDTH, HEIGHT = 32, 16


class PictureFile(NamedTuple):
    """``what`` a file is and how to ``write`` one; ``tells`` is in the reason for a refused one.

    ``left`` and ``right`` are the colours (RGBA) of its halves as people see them, told to ``near``
    levels.
    """

    what: str
    suffix: str
    write: Callable[[Path], object]
    left: Colour = (*RED, 255)
    right: Colour = (*BLUE, 255)
    near: int = 0
    tells: str = ""


def halves(left: Colour, right: Colour) -> NDArray[np.uint16]:
    """A picture of two colours, shape (height, width, layers)."""
    values = np.zeros((HEIGHT, WIDTH, len(left)), np.uint16)
    values[:, : WIDTH // 2], values[:, WIDTH // 2 :] = left, right
    return values


def image(left: Colour = RED, right: Colour = BLUE, mode: str = "RGB") -> Image.Image:
    """A picture of two colours in a mode of Pillow's with 8 bits for each layer."""
    values = halves(left, right).astype(np.uint8)
    layers = [Image.fromarray(values[..., layer]) for layer in range(len(left))]
    return Image.merge(mode, layers) if len(layers) > 1 else layers[0].convert(mode)


def saved(picture: Image.Image, **how: Any) -> Callable[[Path], object]:
    return lambda path: picture.save(path, **how)


def deep(left: Colour, right: Colour, hidden: Colour = ()) -> Callable[[Path], object]:
    """A PNG of 16 bits for each layer, and perhaps one colour that is transparent."""
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[len(left)]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in halves(left, right))
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, kind, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if hidden:
        chunks.insert(1, (b"tRNS", struct.pack(f">{len(hidden)}H", *hidden)))
    data = b"".join(_chunk(*chunk) for chunk in chunks)
    return lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def _palette(**how: Any) -> Callable[[Path], object]:
    picture = Image.new("P", (WIDTH, HEIGHT), 0)
    picture.putpalette([*RED, *BLUE])
    picture.paste(1, (WIDTH // 2, 0, WIDTH, HEIGHT))
    return saved(picture, **how)


def _animated(**how: Any) -> Callable[[Path], object]:
    return saved(image(), save_all=True, append_images=[image(BLUE, RED)], **how)


def _turned() -> Callable[[Path], object]:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = image().transpose(Image.Transpose.ROTATE_90)
    return saved(lying, exif=exif, quality=100, subsampling=0)


def _plain_cmyk(path: Path) -> None:
    """A CMYK JPEG without Adobe's marker: by the standard it says nothing of its inks."""
    image((0, 100, 200, 10), (9, 9, 9, 9), "CMYK").save(path, quality=100)
    data = path.read_bytes()
    start = data.index(b"\xff\xee")
    (length,) = struct.unpack(">H", data[start + 2 : start + 4])
    path.write_bytes(data[:start] + data[start + 2 + length :])


INKS = ((20, 180, 200, 10), (220, 190, 5, 10))
PRINTED_LEFT, PRINTED_RIGHT = (
    (*(round((255 - ink) * (255 - inks[3]) / 255) for ink in inks[:3]), 255) for inks in INKS
)
GREY = ((100, 100, 100, 255), (180, 180, 180, 255))
SEE_THROUGH = ((*RED, 255), (*BLUE, 51))
HIDDEN = ((*RED, 255), (*BLUE, 0))
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)

FILES = (
    PictureFile("PNG", ".png", saved(image())),
    PictureFile("PNG, grey", ".png", saved(image((100,), (180,), "L")), *GREY),
    PictureFile(
        "PNG, black and white",
        ".png",
        saved(image((0,), (255,), "1")),
        (0, 0, 0, 255),
        (255, 255, 255, 255),
    ),
    PictureFile("PNG with alpha", ".png", saved(image(*SEE_THROUGH, "RGBA")), *SEE_THROUGH),
    PictureFile(
        "PNG, grey with alpha",
        ".png",
        saved(image((100, 255), (180, 51), "LA")),
        GREY[0],
        (180, 180, 180, 51),
    ),
    PictureFile("PNG with a palette", ".png", _palette()),
    PictureFile(
        "PNG with a palette, partly transparent", ".png", _palette(transparency=1), *HIDDEN
    ),
    PictureFile(
        "PNG with a palette that has alpha",
        ".png",
        _palette(transparency=b"\xff\x33"),
        *SEE_THROUGH,
    ),
    PictureFile(
        "PNG with one transparent colour", ".png", saved(image(), transparency=BLUE), *HIDDEN
    ),
    PictureFile(
        "PNG of 16 bits, grey", ".png", deep((25_636,), (46_389,)), GREY[0], (181, 181, 181, 255)
    ),
    PictureFile(
        "PNG of 16 bits, grey, with one transparent colour",
        ".png",
        deep((25_700,), (46_260,), (46_260,)),
        GREY[0],
        (180, 180, 180, 0),
    ),
    PictureFile(
        "PNG of 16 bits, grey with alpha",
        ".png",
        deep((25_700, 65_535), (46_260, 13_107)),
        GREY[0],
        (180, 180, 180, 51),
    ),
    PictureFile(
        "PNG of 16 bits", ".png", deep((51_400, 15_292, 10_408), (7_838, 15_420, 53_970))
    ),
    PictureFile(
        "PNG of 16 bits with alpha",
        ".png",
        deep((51_400, 15_420, 10_280, 65_535), (7_710, 15_420, 53_970, 13_107)),
        *SEE_THROUGH,
    ),
    PictureFile(
        "PNG of 16 bits with one transparent colour",
        ".png",
        deep((51_400, 15_420, 10_280), (7_710, 15_420, 53_970), (7_710, 15_420, 53_970)),
        *HIDDEN,
    ),
    PictureFile("JPEG", ".jpg", saved(image(), quality=100, subsampling=0), near=2),
    PictureFile("JPEG, turned by its EXIF data", ".jpg", _turned(), near=2),
    PictureFile(
        "JPEG, grey", ".jpg", saved(image((100,), (180,), "L"), quality=100), *GREY, near=2
    ),
    PictureFile(
        "JPEG, CMYK as Adobe writes it", ".jpg", saved(image(*INKS, "CMYK"), quality=100),
        PRINTED_LEFT, PRINTED_RIGHT, near=3,
    ),
    PictureFile("WebP", ".webp", saved(image(), lossless=True)),
    PictureFile(
        "WebP with alpha",
        ".webp",
        saved(image(*SEE_THROUGH, "RGBA"), lossless=True, exact=True),
        *SEE_THROUGH,
    ),
    PictureFile("AVIF", ".avif", saved(image(), quality=100, subsampling="4:4:4"), near=3),
    PictureFile("animated PNG", ".png", _animated(), tells="an animated PNG"),
    PictureFile("animated WebP", ".webp", _animated(lossless=True), tells="an animated WEBP"),
    PictureFile("animated AVIF", ".avif", _animated(), tells="an animated AVIF"),
    PictureFile(
        "CMYK JPEG without Adobe's mark",
        ".jpg",
        _plain_cmyk,
        tells="does not say which way its inks",
    ),
    PictureFile(
        "CMYK JPEG with a profile of its inks",
        ".jpg",
        saved(image(*INKS, "CMYK"), icc_profile=bytes(128)),
        tells="a profile of its inks",
    ),
    PictureFile("TIFF", ".tif", saved(image()), tells="it is a TIFF"),
    PictureFile(
        "TIFF of floats",
        ".tif",
        saved(Image.fromarray(np.ones((HEIGHT, WIDTH), np.float32))),
        tells="it is a TIFF",
    ),
    PictureFile("HEIC", ".heic", lambda path: path.write_bytes(HEIC), tells="it is a HEIC"),
    PictureFile("HEIC that is called .jpg", ".jpg", lambda p: p.write_bytes(HEIC), tells="a HEIC"),
    PictureFile("GIF", ".gif", saved(image()), tells="it is a GIF"),
    PictureFile("BMP", ".bmp", saved(image()), tells="it is a BMP"),
)  # fmt: skip

_TEXT = """\
# References: which pictures are read

A picture is known by its content and not by its name, and is used as people see it: turned as its
EXIF data says, in 8-bit RGB, what is transparent on white where no transparency is wanted. 16 bits
become 8 by `value / 257`, rounded. Colour profiles are not applied.

`a2bench suites check SUITE` refuses what cannot be used so, with file, line and field, before
anything runs. AVIF is read where Pillow has it. This table is made from the list that the tests use
(`python -m tests.helpers.picture_files`).

| picture | outcome | what is told |
| --- | --- | --- |
"""


def page() -> str:
    """The text of ``docs/pictures.md``."""
    rows = (
        f"| {one.what} | {'refused' if one.tells else 'read'} |"
        f" {f'“{one.tells}”' if one.tells else ''} |\n"
        for one in FILES
    )
    return _TEXT + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
