"""Faces by the package facexlib: RetinaFace and ArcFace. It downloads nothing here.

The package is optional: it brings numba. It is imported where a network first runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from a2bench.checkpoints.tensors import load_weights
from a2bench.faces.models import Detection, Detector, Points, Recogniser
from a2bench.networks.files import CheckpointWeights, Weights
from a2bench.networks.inference import in_batches
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Floats, Frame
from a2bench.types import Json

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "facexlib==0.3.0"


@dataclass(kw_only=True)
class RetinaFace(Detector):
    """RetinaFace (Deng et al., CVPR 2020), ResNet-50, on the image in its own size.

    The thresholds are facexlib's own.
    """

    weights: Weights = CheckpointWeights(name="facexlib-retinaface")
    threshold: float = 0.8
    overlap: float = 0.4

    requires: ClassVar[tuple[str, ...]] = (PACKAGE,)

    @property
    def params(self) -> Mapping[str, Json]:
        return {
            "detector": "facexlib-retinaface-r50",
            "threshold": self.threshold,
            "overlap": self.overlap,
        }

    @cached_property
    def network(self) -> Any:
        from a2bench.networks.strict import load_strictly

        path = self.weights.locate()
        state = {name.removeprefix("module."): v for name, v in load_weights(path).items()}
        ensure_torchvision()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # facexlib builds its ResNet as torchvision once did
            from facexlib.detection.retinaface import RetinaFace as Network

            network = Network(network_name="resnet50", device=self.device)
        load_strictly(network, state, path)
        return network.to(self.device)

    def search(self, image: Frame) -> tuple[Detection, ...]:
        import torch

        found = in_batches(self._rows, torch.from_numpy(_bgr(image))[None], 1)
        return tuple(
            Detection((x0, y0, x1, y1), score, np.array(points, np.float32).reshape(5, 2))
            for x0, y0, x1, y1, score, *points in found.tolist()
        )

    def _rows(self, images: Tensor) -> Tensor:
        """The faces of one BGR image (1, h, w, 3), one a row: box, score, points."""
        import torch

        image = images[0].numpy()
        return torch.from_numpy(self.network.detect_faces(image, self.threshold, self.overlap))


@dataclass(kw_only=True)
class FacexlibArcFace(Recogniser):
    """ArcFace, IR-SE50 as facexlib has it.

    The face is cut out by facexlib's own alignment and stays in BGR: the network was trained so
    (its training code, TreB1eN/InsightFace_Pytorch, stored what OpenCV read), although facexlib
    itself does not say it.
    """

    weights: Weights = CheckpointWeights(name="facexlib-arcface")

    requires: ClassVar[tuple[str, ...]] = (PACKAGE,)

    @property
    def params(self) -> Mapping[str, Json]:
        return {"recogniser": "facexlib-arcface-ir-se50"}

    @cached_property
    def network(self) -> Any:
        from a2bench.networks.strict import load_strictly

        path = self.weights.locate()
        ensure_torchvision()
        from facexlib.recognition.arcface_arch import Backbone

        network = Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se")
        load_strictly(network, load_weights(path), path)
        return network.to(self.device)

    def vectors(self, image: Frame, faces: Sequence[Points]) -> Floats:
        import torch

        network = self.network  # facexlib can be imported from here on
        from facexlib.detection.align_trans import get_reference_facial_points, warp_and_crop_face

        template = get_reference_facial_points(default_square=True)
        bgr = _bgr(image)
        crops = [warp_and_crop_face(bgr, points, template, (112, 112)) for points in faces]
        stacked = np.stack(crops).transpose(0, 3, 1, 2)
        pixels = torch.from_numpy(np.ascontiguousarray(stacked)).to(self.device).float()
        vectors: Floats = in_batches(network, pixels / 127.5 - 1, len(crops)).cpu().numpy()
        return vectors


def _bgr(image: Frame) -> Frame:
    return np.ascontiguousarray(image[..., ::-1])
