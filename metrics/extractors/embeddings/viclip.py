"""ViCLIP (Wang et al. 2023, InternVid): CLIP's two towers, the image's grown to a short video.

Module names are those of the published state dict, so it loads strictly. Import this module only
where the network runs: it imports torch.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from a2bench.checkpoints.tensors import load_weights
from a2bench.metrics.extractors.embeddings.viclip_sizes import Sizes, Tower
from a2bench.networks.strict import load_strictly


class ViClipNetwork(nn.Module):
    """Embeds videos and texts in one space; neither embedding is normalised.

    ``vision_encoder``: (n, 3, frames, h, w), as ``clip_pixels`` makes them, to (n, output).
    ``text_encoder``: token ids (n, tokens) to (n, output). ``temp`` is only used in training.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.vision_encoder = _Vision(sizes)
        self.text_encoder = _Text(sizes)
        self.temp = nn.Parameter(torch.empty(()))


class _Vision(nn.Module):
    """Attention over the patches of all frames at once, and one class token for the video."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, patch = sizes.vision.width, sizes.patch_px
        places = (sizes.image_px // patch) ** 2
        self.conv1 = nn.Conv3d(3, width, (1, patch, patch), (1, patch, patch), bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(places + 1, width))
        self.temporal_positional_embedding = nn.Parameter(torch.empty(1, sizes.frames, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = _Transformer(sizes.vision, causal=False)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.empty(width, sizes.output))

    def forward(self, videos: Tensor) -> Tensor:
        patches = self.conv1(videos).flatten(3).permute(0, 3, 2, 1)  # n, place, frame, width
        place = self.positional_embedding
        patches = patches + place[1:, None] + self.temporal_positional_embedding
        whole = (self.class_embedding + place[0]).expand(len(videos), 1, -1)
        tokens = self.ln_pre(torch.cat([whole, patches.flatten(1, 2)], dim=1))
        embedding: Tensor = self.ln_post(self.transformer(tokens)[:, 0]) @ self.proj
        return embedding


class _Text(nn.Module):
    """CLIP's text tower: the text's meaning is read off its end mark, the highest id."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.text.width
        self.token_embedding = nn.Embedding(sizes.vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.empty(sizes.tokens, width))
        self.transformer = _Transformer(sizes.text, causal=True)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, sizes.output))

    def forward(self, ids: Tensor) -> Tensor:
        tokens = self.transformer(self.token_embedding(ids) + self.positional_embedding)
        ends = tokens[torch.arange(len(ids), device=ids.device), ids.argmax(dim=1)]
        embedding: Tensor = self.ln_final(ends) @ self.text_projection
        return embedding


class _Transformer(nn.Module):
    def __init__(self, tower: Tower, *, causal: bool) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(_Block(tower, causal) for _ in range(tower.layers)))

    def forward(self, tokens: Tensor) -> Tensor:
        mixed: Tensor = self.resblocks(tokens)
        return mixed


class _Block(nn.Module):
    def __init__(self, tower: Tower, causal: bool) -> None:
        super().__init__()
        self.attn = _Attention(tower, causal)
        self.ln_1 = nn.LayerNorm(tower.width)
        self.mlp = _Mlp(tower.width)
        self.ln_2 = nn.LayerNorm(tower.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        mixed: Tensor = x + self.mlp(self.ln_2(x))
        return mixed


class _Attention(nn.Module):
    """Self-attention with the parameters of ``nn.MultiheadAttention``."""

    def __init__(self, tower: Tower, causal: bool) -> None:
        super().__init__()
        self._heads, self._causal = tower.heads, causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * tower.width, tower.width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * tower.width))
        self.out_proj = nn.Linear(tower.width, tower.width)

    def forward(self, x: Tensor) -> Tensor:
        three = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        parts = three.view(*x.shape[:2], 3, self._heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self._causal)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.c_fc(x)
        out: Tensor = self.c_proj(wide * torch.sigmoid(1.702 * wide))  # GELU, as CLIP has it
        return out


def load_viclip(path: Path, sizes: Sizes) -> ViClipNetwork:
    """The network, ready to run, from ``{"model": state dict}``.

    Raises ``CannotRun`` for other keys or shapes.
    """
    with torch.device("meta"):
        network = ViClipNetwork(sizes)
    load_strictly(network, load_weights(path), path)
    return network
