"""Trains a small SkyReels-A2: ``python -m a2bench.generators.skyreels_a2.train CONFIG``.

Pictures, VAE, encoded clips, then the stages of the transformer, each in a folder of its own and
each from where it was left; last, the networks in the published layout. ``configs/tiny.toml`` says
what can be set.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from a2bench.errors import A2BenchError, UsageError
from a2bench.generators.skyreels_a2.pipeline import Pipeline
from a2bench.generators.skyreels_a2.training import encoded, pictures, small
from a2bench.generators.skyreels_a2.training.autoencoder import (
    Reconstruction,
    standardise,
    to_tensor,
)
from a2bench.generators.skyreels_a2.training.clips_composed import Composer
from a2bench.generators.skyreels_a2.training.flow import FlowMatching
from a2bench.generators.skyreels_a2.training.loop import (
    Schedule,
    Training,
)
from a2bench.generators.skyreels_a2.weights import Networks
from a2bench.generators.wan.sampling import Sampling

TEXTS = 5000
STATISTICS_CLIPS = 64
HELD_OUT = 10_000_000
"""The number of the first clip that is only looked at."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of the transformer: on how many clips of how many frames, how long, and on what.

    ``schedule`` and ``flow`` are the arguments of ``Schedule`` and ``FlowMatching``.
    """

    name: str
    frames: int
    clips: int
    schedule: Mapping[str, Any]
    flow: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that decides the result, as the file gives it.

    ``folder`` takes all that is made. Videos have ``size`` (width, height). ``samples`` is how many
    held-out clips are generated at each checkpoint of a stage, with ``sampling``. ``autoencoder``
    has the VAE's stages, each a ``schedule``, ``frames`` and arguments of ``Reconstruction``.
    ``compile`` makes a step faster, after a minute or two and where there is a C++ compiler; its
    results differ in the last bits.
    """

    folder: str
    size: tuple[int, int]
    networks: Mapping[str, Any]
    autoencoder: Sequence[Mapping[str, Any]]
    stages: list[Stage]
    pictures: str = ""
    seed: int = 0
    device: str = "cpu"
    threads: int = 0
    compile: bool = False
    samples: int = 4
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Made:
    """How the VAE came to be, on which the clips that it encodes depend."""

    steps: int
    precision: str


def read(path: Path) -> Config:
    """The configuration of a file; raises ``UsageError`` for what is wrong in it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        table["stages"] = [Stage(**stage) for stage in table.get("stages", [])]
        config = Config(**table)
    except (OSError, TypeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    if not config.autoencoder:
        raise UsageError(f"{path}: [[autoencoder]] is missing: the VAE has one stage or more")
    return config


def train(config: Config) -> Path:
    """Runs what is not done yet; the folder of the networks that came out."""
    if config.threads:
        torch.set_num_threads(config.threads)
        cv2.setNumThreads(config.threads)
    torch.manual_seed(config.seed)
    folder, sizes = Path(config.folder), small.Sizes(**config.networks)
    composer = _composer(config)
    vae = small.build_vae(sizes)
    made = _train_vae(config, composer, vae)
    texts = (composer.plan(number).prompt for number in range(TEXTS))
    tokenizer = _tokenizer(folder / "tokenizer", texts, sizes.vocabulary)
    networks = small.build(sizes, tokenizer, vae.eval())
    for stage in config.stages:
        _train_stage(config, stage, replace(composer, frames=stage.frames), networks, made)
    small.save(networks, folder / "model", torch.bfloat16)
    return folder / "model"


def _train_stage(
    config: Config, stage: Stage, composer: Composer, networks: Networks, made: Made
) -> None:
    """One stage, on clips encoded by the VAE that ``made`` tells."""
    folder, device = Path(config.folder), torch.device(config.device)
    place = folder / f"clips-{stage.frames}-of-vae-{made.steps}"
    with torch.autocast(device.type, torch.bfloat16, enabled=made.precision == "bfloat16"):
        clips = encoded.clips(composer, networks, stage.clips, place)
    if config.compile:
        networks.transformer.compile(dynamic=True)
    trained = ("transformer", "text_encoder", "image_encoder")
    objective = FlowMatching(
        networks=nn.ModuleDict({name: getattr(networks, name) for name in trained}),
        clips=clips,
        empty=encoded.tokens(networks.tokenizer, ""),
        frames=encoded.latent_frames(stage.frames),
        seed=config.seed,
        **stage.flow,
    )
    Training(
        objective=objective,
        schedule=Schedule(**stage.schedule),
        folder=folder / stage.name,
        device=device,
        sample=_Sheets(config, composer, networks, folder / stage.name).draw,
    ).run()


def _composer(config: Config) -> Composer:
    """The clips of the packages' pictures, without the benchmark's."""
    place = Path(config.pictures or Path(config.folder) / "pictures")
    pictures.fetch(place)
    manifest = Path(str(files("a2bench.references"))) / "manifest.csv"
    found = pictures.find(place / "files", pictures.Benchmark.read(manifest))
    return Composer(pictures=found, size=config.size, frames=1, seed=config.seed)


def _train_vae(config: Config, composer: Composer, vae: Any) -> Made:
    """Trains the VAE on parts of clips; then it says how its latents are standardised."""
    steps, precision = 0, "float32"
    for index, stage in enumerate(config.autoencoder):
        table = dict(stage)
        schedule = Schedule(**table.pop("schedule"))
        cut = replace(composer, frames=table.pop("frames"))
        Training(
            objective=Reconstruction(vae=vae, composer=cut, seed=config.seed + index, **table),
            schedule=schedule,
            folder=Path(config.folder) / f"vae-{cut.frames}",
            device=torch.device(config.device),
        ).run()
        steps, precision = steps + schedule.steps, schedule.precision
    videos = (to_tensor(cut.draw(HELD_OUT + n).video) for n in range(STATISTICS_CLIPS))
    standardise(vae, (video.to(config.device) for video in videos))
    return Made(steps=steps, precision=precision)


def _tokenizer(folder: Path, texts: Any, vocabulary: int) -> Any:
    from transformers import AutoTokenizer

    if not folder.is_dir():
        small.train_tokenizer(texts, vocabulary).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


class _Sheets:
    """Sheets of held-out clips: their references, what was generated, and the clip itself."""

    def __init__(
        self, config: Config, composer: Composer, networks: Networks, folder: Path
    ) -> None:
        self.config, self.composer = config, composer
        self.networks, self.folder = networks, folder

    def draw(self, step: int) -> None:
        pipeline = Pipeline(networks=self.networks, device=torch.device(self.config.device))
        rows = [self._row(pipeline, HELD_OUT + n) for n in range(self.config.samples)]
        if rows:
            Image.fromarray(np.concatenate(rows)).save(self.folder / f"sample-{step:06d}.png")

    def _row(self, pipeline: Pipeline, number: int) -> Any:
        triplet = self.composer.draw(number)
        texts, size = (triplet.prompt, ""), self.config.size
        conditions = pipeline.encode(
            triplet.references, texts, size=size, frames=self.composer.frames
        )
        sampling = Sampling(**self.config.sampling)
        latents = pipeline.denoise(conditions, sampling, seed=number, watch=lambda *_: None)
        frames = pipeline.decode(latents, conditions, drop=False)
        shown = [0, len(frames) // 2, len(frames) - 1]
        return np.concatenate(
            [*(frames[n] for n in shown), *(triplet.video[n] for n in shown)], axis=1
        )


def main() -> None:
    """The command; says what is wrong in a line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m a2bench.generators.skyreels_a2.train CONFIG.toml")
    try:
        print(train(read(Path(sys.argv[1]))))
    except A2BenchError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
