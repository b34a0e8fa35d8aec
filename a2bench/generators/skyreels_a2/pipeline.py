"""From conditions to a video: classifier-free guidance, UniPC, and the VAE's decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from a2bench.generators.skyreels_a2 import conditioning
from a2bench.generators.skyreels_a2.conditioning import STRIDE_FRAMES, Conditions, Reference
from a2bench.generators.skyreels_a2.weights import Networks
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


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The three stages of a generation.

    ``networks`` are where they compute already, or are brought there by hooks; ``device`` is that
    place. ``guide`` is how guidance gets its two answers, ``decoder`` how latents become pixels.
    """

    networks: Networks
    device: torch.device
    guide: Guide = two_passes
    decoder: Callable[[Any, Tensor], Tensor] = decode_whole

    @torch.no_grad()
    def encode(
        self,
        references: Sequence[Reference],
        texts: tuple[str, str],
        *,
        size: tuple[int, int],
        frames: int,
    ) -> Conditions:
        """The conditions of a case from its references and its text and negative text.

        ``size`` is (width, height), sides divisible by 16; ``frames`` is 4 n + 1.
        """
        nets, device = self.networks, self.device
        text, negative = (
            conditioning.text_tokens(nets.text_encoder, nets.tokenizer, one, device)
            for one in texts
        )
        images = conditioning.image_tokens(
            nets.image_encoder, nets.image_processor, references, device
        )
        video = conditioning.reference_video(references, size, frames).to(device)
        mean, deviation = (
            torch.tensor(values, device=device).view(1, -1, 1, 1, 1)
            for values in (nets.vae.config.latents_mean, nets.vae.config.latents_std)
        )
        dtype = nets.transformer.dtype
        return Conditions(
            text=text.to(dtype),
            negative=negative.to(dtype),
            images=images.to(dtype),
            latents=nets.vae.encode(video).latent_dist,
            mean=mean,
            deviation=deviation,
            references=len(references),
        )

    @torch.no_grad()
    def denoise(
        self, conditions: Conditions, sampling: Sampling, *, seed: int, watch: Watch
    ) -> Tensor:
        """The latents of a video, (1, 16, latent frames, height / 8, width / 8), standardised.

        All is drawn on the CPU, first the noise and then the references' latents, so that a seed
        means the same on every device.
        """
        random = torch.Generator("cpu").manual_seed(seed)
        noise = torch.randn(conditions.latents.mean.shape, generator=random)
        latents = noise.to(self.device)
        given = conditions.channels(random)
        scheduler = unipc(sampling)
        for step, time in enumerate(scheduler.timesteps):
            inputs = torch.cat([latents, given], dim=1).to(conditions.text.dtype)
            answer = self._guided(inputs, time, conditions, sampling.guidance)
            latents = scheduler.step(answer, time, latents, return_dict=False)[0]
            watch(step + 1, len(scheduler.timesteps))
        return latents

    @torch.no_grad()
    def decode(self, latents: Tensor, conditions: Conditions, *, drop: bool = True) -> list[Frame]:
        """The frames of a video; without its beginning, which shows the references, if ``drop``.

        What is dropped is four frames a reference (the published code drops 12 of three): their
        own, one and four for each further one, and the three after them, which carry their traces.
        """
        raw = latents * conditions.deviation + conditions.mean
        video = self.decoder(self.networks.vae, raw)[0]
        shown = video[:, STRIDE_FRAMES * conditions.references if drop else 0 :]
        pixels = ((shown / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        return list(np.ascontiguousarray(pixels.permute(1, 2, 3, 0).cpu().numpy()))

    def _guided(
        self, inputs: Tensor, time: Tensor, conditions: Conditions, guidance: float
    ) -> Tensor:
        """Guidance on the text alone: both answers see the references."""

        def predict(texts: Tensor) -> Tensor:
            count = len(texts)
            answer: Tensor = self.networks.transformer(
                hidden_states=inputs.expand(count, -1, -1, -1, -1),
                timestep=time.expand(count).to(self.device),
                encoder_hidden_states=texts,
                encoder_hidden_states_image=conditions.images.expand(count, -1, -1),
                return_dict=False,
            )[0]
            return answer

        if guidance <= 1:
            return predict(conditions.text)
        told, against = self.guide(predict, conditions.text, conditions.negative)
        return against + guidance * (told - against)


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
