"""A small VAE in the layout of Wan's, trained to give back composed clips and references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from a2bench.generators.skyreels_a2.conditioning import STRIDE_FRAMES, reference_video
from a2bench.generators.skyreels_a2.training.clips_composed import Composer, Video
from a2bench.generators.skyreels_a2.training.loop import generator


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """What the decoder makes of a draw from the encoder's distribution is to be what went in.

    ``loss = mean |x - x'| + edge_weight mean |dx - dx'| + kl_weight KL``, where ``d`` are the
    differences of neighbours in a row, a column and time, without which edges come out soft. An
    example is a square of ``side_px`` of a clip or, in ``reference_share`` of them, of its
    references as leading frames. ``latent_noise`` is a deviation of the draw beyond the encoder's
    own: it teaches the decoder to put up with latents that a transformer made.
    """

    vae: Any
    composer: Composer
    side_px: int = 96
    reference_share: float = 0.3
    edge_weight: float = 0.5
    kl_weight: float = 1e-4
    latent_noise: float = 0.0
    seed: int = 0

    @cached_property
    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"vae": self.vae})

    def example(self, number: int) -> tuple[Tensor, Tensor]:
        """A part of a video, (3, frames, side, side) in [-1, 1], and the noise of its latents."""
        random = generator(self.seed, number)
        triplet, size = self.composer.draw(number), self.composer.size
        if torch.rand((), generator=random) < self.reference_share:
            video = reference_video(triplet.references, size, self.composer.frames)[0]
        else:
            video = to_tensor(triplet.video)
        grid = self.vae.config.scale_factor_spatial
        side, frames = self.side_px // grid, (self.composer.frames - 1) // STRIDE_FRAMES + 1
        left, top = (
            grid * int(torch.randint(whole // grid - side + 1, (), generator=random))
            for whole in size
        )
        noise = torch.randn(self.vae.config.z_dim, frames, side, side, generator=random)
        return video[:, :, top : top + self.side_px, left : left + self.side_px], noise

    def losses(self, examples: Sequence[tuple[Tensor, Tensor]]) -> Mapping[str, Tensor]:
        device = next(self.vae.parameters()).device
        videos, noise = (torch.stack(parts).to(device) for parts in zip(*examples, strict=True))
        latents = self.vae.encode(videos).latent_dist
        deviation = (latents.var + self.latent_noise**2).sqrt()
        drawn = decode(self.vae, latents.mean + deviation * noise).float()
        apart = (drawn - videos).abs().mean(dim=(1, 2, 3, 4))
        edges = sum(
            (drawn.diff(dim=dim) - videos.diff(dim=dim)).abs().mean(dim=(1, 2, 3, 4))
            for dim in (2, 3, 4)
            if videos.shape[dim] > 1
        )
        spread = latents.mean.float() ** 2 + latents.var.float() - 1 - latents.logvar.float()
        kl = 0.5 * spread.mean(dim=(1, 2, 3, 4))
        loss = apart + self.edge_weight * edges + self.kl_weight * kl
        return {"loss": loss, "absolute_error": apart, "kl": kl}


def to_tensor(video: Video) -> Tensor:
    """Frames of bytes as (3, frames, height, width) in [-1, 1]."""
    return torch.from_numpy(video).permute(3, 0, 1, 2).float() / 127.5 - 1


def decode(vae: Any, latents: Tensor) -> Tensor:
    """The video of latents as it is learnt: the VAE's own ``decode`` cuts values off at -1 and 1.

    What is cut off has no gradient, and a network that starts out there never comes back.
    """
    from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

    vae.clear_cache()
    inner = vae.post_quant_conv(latents)
    parts = [
        vae.decoder(
            inner[:, :, index : index + 1],
            feat_cache=vae._feat_map,
            feat_idx=[0],
            first_chunk=index == 0,
        )
        for index in range(latents.shape[2])
    ]
    vae.clear_cache()
    video = torch.cat(parts, dim=2)
    size = vae.config.patch_size
    whole: Tensor = video if size is None else unpatchify(video, patch_size=size)
    return whole


@torch.no_grad()
def standardise(vae: Any, videos: Iterable[Tensor]) -> None:
    """Writes mean and deviation of each latent channel over videos into the VAE's configuration."""
    means = [vae.encode(video[None]).latent_dist.mean[0].flatten(1) for video in videos]
    values = torch.cat(means, dim=1).float()
    vae.register_to_config(
        latents_mean=values.mean(dim=1).tolist(), latents_std=values.std(dim=1).tolist()
    )
