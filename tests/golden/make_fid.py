"""Records tests/golden/fid.json with pytorch-fid; the tests share its inputs.

In the environment of make_clip.py, from the root of the repository::

    pip install --no-deps pytorch-fid==0.3.0; pip install scipy
    python -m tests.golden.make_fid
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from a2bench.networks.torchvision import ensure_torchvision
from tests.golden.make_viclip import layout, shapes_of

PATH = Path(__file__).with_name("fid.json")
HOW = (
    "pytorch-fid 0.3.0 (pytorch_fid.inception.fid_inception_v3, InceptionV3 without resizing; "
    "pytorch_fid.fid_score.calculate_frechet_distance), torch 2.13.0 CPU float32, torchvision "
    "0.28.0; weights, pictures and sets of tests/golden/make_fid.py, load_state_dict_from_url "
    "replaced by the weights; features: the first SHOWN of each picture. Tolerance 1e-4 relative."
)
SHOWN = 16
SETS = ((300, 200, 16), (40, 4000, 8), (64, 64, 4))
"""Rows of the one, rows of the other, features."""


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but each key's name and shape, and keep what they are given"""
    weights = {}
    for key, shape in shapes.items():
        generator = torch.Generator().manual_seed(crc32(key.encode()))
        values = torch.randn(shape, generator=generator)
        if key.endswith("num_batches_tracked"):
            values = torch.zeros((), dtype=torch.long)
        elif key.endswith(("running_var", "bn.weight")):
            values = 1 + 0.2 * values.abs()
        elif len(shape) > 1:
            values *= (2 / np.prod(shape[1:])) ** 0.5
        else:
            values *= 0.2
        weights[key] = values
    return weights


def pictures() -> NDArray[np.uint8]:
    """Two pictures of 299x299, coloured blocks."""
    random = np.random.default_rng(0)
    where = np.arange(299) * 9 // 299
    blocks = random.integers(0, 256, (2, 9, 9, 3))
    whole: NDArray[np.uint8] = blocks[:, where][:, :, where].astype(np.uint8)
    return whole


def features(shape: tuple[int, int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two sets of features that are correlated, each in its own way."""
    random = np.random.default_rng(shape)
    rows, others, width = shape
    one = random.normal(size=(rows, width)) @ random.normal(size=(width, width))
    other = random.normal(size=(others, width)) @ random.normal(size=(width, width))
    return one + 1, other


def main() -> None:
    """Writes the golden file."""
    ensure_torchvision()
    module: Any = import_module("pytorch_fid.inception")
    score: Any = import_module("pytorch_fid.fid_score")
    with torch.device("meta"):
        bare = import_module("torchvision.models.inception").Inception3(
            num_classes=1008, aux_logits=False, init_weights=False
        )
    shapes = shapes_of(bare)
    module.load_state_dict_from_url = lambda url, progress: random_weights(shapes)
    network = module.InceptionV3(resize_input=False).eval()
    with torch.no_grad():
        images = torch.from_numpy(pictures()).permute(0, 3, 1, 2).float() / 255
        found = network(images)[0][:, :, 0, 0]
    distances = []
    for shape in SETS:
        moments = [(f.mean(axis=0), np.cov(f, rowvar=False)) for f in features(shape)]
        distances.append(float(score.calculate_frechet_distance(*moments[0], *moments[1])))
    whole = layout(shapes_of(module.fid_inception_v3()))
    golden = {
        "how": HOW,
        "layout": {"parameters": whole["parameters"], "sha256": whole["sha256"]},
        "features": found[:, :SHOWN].tolist(),
        "distances": distances,
    }
    PATH.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
