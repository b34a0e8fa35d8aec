"""Boxes over a grid of cells: which to look at, and what they leave visible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from a2bench.boxes import Box, Boxes
from a2bench.pictures import Floats

FINE = 8
"""Points for each side of a cell on which a box is drawn."""


class Windows(NamedTuple):
    """Boxes in shares of a picture's sides, (n, 4), and the mean features (n, d) of each."""

    boxes: Boxes
    means: Floats


def windows(cells: Floats, sides: Sequence[int]) -> Windows:
    """All windows over cells (h, w, d) with such sides, one at most twice the other.

    Sums come from an integral image, so a large window costs what a small one does.
    """
    rows, columns, depth = cells.shape
    table = np.zeros((rows + 1, columns + 1, depth))
    table[1:, 1:] = cells.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    boxes, means = [], []
    for height in (side for side in sides if side <= rows):
        for width in (side for side in sides if side <= columns):
            if max(height, width) > 2 * min(height, width):
                continue
            total = table[height:, width:] - table[:-height, width:]
            total -= table[height:, :-width] - table[:-height, :-width]
            top, left = np.mgrid[: total.shape[0], : total.shape[1]]
            boxes.append(np.stack([left, top, left + width, top + height], -1).reshape(-1, 4))
            means.append((total / (height * width)).astype(np.float32).reshape(-1, depth))
    whole = np.array([columns, rows, columns, rows], np.float64)
    return Windows(np.concatenate(boxes) / whole, np.concatenate(means))


def grown(box: Boxes, share: float, width: int, height: int) -> Box:
    """A box with a margin of ``share / 2`` of its size on each side, within the frame."""
    left, top, right, bottom = (float(value) for value in box)
    x, y = (right - left) * share / 2, (bottom - top) * share / 2
    return max(left - x, 0), max(top - y, 0), min(right + x, width), min(bottom + y, height)


def uncovered(grid: tuple[int, int], size: tuple[int, int], boxes: Iterable[Box]) -> Floats:
    """How much of each cell (rows, columns) of a frame (width, height) no box covers: 0 to 1."""
    rows, columns = grid
    free = np.ones((rows * FINE, columns * FINE), np.float32)
    scale = np.array([columns / size[0], rows / size[1]] * 2) * FINE
    for box in boxes:
        left, top, right, bottom = np.maximum(np.round(np.array(box) * scale), 0).astype(int)
        free[top:bottom, left:right] = 0
    shares: Floats = free.reshape(rows, FINE, columns, FINE).mean(axis=(1, 3))
    return shares
