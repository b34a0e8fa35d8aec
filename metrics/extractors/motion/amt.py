"""AMT (Li et al., CVPR 2023, "All-Pairs Multi-Field Transforms"), the small network.

Written from the paper and from the names, shapes and order of operations of the published network,
not from its code. Module names are those of the published ``amt-s.pth`` (CC-BY-NC-4.0), so it
loads strictly. Import this module only where the network runs: it imports torch.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from a2bench.checkpoints.tensors import load_weights
from a2bench.metrics.extractors.motion.correlation import (
    LEVELS,
    cells,
    correlations,
    look_up,
    sample,
)
from a2bench.networks.strict import load_strictly
from a2bench.pictures import Frame

STRIDE_PX = 16
RADIUS = 3
FIELDS = 3
SIDE = 20
"""Channels that a decoder's residual block convolves by themselves."""

Conv3 = partial(nn.Conv2d, kernel_size=3, padding=1)


class AmtNetwork(nn.Module):
    """The frame in the middle of two: from (n, 2, 3, h, w) to (n, 3, h, w), both in 0 to 1.

    Sides are multiples of 16, at least 128. Flows from the frame in the middle to both, and what it
    looks like, are estimated at a 16th of the resolution, and again at each finer one; between,
    correlations of the two frames correct them at an eighth. At full resolution there are three
    flows for each frame, whose pictures are blended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.feat_encoder = _Matching()
        self.encoder = _Pyramid()
        self.decoder4 = _Decoder(2 * 56 + 1, 2 * 56, 4 + 44)
        self.decoder3 = _Decoder(3 * 44 + 4, 3 * 44, 4 + 32)
        self.decoder2 = _Decoder(3 * 32 + 4, 3 * 32, 4 + 20)
        self.decoder1 = _Decoder(3 * 20 + 4, 3 * 20, 8 * FIELDS)
        self.update4, self.update3, self.update2 = _Update(44, 1), _Update(32, 2), _Update(20, 4)
        inner = 6 * FIELDS
        self.comb_block = nn.Sequential(Conv3(3 * FIELDS, inner), nn.PReLU(inner), Conv3(inner, 3))

    def forward(self, frames: Tensor) -> Tensor:
        mean = frames.mean((1, 2, 3, 4), keepdim=True)
        frames = frames - mean
        number, both = len(frames), frames.flatten(0, 1)
        features = self.feat_encoder(both)
        other = features.unflatten(0, (number, 2)).flip(1).flatten(0, 1)
        pyramid = correlations(features, other)
        halves, quarters, eighths, sixteenths = self.encoder(both)

        seen = sixteenths.reshape(number, -1, *sixteenths.shape[2:])
        time = torch.full_like(seen[:, :1], 0.5)
        flows, state = _split(self.decoder4(torch.cat([seen, time], dim=1)))
        flows, state = self.update4(flows, state, pyramid)
        for finer, decoder, update in (
            (eighths, self.decoder3, self.update3),
            (quarters, self.decoder2, self.update2),
        ):
            change, state = _split(decoder(_towards(finer, flows, state)))
            flows, state = update(change + 2 * _resized(flows, 2), state, pyramid)
        del pyramid  # by far the largest
        return self._blended(frames, mean, self.decoder1(_towards(halves, flows, state)), flows)

    def _blended(self, frames: Tensor, mean: Tensor, last: Tensor, flows: Tensor) -> Tensor:
        """The mean of the fields' pictures, each of both frames, and what these tell together."""
        number, _, _, height, width = frames.shape
        changes, shares, residues = torch.split(last, [4 * FIELDS, FIELDS, 3 * FIELDS], dim=1)
        coarse = 2 * _resized(flows, 2).view(number, 2, 1, 2, height, width)
        fields = coarse + changes.view(number, 2, FIELDS, 2, height, width)
        sources = frames[:, :, None].expand(-1, -1, FIELDS, -1, -1, -1).flatten(0, 2)
        moved = _moved(sources, fields.flatten(0, 2)).view(number, 2, FIELDS, 3, height, width)
        share = shares.sigmoid()[:, :, None]
        pictures = share * moved[:, 0] + (1 - share) * moved[:, 1] + mean
        pictures = pictures + residues.view_as(pictures)
        together: Tensor = self.comb_block(pictures.flatten(1, 2))
        return torch.clamp(pictures.mean(1) + together, 0, 1)


class _Matching(nn.Sequential):
    """What is compared between frames: (n, 3, h, w) to (n, 84, h / 8, w / 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, stride=2, padding=3)
        self.norm1 = nn.InstanceNorm2d(32)
        self.relu1 = nn.ReLU()
        for number, (inner, outer) in enumerate(pairwise((32, 32, 64, 96)), start=1):
            blocks = nn.Sequential(_Bottleneck(inner, outer), _Bottleneck(outer, outer))
            self.add_module(f"layer{number}", blocks)
        self.conv2 = nn.Conv2d(96, 84, 1)


class _Bottleneck(nn.Module):
    """Three convolutions, the middle one narrow; where the width grows, the resolution halves."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        stride, narrow = 1 if inner == outer else 2, outer // 4
        self.conv1 = nn.Conv2d(inner, narrow, 1)
        self.conv2 = Conv3(narrow, narrow, stride=stride)
        self.conv3 = nn.Conv2d(narrow, outer, 1)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            shortcut = nn.Conv2d(inner, outer, 1, stride=2)
            self.downsample = nn.Sequential(shortcut, nn.InstanceNorm2d(outer))

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for conv in (self.conv1, self.conv2, self.conv3):
            inner = functional.instance_norm(conv(inner)).relu()
        out: Tensor = (self.downsample(x) + inner).relu()
        return out


class _Pyramid(nn.Module):
    """What a frame looks like at a half, a quarter, an eighth and a 16th of the resolution."""

    def __init__(self) -> None:
        super().__init__()
        for number, (inner, outer) in enumerate(pairwise((3, 20, 32, 44, 56)), start=1):
            halved = _convolved(inner, outer, stride=2)
            self.add_module(f"pyramid{number}", nn.Sequential(halved, _convolved(outer, outer)))

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = []
        for level in self.children():
            x = level(x)
            levels.append(x)
        return levels


class _Decoder(nn.Module):
    """From one resolution to twice as fine."""

    def __init__(self, given: int, width: int, outputs: int) -> None:
        super().__init__()
        up = nn.ConvTranspose2d(width, outputs, 4, stride=2, padding=1)
        self.convblock = nn.Sequential(_convolved(given, width), _Residual(width), up)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convblock(x)
        return out


class _Residual(nn.Module):
    """Convolutions of all channels by turns with convolutions of the last few."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _convolved(width, width), _convolved(SIDE, SIDE)
        self.conv3, self.conv4 = _convolved(width, width), _convolved(SIDE, SIDE)
        self.conv5, self.prelu = Conv3(width, width), nn.PReLU(width)

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for whole, side in ((self.conv1, self.conv2), (self.conv3, self.conv4)):
            inner = whole(inner)
            inner = torch.cat([inner[:, :-SIDE], side(inner[:, -SIDE:])], dim=1)
        out: Tensor = self.prelu(x + self.conv5(inner))
        return out


class _Update(nn.Module):
    """Corrects flows and state, ``scale`` times as fine as an eighth, by what the flows lead to."""

    def __init__(self, width: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.convc1 = nn.Conv2d(2 * LEVELS * (2 * RADIUS + 1) ** 2, 64, 1)
        self.convf1 = nn.Conv2d(4, 40, 7, padding=3)
        self.convf2 = Conv3(40, 20)
        self.conv = Conv3(64 + 20, 68)
        self.gru = _head(68 + 4 + width, 76)
        self.feat_head, self.flow_head = _head(76, width), _head(76, 4)

    def forward(self, flows: Tensor, state: Tensor, pyramid: list[Tensor]) -> tuple[Tensor, Tensor]:
        number, scale = len(flows), self.scale
        coarse = _resized(flows, 1 / scale) / scale
        # as far again from the middle to the other frame: twice that, from either frame
        ends = 2 * coarse.view(number, 2, 2, *coarse.shape[2:]).flip(1).flatten(0, 1)
        near = look_up(pyramid, cells(ends) + ends, RADIUS)
        seen = _leaky(self.convc1(near.reshape(number, -1, *near.shape[2:])))
        led = _leaky(self.convf2(_leaky(self.convf1(coarse))))
        motion = _leaky(self.conv(torch.cat([seen, led], dim=1)))
        hidden = self.gru(torch.cat([motion, coarse, _resized(state, 1 / scale)], dim=1))
        more = scale * _resized(self.flow_head(hidden), scale)
        return flows + more, state + _resized(self.feat_head(hidden), scale)


_leaky = partial(functional.leaky_relu, negative_slope=0.1)


def _convolved(inner: int, outer: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(Conv3(inner, outer, stride=stride), nn.PReLU(outer))


def _head(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(Conv3(inner, 76), nn.LeakyReLU(0.1), Conv3(76, outer))


def _split(decoded: Tensor) -> tuple[Tensor, Tensor]:
    """Flows (n, 4, h, w), to the first frame and to the second, each x before y; and the state."""
    return decoded[:, :4], decoded[:, 4:]


def _resized(values: Tensor, scale: float) -> Tensor:
    return functional.interpolate(values, scale_factor=scale, mode="bilinear")


def _moved(values: Tensor, flows: Tensor) -> Tensor:
    """The values (n, c, h, w) where the flows (n, 2, h, w) lead; outside, those of the edge."""
    return sample(values, (cells(flows) + flows).permute(0, 2, 3, 1), outside="border")


def _towards(features: Tensor, flows: Tensor, state: Tensor) -> Tensor:
    """What a decoder reads: the state, both frames' features brought to the middle, the flows."""
    number, _, height, width = flows.shape
    moved = _moved(features, flows.reshape(2 * number, 2, height, width))
    return torch.cat([state, moved.view(number, -1, height, width), flows], dim=1)


def load_amt(path: Path) -> AmtNetwork:
    """The network, ready to run. Raises ``CannotRun`` for other keys or shapes."""
    with torch.device("meta"):
        network = AmtNetwork()
    load_strictly(network, load_weights(path), path)
    return network


def amt_pixels(before: Frame, after: Frame) -> Tensor:
    """Two RGB frames as (1, 2, 3, h, w) in 0 to 1, padded to multiples of 16 by their edges."""
    down, right = (-side % STRIDE_PX for side in before.shape[:2])
    sides = (right // 2, right - right // 2, down // 2, down - down // 2)
    frames = torch.from_numpy(np.stack([before, after])).permute(0, 3, 1, 2).float() / 255
    return functional.pad(frames, sides, mode="replicate")[None]
