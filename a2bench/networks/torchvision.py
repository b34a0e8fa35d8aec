"""Makes torchvision importable beside a CPU build of torch."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from a2bench.boxes import apart

if TYPE_CHECKING:
    from torch import Tensor


def ensure_torchvision() -> None:
    """Call before the first import of open_clip, timm, transformers, facexlib or diffusers.

    PyPI's torchvision is built for CUDA: beside a CPU torch its operators do not load, its import
    fails, and so does everything that imports it. Here its ``nms`` is declared in plain NumPy, and
    the import succeeds; operators other than ``nms`` stay absent. Nothing is changed where
    torchvision loads by itself or is not installed.
    """
    if "torchvision" in sys.modules or find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _declare()
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]  # half imported
        importlib.import_module("torchvision")
        boxes: Any = importlib.import_module("torchvision.ops.boxes")
        boxes._assert_has_ops = lambda: None


def _declare() -> None:
    import torch

    for name in ("nms", "qnms"):  # torchvision gives both a shape; only nms is ever called
        torch.library.define(
            f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
    torch.library.impl("torchvision::nms", "CPU", nms)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: the indices of the boxes that stay, the surest first.

    A box goes when its intersection over union with a surer one that stays is over the threshold.
    """
    import torch

    return torch.tensor(apart(boxes.numpy(), scores.numpy(), iou_threshold), dtype=torch.int64)
