"""From noise to frames: the schedule, guidance by the text, and the VAE's decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Frame

TRAIN_STEPS = 1000

Predict = Callable[[Tensor], Tensor]
"""The network's answer for texts (n, 512, C): (n, 16, latent frames, height, width)."""
Guide = Callable[[Predict, Tensor, Tensor], tuple[Tensor, Tensor]]
"""The answers for the text and for the negative text, in the way that the machine likes best."""
Watch = Callable[[int, int], None]
"""Told after each step: how many are done, and of how many."""


@dataclass(frozen=True)
class Sampling:
    """How a video is drawn. ``guidance`` of 1 or less leaves the negative text out."""

    steps: int = 50
    guidance: float = 5.0
    flow_shift: float = 8.0


def two_passes(predict: Predict, text: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """One text after the other: half the memory of a batch."""
    return predict(text), predict(negative)


def one_batch(predict: Predict, text: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Both texts at once: one forward a step instead of two."""
    told, against = predict(torch.cat([text, negative])).chunk(2)
    return told, against


def decode_whole(vae: Any, latents: Tensor) -> Tensor:
    """The video of latents, (B, 3, frames, height, width) in [-1, 1]."""
    video: Tensor = vae.decode(latents, return_dict=False)[0]
    return video


def frames_of(video: Tensor) -> list[Frame]:
    """The frames of a video (3, frames, height, width) in [-1, 1]."""
    pixels = ((video / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return list(np.ascontiguousarray(pixels.permute(1, 2, 3, 0).cpu().numpy()))


def unipc(sampling: Sampling) -> Any:
    """The scheduler at the start of a video: UniPC over a shifted flow.

    ``s = 1 - linspace(1, 1/1000, steps + 1)``, without the zero and downward, then
    ``shift s / (1 + (shift - 1) s)``: the steps of diffusers 0.33, with which the model was
    published. They are given, as 0.42 spaces them otherwise.
    """
    ensure_torchvision()
    from diffusers import UniPCMultistepScheduler

    scheduler = UniPCMultistepScheduler(
        num_train_timesteps=TRAIN_STEPS,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=sampling.flow_shift,
    )
    rising = 1 - np.linspace(1, 1 / TRAIN_STEPS, sampling.steps + 1)
    scheduler.set_timesteps(sigmas=np.flip(rising)[:-1].copy())
    return scheduler
