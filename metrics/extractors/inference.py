"""How networks are run: no gradients, full float32 on every device, in batches that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from a2bench.errors import MetricError

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def inference() -> Iterator[None]:
    """Gradients are off, and a GPU convolves in float32, not TF32: the devices' scores agree."""
    import torch

    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def in_batches(network: Callable[[Tensor], Tensor], items: Tensor, size: int) -> Tensor:
    """``network`` of the items (n, ...), ``size`` at a time: (n, ...), on the items' device.

    A GPU that runs out of memory is asked once more with half the batch. Raises ``MetricError``
    when that fails too, with the cache emptied, so that the next video finds all the memory.
    """
    import torch

    for batch in dict.fromkeys((size, max(1, size // 2))):
        try:
            with inference():
                return torch.cat([network(part) for part in torch.split(items, batch)])
        except torch.OutOfMemoryError:
            pass  # what failed is held by the exception: the cache is emptied after it
        torch.cuda.empty_cache()
    raise MetricError(
        f"out of memory with {max(1, size // 2)} of {tuple(items.shape[1:])} at a time; "
        "use a GPU with more free memory, or --device cpu"
    )
