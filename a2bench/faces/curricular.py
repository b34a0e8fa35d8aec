"""IR-101, the residual network that CurricularFace was trained with on Glint360K.

Module names are those of the published state dict, so it loads strictly. Import this only where
the network runs: it imports torch.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from a2bench.checkpoints.tensors import load_weights
from a2bench.networks.strict import load_strictly

STAGES = ((64, 3), (128, 13), (256, 30), (512, 3))
"""Channels and blocks of each stage; the first block of a stage halves the picture."""
DIMENSIONS = 512
LAST_CELLS = 7 * 7


class CurricularNetwork(nn.Module):
    """Faces (n, 3, 112, 112), RGB in [-1, 1], to embeddings (n, 512), not of length 1."""

    def __init__(self) -> None:
        super().__init__()
        first, last = STAGES[0][0], STAGES[-1][0]
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, first, 3, padding=1, bias=False), nn.BatchNorm2d(first), nn.PReLU(first)
        )
        blocks = []
        before = first
        for channels, count in STAGES:
            for index in range(count):
                blocks.append(_Block(before, channels, stride=1 if index else 2))
                before = channels
        self.body = nn.Sequential(*blocks)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(last * LAST_CELLS, DIMENSIONS),
            nn.BatchNorm1d(DIMENSIONS, affine=False),
        )

    def forward(self, faces: Tensor) -> Tensor:
        embeddings: Tensor = self.output_layer(self.body(self.input_layer(faces)))
        return embeddings


class _Block(nn.Module):
    """Two convolutions, normalised before, between and after, beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if before != after:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.PReLU(after),
            nn.Conv2d(after, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.res_layer(features) + self.shortcut_layer(features)
        return changed


def load_curricular(path: Path) -> CurricularNetwork:
    """The network with the weights of ``glint360k_curricular_face_r101_backbone.bin``.

    Raises ``CannotRun`` when a key is missing, unexpected or of another shape.
    """
    with torch.device("meta"):
        network = CurricularNetwork()
    load_strictly(network, load_weights(path), path)
    return network
