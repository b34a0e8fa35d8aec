"""Small networks in the published layouts, as checkpoints; and a file that is none.

The weights are those with which the values in tests/golden/ were made.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import save_file

from a2bench.metrics.extractors.embeddings.dino import DinoSizes
from a2bench.metrics.extractors.embeddings.viclip import ViClipNetwork
from a2bench.metrics.extractors.embeddings.viclip_sizes import Sizes, Tower
from a2bench.metrics.extractors.scenes.published_keys import (
    GROUNDING_DINO,
    GROUNDING_DINO_UNUSED,
    SAM,
    renamed,
    sam_sizes,
)
from tests.golden import make_clip, make_grounded, make_vbench_quality, make_viclip

State = dict[str, torch.Tensor]

CLIP_CONFIG = {
    "embed_dim": make_clip.OUTPUT,
    "vision_cfg": {
        "image_size": 224,
        "layers": make_clip.LAYERS,
        "width": make_clip.WIDTH,
        "patch_size": make_clip.PATCH_PX,
    },
    "text_cfg": {"width": make_clip.WIDTH, "heads": 1, "layers": make_clip.LAYERS},
}
DINO_SIZES = DinoSizes(
    width=make_vbench_quality.WIDTH,
    layers=make_vbench_quality.LAYERS,
    heads=make_vbench_quality.HEADS,
)
VICLIP_SIZES = Sizes(
    vision=Tower(
        width=make_viclip.WIDTHS["vision"], layers=make_viclip.LAYERS, heads=make_viclip.HEADS
    ),
    text=Tower(
        width=make_viclip.WIDTHS["text"], layers=make_viclip.LAYERS, heads=make_viclip.HEADS
    ),
    output=make_viclip.WIDTHS["output"],
)


def golden(made_by: ModuleType) -> dict[str, Any]:
    """The values that a module of tests/golden/ made."""
    values: dict[str, Any] = json.loads(made_by.PATH.read_text(encoding="utf-8"))
    return values


def empty_viclip(sizes: Sizes) -> ViClipNetwork:
    """A network without memory for its weights: only their names and shapes."""
    with torch.device("meta"):
        return ViClipNetwork(sizes)


def write_dino(path: Path) -> Path:
    """Small weights in the format of ``dino_vitbase16_pretrain.pth``."""
    shapes = {name: tuple(shape) for name, shape in golden(make_vbench_quality)["shapes"].items()}
    torch.save(make_vbench_quality.random_weights(shapes), path)
    return path


def grounded_weights(network: str) -> State:
    """Those of the golden networks, ``detector`` or ``segmenter``."""
    layouts = golden(make_grounded)["layout"]
    return make_grounded.random_weights({k: tuple(v) for k, v in layouts[network].items()})


def hub_weights(network: str) -> State:
    """The weights of the golden networks under the keys of a folder of the hub."""
    if network == "segmenter":
        return {k: v.contiguous() for k, v in renamed(grounded_weights(network), SAM).items()}
    used = {
        k: v
        for k, v in grounded_weights(network).items()
        if not k.startswith(GROUNDING_DINO_UNUSED)
    }
    # each tensor of the head is there once: the hub's files hold no tensor twice
    return {
        name: values.contiguous()
        for name, values in renamed(used, GROUNDING_DINO).items()
        if not name.startswith(("bbox_embed.1.", "model.decoder.bbox_embed"))
    }


def write_detector(folder: Path) -> Path:
    """A folder of the hub with the small detector: configuration, vocabulary, weights."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(make_grounded.detector_config()))
    (folder / "vocab.txt").write_text("\n".join(make_grounded.vocabulary()))
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    save_file(hub_weights("detector"), folder / "model.safetensors", {"format": "pt"})
    return folder


def write_segmenter(folder: Path) -> Path:
    """A folder of the hub with the small segmenter."""
    folder.mkdir()
    config = {"model_type": "sam", **sam_sizes(grounded_weights("segmenter"))}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(hub_weights("segmenter"), folder / "model.safetensors", {"format": "pt"})
    return folder


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)
