"""How references and text reach the network: the two streams of section 2.2 of the paper.

Semantic: each reference through CLIP, the tokens of its last layer but one, all in one sequence.
Spatial: the references as the leading frames of an otherwise grey video, through the VAE. The
causal VAE makes one latent frame of the first frame and one of every four that follow, so the first
reference is one frame, each later one is repeated over four, and each has a latent frame to itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from a2bench.errors import GeneratorError
from a2bench.generators.cutout import LONG_SIDE_PX, cut_out
from a2bench.pictures import Rgba, upright
from a2bench.types import ROLES, Case, Element, Role

MAX_REFERENCES = 4
MIN_SIDE_PX = 16
CLIP_PX = 512
STRIDE_FRAMES = 4
"""Frames in a latent frame, but for the first, which is one."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An RGB image and what it is; a character or an object stands alone on white."""

    role: Role
    image: Image.Image


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """All that conditions the videos of one case: computed once, whatever the seeds.

    ``text`` and ``negative`` (1, 512, C), ``images`` (1, tokens of all references, C'). ``latents``
    is the VAE's distribution of the reference frames, from which each seed draws; ``mean`` and
    ``deviation`` (1, 16, 1, 1, 1) standardise what it drew. ``references`` is their number.
    """

    text: Tensor
    negative: Tensor
    images: Tensor
    latents: Any
    mean: Tensor
    deviation: Tensor
    references: int

    def channels(self, random: torch.Generator) -> Tensor:
        """Mask and latents of the references, (1, 4 + 16, latent frames, height, width)."""
        drawn: Tensor = self.latents.sample(random)
        latents = (drawn - self.mean) / self.deviation
        return torch.cat([mask(latents, self.references), latents], dim=1)


def read_references(case: Case, *, frames: int, margin: float = 0) -> tuple[Reference, ...]:
    """The references of a case in the order that the model was trained on, whatever theirs is.

    Characters, then objects, both cut out, with a ``margin``; then backgrounds. Raises
    ``GeneratorError`` when there is none, are more than four or too many for ``frames``, or one is
    too small.
    """
    count = len(case.elements)
    if not 1 <= count <= MAX_REFERENCES:
        raise GeneratorError(
            f"{case.id} has {count} references; SkyReels-A2 takes 1 to {MAX_REFERENCES}"
        )
    if frames <= STRIDE_FRAMES * count:
        raise GeneratorError(
            f"{case.id}: {count} references need more than {STRIDE_FRAMES * count} frames, "
            f"not {frames}"
        )
    return tuple(_read(element, margin) for role in ROLES for element in case.of(role))


def _read(element: Element, margin: float) -> Reference:
    image = upright(element.image, "RGB", LONG_SIDE_PX)
    if min(image.size) < MIN_SIDE_PX:
        size = f"{image.width}x{image.height}"
        raise GeneratorError(
            f"{element.image}: {size} pixels are too few; a side must have {MIN_SIDE_PX} or more"
        )
    if element.role == "background":
        return Reference(role=element.role, image=image)
    return Reference(role=element.role, image=on_white(cut_out(element), margin))


def on_white(subject: Rgba, margin: float) -> Image.Image:
    """A cut-out subject on a white page that is larger by a share ``margin``, half on each side."""
    cut = Image.fromarray(subject)
    aside, above = (round(side * margin / 2) for side in cut.size)
    page = Image.new("RGB", (cut.width + 2 * aside, cut.height + 2 * above), "white")
    page.paste(cut, (aside, above), mask=cut.getchannel("A"))
    return page


def letterbox(image: Image.Image, width: int, height: int) -> Image.Image:
    """The whole image at a size, with white where the shapes differ."""
    aside = max(0, int((width / height * image.height - image.width) / 2))
    above = max(0, int((height / width * image.width - image.height) / 2))
    page = Image.new("RGB", (image.width + 2 * aside, image.height + 2 * above), "white")
    page.paste(image, (aside, above))
    return page.resize((width, height), Image.Resampling.BICUBIC)


def centre_crop(image: Image.Image, width: int, height: int) -> Image.Image:
    """The middle of the image at a size, which it fills."""
    kept_width = max(1, min(image.width, int(image.height / height * width)))
    kept_height = max(1, min(image.height, int(image.width / width * height)))
    left, top = (image.width - kept_width) // 2, (image.height - kept_height) // 2
    box = (left, top, left + kept_width, top + kept_height)
    return image.crop(box).resize((width, height), Image.Resampling.BICUBIC)


def reference_video(references: Sequence[Reference], size: tuple[int, int], frames: int) -> Tensor:
    """The references as leading frames, (1, 3, frames, height, width) in [-1, 1], the rest zero.

    ``size`` is (width, height).
    """
    video = torch.zeros(1, 3, frames, size[1], size[0])
    start = 0
    for reference in references:
        fit = centre_crop if reference.role == "background" else letterbox
        pixels = np.asarray(fit(reference.image, *size), np.float32) / 255
        end = start + (STRIDE_FRAMES if start else 1)
        video[0, :, start:end] = torch.from_numpy(2 * pixels - 1).permute(2, 0, 1)[:, None]
        start = end
    return video


def mask(latents: Tensor, references: int) -> Tensor:
    """Four channels (1, 4, latent frames, height, width): one where a reference is, else zero."""
    channels = torch.zeros_like(latents[:, :STRIDE_FRAMES])
    channels[:, :, :references] = 1
    return channels


def image_tokens(
    encoder: Any, processor: Any, references: Sequence[Reference], device: torch.device
) -> Tensor:
    """The CLIP tokens of all references in one sequence, (1, 257 a reference, C).

    Each reference is seen whole, backgrounds too, on a white square.
    """
    squares = [letterbox(reference.image, CLIP_PX, CLIP_PX) for reference in references]
    pixels = processor(images=squares, return_tensors="pt")["pixel_values"]
    states = encoder(pixels.to(device), output_hidden_states=True).hidden_states[-2]
    return torch.cat(list(states[:, None]), dim=1)
