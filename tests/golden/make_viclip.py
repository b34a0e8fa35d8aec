"""Records tests/golden/viclip.json with the public ViCLIP; the tests share its inputs.

In an environment of its own, from the root of the repository::

    pip install torch==2.13.0 torchvision==0.28.0 ftfy regex timm==1.0.31 einops decord
    pip install --no-deps vbench==0.1.5 open_clip_torch==3.3.0 "setuptools<81"
    mkdir -p CACHE/ViCLIP; cp .../open_clip/bpe_simple_vocab_16e6.txt.gz CACHE/ViCLIP
    VBENCH_CACHE_DIR=CACHE python -m tests.golden.make_viclip

torchvision's wheel from PyPI wants CUDA: beside a CPU torch, declare ``torchvision::nms`` and
``torchvision::qnms`` with ``torch.library`` before its import.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

PATH = Path(__file__).with_name("viclip.json")
HOW = (
    "vbench 0.1.5 (vbench.third_party.ViCLIP, vbench.utils.clip_transform), torch 2.13.0 CPU "
    "float32, torchvision 0.28.0; weights, clips and prompts of tests/golden/make_viclip.py; "
    "embeddings of length 1; ids by its SimpleTokenizer with ftfy and regex, without marks. "
    "Tolerance of texts 1e-4, of videos and cosines 5e-4 (rounded pixels differ by processor)."
)
WIDTHS = {"vision": 64, "text": 32, "output": 24}
LAYERS, HEADS = 2, 2
CLIPS = ((8, 270, 481), (8, 64, 48))  # frames, height, width: one is reduced, one enlarged
PROMPTS = (
    "A woman in a red coat walks her dog.",
    "A man and a woman sit on a bench in a park, a small dog runs around them and a "
    "red kite flies in the blue sky above.",
    "In a sunlit kitchen a young chef with a white hat slices ripe tomatoes beside a "
    "copper pot, steam rises, a cat watches from the window sill, and the camera slowly "
    "moves from the left to the right while the light turns golden.",
)
TEXTS = (
    *PROMPTS,
    "",
    "   spaces\tand\r\nlines  ",
    "don't we'll they've I'm she'd it's you're 'tis rock'n'roll",
    "DON'T SHOUT!!! It'S LOUD",
    "woman\u2019s \u201cquoted\u201d words \u2018here\u2019",
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9",
    "cafe\u0301 decomposed",
    "&lt;b&gt;bold&lt;/b&gt; &amp; more",
    "&amp;amp; twice",
    "Tom &amp; Jerry < cat",
    "she&rsquo;s here",
    "she&rsquo;s <here>",
    "\u732b\u304c\u8d70\u308b\u3002",
    "\u043a\u043e\u0448\u043a\u0430 \u0438\u0434\u0451\u0442",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u092a\u093e\u0920",
    "\u0645\u0631\u062d\u0628\u0627",
    "emoji \U0001f600\U0001f469\u200d\U0001f680 end",
    "12345 2.5D 4k 1,000",
    "x\u00b2 \u00bd \u2163 \u4e09",
    "\ufb01lm \ufb02ower",
    "\uff21\uff22\uff23 \uff11\uff12\uff01",
    "snake_case __init__ a_b",
    "e-mail: a.b@c.org, http://x.y/z?q=1#f",
    "ends with ... dots\u2026 and dash \u2014 here",
    "(((nested))) [brackets] {braces}",
    "\u017f '\u017f long s",
    "stra\u00dfe \u0130stanbul",
    "zero\u200bwidth\ufeffmark",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "$5 50% #1 a+b=c ~ ^ ` |",
    "\u0000control\u0007 bell",
)


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but each key's name and shape."""
    weights = {}
    for name, shape in shapes.items():
        generator = torch.Generator().manual_seed(crc32(name.encode()))
        gain = float(".ln_" in name and name.endswith("weight"))
        weights[name] = torch.randn(shape, generator=generator) * 0.2 + gain
    return weights


def clip(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Frames of noise: RGB (frames, height, width, 3)."""
    return np.random.default_rng(shape).integers(0, 256, (*shape, 3), dtype=np.uint8)


def layout(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """All keys and shapes in short: the layers' as one, with their number, and a sha256 of all."""
    short: dict[str, list[Any]] = {}
    for name, shape in sorted(shapes.items()):
        short.setdefault(re.sub(r"\.\d+\.", ".*.", name), [0, list(shape)])[0] += 1
    lines = "\n".join(f"{name} {list(shape)}" for name, shape in sorted(shapes.items()))
    parameters = sum(int(np.prod(shape)) for shape in shapes.values())
    sha256 = hashlib.sha256(lines.encode()).hexdigest()
    return {"keys": short, "parameters": parameters, "sha256": sha256}


def shapes_of(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def _small_public() -> Any:
    """The public network with small towers; its constructor only knows the full size."""
    public = import_module("vbench.third_party.ViCLIP.viclip")
    vision = import_module("vbench.third_party.ViCLIP.viclip_vision").VisionTransformer
    text = import_module("vbench.third_party.ViCLIP.viclip_text").CLIP_TEXT
    network = public.ViCLIP.__new__(public.ViCLIP)
    torch.nn.Module.__init__(network)
    network.max_txt_l = 32
    network.vision_encoder = vision(
        224, 14, WIDTHS["vision"], LAYERS, HEADS, output_dim=WIDTHS["output"]
    )
    network.text_encoder = text(WIDTHS["output"], 32, 49408, WIDTHS["text"], HEADS, LAYERS, 0)
    network.temp = torch.nn.Parameter(torch.ones([]))
    network.load_state_dict(random_weights(shapes_of(network)))
    return network.eval()


def main() -> None:
    """Writes the golden file."""
    public = import_module("vbench.third_party.ViCLIP.viclip")
    transform = import_module("vbench.utils").clip_transform(224)
    network = _small_public()
    texts = [network.get_text_features(prompt, None, {})[0] for prompt in PROMPTS]
    videos = [
        network.get_vid_features(transform(torch.from_numpy(clip(s)).permute(0, 3, 1, 2))[None])[0]
        for s in CLIPS
    ]
    tokenizer = network.text_encoder._tokenizer
    ids = [tokenizer.encode(text) for text in TEXTS]
    full = public.ViCLIP(tokenizer=tokenizer, pretrain=None)
    golden = {
        "how": HOW,
        "layout": layout(shapes_of(full)),
        "texts": [embedding.tolist() for embedding in texts],
        "videos": [embedding.tolist() for embedding in videos],
        "cosines": [[float(v @ t) for t in texts] for v in videos],
        "ids": ids,
    }
    PATH.write_text(json.dumps(golden, ensure_ascii=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
