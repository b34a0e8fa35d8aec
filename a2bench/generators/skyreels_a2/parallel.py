"""One video by several processes, each with all the weights on a GPU of its own.

Guidance first: of an even number of processes, one half answers the text and one the negative text.
Within a half the sequence is shared out (Ulysses, Jacobs et al. 2023): each process holds a part of
the tokens through all layers, but in self-attention, for which they exchange tokens against heads.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import product
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.nn.functional import scaled_dot_product_attention

from a2bench.errors import UsageError
from a2bench.generators.wan.sampling import Guide, Predict, decode_whole

Group = Any
Work = Callable[..., object]
PATIENCE = timedelta(days=7)


def check(processes: int, *, heads: int, tokens: int) -> None:
    """Raises ``UsageError`` when attention heads or a video's tokens cannot be shared out."""
    parts = processes // _halves(processes)
    for count, what in ((heads, "attention heads"), (tokens, "tokens of this size and length")):
        if count % parts:
            raise UsageError(
                f"processes={processes}: {count:,} {what} cannot be shared out to {parts}"
            )


def share(transformer: Any, processes: int, device: torch.device, guide: Guide) -> Guide:
    """Gives each process its part of the transformer's work; returns their way of guidance.

    An odd number of processes leaves guidance as it is.
    """
    halves = _halves(processes)
    names = ("guidance", "sequence")
    mesh = init_device_mesh(device.type, (halves, processes // halves), mesh_dim_names=names)
    if processes > halves:
        share_sequence(transformer, mesh.get_group("sequence"))
    return shared_guidance(mesh.get_group("guidance")) if halves == 2 else guide


def _halves(processes: int) -> int:
    return 1 if processes % 2 else 2


def shared_guidance(group: Group) -> Guide:
    """Guidance of which each of two processes computes one answer."""

    def guide(predict: Predict, text: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        mine = predict(negative if dist.get_rank(group) else text).contiguous()
        told, against = torch.empty_like(mine), torch.empty_like(mine)
        dist.all_gather([told, against], mine, group=group)
        return told, against

    return guide


def share_sequence(transformer: Any, group: Group) -> None:
    """Has each process of a group compute an equal part of the tokens."""
    count, rank = dist.get_world_size(group), dist.get_rank(group)

    def part(tokens: Tensor) -> Tensor:
        return tokens.chunk(count, dim=1)[rank]

    def whole(_module: Any, _inputs: Any, tokens: Tensor) -> Tensor:
        parts = [torch.empty_like(tokens) for _ in range(count)]
        dist.all_gather(parts, tokens.contiguous(), group=group)
        return torch.cat(parts, dim=1)

    transformer.rope.register_forward_hook(lambda _m, _i, turns: tuple(map(part, turns)))
    transformer.blocks[0].register_forward_pre_hook(lambda _m, given: (part(given[0]), *given[1:]))
    transformer.proj_out.register_forward_hook(whole)
    for block in transformer.blocks:
        block.attn1.set_processor(SharedAttention(group))


class SharedAttention:
    """Self-attention of Wan for a part of the tokens: all tokens of a part of the heads."""

    def __init__(self, group: Group) -> None:
        self.group = group

    def __call__(
        self, attn: Any, tokens: Tensor, _others: None, _mask: None, turns: tuple[Tensor, Tensor]
    ) -> Tensor:
        """``tokens`` (B, N / processes, C) to the same shape; ``turns`` are theirs."""
        query, key, value = (project(tokens) for project in (attn.to_q, attn.to_k, attn.to_v))
        query, key, value = (
            states.unflatten(2, (attn.heads, -1))
            for states in (attn.norm_q(query), attn.norm_k(key), value)
        )
        query, key = turned(query, *turns), turned(key, *turns)
        query, key, value = (self._all_tokens(s).transpose(1, 2) for s in (query, key, value))
        found = scaled_dot_product_attention(query, key, value).transpose(1, 2)
        mixed = self._all_heads(found).flatten(2).type_as(tokens)
        for layer in attn.to_out:
            mixed = layer(mixed)
        return mixed

    def _all_tokens(self, states: Tensor) -> Tensor:
        """(B, N / p, H, D) to (B, N, H / p, D)."""
        parts = torch.stack(states.chunk(dist.get_world_size(self.group), dim=2))
        return self._exchanged(parts).permute(1, 0, 2, 3, 4).flatten(1, 2)

    def _all_heads(self, states: Tensor) -> Tensor:
        """(B, N, H / p, D) to (B, N / p, H, D)."""
        parts = torch.stack(states.chunk(dist.get_world_size(self.group), dim=1))
        return self._exchanged(parts).permute(1, 2, 0, 3, 4).flatten(2, 3)

    def _exchanged(self, parts: Tensor) -> Tensor:
        """The part that each process had for this one, in their order."""
        received = torch.empty_like(parts)
        dist.all_to_all_single(received, parts, group=self.group)
        return received


def turned(states: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary embedding of (B, N, H, D): neighbours turn in pairs, by an angle given for each."""
    even, odd = states[..., 0::2], states[..., 1::2]
    cos, sin = cosines[..., 0::2], sines[..., 1::2]
    pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return pairs.flatten(-2).type_as(states)


def decode_tiles(vae: Any, latents: Tensor) -> Tensor:
    """As ``vae.decode`` in square tiles, of which each process decodes every n-th; all get all."""
    cut = vae.tile_sample_min_height // vae.spatial_compression_ratio
    if max(latents.shape[-2:]) <= cut:
        return decode_whole(vae, latents)
    if hook := getattr(vae, "_hf_hook", None):
        hook.pre_forward(vae)  # brings it to the device, as its own ``decode`` does
    count, rank = dist.get_world_size(), dist.get_rank()
    ratio = vae.spatial_compression_ratio
    side, stride = vae.tile_sample_min_height, vae.tile_sample_stride_height
    step = stride // ratio
    height, width = latents.shape[-2:]
    tiles = {}
    for number, (top, left) in enumerate(product(range(0, height, step), range(0, width, step))):
        part = latents[..., top : top + cut, left : left + cut]
        owner = number % count
        if owner == rank:
            tile = _decode(vae, part)
        else:
            frames = 4 * (part.shape[2] - 1) + 1
            tile = part.new_empty(1, 3, frames, ratio * part.shape[3], ratio * part.shape[4])
        dist.broadcast(tile, src=owner)
        tiles[top, left] = tile
    for top, left in tiles:
        if top:
            vae.blend_v(tiles[top - step, left], tiles[top, left], side - stride)
        if left:
            vae.blend_h(tiles[top, left - step], tiles[top, left], side - stride)
    rows = [
        torch.cat([tiles[top, left][..., :stride, :stride] for left in range(0, width, step)], -1)
        for top in range(0, height, step)
    ]
    video = torch.cat(rows, dim=-2)[..., : ratio * height, : ratio * width]
    return video.clamp(-1, 1)


def _decode(vae: Any, latents: Tensor) -> Tensor:
    """A tile before it is clamped: the frames one after the other, each on what the last left."""
    vae.clear_cache()
    frames = []
    for index in range(latents.shape[2]):
        vae._conv_idx = [0]
        states = vae.post_quant_conv(latents[:, :, index : index + 1])
        first = {"first_chunk": True} if index == 0 else {}
        frames.append(
            vae.decoder(states, feat_cache=vae._feat_map, feat_idx=vae._conv_idx, **first)
        )
    vae.clear_cache()
    return torch.cat(frames, dim=2).contiguous()


class Crew:
    """The other processes: each does with every task what this one is about to do with it.

    They end when this is let go, or with this process. What one of them fails at, the others wait
    for as long as torch's groups do.
    """

    def __init__(self, work: Work, *, processes: int, device: torch.device) -> None:
        """``work`` must be picklable."""
        self._folder = tempfile.TemporaryDirectory()
        meeting = Path(self._folder.name) / "meeting"
        everything = ((rank, processes, device, meeting, work) for rank in range(1, processes))
        context = get_context("spawn")
        self._others = [context.Process(target=_follow, args=a, daemon=True) for a in everything]
        for other in self._others:
            other.start()
        self._orders = _join(0, processes, device, meeting)
        self._end = weakref.finalize(self, _dismiss, self._others, self._orders, self._folder)

    def tell(self, *task: object) -> None:
        """Sets the others to work on a task."""
        _broadcast(task, self._orders)

    def kill(self) -> None:
        """Ends the others, whatever they are at."""
        for other in self._others:
            other.kill()
        for other in self._others:
            other.join()
        self._end.detach()
        dist.destroy_process_group()
        self._folder.cleanup()


def _dismiss(
    others: Sequence[BaseProcess], orders: Group, folder: tempfile.TemporaryDirectory[str]
) -> None:
    if all(other.is_alive() for other in others):
        _broadcast(None, orders)
    for other in others:
        other.join()
    dist.destroy_process_group()
    folder.cleanup()


def _broadcast(task: object, orders: Group) -> Any:
    told = [task]
    dist.broadcast_object_list(told, src=0, group=orders)
    return told[0]


def _join(rank: int, processes: int, device: torch.device, meeting: Path) -> Group:
    """Meets the others; returns the group in which to wait for orders, for days if it must be."""
    if device.type == "cuda":
        torch.cuda.set_device(rank)
    dist.init_process_group(
        "gloo" if device.type == "cpu" else f"cpu:gloo,{device.type}:nccl",
        init_method=meeting.absolute().as_uri(),
        rank=rank,
        world_size=processes,
    )
    return dist.new_group(backend="gloo", timeout=PATIENCE)


def _follow(rank: int, processes: int, device: torch.device, meeting: Path, work: Work) -> None:
    orders = _join(rank, processes, device, meeting)
    while (task := _broadcast(None, orders)) is not None:
        work(*task)
    dist.destroy_process_group()
