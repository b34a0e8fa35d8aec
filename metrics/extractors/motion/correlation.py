"""All-pairs correlations of two feature maps, as in RAFT (Teed and Deng, ECCV 2020).

Import this module only where a network runs: it imports torch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 4


def cells(features: Tensor) -> Tensor:
    """Each cell's own position: (n, 2, h, w), x before y."""
    number, _, height, width = features.shape
    rows, columns = (torch.arange(side, device=features.device) for side in (height, width))
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy")).to(features.dtype)
    return grid.expand(number, -1, -1, -1)


def correlations(source: Tensor, target: Tensor) -> list[Tensor]:
    """Each source cell's correlation with all of the target, each level half as fine as the last.

    Shapes (n * h * w, 1, h / 2^level, w / 2^level). The mean of correlations is the correlation
    with the mean, so it is the target that is reduced.
    """
    targets = [target]
    for _ in range(LEVELS - 1):
        targets.append(functional.avg_pool2d(targets[-1], 2))
    rows = source.flatten(2).transpose(1, 2) / source.shape[1] ** 0.5
    return [(rows @ level.flatten(2)).view(-1, 1, *level.shape[2:]) for level in targets]


def look_up(pyramid: list[Tensor], places: Tensor, radius: int) -> Tensor:
    """Of each level the correlations about a place, column by column; outside they are 0.

    From places (n, 2, h, w) in cells of the finest level to (n, levels * (2 radius + 1)^2, h, w).
    """
    number, _, height, width = places.shape
    centres = places.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
    steps = torch.arange(-radius, radius + 1, device=places.device, dtype=places.dtype)
    window = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)
    found = []
    for level, values in enumerate(pyramid):
        near = sample(values, centres / 2**level + window)
        found.append(near.view(number, height, width, -1))
    return torch.cat(found, dim=-1).permute(0, 3, 1, 2).contiguous()


def sample(values: Tensor, places: Tensor, outside: str = "zeros") -> Tensor:
    """The values (n, c, h, w) at places (n, rows, columns, 2), x before y; linear between cells."""
    last = torch.tensor([values.shape[3] - 1, values.shape[2] - 1], device=places.device)
    at = 2 * places / last - 1
    return functional.grid_sample(values, at, padding_mode=outside, align_corners=True)
