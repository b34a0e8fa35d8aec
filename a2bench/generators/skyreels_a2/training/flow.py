"""What the transformer learns: the flow from a clip to noise, given its text and references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from a2bench.generators.skyreels_a2.conditioning import mask
from a2bench.generators.skyreels_a2.training.loop import generator
from a2bench.generators.wan.text import TEXT_TOKENS

TRAIN_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A triplet as the networks see it.

    ``latents`` and ``references`` (C, latent frames, height, width), standardised; ``pixels``
    (references, 3, side, side) as the image encoder takes them; ``tokens`` the ids of the prompt.
    """

    latents: Tensor
    references: Tensor
    pixels: Tensor
    tokens: Tensor


@dataclass(frozen=True, kw_only=True)
class Example:
    """A clip, and what is drawn for it: noise, time in [0, 1], and whether it goes without."""

    clip: Clip
    noise: Tensor
    time: float
    told: bool
    shown: bool


@dataclass(frozen=True, kw_only=True)
class FlowMatching:
    """``|v(x_s, s, text, references) - (noise - x)|^2`` at ``x_s = (1 - s) x + s noise``, averaged.

    ``s = shift u / (1 + (shift - 1) u)``, ``u`` uniform. The text is dropped with the probability
    ``text_drop``, which makes it empty, and all references with ``reference_drop``, which leaves
    zeros: one is stage one, text to video. Clips are cut to ``frames`` latent frames.
    """

    networks: nn.ModuleDict
    clips: Sequence[Clip]
    empty: Tensor
    frames: int
    text_drop: float = 0.3
    reference_drop: float = 0.1
    shift: float = 3.0
    seed: int = 0

    def example(self, number: int) -> Example:
        """Each clip once a round, in an order of its own in each round."""
        turn, place = divmod(number, len(self.clips))
        order = _order(self.seed, turn, len(self.clips))
        clip, random = self.clips[order[place]], generator(self.seed, number)
        u, told, shown = torch.rand(3, generator=random).tolist()
        return Example(
            clip=clip,
            noise=torch.randn(clip.latents[:, : self.frames].shape, generator=random),
            time=self.shift * u / (1 + (self.shift - 1) * u),
            told=told >= self.text_drop,
            shown=shown >= self.reference_drop,
        )

    def losses(self, examples: Sequence[Example]) -> Mapping[str, Tensor]:
        """Those with equally many references go through the network together."""
        counts = [len(one.clip.pixels) if one.shown else 0 for one in examples]
        losses = torch.zeros(len(examples), device=self._device)
        for count in sorted(set(counts)):
            places = [place for place, n in enumerate(counts) if n == count]
            losses[places] = self._together([examples[place] for place in places], count)
        return {"loss": losses}

    def _together(self, examples: Sequence[Example], count: int) -> Tensor:
        clips = [one.clip for one in examples]
        latents = torch.stack([clip.latents[:, : self.frames].float() for clip in clips])
        noise = torch.stack([one.noise for one in examples])
        time = torch.tensor([one.time for one in examples])
        s = time.view(-1, 1, 1, 1, 1)
        given = torch.stack([clip.references[:, : self.frames].float() for clip in clips])
        given = torch.cat([mask(given, count), given], dim=1) * (count > 0)
        inputs = torch.cat([(1 - s) * latents + s * noise, given], dim=1)
        answer = self.networks["transformer"](
            hidden_states=inputs.to(self._device),
            timestep=TRAIN_STEPS * time.to(self._device),
            encoder_hidden_states=self._texts(examples),
            encoder_hidden_states_image=self._images(clips, count),
            return_dict=False,
        )[0]
        apart: Tensor = (answer.float() - (noise - latents).to(self._device)) ** 2
        return apart.mean(dim=(1, 2, 3, 4))

    def _texts(self, examples: Sequence[Example]) -> Tensor:
        """As ``text_tokens`` gives them, without its work on the padding."""
        ids = [one.clip.tokens if one.told else self.empty for one in examples]
        ids = [tokens.long()[:TEXT_TOKENS] for tokens in ids]
        padded = nn.utils.rnn.pad_sequence(ids, batch_first=True).to(self._device)
        lengths = torch.tensor([len(tokens) for tokens in ids], device=self._device)
        seen = (torch.arange(padded.shape[1], device=self._device) < lengths[:, None]).long()
        states = self.networks["text_encoder"](padded, attention_mask=seen).last_hidden_state
        states = states * seen[..., None]
        return nn.functional.pad(states, (0, 0, 0, TEXT_TOKENS - states.shape[1]))

    def _images(self, clips: Sequence[Clip], count: int) -> Tensor:
        """As ``conditioning.image_tokens`` gives them; without references the zeros of one."""
        encoder = self.networks["image_encoder"]
        pixels = torch.stack([clip.pixels[: max(1, count)].float() for clip in clips])
        states = encoder(
            pixels.flatten(0, 1).to(self._device), output_hidden_states=True
        ).hidden_states[-2]
        joined: Tensor = states.reshape(len(clips), -1, states.shape[-1]) * (count > 0)
        return joined

    @cached_property
    def _device(self) -> torch.device:
        return next(self.networks.parameters()).device


def _order(seed: int, turn: int, count: int) -> list[int]:
    order: list[int] = torch.randperm(count, generator=generator(seed + 1, turn)).tolist()
    return order
