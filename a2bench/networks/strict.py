"""Weights go into a network whole, or not at all. Import this only where a network runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from a2bench.errors import CannotRun

SHOWN = 3


def load_strictly(
    network: nn.Module,
    state: Mapping[str, Tensor],
    path: Path,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Gives the network, built on any device, the file's tensors, and makes it ready to run.

    Nothing is copied: the tensors become the network's, in ``dtype`` and without gradients. Raises
    ``CannotRun`` with the file and the first keys that are missing, unexpected or of another shape.
    """
    wanted = network.state_dict()
    faults = {
        "missing": sorted(wanted.keys() - state.keys()),
        "unexpected": sorted(state.keys() - wanted.keys()),
        "of another shape": sorted(
            key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape
        ),
    }
    told = [f"{what}: {first(keys)}" for what, keys in faults.items() if keys]
    if told:
        raise CannotRun(f"{path} holds other weights than this network's; " + "; ".join(told))
    network.load_state_dict(state, strict=True, assign=True)
    network.to(dtype).eval().requires_grad_(False)


def first(keys: list[str]) -> str:
    """The first of the keys, and how many more there are."""
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + more
