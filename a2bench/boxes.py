"""Boxes in pictures: how far they overlap, and which of many are worth keeping."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""
Boxes = NDArray[np.float64]
"""Shape (n, 4): left, top, right, bottom."""


def apart(
    boxes: NDArray[Any],
    scores: NDArray[Any],
    overlap: float,
    *,
    count: int | None = None,
    end_px: int = 0,
) -> list[int]:
    """Non-maximum suppression: the indices of the boxes that stay, the best first.

    A box goes when its intersection over union with a better one that stays is over ``overlap``;
    of equal scores the first is the better. ``count`` bounds how many stay. ``end_px`` 1 counts
    sides in whole pixels with both ends, as some detectors do.
    """
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2:] - boxes[:, :2] + end_px).prod(axis=1)
    kept: list[int] = []
    while len(order) and (count is None or len(kept) < count):
        first, rest = order[0], order[1:]
        kept.append(int(first))
        low = np.maximum(boxes[rest, :2], boxes[first, :2])
        high = np.minimum(boxes[rest, 2:], boxes[first, 2:])
        shared = np.maximum(high - low + end_px, 0).prod(axis=1)
        order = rest[shared / (areas[rest] + areas[first] - shared) <= overlap]
    return kept


def area(box: Box) -> float:
    """The area of a box in square pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(one: Box, other: Box) -> float:
    """The intersection of two boxes over their union, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (area(one) + area(other) - shared) if shared else 0.0
