"""Made scenes larger than a frame, and films of them: what happens in each is known."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from a2bench.pictures import Frame

WIDTH, HEIGHT = 416, 240
ROOM = 120
"""How far a view may be moved from the middle of a scene, in pixels."""


@cache
def scene(seed: int) -> Frame:
    """A picture with structure at every scale, in colours of its own."""
    random = np.random.default_rng(seed)
    width, height = WIDTH + 2 * ROOM, HEIGHT + 2 * ROOM
    mixed = np.zeros((height, width, 3), np.float32)
    for cells in (3, 6, 12, 24, 48, 96):
        tile = random.normal(0, 1, (cells, 2 * cells, 1)) + random.normal(0, 0.3, (1, 1, 3))
        mixed += cv2.resize(tile.astype(np.float32), (width, height)) / cells**0.4
    tint = random.uniform(70, 170, 3).astype(np.float32)
    made: Frame = np.clip(tint + 45 * mixed, 0, 255).astype(np.uint8)
    return made


def view(picture: Frame, right_px: float = 0.0, down_px: float = 0.0) -> Frame:
    """The frame of a scene so far from its middle."""
    middle = (picture.shape[1] / 2 + right_px, picture.shape[0] / 2 + down_px)
    shown: Frame = cv2.getRectSubPix(picture, (WIDTH, HEIGHT), middle)
    return shown


def drift(seed: int, frames: int = 30) -> list[Frame]:
    """A scene over which a calm camera circles, 3 to 6 px a frame."""
    turns = [i / 5 + seed for i in range(frames)]
    return [view(scene(seed), 30 * np.sin(t), 15 * np.cos(t)) for t in turns]


def lit(frame: Frame, share: float, end: int = 0) -> Frame:
    """A share of the frame, the rest black (0) or white (255)."""
    mixed: Frame = (end + share * (frame.astype(np.float32) - end)).round().astype(np.uint8)
    return mixed
