"""One video looked into: what is read from its file, and what each metric saw in its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from a2bench.errors import A2BenchError, NotApplicable
from a2bench.features import Extractor, FeatureBank, Mark, MarksFrames
from a2bench.metric import Metric
from a2bench.outputs import replacing
from a2bench.pictures import Frame
from a2bench.text import plain
from a2bench.types import Case, Video
from a2bench.video import decode

MOST_FRAMES = 6
HEIGHT_PX = 240
GAP_PX = 6
LINE_PX = 20
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167))
"""Told apart also by people who see red and green alike (Okabe and Ito)."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a metric gave, or why it gave nothing."""

    metric: str
    value: float | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What an extractor saw, by frame."""

    name: str
    marks: Mapping[int, Sequence[Mark]]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What metrics make of one video."""

    findings: tuple[Finding, ...]
    sights: tuple[Sight, ...]


def facts(video: Video) -> dict[str, str]:
    """What is read from a file, by name."""
    return {
        "file": str(video.path),
        "sha256": video.sha256,
        "shown as": f"{video.width}x{video.height}",
        "frames": f"{video.frames} in {video.duration_s:.3f} s, {video.fps:.4g} a second",
        "colours": video.colour,
        "converted": "; ".join(video.notes) or "nothing",
    }


def inspect(video: Video, case: Case, metrics: Sequence[Metric]) -> Inspection:
    """Measures a video as a run does, and keeps what the extractors saw."""
    extractors = {e.info.name: e for metric in metrics for e in metric.extractors}
    bank = FeatureBank(case, video, [e for metric in metrics for e in metric.extractors])
    findings = tuple(_finding(metric, case, bank) for metric in metrics)
    sights = [_sight(name, extractor, bank) for name, extractor in extractors.items()]
    return Inspection(findings=findings, sights=tuple(s for s in sights if s is not None))


def _finding(metric: Metric, case: Case, bank: FeatureBank) -> Finding:
    name = metric.info.name
    try:
        return Finding(metric=name, value=metric.score(case, bank).value)
    except NotApplicable as reason:
        return Finding(metric=name, value=None, reason=f"not applicable: {reason}")
    except Exception as error:  # noqa: BLE001 - one metric must not hide what the others saw
        told = str(error) if isinstance(error, A2BenchError) else repr(error)
        return Finding(metric=name, value=None, reason=f"failed: {told}")


def _sight(name: str, extractor: Extractor[Any], bank: FeatureBank) -> Sight | None:
    if not isinstance(extractor, MarksFrames):
        return None
    try:
        marks = extractor.marks(bank[extractor])
    except Exception:  # noqa: BLE001 - its metrics have told the reason
        return None
    return Sight(name=name, marks=marks)


def sheet(video: Video, found: Inspection, out: Path) -> None:
    """Writes a picture: a row of frames for each extractor, with what it saw drawn in."""
    chosen = {sight.name: _spread(sorted(sight.marks)) for sight in found.sights}
    wanted = frozenset(index for indices in chosen.values() for index in indices)
    frames = dict(decode(video, wanted))
    rows = [
        _row(sight, [(i, frames[i]) for i in chosen[sight.name]])
        for sight in found.sights
        if chosen[sight.name]
    ]
    rows = rows or [_text_row("no extractor of these metrics marks frames")]
    width = max(row.width for row in rows) + 2 * GAP_PX
    page = Image.new("RGB", (width, sum(row.height + GAP_PX for row in rows) + GAP_PX), "white")
    top = GAP_PX
    for row in rows:
        page.paste(row, (GAP_PX, top))
        top += row.height + GAP_PX
    with replacing(out) as staged:
        page.save(staged)


def _spread(indices: Sequence[int]) -> list[int]:
    places = np.linspace(0, len(indices) - 1, min(MOST_FRAMES, len(indices))).astype(int)
    return [indices[place] for place in dict.fromkeys(places.tolist())] if indices else []


def _row(sight: Sight, frames: Sequence[tuple[int, Frame]]) -> Image.Image:
    pictures = [_drawn(index, frame, sight.marks[index]) for index, frame in frames]
    row = Image.new(
        "RGB",
        (sum(p.width + GAP_PX for p in pictures), LINE_PX + max(p.height for p in pictures)),
        "white",
    )
    ImageDraw.Draw(row).text((0, 2), plain(sight.name), fill="black", font=_font())
    left = 0
    for picture in pictures:
        row.paste(picture, (left, LINE_PX))
        left += picture.width + GAP_PX
    return row


def _drawn(index: int, frame: Frame, marks: Sequence[Mark]) -> Image.Image:
    """A frame at the sheet's height, its marks drawn in and their labels below."""
    scale = HEIGHT_PX / frame.shape[0]
    size = max(1, round(frame.shape[1] * scale)), HEIGHT_PX
    shown = _shaded(frame, marks)
    picture = Image.fromarray(shown).resize(size, Image.Resampling.LANCZOS)
    page = Image.new("RGB", (size[0], HEIGHT_PX + LINE_PX * (1 + len(marks))), "white")
    page.paste(picture, (0, 0))
    pen = ImageDraw.Draw(page)
    pen.text((0, HEIGHT_PX + 2), f"frame {index}", fill="black", font=_font())
    for number, mark in enumerate(marks):
        colour = COLOURS[number % len(COLOURS)]
        if mark.box is not None:
            left, top, right, bottom = (side * scale for side in mark.box)
            pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=3)
        below = HEIGHT_PX + LINE_PX * (1 + number)
        pen.rectangle((0, below + 4, 10, below + 14), fill=colour)
        pen.text((14, below + 2), plain(mark.label, limit=60), fill="black", font=_font())
    return page


def _shaded(frame: Frame, marks: Sequence[Mark]) -> Frame:
    """The frame, darker where marks say that it does not count."""
    shown = frame.astype(np.float32)
    for mark in marks:
        if mark.counted is not None:
            share = Image.fromarray((255 * mark.counted).astype(np.uint8))
            share = share.resize((frame.shape[1], frame.shape[0]), Image.Resampling.NEAREST)
            shown *= 0.35 + 0.65 * np.asarray(share, np.float32)[..., None] / 255
    return shown.round().astype(np.uint8)


def _text_row(text: str) -> Image.Image:
    row = Image.new("RGB", (480, LINE_PX), "white")
    ImageDraw.Draw(row).text((0, 2), text, fill="black", font=_font())
    return row


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(13)
