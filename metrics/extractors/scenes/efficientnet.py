"""EfficientNet-Lite0 (Liu et al. 2020): EfficientNet-B0 with ReLU6, no squeeze and excitation.

Module names are those of the published state dict, so it loads strictly. Import this module only
where the network runs: it imports torch.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

STAGES = (  # blocks, kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class EfficientNetLite0(nn.Module):
    """ImageNet classifier; ``dense`` is its last bottleneck.

    Input (n, 3, h, w) in [-1, 1]: (RGB - 127) / 128. ``dense``: (n, 320, h / 32, w / 32), rounded
    up; linear (no activation), centred near 0 by its batch norm. ``forward``: (n, 1000) logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Conv(3, 32, 3, stride=2)
        self._bn0 = _norm(32)
        blocks: list[nn.Module] = []
        channels = 32
        for count, kernel, stride, expansion, out in STAGES:
            for index in range(count):
                blocks.append(_Block(channels, out, kernel, 1 if index else stride, expansion))
                channels = out
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = _Conv(320, 1280, 1)
        self._bn1 = _norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def dense(self, images: Tensor) -> Tensor:
        features: Tensor = self._blocks(functional.relu6(self._bn0(self._conv_stem(images)), True))
        return features

    def forward(self, images: Tensor) -> Tensor:
        head = functional.relu6(self._bn1(self._conv_head(self.dense(images))))
        logits: Tensor = self._fc(head.mean(dim=(2, 3)))
        return logits


class _Conv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's SAME: with stride 2 more at the end."""

    def __init__(
        self, inp: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inp, out, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if kernel > 1:
            pad = [
                max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:]
            ]
            top, left = pad[0] // 2, pad[1] // 2
            x = functional.pad(x, (left, pad[1] - left, top, pad[0] - top))
        return super().forward(x)


class _Block(nn.Module):
    """The inverted residual block of MobileNetV2."""

    def __init__(self, inp: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inp * expansion
        self._expands = expansion > 1
        self._adds = stride == 1 and inp == out
        if self._expands:
            self._expand_conv, self._bn0 = _Conv(inp, wide, 1), _norm(wide)
        self._depthwise_conv = _Conv(wide, wide, kernel, stride=stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv, self._bn2 = _Conv(wide, out, 1), _norm(out)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = functional.relu6(self._bn0(self._expand_conv(x)), True) if self._expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)), True)
        y = self._bn2(self._project_conv(y))
        return x + y if self._adds else y


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def load_efficientnet(path: Path) -> EfficientNetLite0:
    """The network, ready to run. Raises ``RuntimeError`` for a file of other keys or shapes.

    Batch norms are folded into their convolutions and channels come last in memory: the same
    features but for rounding (3e-5), in 0.4 of the time on a CPU.
    """
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
    network.eval().requires_grad_(False)
    _fold(network, "_conv_stem", "_bn0")
    _fold(network, "_conv_head", "_bn1")
    for block in network._blocks:
        if hasattr(block, "_expand_conv"):
            _fold(block, "_expand_conv", "_bn0")
        _fold(block, "_depthwise_conv", "_bn1")
        _fold(block, "_project_conv", "_bn2")
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _fold(part: nn.Module, convolution: str, norm: str) -> None:
    before, after = part.get_submodule(convolution), part.get_submodule(norm)
    assert isinstance(before, nn.Conv2d)
    assert isinstance(after, nn.BatchNorm2d)
    setattr(part, convolution, fuse_conv_bn_eval(before, after))
    setattr(part, norm, nn.Identity())
