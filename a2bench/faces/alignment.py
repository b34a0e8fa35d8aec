"""Faces cut out upright: the five landmarks are brought to where recognisers were taught them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from a2bench.faces.models import Points
from a2bench.pictures import Frame

TEMPLATE_PX = 112
TEMPLATE: Points = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ],
    np.float32,
)
"""ArcFace's landmarks in its picture of 112x112 px (Deng et al., CVPR 2019)."""


def aligned(image: Frame, points: Points, side_px: int = TEMPLATE_PX) -> Frame:
    """The face (side_px, side_px, 3), bilinear, black where the image ends."""
    matrix = similarity_transform(points, TEMPLATE * np.float32(side_px / TEMPLATE_PX))
    return np.asarray(cv2.warpAffine(image, matrix, (side_px, side_px)), np.uint8)


def similarity_transform(source: Points, target: Points) -> NDArray[np.float64]:
    """The matrix (2, 3) that turns, scales and moves ``source`` nearest to ``target``.

    Nearest in the sum of squared distances, without mirroring. Source: Umeyama, "Least-squares
    estimation of transformation parameters between two point patterns", PAMI 1991.
    """
    source_middle, target_middle = source.mean(axis=0), target.mean(axis=0)
    from_middle = source - source_middle
    left, scales, right = np.linalg.svd((target - target_middle).T @ from_middle)
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    spread = max(float(np.square(from_middle).sum()), 1e-12)  # five points may fall together
    turned = left @ np.diag(signs) @ right * (scales @ signs / spread)
    return np.column_stack([turned, target_middle - turned @ source_middle])
