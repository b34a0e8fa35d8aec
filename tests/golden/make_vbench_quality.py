"""Records tests/golden/vbench_quality.json with VBench and DINO; the tests share its inputs.

In the environment of make_clip.py, from the root of the repository, with clones of
facebookresearch/dino (7c446df) and Vchitect/VBench::

    PYTHONPATH=dino:VBench/scripts python -m tests.golden.make_vbench_quality
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from a2bench.networks.torchvision import ensure_torchvision
from tests.golden import make_clip
from tests.golden.make_musiq import as_loaded, bare
from tests.golden.make_viclip import layout, shapes_of

PATH = Path(__file__).with_name("vbench_quality.json")
HOW = (
    "vbench 0.1.5 (subject_consistency, background_consistency, temporal_flickering; per-video "
    "results), facebookresearch/dino 7c446df (vision_transformer.VisionTransformer) and "
    "openai-clip 1.0.1 as their networks, scripts/constant.py and cal_final_score.py of VBench's "
    "repository (totals), torch 2.13.0 CPU float32, torchvision 0.28.0; weights and clips of "
    "tests/golden/make_vbench_quality.py and make_clip.py, load_video and get_frames replaced by "
    "the clip as they would return it; embeddings: DINO's of each clip's frames, of length 1, the "
    "first SHOWN numbers; layout: vit_base(patch_size=16). Tolerance 1e-4 relative."
)
WIDTH, LAYERS, HEADS, SHOWN = 64, 2, 2, 16
CLIPS = ((4, 270, 481), (3, 640, 363), (2, 97, 131), (3, 224, 224))
"""Frames, height, width: reduced, upright, enlarged, and as DINO learnt it."""
DIMENSIONS = {  # VBench's names by ours
    "vbench_subject_consistency": "subject consistency",
    "vbench_background_consistency": "background consistency",
    "vbench_temporal_flickering": "temporal flickering",
    "motion_smoothness": "motion smoothness",
    "dynamic_degree": "dynamic degree",
    "aesthetic_quality": "aesthetic quality",
    "image_quality": "imaging quality",
}
VALUES = (
    (0.9432, 0.9611, 0.9874, 0.9902, 1.0, 0.6021, 0.6733),
    (0.8123, 0.9012, 0.9345, 0.8871, 0.0, 0.4567, 0.5432),
    (0.1, 0.2, 0.3, 0.4, 1.0, 0.0, 1.0),
)
"""Made-up values of a video, in the order of ``DIMENSIONS``; some lie under VBench's least."""


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but each key's name and shape."""
    weights = {}
    for key, shape in shapes.items():
        generator = torch.Generator().manual_seed(crc32(key.encode()))
        gain = float("norm" in key and key.endswith("weight"))
        weights[key] = torch.randn(shape, generator=generator) * 0.2 + gain
    return weights


def clip(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """RGB frames (frames, height, width, 3): coloured blocks, of which each frame changes some."""
    random = np.random.default_rng(shape)
    number, height, width = shape
    blocks = random.integers(0, 256, (1, 6, 6, 3)).repeat(number, 0)
    for frame in range(1, number):
        blocks[frame:, random.random((6, 6)) < 0.3] = random.integers(0, 256, 3)
    rows, columns = (np.arange(side) * 6 // side for side in (height, width))
    whole: NDArray[np.uint8] = blocks[:, rows][:, :, columns].astype(np.uint8)
    return whole


def dino() -> Any:
    """DINO's own network with our weights."""
    module: Any = import_module("vision_transformer")
    norm = partial(torch.nn.LayerNorm, eps=1e-6)
    network = module.VisionTransformer(
        patch_size=16, embed_dim=WIDTH, depth=LAYERS, num_heads=HEADS, qkv_bias=True,
        norm_layer=norm,
    )  # fmt: skip
    network.load_state_dict(random_weights(shapes_of(network)), strict=True)
    return network.eval()


def openai_clip() -> Any:
    """OpenAI's CLIP with the weights of make_clip.py."""
    sizes = (make_clip.OUTPUT, make_clip.LAYERS, make_clip.WIDTH, make_clip.PATCH_PX)
    shapes = shapes_of(make_clip.public(*sizes, make_clip.WIDTH))
    weights = make_clip.random_weights(shapes)
    return import_module("clip.model").build_model(weights).float()


def main() -> None:
    """Writes the golden file."""
    ensure_torchvision()
    bare("vbench")
    parts: Any = {
        name: import_module(f"vbench.{name}")
        for name in ("subject_consistency", "background_consistency", "temporal_flickering")
    }
    totals: Any = import_module("cal_final_score")
    device, network, other = torch.device("cpu"), dino(), openai_clip()
    transform = parts["subject_consistency"].dino_transform(224)
    found: dict[str, list[Any]] = {"embeddings": [], **{name: [] for name in parts}}
    with torch.no_grad():
        for frames in map(clip, CLIPS):
            loaded = as_loaded(frames)
            for part in parts.values():
                part.load_video = lambda path, loaded=loaded: loaded
                part.get_frames = lambda path, frames=frames: list(frames[..., ::-1])
            for name, arguments in (
                ("subject_consistency", (network, ["clip"], device, False)),
                ("background_consistency", (other, None, ["clip"], device, False)),
                ("temporal_flickering", (["clip"],)),
            ):
                _, videos = getattr(parts[name], name)(*arguments)
                found[name].append(videos[0]["video_results"])
            units = torch.nn.functional.normalize(network(transform(loaded)), dim=-1)
            found["embeddings"].append(units[:, :SHOWN].tolist())
    golden = {
        "how": HOW,
        "shapes": {name: list(shape) for name, shape in sorted(shapes_of(network).items())},
        "layout": layout(shapes_of(import_module("vision_transformer").vit_base(patch_size=16))),
        **found,
        "totals": [_total(totals, values) for values in VALUES],
    }
    PATH.write_text(json.dumps(golden) + "\n", encoding="utf-8")


def _total(module: Any, values: tuple[float, ...]) -> float:
    told = dict.fromkeys(module.TASK_INFO, 0.0)
    told.update(zip(DIMENSIONS.values(), values, strict=True))
    return float(module.get_quality_score(module.get_nomalized_score(told)))


if __name__ == "__main__":
    main()
