"""A small Wan transformer whose weights depend on the names of their keys alone."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor, nn

from a2bench.networks.torchvision import ensure_torchvision
from tests.golden.make_skyreels_a2 import random_weights

Told = tuple[float, float, tuple[float, ...], float]
"""Mean, deviation, the first four values, the sum of absolute values."""


def filled(network: nn.Module, prefix: str = "") -> Any:
    layout = {prefix + name: tuple(value.shape) for name, value in network.state_dict().items()}
    weights = random_weights(layout)
    network.load_state_dict({name.removeprefix(prefix): value for name, value in weights.items()})
    return network.eval().requires_grad_(requires_grad=False)


def transformer() -> Any:
    """diffusers' plain class with 138,432 parameters, as the public code was run with."""
    ensure_torchvision()
    from diffusers import WanTransformer3DModel

    return filled(
        WanTransformer3DModel(
            patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=32, in_channels=16,
            out_channels=16, text_dim=24, freq_dim=32, ffn_dim=96, num_layers=2,
            cross_attn_norm=True, qk_norm="rms_norm_across_heads", eps=1e-6, rope_max_seq_len=64,
        )
    )  # fmt: skip


def check(found: Tensor, told: Told) -> None:
    mean, deviation, first, total = told
    assert (found.mean().item(), found.std().item()) == pytest.approx((mean, deviation), abs=1e-4)
    assert found.flatten()[:4].tolist() == pytest.approx(first, abs=1e-4)
    assert found.abs().sum().item() == pytest.approx(total, abs=1e-4 * found.numel())
