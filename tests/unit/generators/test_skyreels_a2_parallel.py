"""One video by two processes: the same as by one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed

from a2bench.errors import GeneratorError, UsageError
from a2bench.generators.skyreels_a2 import parallel, weights
from a2bench.generators.skyreels_a2.conditioning import Reference
from a2bench.generators.skyreels_a2.generator import SkyReelsA2
from a2bench.generators.skyreels_a2.parallel import Crew
from a2bench.generators.skyreels_a2.pipeline import Pipeline
from a2bench.generators.wan.sampling import Sampling, two_passes
from a2bench.types import ROLES, Case, Suite
from a2bench.video import probe
from tests.golden import make_skyreels_a2 as public
from tests.helpers.makers import make_case

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return public.write_checkpoint(tmp_path_factory.mktemp("a2") / "a2", GOLDEN["layouts"])


def latents(pipeline: Pipeline, *, frames: int = 17) -> Tensor:
    given = [Reference(role=role, image=public.picture(i)) for i, role in enumerate(ROLES)]
    texts = (public.PROMPT, public.NEGATIVE)
    conditions = pipeline.encode(given, texts, size=(48, 32), frames=frames)
    return pipeline.denoise(conditions, Sampling(steps=4), seed=0, watch=lambda *_: None)


def in_every_way(folder: Path) -> dict[str, Tensor]:
    """Latents and a decoded video, alone and shared; each of two processes runs this."""
    networks = weights.load_networks(folder, torch.float32)
    alone = Pipeline(networks=networks, device=CPU)
    networks.vae.enable_tiling(32, 32, 24, 24)
    found = {"alone": latents(alone)}
    with torch.no_grad():
        sample = torch.randn(1, 16, 3, 7, 9, generator=torch.Generator().manual_seed(0))
        found["video"] = networks.vae.decode(sample, return_dict=False)[0]
        found["tiles"] = parallel.decode_tiles(networks.vae, sample)
        found["small"] = networks.vae.decode(sample[..., :4, :4], return_dict=False)[0]
        found["one tile"] = parallel.decode_tiles(networks.vae, sample[..., :4, :4])
    guide = parallel.share(networks.transformer, 2, CPU, two_passes)
    found["guidance"] = latents(Pipeline(networks=networks, device=CPU, guide=guide))
    parallel.share_sequence(networks.transformer, distributed.group.WORLD)
    found["sequence"] = latents(alone)
    return found


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Tensor]:
    crew = Crew(in_every_way, processes=2, device=CPU)
    crew.tell(folder)
    return in_every_way(folder)


@pytest.mark.parametrize("way", ["guidance", "sequence"])
def test_latents_of_two_processes_equal_those_of_one(way: str, found: dict[str, Tensor]) -> None:
    torch.testing.assert_close(found[way], found["alone"], rtol=0, atol=1e-4)


def test_tiles_of_two_processes_are_those_of_one(found: dict[str, Tensor]) -> None:
    assert found["video"].shape == (1, 3, 9, 56, 72)
    torch.testing.assert_close(found["tiles"], found["video"], rtol=0, atol=1e-5)
    torch.testing.assert_close(found["one tile"], found["small"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("processes", "told"),
    [
        (3, "processes=3: 2 attention heads cannot be shared out to 3"),
        (6, "processes=6: 2 attention heads cannot be shared out to 3"),
    ],
)
def test_what_cannot_be_shared_out(processes: int, told: str, folder: Path) -> None:
    model = SkyReelsA2(weights=str(folder), device="cpu", processes=processes)
    with pytest.raises(UsageError, match=told):
        model.prepare(Suite(name="s", version="1", cases=()))


def test_shares_of_the_full_model() -> None:
    for processes in (1, 2, 4, 5, 8, 10, 16):
        parallel.check(processes, heads=40, tokens=32_760)
    with pytest.raises(UsageError, match="32,760 tokens of this size and length cannot be shared"):
        parallel.check(32, heads=64, tokens=32_760)


def test_a_generator_of_two_processes_survives_a_failure(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, out = make_case(tmp_path / "elements"), tmp_path / "video.mp4"
    sizes: dict[str, Any] = {"width": 48, "height": 32, "frames": 17, "steps": 2, "tiling": True}
    alone = SkyReelsA2(weights=str(folder), device="cpu", dtype="float32", **sizes)
    model = replace(alone, processes=2)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(Pipeline, "denoise", full)
        with pytest.raises(GeneratorError, match="out of memory"):
            model.generate(case, seed=0, out=out)
    model.generate(case, seed=0, out=out)
    alone.generate(case, seed=0, out=tmp_path / "alone.mp4")
    assert probe(out).sha256 == probe(tmp_path / "alone.mp4").sha256
    with pytest.raises(GeneratorError, match="has 0 references"):
        model.generate(Case(id="c", prompt="p", elements=()), seed=0, out=out)
    model.generate(case, seed=1, out=out)
    assert "_crew" in vars(model)
