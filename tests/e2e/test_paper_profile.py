"""The profile paper as it is put together, on small networks of the published layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import av
import pytest
import torch
from PIL import Image

from a2bench.cli import main
from a2bench.features import FeatureBank
from a2bench.keys import file_sha256
from a2bench.metric import Metric, metric_licence
from a2bench.metrics import profiles
from a2bench.metrics.extractors.quality.musiq import MusiqNetwork
from a2bench.metrics.profiles import paper
from a2bench.networks.files import CheckpointWeights
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.types import Case, Element
from a2bench.video import probe
from tests.golden import (
    make_amt,
    make_clip,
    make_insightface,
    make_musiq,
    make_raft,
    make_viclip,
)
from tests.helpers import ROOT
from tests.helpers.checkpoints import (
    CLIP_CONFIG,
    VICLIP_SIZES,
    empty_viclip,
    golden,
    write_detector,
    write_segmenter,
)
from tests.helpers.makers import make_element, write_video

FRAMES, SIZE = 17, (160, 128)
PAIRS_NEEDED = 2  # of 9 frames at 8 a second, round(4 * 9 / 16)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small network in the place of each checkpoint."""
    root = tmp_path_factory.mktemp("checkpoints")

    def random(made: Any, layout: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = made.random_weights(
            {name: tuple(shape) for name, shape in layout.items()}
        )
        return found

    with torch.device("meta"):
        musiq = make_viclip.shapes_of(MusiqNetwork())
    viclip = make_viclip.shapes_of(empty_viclip(VICLIP_SIZES))
    states = {
        "amt-s": {"state_dict": random(make_amt, golden(make_amt)["layout"])},
        "clip-vit-l-14": random(make_clip, golden(make_clip)["shapes"]),
        "laion-aesthetic": make_clip.head_weights(),
        "musiq-spaq": random(make_musiq, musiq),
        "raft-things": random(make_raft, golden(make_raft)["layout"]),
        "viclip-l-14": {"model": make_viclip.random_weights(viclip)},
    }
    for name, state in states.items():
        torch.save(state, root / name)
    (root / "buffalo_l").mkdir()
    make_insightface.build_pack(root / "buffalo_l")
    write_detector(root / "grounding-dino-tiny")
    write_segmenter(root / "sam-vit-base")
    return root


@pytest.fixture
def metrics(small: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Metric, ...]:
    """``paper``, its checkpoints found in the folder, and sizes that are not read from them."""
    monkeypatch.setattr(CheckpointWeights, "locate", lambda self: small / self.name)
    monkeypatch.setattr(CheckpointWeights, "hashes", lambda self: {self.name: "0" * 64})
    ensure_torchvision()
    monkeypatch.setattr("open_clip.get_model_config", lambda name: CLIP_CONFIG)
    face, objects, background, *others, text = cast(list[Any], paper().metrics[:8])
    detector = replace(objects.scenes.detector, short_px=128, long_px=256)  # not 800: time
    scenes = replace(objects.scenes, detector=detector)
    video_text = replace(text.video_text, sizes=VICLIP_SIZES)
    changed = (replace(objects, scenes=scenes), replace(background, scenes=scenes))
    return (face, *changed, *others, replace(text, video_text=video_text))


def test_what_reads_the_same_shares_it() -> None:
    metrics = {name: cast(Any, metric) for name, metric in paper().all.items()}
    scenes = metrics["object_consistency"].scenes
    assert metrics["background_consistency"].scenes is scenes
    assert metrics["aesthetic_quality"].clip.clip is scenes.clip
    faces = metrics["id_consistency"].faces
    assert metrics["multi_identity"].faces is metrics["face_resemblance_insightface"].faces is faces
    assert metrics["id_consistency_curricular"].faces.finder.detector is faces.finder.detector
    raft = metrics["dynamic_degree"].motion.flow
    assert metrics["motion_smoothness_flow"].interpolation.flow is raft
    clip = metrics["vbench_background_consistency"].frames
    assert metrics["clip_text_similarity"].clip is clip


@pytest.fixture
def case(tmp_path: Path) -> Case:
    object_, background = (make_element(tmp_path, r, r) for r in ("object", "background"))
    path = tmp_path / "person.png"
    Image.fromarray(make_insightface.picture()).save(path)
    person = Element(
        id="person", role="character", image=path, sha256=file_sha256(path), name="man",
        caption="a man", subject="person",
    )  # fmt: skip
    return Case(id="c", prompt="A man walks.", elements=(person, object_, background))


def test_one_decode_and_one_forward_for_each_network_and_frame(
    metrics: tuple[Metric, ...], case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()

    def counted(owner: Any, name: str, label: str) -> None:
        method: Callable[..., Any] = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            counts[label] += 1
            return method(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    extractors: dict[str, Any] = {m.info.name: m.extractors[0] for m in metrics}
    assert extractors["object_consistency"] is extractors["background_consistency"]
    scenes, faces = extractors["object_consistency"], extractors["id_consistency"]
    assert scenes.clip is extractors["aesthetic_quality"].clip
    hooked = {
        "musiq": extractors["image_quality"].network,
        "clip": scenes.clip.network.visual,
        "viclip video": extractors["text_similarity"].network.vision_encoder,
        "viclip text": extractors["text_similarity"].network.text_encoder,
        "amt": extractors["motion_smoothness"].network,
        "raft": extractors["dynamic_degree"].flow.network,
        "raft encoder": extractors["dynamic_degree"].flow.network.fnet,
        "detector": scenes.detector.network,
        "segmenter": scenes.segmenter.network.vision_encoder,
    }
    for name, network in hooked.items():
        network.register_forward_hook(
            lambda _, given, __, name=name: counts.update({name: len(given[0]) if given else 1})
        )
    counted(faces.finder.detector, "search", "faces")
    counted(av, "open", "decode")
    video = probe(write_video(tmp_path / "v.mp4", FRAMES, SIZE))
    counts.clear()

    bank = FeatureBank(case, video, [e for m in metrics for e in m.extractors])
    values = {metric.info.name: metric.score(case, bank).value for metric in metrics}

    assert bank.decodes == counts.pop("decode") == 1
    assert all(m.info.low <= values[m.info.name] <= m.info.high for m in metrics[:3])
    assert counts["musiq"] == FRAMES
    assert counts["amt"] == FRAMES // 2
    assert counts["viclip text"] == counts["viclip video"] == 1
    assert PAIRS_NEEDED <= counts["raft"] < (FRAMES + 1) // 2
    assert counts["raft encoder"] == counts["raft"] + 1  # each frame of a row of pairs once
    assert counts["detector"] == 16
    assert counts["segmenter"] <= 16
    references = 2  # an object, a background
    found = sum(region is not None for f in bank[scenes].frames for region in f.objects)
    squares = 2  # of 160x128
    assert counts["clip"] == FRAMES + references + 16 * squares + found
    assert counts["faces"] == 16 + 1
    assert all(metric_licence(metric).startswith("Apache-2.0; ") for metric in metrics)


CHECKPOINTS = {
    "buffalo_l", "grounding-dino-tiny", "sam-vit-base", "clip-vit-l-14", "musiq-spaq",
    "laion-aesthetic", "amt-s", "raft-things", "viclip-l-14",
}  # fmt: skip


@pytest.mark.parametrize("words", [["run", "--model", "collage", "--limit", "1"], ["selfcheck"]])
def test_without_weights_nothing_is_generated_and_all_that_is_missing_is_named(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("A2BENCH_CHECKPOINTS", str(tmp_path / "none"))
    assert main([*words, "--profile", "paper", "--store", str(tmp_path / "store")]) == 3
    told = capsys.readouterr().err
    assert {line.split()[2] for line in told.splitlines()} == CHECKPOINTS
    assert "; a2bench checkpoints fetch raft-things\n" in told
    assert "fetch amt-s --accept-licence CC-BY-NC-4.0\n" in told
    assert list(tmp_path.iterdir()) == []


def test_the_page_of_profiles_fetches_what_the_profile_needs() -> None:
    page = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    command = page.partition("a2bench checkpoints fetch ")[2].partition("\n    a2bench")[0]
    words = command.replace("\\\n", " ").partition("--")[0].split()
    assert set(words) == CHECKPOINTS


def test_doctor_tells_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("A2BENCH_CHECKPOINTS", str(tmp_path))
    assert main(["doctor", "--profile", "paper"]) == 3
    told = capsys.readouterr().out
    assert all(f"checkpoints fetch {name}" in told for name in CHECKPOINTS)
    monkeypatch.setattr(profiles, "find_spec", lambda name: None if name == "timm" else True)
    assert main(["doctor", "--profile", "paper"]) == 3
    told = capsys.readouterr().out
    assert "timm" in told
    assert "'.[paper]'" in told
