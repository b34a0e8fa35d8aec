"""Small networks of the same kinds as the published ones, to be trained from nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from a2bench.generators.skyreels_a2.weights import Networks
from a2bench.networks.torchvision import ensure_torchvision

PAD, END = "<pad>", "</s>"
FIRST_LOG_VARIANCE = -6.0


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the networks are made with: the arguments of their classes, beyond those below."""

    vae: Mapping[str, Any]
    transformer: Mapping[str, Any]
    text_encoder: Mapping[str, Any]
    image_encoder: Mapping[str, Any]
    vocabulary: int = 2048
    looks: Sequence[Sequence[float]] = ()
    """The shifts (rows, columns), in tokens, at which the first heads look at the beginning."""


@torch.no_grad()
def build_vae(sizes: Sizes) -> Any:
    """An ``AutoencoderKLWan`` with random weights and latents as they come.

    Its first weights let a picture pass: nothing but what changes the size is in the way, and the
    latents' noise is small. As torch would draw them, all pictures look alike for very long. A
    video starts out as the stills that it is made of.
    """
    ensure_torchvision()
    from diffusers import AutoencoderKLWan

    channels = sizes.vae["z_dim"]
    plain = {"latents_mean": [0.0] * channels, "latents_std": [1.0] * channels}
    vae = AutoencoderKLWan(**plain, **sizes.vae)
    for module in vae.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            module.bias.zero_()  # type: ignore[union-attr]
        if isinstance(module, nn.Conv3d):
            _as_stills(module.weight)
    for module in vae.modules():
        if type(module).__name__ == "WanResidualBlock":
            nn.init.zeros_(module.conv2.weight)
        elif type(module).__name__ == "WanAttentionBlock":
            nn.init.zeros_(module.proj.weight)
    nn.init.constant_(vae.quant_conv.bias[channels:], FIRST_LOG_VARIANCE)
    return vae


def _as_stills(weight: Tensor) -> None:
    """Lets a causal convolution over time see the frame itself alone.

    One over nothing but time makes one frame of two, or two of one: their mean, and twice the same.
    """
    outputs, inputs, frames, height, _ = weight.shape
    weight[:, :, : frames - 1] = 0
    if frames == 1 or height > 1:
        return
    weight.zero_()
    same = torch.eye(inputs)
    if outputs == inputs:
        weight[:, :, 1:, 0, 0] = same[..., None] / 2
    else:
        weight[:, :, 2, 0, 0] = same.repeat(outputs // inputs, 1)


def build(sizes: Sizes, tokenizer: Any, vae: Any) -> Networks:
    """All networks around a VAE, with random weights from torch's global generator."""
    ensure_torchvision()
    from diffusers import WanTransformer3DModel
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        CLIPVisionModel,
        UMT5Config,
        UMT5EncoderModel,
    )

    channels, side = vae.config.z_dim, sizes.image_encoder["image_size"]
    transformer = WanTransformer3DModel(
        in_channels=2 * channels + 4,
        out_channels=channels,
        text_dim=sizes.text_encoder["d_model"],
        image_dim=sizes.image_encoder["hidden_size"],
        added_kv_proj_dim=sizes.transformer["num_attention_heads"]
        * sizes.transformer["attention_head_dim"],
        **sizes.transformer,
    )
    nn.init.zeros_(transformer.proj_out.weight)
    for block in transformer.blocks:
        with torch.no_grad():
            block.scale_shift_table[:, [2, 5]] += 0.7  # gates that let the blocks learn at once
        for head, (down, right) in enumerate(sizes.looks):
            look(block.attn1, head, sizes.transformer["attention_head_dim"], (down, right))
    text = UMT5Config(
        vocab_size=len(tokenizer),
        pad_token_id=0,
        dropout_rate=0.0,  # it draws from torch's global generator: no step could be repeated
        **sizes.text_encoder,
    )
    return Networks(
        tokenizer=tokenizer,
        text_encoder=UMT5EncoderModel(text),
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        ),
        image_encoder=CLIPVisionModel(CLIPVisionConfig(**sizes.image_encoder)),
        transformer=transformer,
        vae=vae,
    )


@torch.no_grad()
def look(attention: Any, head: int, width: int, shift: tuple[float, float]) -> None:
    """Makes a head begin by looking at one place, ``shift`` (down, right) from where it is.

    Rotary positions turn a pair of channels by its rate times the position, so that constants in
    queries and keys give a score that depends on the distance alone, here largest at the shift.
    To find a reference's token by its place is what takes small training the longest.
    """
    across = 2 * (width // 6)
    firsts = (width - 2 * across, width - across)
    for first, distance in zip(firsts, shift, strict=True):
        for pair in range(3):
            angle = distance * 10_000 ** (-2 * pair / across)
            place = head * width + first + 2 * pair
            turned = {attention.to_q: (1.0, 0.0), attention.to_k: _turn(-angle)}
            for layer, values in turned.items():
                layer.weight[place : place + 2] *= 0.1
                layer.bias[place : place + 2] = torch.tensor(values)
            for norm in (attention.norm_q, attention.norm_k):
                norm.weight[place : place + 2] = 3.0


def _turn(angle: float) -> tuple[float, float]:
    return math.cos(angle), math.sin(angle)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE of these texts: it can write any text, and is short on their words."""
    ensure_torchvision()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, 1)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, model_max_length=512
    )


def save(networks: Networks, folder: Path, dtype: torch.dtype) -> None:
    """Writes the networks in the published layout, weights as safetensors in ``dtype``."""
    for name in ("transformer", "vae", "text_encoder", "image_encoder"):
        nn.Module.to(deepcopy(getattr(networks, name)), dtype).save_pretrained(folder / name)
    networks.tokenizer.save_pretrained(folder / "tokenizer")
    networks.image_processor.save_pretrained(folder / "image_processor")
