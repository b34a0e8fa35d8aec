"""Recognisers that read faces aligned to ArcFace's landmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from a2bench.faces.alignment import TEMPLATE_PX, aligned
from a2bench.faces.models import Points, Recogniser
from a2bench.faces.scrfd import blob
from a2bench.networks.files import CheckpointWeights, Weights
from a2bench.networks.inference import in_batches
from a2bench.pictures import Floats, Frame
from a2bench.types import Json

if TYPE_CHECKING:
    from a2bench.faces.curricular import CurricularNetwork
    from a2bench.networks.onnx import OnnxNetwork

FILE = "w600k_r50.onnx"


@dataclass(kw_only=True)
class ArcFace(Recogniser):
    """ArcFace (Deng et al., CVPR 2019): ResNet-50 on WebFace600K, of the pack ``buffalo_l``."""

    weights: Weights = CheckpointWeights(name="buffalo_l")

    requires: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    @property
    def params(self) -> Mapping[str, Json]:
        return {"recogniser": "arcface-w600k-r50"}

    @cached_property
    def network(self) -> OnnxNetwork:
        from a2bench.networks.onnx import OnnxNetwork

        return OnnxNetwork(self.weights.locate() / FILE, outputs=1, device=self.device)

    def vectors(self, image: Frame, faces: Sequence[Points]) -> Floats:
        crops = [blob(aligned(image, points), 127.5) for points in faces]
        return np.concatenate([self.network(crop)[0] for crop in crops])


@dataclass(kw_only=True)
class CurricularFace(Recogniser):
    """CurricularFace (Huang et al., CVPR 2020): IR-101 on Glint360K.

    The face is cut out at 224 px and halved, as OpenS2V-Eval and ConsisID do (they detect with
    SCRFD at 320x320).
    """

    weights: Weights = CheckpointWeights(name="curricularface-r101")

    @property
    def params(self) -> Mapping[str, Json]:
        return {"recogniser": "curricularface-glint360k-ir101"}

    @cached_property
    def network(self) -> CurricularNetwork:
        from a2bench.faces.curricular import load_curricular

        return load_curricular(self.weights.locate()).to(self.device)

    def vectors(self, image: Frame, faces: Sequence[Points]) -> Floats:
        import torch

        size = (TEMPLATE_PX, TEMPLATE_PX)
        crops = [cv2.resize(aligned(image, points, 2 * TEMPLATE_PX), size) for points in faces]
        pixels = np.concatenate([blob(np.asarray(crop, np.uint8), 127.5) for crop in crops])
        inputs = torch.from_numpy(pixels).to(self.device)
        vectors: Floats = in_batches(self.network, inputs, len(crops)).cpu().numpy()
        return vectors
