"""The published files of Lynx and Lynx-lite, read strictly.

A folder has ``resampler.safetensors``, ``ip_layers.safetensors`` and, of the full model,
``ref_layers.safetensors``. Which of the two it is, and how large, the tensors tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from a2bench.checkpoints.tensors import load_weights
from a2bench.errors import CannotRun
from a2bench.generators.lynx.adapters import Adapters, Identity, Reference
from a2bench.generators.lynx.resampler import Resampler
from a2bench.networks.strict import load_strictly

RESAMPLER, IDENTITY, REFERENCE = (
    f"{name}.safetensors" for name in ("resampler", "ip_layers", "ref_layers")
)
HEAD_DIM = 64
LITE_STEP = 2
"""Lite adapts every second block, from the first on, and numbers only these."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a folder holds; ``resampler`` and either adapter are None if they were not asked for."""

    adapters: Adapters
    resampler: Resampler | None
    lite: bool


def load(
    folder: Path,
    transformer: Any,
    *,
    dtype: torch.dtype,
    identity: bool = True,
    reference: bool = True,
) -> Loaded:
    """The adapters of a transformer. What is not asked for needs no file.

    Raises ``CannotRun`` for a file that is missing or does not fit, with its name and the keys.
    """
    adapters, resampler, lite = Adapters(transformer=transformer), None, False
    dim, blocks = transformer.blocks[0].attn2.to_q.out_features, len(transformer.blocks)
    if identity:
        resampler = _resampler(folder / RESAMPLER, dtype)
        tokens_dim = resampler.norm_out.normalized_shape[0]
        state = _read(folder / IDENTITY)
        lite = not any(name.endswith(".registers") for name in state)
        registers = _registers(state)
        step = LITE_STEP if lite else 1
        numbers = range(0, blocks, step)
        layers = _layers(
            folder / IDENTITY,
            state,
            {str(at): Identity(dim, tokens_dim, registers) for at in range(len(numbers))},
            dtype,
        )
        adapters.identity = dict(zip(numbers, layers, strict=True))
    if reference and not lite:
        state = _read(folder / REFERENCE)
        made = {str(at): Reference(dim) for at in range(blocks)}
        layers = _layers(folder / REFERENCE, state, made, dtype)
        adapters.reference = dict(enumerate(layers))
    return Loaded(adapters=adapters, resampler=resampler, lite=lite)


def _resampler(path: Path, dtype: torch.dtype) -> Resampler:
    state = _read(path)
    try:
        _, queries, dim = state["latents"].shape
        depth = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("layers."))
        sizes = {
            "dim": dim,
            "depth": depth,
            "queries": queries,
            "embedding_dim": state["proj_in.weight"].shape[1],
            "output_dim": state["proj_out.weight"].shape[0],
        }
        with torch.device("meta"):
            network = Resampler(head_dim=HEAD_DIM, **sizes)
    except (KeyError, ValueError, IndexError) as error:
        raise CannotRun(f"{path} is no resampler of Lynx: {error}") from error
    load_strictly(network, state, path, dtype=dtype)
    return network


def _layers(
    path: Path, state: Mapping[str, Tensor], made: Mapping[str, nn.Module], dtype: torch.dtype
) -> list[Any]:
    whole = nn.ModuleDict(made)
    load_strictly(whole, state, path, dtype=dtype)
    return list(whole.values())


def _registers(state: Mapping[str, Tensor]) -> int:
    """How many tokens of its own a block has; 0 in lite."""
    return max(
        (value.shape[1] for name, value in state.items() if name.endswith(".registers")), default=0
    )


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CannotRun(f"{path} is missing: hf download ByteDance/lynx has it")
    return load_weights(path)
