"""A contact sheet: for each case its prompt, its references and frames of the video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from a2bench.outputs import replacing
from a2bench.pictures import over_white, upright
from a2bench.text import plain
from a2bench.types import Case, Video
from a2bench.video import decode, sampled

HEIGHT = 132
PICTURE_PX = 8 * HEIGHT
GAP = 6
TEXT = 20


def contact_sheet(
    shown: Sequence[tuple[Case, Video]], out: Path, *, title: str, frames: int = 6
) -> None:
    """Writes the sheet to ``out``, a .png or .jpg; frames are spread evenly over the video."""
    rows = [_row(case, video, frames) for case, video in shown]
    width = max(row.width for row in rows) + 2 * GAP
    sheet = Image.new(
        "RGB", (width, sum(row.height + GAP for row in rows) + TEXT + 2 * GAP), "white"
    )
    ImageDraw.Draw(sheet).text((GAP, GAP), plain(title), fill="black", font=_font(14))
    top = TEXT + GAP
    for row in rows:
        sheet.paste(row, (GAP, top))
        top += row.height + GAP
    with replacing(out) as staged:
        sheet.save(staged, optimize=True, quality=88)


def _row(case: Case, video: Video, frames: int) -> Image.Image:
    pictures = [_fit(_open(element.image)) for element in case.elements]
    indices = sampled(f"linspace-{frames}", video)
    pictures += [_fit(Image.fromarray(frame)) for _, frame in decode(video, frozenset(indices))]
    width = sum(picture.width + GAP for picture in pictures)
    row = Image.new("RGB", (width, HEIGHT + TEXT), "white")
    text = f"{case.id}: {plain(case.prompt, limit=200)}"
    ImageDraw.Draw(row).text((0, 2), text, fill="black", font=_font(13))
    left = 0
    for picture in pictures:
        row.paste(picture, (left, TEXT))
        left += picture.width + GAP
    return row


def _open(path: Path) -> Image.Image:
    """A reference as people see it: upright, alpha over white."""
    return Image.fromarray(over_white(np.asarray(upright(path, "RGBA", PICTURE_PX))))


def _fit(image: Image.Image) -> Image.Image:
    width = max(1, round(image.width * HEIGHT / image.height))
    return image.resize((width, HEIGHT), Image.Resampling.LANCZOS)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
