"""Composed clips as the networks see them, kept on disk: to encode costs more than to train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from a2bench.checkpoints.tensors import load_weights
from a2bench.generators.skyreels_a2.conditioning import (
    CLIP_PX,
    STRIDE_FRAMES,
    letterbox,
    reference_video,
)
from a2bench.generators.skyreels_a2.training.autoencoder import to_tensor
from a2bench.generators.skyreels_a2.training.clips_composed import Composer, Triplet
from a2bench.generators.skyreels_a2.training.flow import Clip
from a2bench.generators.skyreels_a2.training.loop import generator, save_tensors
from a2bench.generators.skyreels_a2.weights import Networks
from a2bench.generators.wan.text import clean

CLIPS_A_FILE = 50
PARTS = ("latents", "references", "pixels", "tokens")


def clips(composer: Composer, networks: Networks, count: int, folder: Path) -> list[Clip]:
    """``count`` clips from the folder; those that are not in it are encoded and put there."""
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Clip] = []
    for first in range(0, count, CLIPS_A_FILE):
        file = folder / f"{first:06d}.safetensors"
        if not file.is_file():
            numbers = range(first, first + CLIPS_A_FILE)
            encoded = [encode(composer.draw(n), networks, generator(0, n)) for n in numbers]
            state = {
                f"{n:06d}/{part}": getattr(clip, part)
                for n, clip in zip(numbers, encoded, strict=True)
                for part in PARTS
            }
            save_tensors(state, file)
        found += _read(file)
    return found[:count]


@torch.no_grad()
def encode(triplet: Triplet, networks: Networks, random: torch.Generator) -> Clip:
    """A triplet through VAE, tokenizer and image processor; latents drawn and standardised."""
    frames, height, width, _ = triplet.video.shape
    given = reference_video(triplet.references, (width, height), frames)
    squares = [letterbox(one.image, CLIP_PX, CLIP_PX) for one in triplet.references]
    pixels = networks.image_processor(images=squares, return_tensors="pt")["pixel_values"]
    return Clip(
        latents=_latents(networks.vae, to_tensor(triplet.video)[None], random),
        references=_latents(networks.vae, given, random),
        pixels=pixels.half(),
        tokens=tokens(networks.tokenizer, triplet.prompt),
    )


def latent_frames(frames: int) -> int:
    """How many latent frames the VAE makes of a video's."""
    return (frames - 1) // STRIDE_FRAMES + 1


def tokens(tokenizer: Any, text: str) -> Tensor:
    """The ids of a text."""
    return torch.tensor(tokenizer(clean(text))["input_ids"], dtype=torch.int32)


@torch.no_grad()
def _latents(vae: Any, video: Tensor, random: torch.Generator) -> Tensor:
    found = vae.encode(video.to(vae.device)).latent_dist
    mean, deviation = (
        torch.tensor(values).view(1, -1, 1, 1, 1)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    noise = torch.randn(found.mean.shape, generator=random)
    drawn = found.mean.float().cpu() + found.std.float().cpu() * noise
    standard: Tensor = ((drawn - mean) / deviation)[0]
    return standard.half()


def _read(file: Path) -> Sequence[Clip]:
    state = load_weights(file)
    names = sorted({name.partition("/")[0] for name in state})
    return [Clip(**{part: state[f"{name}/{part}"] for part in PARTS}) for name in names]
