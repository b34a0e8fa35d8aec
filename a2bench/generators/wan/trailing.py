"""References as clean latent frames behind a video's own, as Phantom and SkyReels-V3 have them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def behind(latents: Tensor, references: Tensor, *, slots: int = 0) -> Tensor:
    """Latents (B, C, frames, height, width) with references (B, C, n, height, width) behind them.

    At every step these are as clean as at the first. ``slots`` is how many places a model has for
    them; the rest is zeros.
    """
    missing = max(0, slots - references.shape[2])
    filled = torch.nn.functional.pad(references, (0, 0, 0, 0, 0, missing))
    return torch.cat([latents, filled.to(latents.dtype)], dim=2)


def predict(
    transformer: Any,
    latents: Tensor,
    references: Tensor,
    text: Tensor,
    time: Tensor,
    *,
    slots: int = 0,
) -> Tensor:
    """The transformer's answer for the video alone, (B, C, frames, height, width).

    All tokens have one timestep and the ordinary positions; the references' answers are dropped.
    """
    answer: Tensor = transformer(
        hidden_states=behind(latents, references, slots=slots),
        timestep=time,
        encoder_hidden_states=text,
        return_dict=False,
    )[0]
    return answer[:, :, : latents.shape[2]]
