from __future__ import annotations

import numpy as np
import pytest

from a2bench.boxes import apart
from a2bench.metrics.extractors.scenes.lite0 import SIDES
from a2bench.metrics.extractors.scenes.regions import grown, uncovered, windows


def test_windows_hold_the_mean_of_their_cells() -> None:
    cells = np.random.default_rng(0).normal(size=(7, 10, 3)).astype(np.float32)
    shares, means = windows(cells, SIDES)
    boxes = shares * (10, 7, 10, 7)
    assert boxes == pytest.approx(boxes.round())
    assert len(boxes) == len(means) > 100
    for (left, top, right, bottom), mean in zip(boxes.round().astype(int), means, strict=True):
        inside = cells[top:bottom, left:right]
        assert inside.shape == (bottom - top, right - left, 3)
        assert mean == pytest.approx(inside.mean(axis=(0, 1)), abs=1e-5)


def test_windows_are_distinct_and_at_most_twice_as_long_as_wide() -> None:
    shares, _ = windows(np.zeros((15, 26, 1), np.float32), SIDES)
    boxes = (shares * (26, 15, 26, 15)).round().astype(int)
    sides = boxes[:, 2:] - boxes[:, :2]
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    assert (sides.max(axis=1) <= 2 * sides.min(axis=1)).all()
    assert (sides.min(), sides.max()) == (2, 13)


def test_the_smallest_grid_has_a_window() -> None:
    assert windows(np.zeros((2, 2, 1), np.float32), SIDES).boxes.tolist() == [[0, 0, 1, 1]]


def test_the_best_boxes_show_different_places() -> None:
    boxes = np.array([[0, 0, 4, 4], [1, 0, 5, 4], [8, 8, 12, 12], [8, 0, 12, 4]], np.float64)
    scores = np.array([0.8, 0.9, 0.2, 0.5], np.float32)
    assert apart(boxes, scores, 0.5, count=2) == [1, 3]
    assert apart(boxes, scores, 0.5, count=9) == [1, 3, 2]


def test_a_margin_stays_in_the_frame() -> None:
    box = np.array([10.0, 0.0, 30.0, 40.0])
    assert grown(box, 0.5, 100, 100) == (5, 0, 35, 50)
    assert grown(box, 0.5, 32, 40) == (5, 0, 32, 40)


def test_uncovered_is_the_free_share_of_each_cell() -> None:
    free = uncovered((2, 4), (400, 200), [(0, 0, 150, 50), (-50, 100, 100, 900)])
    assert free.tolist() == [[0.5, 0.75, 1, 1], [0, 1, 1, 1]]


def test_boxes_outside_the_frame_cover_nothing() -> None:
    outside = [(-90.0, -90.0, -10.0, -10.0), (500.0, 0.0, 600.0, 200.0)]
    assert uncovered((2, 4), (400, 200), outside).min() == 1
