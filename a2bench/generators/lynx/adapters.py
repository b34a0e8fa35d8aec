"""The two adapters of Lynx, on diffusers' transformer as it is.

What an adapter adds in a block is computed from what the block's attention is given, and added to
what that attention hands to its last layer. Both places are reached by hooks, so that how attention
is computed (backend, quantised, shared among processes) stays the transformer's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

LITE_EPS = 1e-5


class Identity(nn.Module):
    """What a block's cross-attention makes of the tokens of a face.

    ``registers`` are tokens of the block's own, which stand behind those of the face. Lite has none
    and no biases, and takes keys by their root mean square alone.
    """

    def __init__(self, dim: int, tokens_dim: int, registers: int) -> None:
        super().__init__()
        full = registers > 0
        self.to_k_ip = nn.Linear(tokens_dim, dim, bias=full)
        self.to_v_ip = nn.Linear(tokens_dim, dim, bias=full)
        self.registers = nn.Parameter(torch.zeros(1, registers, tokens_dim)) if full else None

    def forward(self, attention: Any, given: Tensor, told: Tensor) -> Tensor:
        if self.registers is None:
            keys = functional.rms_norm(self.to_k_ip(told), (given.shape[-1],), eps=LITE_EPS)
            return _attend(attention, given, keys, self.to_v_ip(told))
        told = torch.cat([told, self.registers.expand(len(told), -1, -1)], dim=1)
        keys = attention.norm_k(self.to_k_ip(told))
        return _attend(attention, given, keys, self.to_v_ip(told))


class Reference(nn.Module):
    """What a block's self-attention makes of the features that the block had of the reference."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.to_k_ref = nn.Linear(dim, dim)
        self.to_v_ref = nn.Linear(dim, dim)

    def forward(self, attention: Any, given: Tensor, told: Tensor) -> Tensor:
        keys = attention.norm_k(self.to_k_ref(told))
        return _attend(attention, given, keys, self.to_v_ref(told))


def _attend(attention: Any, given: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """What the video's tokens find among keys, by their own queries without positions."""
    queries = attention.norm_q(attention.to_q(given))
    q, k, v = (
        part.unflatten(2, (attention.heads, -1)).transpose(1, 2) for part in (queries, keys, values)
    )
    found = functional.scaled_dot_product_attention(q, k.to(q.dtype), v.to(q.dtype))
    return found.transpose(1, 2).flatten(2)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A person as the adapters take him: ``tokens`` (batch, n, C), ``features`` one a block."""

    tokens: Tensor | None = None
    features: Sequence[Tensor] = ()
    ip_scale: float = 1.0
    ref_scale: float = 1.0


@dataclass(kw_only=True)
class Adapters:
    """Adapters by the number of their block; either may be empty.

    They do nothing unless within ``showing`` or ``recording``.
    """

    transformer: Any
    identity: dict[int, Identity] = field(default_factory=dict)
    reference: dict[int, Reference] = field(default_factory=dict)

    @contextmanager
    def showing(self, subject: Subject) -> Iterator[None]:
        """Within it the transformer sees a subject. An adapter of scale 0 is not computed."""
        handles: list[RemovableHandle] = []
        for index, block in enumerate(self.transformer.blocks):
            if subject.ref_scale and subject.features and index in self.reference:
                layer, told = self.reference[index], subject.features[index]
                handles += _add(block.attn1, partial(layer, told=told), subject.ref_scale)
            if subject.ip_scale and subject.tokens is not None and index in self.identity:
                layer_of = self.identity[index]
                handles += _add(
                    block.attn2, partial(layer_of, told=subject.tokens), subject.ip_scale
                )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def recording(self) -> Iterator[list[Tensor]]:
        """Within it what each block's self-attention is given is kept, block by block."""
        features: list[Tensor] = []
        handles = [
            block.attn1.register_forward_pre_hook(
                lambda _, given: features.append(given[0]), with_kwargs=False
            )
            for block in self.transformer.blocks
        ]
        try:
            yield features
        finally:
            for handle in handles:
                handle.remove()


def _add(attention: Any, layer: Any, scale: float) -> list[RemovableHandle]:
    """Adds what a layer finds to what an attention hands to its last layer."""
    found: list[Tensor] = []

    def look(_: nn.Module, given: tuple[Any, ...]) -> None:
        found.append(layer(attention, given[0]))

    def add(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return given[0] + scale * found.pop().to(given[0].dtype), *given[1:]

    return [
        attention.register_forward_pre_hook(look),
        attention.to_out[0].register_forward_pre_hook(add),
    ]
