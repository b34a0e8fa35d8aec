"""Face detection by SCRFD (Guo et al., ICLR 2022), insightface's detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from a2bench.boxes import apart
from a2bench.faces.models import Detection, Detector
from a2bench.networks.files import CheckpointWeights, Weights
from a2bench.pictures import Floats, Frame
from a2bench.types import Json

if TYPE_CHECKING:
    from a2bench.networks.onnx import OnnxNetwork

FILE = "det_10g.onnx"
STRIDES_PX = (8, 16, 32)
ANCHORS = 2
"""Guesses at each place of a feature map."""


@dataclass(kw_only=True)
class Scrfd(Detector):
    """SCRFD-10GF of the pack ``buffalo_l``, run as insightface does with a fixed ``det_size``.

    The image is brought into ``det_size`` (width, height), its shape kept, at its upper left
    corner; the rest is black. A face stays whose score is at least ``threshold`` and which overlaps
    no surer one by more than ``overlap`` (intersection over union). insightface before 1.0 was used
    with 640x640, later ones default to 128x128 and 640x640 joined, OpenS2V-Eval and ConsisID take
    320x320: each finds other faces, with other landmarks.
    """

    weights: Weights = CheckpointWeights(name="buffalo_l")
    det_size: tuple[int, int] = (640, 640)
    threshold: float = 0.5
    overlap: float = 0.4

    requires: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    def __post_init__(self) -> None:
        if any(side < 1 or side % STRIDES_PX[-1] for side in self.det_size):
            raise ValueError(f"det_size is in steps of {STRIDES_PX[-1]} px, not {self.det_size}")

    @property
    def params(self) -> Mapping[str, Json]:
        return {
            "detector": "scrfd-10g",
            "det_size": list(self.det_size),
            "threshold": self.threshold,
            "overlap": self.overlap,
        }

    @cached_property
    def network(self) -> OnnxNetwork:
        from a2bench.networks.onnx import OnnxNetwork

        path = self.weights.locate() / FILE
        return OnnxNetwork(path, outputs=3 * len(STRIDES_PX), device=self.device)

    def search(self, image: Frame) -> tuple[Detection, ...]:
        pixels, scale = fitted(image, self.det_size)
        found = decoded(self.network(blob(pixels, 128.0)), self.det_size, self.threshold)
        scores, boxes, points = found[:, 0], found[:, 1:5] / scale, found[:, 5:] / scale
        return tuple(
            Detection(
                (float(boxes[i, 0]), float(boxes[i, 1]), float(boxes[i, 2]), float(boxes[i, 3])),
                float(scores[i]),
                points[i].reshape(5, 2),
            )
            for i in apart(boxes, scores, self.overlap, end_px=1)
        )


def fitted(image: Frame, size: tuple[int, int]) -> tuple[Frame, float]:
    """The image at the upper left of a black (width, height), and the scale it was brought to."""
    height, width = image.shape[:2]
    ratio = height / width
    if ratio > size[1] / size[0]:
        inside = max(1, int(size[1] / ratio)), size[1]
    else:
        inside = size[0], max(1, int(size[0] * ratio))
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    canvas[: inside[1], : inside[0]] = cv2.resize(image, inside)
    return canvas, inside[1] / height


def blob(pixels: Frame, scale: float) -> Floats:
    """An RGB image as the networks of insightface take it: (1, 3, h, w), about [-1, 1]."""
    centred = (pixels.astype(np.float32) - 127.5) / np.float32(scale)
    return np.ascontiguousarray(centred.transpose(2, 0, 1)[None])


def decoded(outputs: list[Floats], size: tuple[int, int], threshold: float) -> Floats:
    """The guesses of at least ``threshold``, one a row: score, box, five points; surest first.

    The outputs are scores, distances to the box's sides, and offsets of the points, each for the
    three strides in turn, in units of the stride; each place has two guesses.
    """
    rows = []
    for level, stride in enumerate(STRIDES_PX):
        scores, sides, offsets = (
            outputs[level + kind * len(STRIDES_PX)].reshape(-1, numbers)
            for kind, numbers in enumerate((1, 4, 10))
        )
        y, x = np.mgrid[: size[1] // stride, : size[0] // stride].astype(np.float32) * stride
        places = np.stack([x, y], axis=-1).reshape(-1, 2).repeat(ANCHORS, axis=0)
        low, high = places - sides[:, :2] * stride, places + sides[:, 2:] * stride
        points = np.tile(places, 5) + offsets * stride
        rows.append(np.hstack([scores, low, high, points])[scores[:, 0] >= threshold])
    found = np.vstack(rows)
    ordered: Floats = found[np.argsort(-found[:, 0], kind="stable")]
    return ordered
