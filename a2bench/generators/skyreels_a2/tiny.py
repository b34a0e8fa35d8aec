"""The small SkyReels-A2 that this repository trained: weights in ``tiny``, made by ``train``."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import ClassVar

from a2bench.generators.skyreels_a2.generator import SkyReelsA2


def _shipped() -> str:
    return str(files("a2bench.generators.skyreels_a2") / "tiny")


@dataclass(kw_only=True)
class SkyReelsA2Tiny(SkyReelsA2):
    """The published architecture, small, and trained on composed clips: on two cores, in seconds.

    It shows that a pipeline works. ``tiny/README.md`` is its model card: data, steps, curves, and
    what it cannot do. It learnt without leading frames that show the references, so none are left
    out, and without a negative prompt, so it is not guided away from one.
    """

    name: ClassVar[str] = "skyreels-a2-tiny"
    revision: ClassVar[str] = "1"
    licence: ClassVar[str] = "Apache-2.0"
    source: ClassVar[str] = "a2bench"

    weights: str = field(default_factory=_shipped)
    device: str = "cpu"
    dtype: str = "float32"
    width: int = 224
    height: int = 128
    frames: int = 33
    steps: int = 10
    guidance: float = 1.0
    flow_shift: float = 3.0
    keep_references: bool = True
    margin: float = 1 / 3
