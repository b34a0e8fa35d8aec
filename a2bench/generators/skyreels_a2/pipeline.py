"""From conditions to a video: classifier-free guidance, UniPC, and the VAE's decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from a2bench.generators.skyreels_a2 import conditioning
from a2bench.generators.skyreels_a2.conditioning import STRIDE_FRAMES, Conditions, Reference
from a2bench.generators.skyreels_a2.weights import Networks
from a2bench.generators.wan.sampling import (
    Guide,
    Sampling,
    Watch,
    decode_whole,
    frames_of,
    two_passes,
    unipc,
)
from a2bench.generators.wan.text import text_tokens
from a2bench.pictures import Frame


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
            text_tokens(nets.text_encoder, nets.tokenizer, one, device) for one in texts
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
        return frames_of(video[:, STRIDE_FRAMES * conditions.references if drop else 0 :])

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
