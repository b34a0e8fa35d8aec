"""Records tests/golden/musiq.json with the public MUSIQ as VBench runs it; the tests share inputs.

In an environment of its own, from the root of the repository::

    pip install torch==2.13.0 torchvision==0.28.0 opencv-python scipy pyyaml decord tqdm
    pip install --no-deps pyiqa==0.1.16 vbench==0.1.5; pip install huggingface_hub requests
    python -m tests.golden.make_musiq
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from a2bench.networks.torchvision import ensure_torchvision
from tests.golden.make_viclip import layout, shapes_of

PATH = Path(__file__).with_name("musiq.json")
HOW = (
    "pyiqa 0.1.16 (pyiqa.archs.musiq_arch.MUSIQ) under vbench 0.1.5 "
    "(vbench.imaging_quality.technical_quality, mode longer, per-video result), torch 2.13.0 CPU "
    "float32, torchvision 0.28.0; weights and clips of tests/golden/make_musiq.py; load_video is "
    "replaced by the clip as it would return it. Tolerance 1e-4 relative."
)
CLIPS = ((1, 300, 620), (1, 640, 363), (1, 97, 131), (1, 224, 224), (2, 120, 200))
"""Frames, height, width: two are reduced; the others are smaller than a scale of the network."""


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but each key's name and shape, and keep what they are given.

    The head is strong, so that pictures differ.
    """
    weights = {}
    for key, shape in shapes.items():
        generator = torch.Generator().manual_seed(crc32(key.encode()))
        values = torch.randn(shape, generator=generator)
        if key.startswith("head"):
            values *= 2
        elif len(shape) > 1 and key.endswith("weight"):
            values *= (2 / np.prod(shape[1:])) ** 0.5
        elif key.endswith("weight"):
            values = 1 + 0.2 * values
        else:
            values *= 0.3
        weights[key] = values
    return weights


def clip(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """RGB frames (frames, height, width, 3): blocks of 16 px with noise, more of it downwards."""
    random = np.random.default_rng(shape)
    number, height, width = shape
    blocks = random.integers(0, 200, (number, height // 16 + 1, width // 16 + 1, 3))
    whole = blocks.repeat(16, 1).repeat(16, 2)[:, :height, :width]
    noise = random.integers(0, 56, whole.shape) * np.arange(height)[:, None, None] // height
    return (whole + noise).astype(np.uint8)


def bare(name: str) -> None:
    """A package that can be imported from, without all that it imports itself."""
    spec = find_spec(name)
    assert spec is not None, f"pip install --no-deps {name}"
    package = ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[name] = package


def as_loaded(clip: NDArray[np.uint8]) -> torch.Tensor:
    """What ``vbench.utils.load_video`` makes of a video: (frames, 3, height, width), floats."""
    return torch.from_numpy(clip).float().permute(0, 3, 1, 2)


def main() -> None:
    """Writes the golden file."""
    ensure_torchvision()
    bare("pyiqa")
    bare("vbench")
    network: Any = import_module("pyiqa.archs.musiq_arch").MUSIQ(pretrained=False)
    network.load_state_dict(random_weights(shapes_of(network)), strict=True)
    network.training = False  # as VBench does: only so does it cut the pictures itself
    quality: Any = import_module("vbench.imaging_quality")
    scores = []
    for shape in CLIPS:
        quality.load_video = lambda path, shape=shape: as_loaded(clip(shape))
        with torch.no_grad():
            _, videos = quality.technical_quality(network, ["clip"], torch.device("cpu"))
        scores.append(videos[0]["video_results"])
    golden = {"how": HOW, "layout": layout(shapes_of(network)), "scores": scores}
    PATH.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
