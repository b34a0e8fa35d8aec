"""A face's embedding as tokens: queries that attend to it and to each other."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """The queries look at the face and at themselves."""

    def __init__(self, dim: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, heads * head_dim, bias=False)
        self.to_kv = nn.Linear(dim, 2 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, dim, bias=False)

    def forward(self, face: Tensor, queries: Tensor) -> Tensor:
        queries = self.norm2(queries)
        seen = torch.cat([self.norm1(face), queries], dim=1)
        parts = (self.to_q(queries), *self.to_kv(seen).chunk(2, dim=-1))
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        scale = q.shape[-1] ** -0.25  # on both sides: the product stays small in half precision
        weights = ((q * scale) @ (k * scale).transpose(-2, -1)).float().softmax(dim=-1)
        found = (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
        answer: Tensor = self.to_out(found)
        return answer


class Resampler(nn.Module):
    """Embeddings (batch, n, ``embedding_dim``) to tokens (batch, ``queries``, ``output_dim``).

    The published one has the defaults and 85.9 million parameters; that of lite gives 2048 numbers
    a token. Source: section 3.2 of the paper, after InstantID's projection of faces.
    """

    def __init__(
        self,
        *,
        dim: int = 1280,
        depth: int = 4,
        head_dim: int = 64,
        queries: int = 16,
        embedding_dim: int = 512,
        output_dim: int = 5120,
    ) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(1, queries, dim) / dim**0.5)
        self.proj_in = nn.Linear(embedding_dim, dim)
        self.layers = nn.ModuleList(
            nn.ModuleList([Attention(dim, dim // head_dim, head_dim), _feed_forward(dim)])
            for _ in range(depth)
        )
        self.proj_out = nn.Linear(dim, output_dim)
        self.norm_out = nn.LayerNorm(output_dim)

    def forward(self, face: Tensor) -> Tensor:
        queries = self.latents.expand(len(face), -1, -1)
        face = self.proj_in(face)
        for layer in self.layers:
            attention, feed_forward = layer.children()
            queries = queries + attention(face, queries)
            queries = queries + feed_forward(queries)
        tokens: Tensor = self.norm_out(self.proj_out(queries))
        return tokens


def _feed_forward(dim: int, times: int = 4) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, times * dim, bias=False),
        nn.GELU(),
        nn.Linear(times * dim, dim, bias=False),
    )
