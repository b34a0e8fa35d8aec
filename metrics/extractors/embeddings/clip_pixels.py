"""Frames as the networks of CLIP's family take them. Import this only where a network runs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from a2bench.pictures import Frame

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def clip_pixels(frame: Frame, side_px: int, *, whole: bool = True) -> Tensor:
    """An RGB frame as CLIP takes it: (3, side, side), the middle square, of CLIP's mean and spread.

    The short side is brought to ``side_px``, bicubic and not smoothed (a large frame aliases), and,
    if ``whole``, rounded to whole levels: what VBench's ``Resize(antialias=False)`` does to a
    tensor of bytes, as it does for ViCLIP; for CLIP its tensors are of floats, and stay as they
    are.
    """
    height, width = frame.shape[:2]
    short = min(height, width)
    size = (int(side_px * height / short), int(side_px * width / short))
    image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()
    if size != (height, width):
        image = functional.interpolate(image, size, mode="bicubic", align_corners=False)
        image = image.clamp(0, 255).round() if whole else image
    top, left = (round((side - side_px) / 2) for side in size)
    square = image[0, :, top : top + side_px, left : left + side_px] / 255
    return (square - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
