"""How networks are run: no gradients, full float32 on every device, in batches that fit."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from a2bench.errors import MetricError

if TYPE_CHECKING:
    from torch import Tensor


class OutOfMemory(MetricError):
    """The device has too little memory for one forward."""


@contextmanager
def inference() -> Iterator[None]:
    """Gradients are off, and a GPU convolves in float32, not TF32: the devices' scores agree.

    Raises ``OutOfMemory`` when the GPU has too little, with what the forward held given back, so
    that what comes next finds it free.
    """
    import torch

    try:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    except torch.OutOfMemoryError as error:
        text = str(error).partition("\n")[0]
        traceback.clear_frames(error.__traceback__)  # they hold the tensors
        torch.cuda.empty_cache()
        raise OutOfMemory(
            f"out of memory: {text}; free memory of the GPU, or use --device cpu"
        ) from None


def in_batches(network: Callable[[Tensor], Tensor], items: Tensor, size: int) -> Tensor:
    """``network`` of the items (n, ...), ``size`` at a time: (n, ...).

    A GPU that runs out of memory is asked once more with half the batch; then ``OutOfMemory``.
    """
    if size > 1:
        try:
            return _run(network, items, size)
        except OutOfMemory:
            pass
    return _run(network, items, max(1, size // 2))


def _run(network: Callable[[Tensor], Tensor], items: Tensor, size: int) -> Tensor:
    import torch

    with inference():
        return torch.cat([network(part) for part in torch.split(items, size)])
