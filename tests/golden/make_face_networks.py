"""Records tests/golden/face_networks.json with facexlib and ModelScope's CurricularFace.

In an environment of its own, from the root of the repository::

    pip install torch==2.13.0 torchvision==0.28.0 numpy pillow opencv-python facexlib==0.3.0
    pip install --no-deps modelscope==1.40.2
    python -m tests.golden.make_face_networks
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

PATH = Path(__file__).with_name("face_networks.json")
HOW = (
    "facexlib 0.3.0 (RetinaFace.detect_faces and align_multi, recognition Backbone ir_se 50; BGR) "
    "and modelscope 1.40.2 (torchkit.backbone.model_irse.IR_101), torch 2.13.0 CPU float32; "
    "weights and picture of tests/golden/make_face_networks.py. Tolerance 1e-4 of the largest; "
    "crops (warp_and_crop_face at the landmarks as recorded), on every STEP-th pixel: at most 1 "
    "level; embeddings, of crops that the detector's float32 landmarks place: 2e-3."
)
THRESHOLD = 0.8
FACES = 6
STEP = 8
CALM = 0.01
"""The detector's heads answer to large features: without it, every score would be 0 or 1."""
DIMENSIONS = 64
"""So many of the 512 numbers of an embedding are kept."""

State = dict[str, torch.Tensor]


def picture(height: int = 240) -> NDArray[np.uint8]:
    """A photograph, RGB, square."""
    path = Path(__file__).parents[2] / "references" / "characters" / "p005_portrait.jpg"
    with Image.open(path) as photograph:
        return np.asarray(photograph.convert("RGB").resize((height, height)))


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> State:
    """Weights that depend on nothing but each key's name and shape, of calm size."""
    weights = {}
    for key, shape in shapes.items():
        generator = torch.Generator().manual_seed(crc32(key.encode()))
        values = torch.randn(shape, generator=generator)
        if key.endswith("num_batches_tracked"):
            values = torch.tensor(0)
        elif len(shape) > 1:
            values *= (shape[0] / values.numel()) ** 0.5 * (CALM if "Head" in key else 1)
        elif key.endswith(("bias", "running_mean")):
            values *= 0.1
        else:
            values = 1 + 0.1 * values.abs()
        weights[key] = values
    return weights


def shapes_of(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """The layout of a network's state dict."""
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def layout(network: torch.nn.Module) -> str:
    """The sha256 of all keys and shapes in order."""
    return sha256(repr(sorted(shapes_of(network).items())).encode()).hexdigest()


def parameters(network: torch.nn.Module) -> int:
    """How many numbers it has learnt."""
    return sum(value.numel() for value in network.parameters())


def filled(network: torch.nn.Module) -> torch.nn.Module:
    """The network with the random weights, ready to run."""
    network.load_state_dict(random_weights(shapes_of(network)), strict=True)
    return network.eval()


def retinaface() -> Any:
    """facexlib's detector, with random weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return filled(
            import_module("facexlib.detection.retinaface").RetinaFace("resnet50", device="cpu")
        )


def ir_se50() -> torch.nn.Module:
    """facexlib's recogniser, with random weights."""
    return filled(import_module("facexlib.recognition.arcface_arch").Backbone(50, 0.6, "ir_se"))


def ir_101() -> torch.nn.Module:
    """ModelScope's network, without all that the package itself imports."""
    spec = find_spec("modelscope")
    assert spec is not None, "pip install --no-deps modelscope==1.40.2"
    package = ModuleType("torchkit_backbone")
    root = next(iter(spec.submodule_search_locations or ()))
    package.__path__ = [f"{root}/models/cv/face_recognition/torchkit/backbone"]
    sys.modules["torchkit_backbone"] = package
    return filled(import_module("torchkit_backbone.model_irse").IR_101([112, 112]))


def crops() -> torch.Tensor:
    """Two pictures of 112x112 px in [-1, 1], RGB."""
    whole = torch.from_numpy(picture(112).copy()).permute(2, 0, 1).float() / 127.5 - 1
    return torch.stack([whole, whole.flip(2)])


def main() -> None:
    """Writes the golden file."""
    detector, recogniser, curricular = retinaface(), ir_se50(), ir_101()
    bgr = np.ascontiguousarray(picture()[..., ::-1])
    with torch.no_grad():
        found, faces = detector.align_multi(bgr, conf_threshold=THRESHOLD)
        pixels = torch.from_numpy(np.stack(faces[:FACES])).permute(0, 3, 1, 2).float()
        pixels = pixels.contiguous()  # facexlib flattens by view
        rows = np.round(found[:FACES].astype(np.float64), 4)
        golden = {
            "how": HOW,
            "ir_101": {"layout": layout(curricular), "parameters": parameters(curricular)},
            "found": len(found),
            "rows": rows.tolist(),
            "crops": [_crop(bgr, row[5:].reshape(5, 2)) for row in rows],
            "recognised": _kept(recogniser(crops().flip(1))),
            "embeddings": _kept(recogniser(pixels / 127.5 - 1)),
            "curricular": _kept(torch.nn.functional.normalize(curricular(crops()))),
        }
    PATH.write_text(json.dumps(golden) + "\n", encoding="utf-8")


def _crop(bgr: NDArray[np.uint8], points: NDArray[np.float64]) -> Any:
    align = import_module("facexlib.detection.align_trans")
    template = align.get_reference_facial_points(default_square=True)
    return align.warp_and_crop_face(bgr, points, template, (112, 112))[::STEP, ::STEP].tolist()


def _kept(embeddings: torch.Tensor) -> Any:
    return np.round(embeddings[:, :DIMENSIONS].double().numpy(), 7).tolist()


if __name__ == "__main__":
    main()
