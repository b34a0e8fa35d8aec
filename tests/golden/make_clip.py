"""Records tests/golden/clip.json with OpenAI's CLIP and VBench's use of it; the tests share inputs.

In an environment of its own, from the root of the repository::

    pip install torch==2.13.0 torchvision==0.28.0 "setuptools<81" ftfy regex decord tqdm pillow
    pip install --no-build-isolation --no-deps openai-clip==1.0.1
    pip install --no-deps vbench==0.1.5
    python -m tests.golden.make_clip
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

from a2bench.networks.torchvision import ensure_torchvision
from tests.golden.make_musiq import as_loaded, bare, clip
from tests.golden.make_viclip import PROMPTS, layout, shapes_of

PATH = Path(__file__).with_name("clip.json")
HOW = (
    "openai-clip 1.0.1 (clip.model.build_model, in float32 as clip.load on a CPU) and vbench 0.1.5 "
    "(vbench.aesthetic_quality.get_aesthetic_model, laion_aesthetic), torch 2.13.0 CPU float32, "
    "torchvision 0.28.0; weights of tests/golden/make_clip.py, clips of make_musiq.py, load_video "
    "replaced by the clip as it would return it; embeddings of length 1, the first SHOWN numbers; "
    "layouts: the full networks' keys and shapes. Tolerance 1e-4 relative."
)
OUTPUT, WIDTH, LAYERS, PATCH_PX = 768, 64, 2, 32
CLIPS = ((3, 270, 481), (1, 640, 363), (2, 97, 131))
TEXTS = (*PROMPTS, "long " * 100, "caf\u00e9 &amp; \u732b")
SHOWN = 16
FULL = {  # patch; vision width, layers; text width; output
    "ViT-L-14": (14, 1024, 24, 768, 768),
    "ViT-B-32": (32, 768, 12, 512, 512),
}


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but each key's name and shape, in half precision."""
    weights = {}
    for key, shape in shapes.items():
        generator = torch.Generator().manual_seed(crc32(key.encode()))
        gain = float("ln_" in key and key.endswith("weight"))
        weights[key] = (torch.randn(shape, generator=generator) * 0.2 + gain).half()
    return weights


def head_weights() -> dict[str, torch.Tensor]:
    """A predictor in the format of LAION's ``sa_0_4_vit_l_14_linear.pth``."""
    drawn = random_weights({"weight": (1, OUTPUT), "bias": (1,)})
    return {"weight": 40 * drawn["weight"].float(), "bias": 5 + drawn["bias"].float()}


def public(output: int, layers: int, width: int, patch: int, text: int) -> Any:
    """OpenAI's network; the text tower has 12 layers where the image's has more than 2."""
    network: Any = import_module("clip.model").CLIP
    heads = text // 64
    return network(output, 224, layers, width, patch, 77, 49408, text, heads, min(layers, 12))


def full_layout(variant: str) -> dict[str, Any]:
    patch, width, layers, text, output = FULL[variant]
    with torch.device("meta"):
        return layout(shapes_of(public(output, layers, width, patch, text)))


def main() -> None:
    """Writes the golden file."""
    ensure_torchvision()
    bare("vbench")
    openai: Any = import_module("clip")
    aesthetic: Any = import_module("vbench.aesthetic_quality")
    shapes = shapes_of(public(OUTPUT, LAYERS, WIDTH, PATCH_PX, WIDTH))
    transform = aesthetic.clip_transform(224)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        torch.save(head_weights(), Path(folder) / "sa_0_4_vit_l_14_linear.pth")
        network = import_module("clip.model").build_model(random_weights(shapes)).float()
        head = aesthetic.get_aesthetic_model(folder)
        scores, images = [], []
        for shape in CLIPS:
            aesthetic.load_video = lambda path, shape=shape: as_loaded(clip(shape))
            _, videos = aesthetic.laion_aesthetic(head, network, ["clip"], torch.device("cpu"))
            scores.append(videos[0]["video_results"])
            images.append(network.encode_image(transform(as_loaded(clip(shape)))))
        ids = openai.tokenize(list(TEXTS), truncate=True)
        texts = network.encode_text(ids)
    golden = {
        "how": HOW,
        "shapes": {name: list(shape) for name, shape in sorted(shapes.items())},
        "layouts": {variant: full_layout(variant) for variant in FULL},
        "images": [_shown(embeddings) for embeddings in images],
        "texts": _shown(texts),
        "scores": scores,
    }
    PATH.write_text(json.dumps(golden, ensure_ascii=True) + "\n", encoding="utf-8")


def _shown(embeddings: torch.Tensor) -> list[list[float]]:
    units = torch.nn.functional.normalize(embeddings, dim=-1)
    shown: list[list[float]] = units[:, :SHOWN].tolist()
    return shown


if __name__ == "__main__":
    main()
