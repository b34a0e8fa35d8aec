"""Seconds of each network of the profile ``paper`` on a device, and how far the device is off.

At their real sizes, with random weights written in the published formats, on a clip of 832x480:
what the weights are does not change how long a forward takes. With ``--beside cpu`` the features of
both devices are compared: the largest difference, over the largest absolute value.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from a2bench.boxes import Boxes
from a2bench.features import Extractor, FeatureBank
from a2bench.metrics.extractors.embeddings.clip import Clip, ClipFrames
from a2bench.metrics.extractors.embeddings.dino import DinoFrames
from a2bench.metrics.extractors.embeddings.video_text import ViClip
from a2bench.metrics.extractors.motion.flow import RaftFlow
from a2bench.metrics.extractors.motion.interpolation import AmtInterpolation
from a2bench.metrics.extractors.motion.pairs import PairMotion
from a2bench.metrics.extractors.quality.frames import MusiqFrames
from a2bench.metrics.extractors.scenes.grounding import GroundingDino
from a2bench.metrics.extractors.scenes.segmentation import Sam
from a2bench.networks.files import LocalWeights
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Frame
from a2bench.types import Case, Video
from a2bench.video import encode, probe

WIDTH, HEIGHT, FPS = 832, 480, 15
PHRASES = ("teddy bear", "person", "woman")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--beside", default="", help="Another device, to compare with.")
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--only", default="", help="Names, comma-separated.")
    asked = parser.parse_args()
    ensure_torchvision()
    devices = [asked.device, *filter(None, [asked.beside])]
    names = [name for name in MAKERS if not asked.only or name in asked.only.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "clip.mp4"
        encode(out, clip(asked.frames), fps=FPS, crf=18)
        video = probe(out)
        print(f"{asked.frames} frames of {WIDTH}x{HEIGHT}, torch {torch.__version__}")
        for name in names:
            torch.manual_seed(0)
            run = MAKERS[name](Path(folder))
            found = {device: _timed(run, device, video) for device in devices}
            told = "  ".join(f"{device} {seconds:8.3f} s" for device, (seconds, _) in found.items())
            off = _off(*(values for _, values in found.values())) if len(found) > 1 else ""
            print(f"{name:24} {told}  {off}", flush=True)


def clip(frames: int) -> Iterator[Frame]:
    """A textured picture that moves 9 px a frame."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (HEIGHT // 16 + 20, WIDTH // 16 + 20, 3), np.uint8)
    picture = coarse.repeat(16, 0).repeat(16, 1)
    for i in range(frames):
        yield np.ascontiguousarray(picture[5 * i : 5 * i + HEIGHT, 7 * i : 7 * i + WIDTH])


Run = Callable[[str, Video], Any]


def _timed(run: Run, device: str, video: Video) -> tuple[float, Any]:
    """Seconds of the second run, which loads nothing, and what it gave."""
    found: list[float] = []
    for _ in range(2):
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        start = time.perf_counter()
        values = run(device, video)
        found.append(time.perf_counter() - start)
    return found[-1], values


def _off(one: Any, other: Any) -> str:
    a, b = (np.asarray(values, np.float64).ravel() for values in (one, other))
    if a.shape != b.shape:
        return f"other shapes: {a.shape}, {b.shape}"
    return f"off by {np.abs(a - b).max() / max(np.abs(b).max(), 1e-12):.1e}"


def _saved(path: Path, network: nn.Module, key: str = "") -> LocalWeights:
    """Writes a network's weights; those that it leaves as memory had them become small numbers."""
    state = network.state_dict()
    for values in (v for v in state.values() if v.is_floating_point()):
        if not 1e-6 < float(values.abs().max()) < 1e3:
            values.normal_(std=0.02)
    torch.save({key: state} if key else state, path)
    return LocalWeights(path=path)


def _extracts(make: Callable[[str], Extractor[Any]], values: Callable[[Any], Any]) -> Run:
    """Runs an extractor over the clip; one for each device, kept."""
    held: dict[str, Extractor[Any]] = {}
    case = Case(id="c", prompt="A woman holds a teddy bear in a forest.", elements=())

    def run(device: str, video: Video) -> Any:
        extractor = held.setdefault(device, make(device))
        return values(FeatureBank(case, video, [extractor])[extractor])

    return run


def _musiq(folder: Path) -> Run:
    from a2bench.metrics.extractors.quality.musiq import MusiqNetwork

    weights = _saved(folder / "musiq", MusiqNetwork())
    return _extracts(lambda d: MusiqFrames(weights=weights, device=d), lambda scores: scores)


def _clip_network() -> nn.Module:
    from open_clip import get_model_config
    from open_clip.model import CLIP

    network: nn.Module = CLIP(**get_model_config("ViT-L-14"), quick_gelu=True)
    return network


def _clip(folder: Path) -> Run:
    weights = _saved(folder / "clip", _clip_network())
    return _extracts(
        lambda d: ClipFrames(clip=Clip(weights=weights, device=d)), lambda f: f.embeddings
    )


def _dino(folder: Path) -> Run:
    from timm import create_model

    weights = _saved(folder / "dino", create_model("vit_base_patch16_224", num_classes=0))
    return _extracts(lambda d: DinoFrames(weights=weights, device=d), lambda f: f.embeddings)


def _viclip(folder: Path) -> Run:
    from a2bench.metrics.extractors.embeddings.viclip import ViClipNetwork
    from a2bench.metrics.extractors.embeddings.viclip_sizes import Sizes

    weights = _saved(folder / "viclip", ViClipNetwork(Sizes()), "model")
    return _extracts(lambda d: ViClip(weights=weights, device=d), lambda both: both.video)


def _amt(folder: Path) -> Run:
    from a2bench.metrics.extractors.motion.amt import AmtNetwork

    weights = _saved(folder / "amt", AmtNetwork(), "state_dict")
    return _extracts(lambda d: AmtInterpolation(weights=weights, device=d), lambda errors: errors)


def _raft(folder: Path) -> Run:
    from torchvision.models.optical_flow import raft_large

    weights = _saved(folder / "raft", raft_large())
    return _extracts(
        lambda d: PairMotion(flow=RaftFlow(weights=weights, device=d), exhaustive=True),
        lambda motion: motion.magnitudes_px,
    )


def _of_frames(make: Callable[[str], Callable[[Frame], Any]]) -> Run:
    """Runs a part of the scenes on the frames that the scenes sample."""
    held: dict[str, Callable[[Frame], Any]] = {}

    def run(device: str, video: Video) -> Any:
        from a2bench.video import decode, sample_indices

        of_frame = held.setdefault(device, make(device))
        wanted = frozenset(sample_indices("linspace-16", video.frames, video.fps))
        return [of_frame(frame) for _, frame in decode(video, wanted)]

    return run


def _detector(folder: Path) -> Run:
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    path = folder / "detector"
    GroundingDinoForObjectDetection(GroundingDinoConfig()).save_pretrained(path)
    words = ["[PAD]", *(f"[unused{n}]" for n in range(1, 100)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += ["teddy", "bear", "person", "woman", "."]
    (path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))

    def make(device: str) -> Callable[[Frame], Any]:
        detector = GroundingDino(folder=LocalWeights(path=path), device=device)
        tokens = detector.caption(PHRASES).tokens
        # sorted: queries of random weights change places at the least difference
        return lambda frame: np.sort(detector.forward(frame, tokens)[0].max(axis=1))

    return _of_frames(make)


def _segmenter(folder: Path) -> Run:
    from transformers import SamConfig, SamModel

    path = folder / "segmenter"
    SamModel(SamConfig()).save_pretrained(path)
    boxes: Boxes = np.array([[100.0, 50, 400, 400], [300, 100, 700, 470], [10, 10, 200, 200]])

    def make(device: str) -> Callable[[Frame], Any]:
        segmenter = Sam(weights=LocalWeights(path=path), device=device)
        return lambda frame: segmenter.coarse(frame, boxes).cpu().numpy()

    return _of_frames(make)


MAKERS: dict[str, Callable[[Path], Run]] = {
    "MUSIQ": _musiq,
    "CLIP ViT-L/14": _clip,
    "DINO ViT-B/16": _dino,
    "ViCLIP": _viclip,
    "AMT-S": _amt,
    "RAFT": _raft,
    "Grounding DINO": _detector,
    "SAM ViT-B": _segmenter,
}


if __name__ == "__main__":
    main()
