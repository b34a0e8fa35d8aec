"""Records tests/golden/raft.json with the public RAFT; the tests share its inputs.

In an environment of its own, from the root of the repository::

    pip install torch==2.13.0 numpy scipy easydict
    pip install --no-deps vbench==0.1.5
    python -m tests.golden.make_raft
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

PATH = Path(__file__).with_name("raft.json")
HOW = (
    "vbench 0.1.5 (vbench.third_party.RAFT, InputPadder, test_mode), torch 2.13.0 CPU float32; "
    "weights and frames of tests/golden/make_raft.py; flow (x, y) on a grid of every STEP-th "
    "pixel, cropped to the frame. Tolerance 1e-4 of the largest magnitude."
)
SIZES = ((128, 160), (131, 170))  # height, width: the second is padded
ITERATIONS = 6
STEP = 13


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but each key's name and shape."""
    weights = {}
    for key, shape in shapes.items():
        name = key.replace("downsample.1", "norm3")  # one tensor, two keys
        generator = torch.Generator().manual_seed(crc32(name.encode()))
        values = torch.randn(shape, generator=generator)
        if len(shape) == 4:
            values *= (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        elif "norm" in name and not name.endswith("bias"):
            values = 1 + 0.2 * values.abs() if shape else torch.tensor(0)
        else:
            values *= 0.1
        weights[key] = values
    return weights


def frames(height: int, width: int) -> list[NDArray[np.uint8]]:
    """Two RGB pictures: random blocks of 8 px with fine noise, the second moved by (5, -3)."""
    random = np.random.default_rng((height, width))
    blocks = random.integers(0, 200, (height // 8 + 4, width // 8 + 4, 3)).repeat(8, 0).repeat(8, 1)
    picture = (blocks + random.integers(0, 56, blocks.shape)).astype(np.uint8)
    return [picture[y : y + height, x : x + width] for x, y in ((10, 10), (5, 13))]


def summary(flow: NDArray[np.float32]) -> dict[str, Any]:
    """What is kept of a flow (h, w, 2)."""
    return {
        "shape": list(flow.shape),
        "mean": flow.mean((0, 1), dtype=np.float64).tolist(),
        "deviation": flow.std((0, 1), dtype=np.float64).tolist(),
        "largest": float(np.linalg.norm(flow, axis=2).max()),
        "samples": np.round(flow[::STEP, ::STEP].astype(np.float64), 5).tolist(),
    }


def public(name: str) -> ModuleType:
    """A module of vbench, without all that the package itself imports."""
    if "vbench" not in sys.modules:
        spec = find_spec("vbench")
        assert spec is not None, "pip install --no-deps vbench==0.1.5"
        package = ModuleType("vbench")
        package.__path__ = list(spec.submodule_search_locations or ())
        sys.modules["vbench"] = package
    return import_module(f"vbench.third_party.{name}")


def main() -> None:
    """Writes the golden file."""
    options = import_module("easydict").EasyDict(small=False, mixed_precision=False)
    network = public("RAFT.core.raft").RAFT(options)
    padder = public("RAFT.core.utils_core.utils").InputPadder
    shapes = {f"module.{name}": tuple(v.shape) for name, v in network.state_dict().items()}
    weights = random_weights(shapes)
    network.load_state_dict({name.removeprefix("module."): v for name, v in weights.items()})
    network.eval()
    flows = []
    for size in SIZES:
        pair = [torch.from_numpy(f.copy()).permute(2, 0, 1)[None].float() for f in frames(*size)]
        pad = padder(pair[0].shape)
        with torch.no_grad():
            flow = network(*pad.pad(*pair), iters=ITERATIONS, test_mode=True)[1]
        flows.append(summary(pad.unpad(flow)[0].permute(1, 2, 0).numpy()))
    golden = {
        "how": HOW,
        "parameters": sum(value.numel() for value in network.parameters()),
        "layout": {name: list(shape) for name, shape in sorted(shapes.items())},
        "flows": flows,
    }
    PATH.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
