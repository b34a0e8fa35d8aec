"""What is seen of a scene: regions of objects, and the rest as dense features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from a2bench.boxes import Box
from a2bench.features import Mark
from a2bench.pictures import Floats


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where an object was found, and its similarity to the reference."""

    box: Box
    similarity: float


@dataclass(frozen=True, kw_only=True)
class SceneFrame:
    """One sampled frame of ``size`` (width, height).

    ``objects`` has a region for each object of the case, or None for one that is not there.
    ``cells`` (h, w, d) are dense features of the frame; ``visible`` (h, w), 0 to 1, is how much of
    each cell no object covers. Both have one cell where the frame is embedded as a whole.
    """

    index: int
    size: tuple[int, int]
    objects: tuple[Region | None, ...]
    cells: Floats
    visible: Floats


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """The sampled frames in order, and a descriptor of each background reference.

    It is of the whole picture, (2 d,), or of each part of a grid, (rows, columns, 2 d); then the
    frames have at least as many cells to a side, and are cut alike.

    ``whole`` names the objects' references that are photographs in which the object was looked for
    and not found: they are compared as a whole.
    """

    frames: tuple[SceneFrame, ...]
    backgrounds: tuple[Floats, ...]
    whole: tuple[str, ...] = ()


def scene_marks(features: Scenes) -> Mapping[int, Sequence[Mark]]:
    """Where the objects were found, and what of the background counts."""
    found = {}
    whole = [Mark(f"reference {name}: whole, no object found") for name in features.whole]
    for frame in features.frames:
        marks = [
            Mark(f"object {number + 1}: {region.similarity:.2f}", region.box)
            if region
            else Mark(f"object {number + 1}: not found")
            for number, region in enumerate(frame.objects)
        ]
        background = f"{frame.visible.mean():.0%} not covered by an object"
        found[frame.index] = [*marks, *whole, Mark(background, counted=frame.visible)]
    return found


def describe(cells: Floats, weights: Floats) -> Floats:
    """Mean and standard deviation of each feature over the cells (..., h, w, d): (..., 2 d).

    ``weights`` (h, w) says how much of each cell belongs to the part. The mean says what is there;
    the deviation, how it varies over the part: noise and blank pictures hardly vary.
    """
    shares = (weights / max(float(weights.sum()), 1e-6))[..., None]
    mean = (cells * shares).sum(axis=(-3, -2))
    variance = (np.square(cells - mean[..., None, None, :]) * shares).sum(axis=(-3, -2))
    return np.concatenate([mean, np.sqrt(variance)], axis=-1)


def described(cells: Floats, weights: Floats, grid: tuple[int, int]) -> tuple[Floats, Floats]:
    """``describe`` for each part of a grid, (rows, columns, 2 d), and its mean weight."""
    descriptors, shares = [], []
    for band, its in zip(*(np.array_split(one, grid[0]) for one in (cells, weights)), strict=True):
        parts = (np.array_split(one, grid[1], axis=1) for one in (band, its))
        for part, weight in zip(*parts, strict=True):
            descriptors.append(describe(part, weight))
            shares.append(weight.mean())
    return np.reshape(descriptors, (*grid, -1)), np.reshape(shares, grid)


def cosine(one: Floats, other: Floats) -> Floats:
    """Cosines along the last axis, in [-1, 1]; 0 where a vector has no length."""
    dot = (one * other).sum(axis=-1)
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    values: Floats = np.clip(dot / np.maximum(lengths, 1e-6), -1, 1)
    return values
