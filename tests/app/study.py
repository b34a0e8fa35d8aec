"""A small study with videos that browsers play, and what is known of it while it is served."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from a2bench.pictures import Frame
from a2bench.study.database import Database
from a2bench.study.design import Design
from a2bench.study.folder import DESIGN, MEDIA, SQLITE
from a2bench.video import encode
from tests.helpers.study_designs import make_design

FPS = 15


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running server, its study, and a view of its database."""

    base: str
    folder: Path
    database: Database
    process: subprocess.Popen[str]


def make_study(folder: Path, *, cases: int = 2) -> Design:
    """Training, gold and trap pages and ``cases`` rated ones, two questions each.

    The third clip of every page is shorter than the others.
    """
    design = make_design(cases=cases)
    (folder / MEDIA).mkdir(parents=True)
    (folder / DESIGN).write_text(design.to_json(), encoding="utf-8")
    for item in design.items:
        for index, clip in enumerate(item.clips):
            frames = _frames(index, 20 if index == 2 else 30, design.width, design.height)
            encode(folder / MEDIA / clip.media, frames, fps=FPS)
    for shown in design.shown:
        for reference in shown.references:
            Image.new("RGB", (40, 60), "brown").save(folder / MEDIA / reference.media)
    database = Database(f"sqlite:///{folder / SQLITE}")
    database.create(design)
    database.close()
    return design


def _frames(seed: int, count: int, width: int, height: int) -> Iterator[Frame]:
    """A bar that moves over a ground of one colour."""
    for number in range(count):
        frame = np.full((height, width, 3), (60 + 40 * seed, 120, 160), np.uint8)
        frame[:, number : number + 8] = 255
        yield frame
