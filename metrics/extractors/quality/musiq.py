"""MUSIQ (Ke et al., ICCV 2021, "MUSIQ: Multi-scale Image Quality Transformer").

Written from the paper and Google's release of it. Module names are those of pyiqa's conversions of
Google's weights, such as ``musiq_spaq_ckpt-358bb6af.pth``, so they load strictly. Import this
module only where the network runs: it imports torch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from a2bench.checkpoints.tensors import load_weights
from a2bench.networks.strict import load_strictly
from a2bench.pictures import Frame

PATCH_PX = 32
LONGER_SIDES_PX = (224, 384)
GRID = 10
WIDTH, INNER, HEADS, LAYERS = 384, 1152, 6, 14
STEM, GROUPS = 64, 32


class MusiqNetwork(nn.Module):
    """Rates pictures: (n, 3, h, w) in 0 to 1, to (n,), on the scale of the ratings learnt from.

    A picture is seen three times, with longer sides of 224 and 384 px and as it is, in patches of
    32x32. Each becomes a vector, to which its scale and its place are added; places are told on a
    grid of 10x10, whatever the picture's shape. A transformer reads them all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_root = _StdConv(3, STEM, 7, stride=2, bias=False)
        self.gn_root = nn.GroupNorm(GROUPS, STEM, eps=1e-6)
        self.block1 = _Bottleneck()
        self.embedding = nn.Linear(4 * STEM * (PATCH_PX // 4) ** 2, WIDTH)
        self.transformer_encoder = _Encoder()
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        whole = 2 * images - 1
        tokens, places, scales = [], [], []
        for scale, longer in enumerate((*LONGER_SIDES_PX, None)):
            seen = whole
            if longer is not None:
                ratio = longer / max(height, width)
                size = [max(1, round(side * ratio)) for side in (height, width)]
                seen = functional.interpolate(whole, size, mode="bicubic", align_corners=False)
            patches = _patches(seen)
            rows, columns = patches.shape[1:3]
            tokens.append(self._embed(patches.flatten(0, 2)).view(len(images), rows * columns, -1))
            places.append(_places(rows, columns))
            scales.append(torch.full((rows * columns,), scale))
        where = (torch.cat(index).to(images.device) for index in (places, scales))
        rating: Tensor = self.head(self.transformer_encoder(torch.cat(tokens, dim=1), *where))
        return rating[:, 0]

    def _embed(self, patches: Tensor) -> Tensor:
        """(n, 3, 32, 32) to (n, width)."""
        # what a stride of 2 needs beyond an even side lies half before and half after it
        x = self.gn_root(self.conv_root(functional.pad(patches, (2, 3, 2, 3)))).relu()
        x = self.block1(functional.max_pool2d(functional.pad(x, (0, 1, 0, 1)), 3, stride=2))
        embedded: Tensor = self.embedding(x.permute(0, 2, 3, 1).flatten(1))
        return embedded


class _StdConv(nn.Conv2d):
    """A convolution whose filters are brought to mean 0 and deviation 1."""

    def forward(self, x: Tensor) -> Tensor:
        axes = (1, 2, 3)
        weight = self.weight - self.weight.mean(axes, keepdim=True)
        weight = weight / (weight.std(axes, keepdim=True) + 1e-5)
        return functional.conv2d(x, weight, None, self.stride, self.padding)


class _Bottleneck(nn.Module):
    """A residual block, from 64 channels to 256."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _StdConv(STEM, STEM, 1, bias=False)
        self.gn1 = nn.GroupNorm(GROUPS, STEM, eps=1e-4)
        self.conv2 = _StdConv(STEM, STEM, 3, padding=1, bias=False)
        self.gn2 = nn.GroupNorm(GROUPS, STEM, eps=1e-4)
        self.conv3 = _StdConv(STEM, 4 * STEM, 1, bias=False)
        self.gn3 = nn.GroupNorm(GROUPS, 4 * STEM, eps=1e-4)
        self.conv_proj = _StdConv(STEM, 4 * STEM, 1, bias=False)
        self.gn_proj = nn.GroupNorm(GROUPS, 4 * STEM, eps=1e-4)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.gn1(self.conv1(x)).relu()
        inner = self.gn2(self.conv2(inner)).relu()
        out: Tensor = (self.gn3(self.conv3(inner)) + self.gn_proj(self.conv_proj(x))).relu()
        return out


class _Encoder(nn.Module):
    """Tokens (n, count, width), with their places and scales (count,), to one (n, width)."""

    def __init__(self) -> None:
        super().__init__()
        self.cls = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.posembed_input = nn.ParameterDict({"position_emb": torch.empty(1, GRID**2, WIDTH)})
        scales = len(LONGER_SIDES_PX) + 1
        self.scaleembed_input = nn.ParameterDict({"scale_emb": torch.empty(scales, WIDTH)})
        self.transformer = nn.ModuleDict({f"encoderblock_{i}": _Block() for i in range(LAYERS)})
        self.encoder_norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, tokens: Tensor, places: Tensor, scales: Tensor) -> Tensor:
        tokens = tokens + self.posembed_input["position_emb"][0, places]
        tokens = tokens + self.scaleembed_input["scale_emb"][scales]
        x = torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], dim=1)
        for block in self.transformer.values():
            x = block(x)
        summary: Tensor = self.encoder_norm(x[:, 0])
        return summary


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attention = _Attention()
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = _Mlp()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        mixed: Tensor = x + self.mlp(self.norm2(x))
        return mixed


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.value, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            part(x).unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class _Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, INNER)
        self.fc2 = nn.Linear(INNER, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


def load_musiq(path: Path) -> MusiqNetwork:
    """The network, ready to run. Raises ``CannotRun`` for other keys or shapes."""
    with torch.device("meta"):
        network = MusiqNetwork()
    load_strictly(network, load_weights(path), path)
    return network


def musiq_pixels(frame: Frame, longer_px: int) -> Tensor:
    """An RGB frame as (3, h, w) in 0 to 1, its longer side at most ``longer_px``.

    A larger one is reduced bilinearly and not smoothed, as by VBench's ``Resize(antialias=False)``.
    """
    height, width = frame.shape[:2]
    image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()
    if max(height, width) > longer_px:
        scale = longer_px / max(height, width)
        size = [max(1, int(scale * side)) for side in (height, width)]
        image = functional.interpolate(image, size, mode="bilinear", align_corners=False)
    return image[0] / 255


def _patches(images: Tensor) -> Tensor:
    """(n, 3, h, w) to (n, rows, columns, 3, 32, 32); zeros fill the last of them, half around."""
    down, right = (-side % PATCH_PX for side in images.shape[2:])
    sides = (right // 2, right - right // 2, down // 2, down - down // 2)
    padded = functional.pad(images, sides)
    cut = padded.unfold(2, PATCH_PX, PATCH_PX).unfold(3, PATCH_PX, PATCH_PX)
    return cut.permute(0, 2, 3, 1, 4, 5)


def _places(rows: int, columns: int) -> Tensor:
    """For each patch its cell of the grid of places, (rows * columns,)."""
    down, right = (torch.arange(count) * GRID // count for count in (rows, columns))
    return (down[:, None] * GRID + right).flatten()
