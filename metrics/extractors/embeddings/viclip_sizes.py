"""The sizes of a ViCLIP: without torch, so that a profile can be listed without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tower:
    """The size of a transformer."""

    width: int
    layers: int
    heads: int


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of a ViCLIP; those of ViCLIP-L/14 (427,590,145 parameters) unless told."""

    vision: Tower = Tower(width=1024, layers=24, heads=16)
    text: Tower = Tower(width=768, layers=12, heads=12)
    output: int = 768
    image_px: int = 224
    patch_px: int = 14
    frames: int = 8
    tokens: int = 32
    vocabulary: int = 49_408
