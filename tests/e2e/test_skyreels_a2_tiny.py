"""The small SkyReels-A2 that is shipped: it shows the references that it is given."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from a2bench.cli import main
from a2bench.features import FeatureBank
from a2bench.generators.controls import Noise
from a2bench.generators.skyreels_a2.tiny import SkyReelsA2Tiny
from a2bench.generators.skyreels_a2.training.clips_composed import MARGIN
from a2bench.generators.skyreels_a2.weights import NETWORKS
from a2bench.metrics.profiles import lite
from a2bench.runs.store import RunStore
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Element
from a2bench.video import decode, probe

CASES = 4
CONSISTENCY = ("object_consistency", "background_consistency")


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.stack([frame for _, frame in decode(probe(path))])


def elements_of_another(cases: tuple[Case, ...], index: int) -> tuple[Element, ...]:
    """The next case's that shares none: wrong references for the same prompt."""
    case, later_first = cases[index], cases[index + 1 :] + cases[:index]
    mine = {e.subject or e.sha256 for e in case.elements}
    return next(
        o.elements
        for o in later_first
        if mine.isdisjoint(e.subject or e.sha256 for e in o.elements)
    )


def measured(case: Case, path: Path) -> dict[str, float]:
    metrics = [metric for metric in lite().metrics if metric.info.name in CONSISTENCY]
    bank = FeatureBank(case, probe(path), [e for metric in metrics for e in metric.extractors])
    return {metric.info.name: metric.score(case, bank).value for metric in metrics}


@pytest.mark.timeout(900)
def test_right_references_beat_wrong_ones_and_noise(tmp_path: Path) -> None:
    store, wins = tmp_path / "store", dict.fromkeys(product(CONSISTENCY, ("wrong", "noise")), 0)
    words = ["--suite", "a2bench-open", "--limit", str(CASES), "--store", str(store)]
    assert main(["run", "--model", "skyreels-a2-tiny", *words, "--workers", "1"]) == 0
    right = {
        (record.case_id, record.metric): record.value
        for record in RunStore(store).records().values()
        if record.metric in CONSISTENCY
    }
    cases = load_suite("a2bench-open").cases
    model, noise = SkyReelsA2Tiny(), Noise(width=224, height=128, frames=33)
    for index, case in enumerate(cases[:CASES]):
        wrong = replace(case, elements=elements_of_another(cases, index))
        for what, generator, shown in (("wrong", model, wrong), ("noise", noise, case)):
            path = tmp_path / f"{index}-{what}.mp4"
            generator.generate(shown, seed=0, out=path)
            for name, value in measured(case, path).items():
                wins[name, what] += (right[case.id, name] or 0) > value
    # an object too unlike its reference counts as absent: in two of the first six cases both have 0
    least = {"object_consistency": CASES - 2, "background_consistency": CASES - 1}
    assert all(won >= least[name] for (name, _), won in wins.items()), wins


def test_a_seed_gives_the_same_frames_and_another_reference_others(tmp_path: Path) -> None:
    cases = load_suite("a2bench-open").cases
    other = replace(cases[0], elements=elements_of_another(cases, 0))
    paths = [tmp_path / f"{name}.mp4" for name in ("first", "again", "other")]
    for path, case in zip(paths, (cases[0], cases[0], other), strict=True):
        SkyReelsA2Tiny(frames=13, steps=2).generate(case, seed=3, out=path)
    first, again, changed = (pixels(path) for path in paths)
    assert first.shape == (13, 128, 224, 3)
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - changed).mean() > 5


def test_its_card_tells_what_is_shipped() -> None:
    generator = SkyReelsA2Tiny()
    assert generator.margin == MARGIN  # as in the clips that it learnt from
    files = sorted(Path(generator.weights).rglob("*.safetensors"))
    assert [path.parent.name for path in files] == sorted(NETWORKS)
    assert sum(path.stat().st_size for path in files) < 40e6
    card = (Path(generator.weights) / "README.md").read_text(encoding="utf-8")
    assert all(digest in card for name, digest in generator.info.weights.items() if "safet" in name)
