"""RAFT (Teed and Deng, ECCV 2020, "Recurrent All-Pairs Field Transforms"), the large network.

Module names are those of the published ``raft-things.pth`` (BSD-3), so it loads strictly. Not
torchvision's network, which encodes each frame twice in a row of pairs. Import this module only
where the network runs: it imports torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from a2bench.checkpoints.tensors import load_weights
from a2bench.metrics.extractors.motion.correlation import LEVELS, cells, correlations, look_up
from a2bench.networks.strict import load_strictly
from a2bench.pictures import Frame

STRIDE_PX = 8
RADIUS = 4
HIDDEN = CONTEXT = 128

Conv3 = partial(nn.Conv2d, kernel_size=3, padding=1)


class RaftNetwork(nn.Module):
    """Refines a flow at an eighth of the resolution, step by step, and upsamples the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.fnet = _Encoder(256, nn.InstanceNorm2d)
        self.cnet = _Encoder(HIDDEN + CONTEXT, nn.BatchNorm2d)
        self.update_block = _Update()

    def forward(self, pixels: Tensor, source: Tensor, target: Tensor, iterations: int) -> Tensor:
        """The flow (n, 2, h, w) in pixels, x before y.

        Args:
            pixels: The frames that the flow starts from, (n, 3, h, w) in -1 to 1; sides are
                multiples of 8.
            source: Their ``fnet`` features.
            target: The ``fnet`` features of the frames that it leads to.
            iterations: How many steps to refine it.
        """
        state, context = self.cnet(pixels).split([HIDDEN, CONTEXT], dim=1)
        state, context = state.tanh(), context.relu()
        pyramid = correlations(source, target)
        start = cells(source)
        flow = torch.zeros_like(start)
        for _ in range(iterations):
            near = look_up(pyramid, start + flow, RADIUS)
            state = self.update_block(state, context, near, flow)
            flow = flow + self.update_block.flow_head(state)
        return _upsample(flow, self.update_block.mask(state) / 4)


class _Encoder(nn.Sequential):
    """Residual blocks, from (n, 3, h, w) to (n, outputs, h / 8, w / 8)."""

    def __init__(self, outputs: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.norm1 = norm(64)
        self.relu1 = nn.ReLU()
        widths = (64, 64, 96, 128)
        for number, (inner, outer) in enumerate(pairwise(widths), start=1):
            first = _Residual(inner, outer, norm)
            self.add_module(f"layer{number}", nn.Sequential(first, _Residual(outer, outer, norm)))
        self.conv2 = nn.Conv2d(widths[-1], outputs, 1)


class _Residual(nn.Module):
    """Two convolutions beside a shortcut; where the width grows, both halve the resolution."""

    def __init__(self, inner: int, outer: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        stride = 1 if inner == outer else 2
        self.conv1 = Conv3(inner, outer, stride=stride)
        self.conv2 = Conv3(outer, outer)
        self.norm1, self.norm2 = norm(outer), norm(outer)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.norm3 = norm(outer)  # the published file holds it under both names
            self.downsample = nn.Sequential(nn.Conv2d(inner, outer, 1, stride=2), self.norm3)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm1(self.conv1(x)).relu()
        inner = self.norm2(self.conv2(inner)).relu()
        out: Tensor = (self.downsample(x) + inner).relu()
        return out


class _Update(nn.Module):
    """One step: what was seen at the flow's ends changes the state, which tells the next change."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Motion()
        self.gru = _SeparableGru()
        self.flow_head = _FlowHead()
        self.mask = nn.Sequential(Conv3(HIDDEN, 256), nn.ReLU(), nn.Conv2d(256, 9 * 64, 1))

    def forward(self, state: Tensor, context: Tensor, near: Tensor, flow: Tensor) -> Tensor:
        motion = self.encoder(near, flow)
        changed: Tensor = self.gru(state, torch.cat([context, motion], dim=1))
        return changed


class _Motion(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(LEVELS * (2 * RADIUS + 1) ** 2, 256, 1)
        self.convc2 = Conv3(256, 192)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = Conv3(128, 64)
        self.conv = Conv3(192 + 64, CONTEXT - 2)

    def forward(self, near: Tensor, flow: Tensor) -> Tensor:
        seen = self.convc2(self.convc1(near).relu()).relu()
        moved = self.convf2(self.convf1(flow).relu()).relu()
        return torch.cat([self.conv(torch.cat([seen, moved], dim=1)).relu(), flow], dim=1)


class _SeparableGru(nn.Module):
    """A gated recurrent unit along rows, then one along columns, over five cells each."""

    def __init__(self) -> None:
        super().__init__()
        for number, size in ((1, (1, 5)), (2, (5, 1))):
            for gate in "zrq":
                conv = nn.Conv2d(2 * HIDDEN + CONTEXT, HIDDEN, size, padding="same")
                self.add_module(f"conv{gate}{number}", conv)

    def forward(self, state: Tensor, given: Tensor) -> Tensor:
        for number in (1, 2):
            update, reset, fresh = (self.get_submodule(f"conv{gate}{number}") for gate in "zrq")
            both = torch.cat([state, given], dim=1)
            share = update(both).sigmoid()
            kept = reset(both).sigmoid() * state
            state = (1 - share) * state + share * fresh(torch.cat([kept, given], dim=1)).tanh()
        return state


class _FlowHead(nn.Sequential):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Conv3(HIDDEN, 256)
        self.relu = nn.ReLU()
        self.conv2 = Conv3(256, 2)


def load_raft(path: Path) -> RaftNetwork:
    """The network, ready to run, from the published ``raft-things.pth`` or torchvision's weights.

    Raises ``CannotRun`` for other keys or shapes.
    """
    with torch.device("meta"):
        network = RaftNetwork()
    state = load_weights(path)
    if "mask_predictor.conv.weight" in state:
        state = from_torchvision(state)
    else:  # it was saved from a wrapper
        state = {key.removeprefix("module."): value for key, value in state.items()}
    load_strictly(network, state, path)
    return network


def from_torchvision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of torchvision's ``raft_large`` under the published names."""
    found = {}
    for key, value in state.items():
        for theirs, ours in _TORCHVISION:
            key = re.sub(theirs, ours, key)
        found[key] = value
        if ".downsample.1." in key:
            found[key.replace(".downsample.1.", ".norm3.")] = value
    return found


_TORCHVISION = (
    (r"^feature_encoder", "fnet"),
    (r"^context_encoder", "cnet"),
    (r"net\.conv\.", "net.conv2."),
    (r"\.convnormrelu(\d)\.0", r".conv\1"),
    (r"\.convnormrelu(\d)\.1", r".norm\1"),
    (r"\.convnormrelu\.0", ".conv1"),
    (r"\.convnormrelu\.1", ".norm1"),
    (r"motion_encoder\.conv(c|f)[a-z]+(\d)\.0", r"encoder.conv\1\2"),
    (r"motion_encoder\.conv\.0", "encoder.conv"),
    (r"recurrent_block\.convgru(\d)\.conv(\w)", r"gru.conv\2\1"),
    (r"^mask_predictor\.convrelu", "update_block.mask"),
    (r"^mask_predictor\.conv", "update_block.mask.2"),
)


def raft_pixels(frame: Frame) -> Tensor:
    """An RGB frame as (1, 3, h, w) in -1 to 1, padded to multiples of 8 by its edges."""
    height, width = frame.shape[:2]
    down, right = -height % STRIDE_PX, -width % STRIDE_PX
    sides = (right // 2, right - right // 2, down // 2, down - down // 2)
    image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()
    return functional.pad(2 * (image / 255) - 1, sides, mode="replicate")


def _upsample(flow: Tensor, weights: Tensor) -> Tensor:
    """Eight times finer: each pixel is a convex combination of its 3x3 cells."""
    number, _, height, width = flow.shape
    shares = weights.view(number, 1, 9, STRIDE_PX, STRIDE_PX, height, width).softmax(dim=2)
    cells = functional.unfold(STRIDE_PX * flow, 3, padding=1)
    fine = (shares * cells.view(number, 2, 9, 1, 1, height, width)).sum(dim=2)
    fine = fine.permute(0, 1, 4, 2, 5, 3)  # n, xy, cell row, row, cell column, column
    return fine.reshape(number, 2, STRIDE_PX * height, STRIDE_PX * width)
