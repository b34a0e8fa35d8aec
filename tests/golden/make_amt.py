"""Records tests/golden/amt.json with the public AMT-S as VBench runs it; the tests share inputs.

In an environment of its own, from the root of the repository::

    pip install torch==2.13.0 torchvision==0.28.0 numpy opencv-python omegaconf tqdm decord imageio
    pip install --no-deps vbench==0.1.5
    python -m tests.golden.make_amt

AMT's code is CC BY-NC 4.0: it is run there, and no part of it is here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from a2bench.networks.torchvision import ensure_torchvision
from tests.golden.make_raft import public

PATH = Path(__file__).with_name("amt.json")
HOW = (
    "vbench 0.1.5 (vbench.motion_smoothness.MotionSmoothness with cfgs/AMT-S.yaml, on a folder of "
    "PNG files), torch 2.13.0 CPU float32; weights and clips of tests/golden/make_amt.py; of each "
    "pair the network's prediction before it is cropped, in 0 to 1, on a grid of every STEP-th "
    "pixel. Tolerance 1e-4 relative; a level where truncation to uint8 falls on the other side "
    "moves an error by 1 / (3 h w)."
)
CLIPS = ((5, 128, 160), (4, 119, 150), (3, 113, 131))
"""Frames, height, width: an odd and an even number, two that are padded, the smallest side."""
STEP = 13


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but each key's name and shape, with flows of some pixels."""
    weights = {}
    for key, shape in shapes.items():
        generator = torch.Generator().manual_seed(crc32(key.encode()))
        values = torch.randn(shape, generator=generator)
        if len(shape) == 4:
            up = key.endswith("convblock.2.weight")  # transposed: 4 of its 16 taps meet a pixel
            values *= (2 / (shape[0] * 4 if up else np.prod(shape[1:]))) ** 0.5
            if "_head.2" in key:
                values *= 0.1
        elif key.endswith("weight"):
            values = 0.25 + 0.1 * values  # the slope below 0
        else:
            values *= 0.1
        weights[key] = values
    weights["comb_block.2.weight"] *= 0.05
    weights["decoder1.convblock.2.weight"][:, 15:] *= 0.02  # what is added to each field's picture
    return weights


def frames(number: int, height: int, width: int) -> list[NDArray[np.uint8]]:
    """RGB pictures: blocks of 8 px with fine noise, of middle brightness, moved by (3, -2) each."""
    random = np.random.default_rng((number, height, width))
    size = (height // 8 + 4, width // 8 + 4, 3)
    blocks = random.integers(60, 160, size).repeat(8, 0).repeat(8, 1)
    picture = (blocks + random.integers(0, 40, blocks.shape)).astype(np.uint8)
    places = [(16 - 3 * index, 4 + 2 * index) for index in range(number)]
    return [picture[y : y + height, x : x + width] for x, y in places]


def summary(prediction: torch.Tensor) -> dict[str, Any]:
    """What is kept of a prediction (1, 3, h, w)."""
    picture = prediction[0].permute(1, 2, 0).double().numpy()
    return {
        "shape": list(picture.shape),
        "mean": picture.mean((0, 1)).tolist(),
        "deviation": picture.std((0, 1)).tolist(),
        "samples": np.round(picture[::STEP, ::STEP], 7).tolist(),
    }


def record(motion: Any, clip: list[NDArray[np.uint8]]) -> dict[str, Any]:
    """VBench's value of a clip, the errors that it averages, and the predictions."""
    predictions: list[torch.Tensor] = []
    errors: list[float] = []
    difference = type(motion).get_diff

    def remembered(first: Any, second: Any) -> Any:
        errors.append(float(difference(motion, first, second)))
        return errors[-1]

    motion.get_diff = remembered
    hook = motion.model.register_forward_hook(lambda *a: predictions.append(a[2]["imgt_pred"]))
    with TemporaryDirectory() as folder:
        for index, frame in enumerate(clip):
            cv2.imwrite(f"{folder}/{index:03d}.png", frame[..., ::-1])
        value = float(motion.motion_score(folder))
    hook.remove()
    return {"value": value, "errors": errors, "predictions": [summary(p) for p in predictions]}


def main() -> None:
    """Writes the golden file."""
    ensure_torchvision()
    public("amt.utils.utils")
    module = import_module("vbench.motion_smoothness")
    config = Path(str(module.__file__)).parent / "third_party/amt/cfgs/AMT-S.yaml"
    network = public("amt.networks.AMT-S").Model(corr_radius=3, corr_lvls=4, num_flows=3)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    weights = random_weights(shapes)
    with TemporaryDirectory() as folder:
        torch.save({"state_dict": weights}, f"{folder}/amt-s.pth")
        motion = module.MotionSmoothness(str(config), f"{folder}/amt-s.pth", torch.device("cpu"))
    golden = {
        "how": HOW,
        "parameters": sum(value.numel() for value in network.parameters()),
        "layout": shapes,
        "clips": [record(motion, frames(*clip)) for clip in CLIPS],
    }
    PATH.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
