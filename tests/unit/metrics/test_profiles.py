from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from a2bench.errors import NotApplicable
from a2bench.features import FeatureBank
from a2bench.keys import digest
from a2bench.metric import metric_identity
from a2bench.metrics.profiles import lite, paper
from a2bench.registry import choose_metrics
from a2bench.results import charts
from a2bench.results.recipe import load_recipe, recipes
from a2bench.video import probe
from tests.helpers.makers import make_case, write_video

PAPER_ORDER = {
    "id_consistency": "composition consistency",
    "object_consistency": "composition consistency",
    "background_consistency": "composition consistency",
    "image_quality": "visual quality",
    "aesthetic_quality": "visual quality",
    "motion_smoothness": "visual quality",
    "dynamic_degree": "visual quality",
    "text_similarity": "prompt following",
}


DIAGNOSTICS = ["cuts", "frozen_share", "fades", "identity_swaps"]


def test_lite_has_the_eight_metrics_of_the_paper_in_its_order() -> None:
    infos = [metric.info for metric in lite().metrics][:8]
    assert {info.name: info.dimension for info in infos} == PAPER_ORDER
    assert [info.name for info in infos] == list(PAPER_ORDER)
    for info in infos:
        assert info.low < info.high
        assert info.higher_is_better
        assert "video" in info.needs


def test_both_profiles_end_with_the_same_diagnostics() -> None:
    profiles = lite(), paper()
    own = [[m for m in p.metrics if m.info.dimension == "diagnostics"] for p in profiles]
    for profile, metrics in zip(profiles, own, strict=True):
        assert [m.info.name for m in metrics] == DIAGNOSTICS == list(charts.DIAGNOSTICS)
        assert profile.metrics[8:] == tuple(metrics)
        assert not any(m.info.higher_is_better for m in metrics)
        assert {id(e) for e in metrics[3].extractors} == {
            id(e) for e in profile.metrics[0].extractors
        }
    for one, other in list(zip(*own, strict=True))[:3]:
        assert metric_identity(one) == metric_identity(other)


def test_no_recipe_reads_a_diagnostic() -> None:
    for name in recipes():
        assert load_recipe(name).weights.keys().isdisjoint(DIAGNOSTICS)


def test_what_lite_cannot_measure_is_not_applicable_and_says_how_to(tmp_path: Path) -> None:
    case, video = make_case(tmp_path), probe(write_video(tmp_path / "v.mp4"))
    for metric in choose_metrics(lite(), ["aesthetic_quality", "text_similarity"]):
        bank = FeatureBank(case, video, metric.extractors)
        with pytest.raises(NotApplicable, match="--profile paper"):
            metric.score(case, bank)
        assert bank.decodes == 0


def test_metrics_that_read_the_same_share_it() -> None:
    extractors: dict[str, Any] = {}
    for metric in lite().metrics:
        for extractor in metric.extractors:
            shared = extractors.setdefault(digest(extractor.info.identity()), extractor)
            assert shared is extractor
    assert len({id(e.flow) for e in extractors.values() if hasattr(e, "flow")}) == 1


def test_a_worker_process_builds_the_same_metrics_and_receives_no_network() -> None:
    sent = pickle.dumps(lite().metrics)
    assert len(sent) < 10_000
    assert [digest(metric_identity(m)) for m in pickle.loads(sent)] == [
        digest(metric_identity(m)) for m in lite().metrics
    ]


@pytest.mark.slow
def test_listing_the_metrics_loads_no_network() -> None:
    code = (
        "import sys; from a2bench.registry import build_profile; build_profile('lite'); "
        "print(sorted({'torch', 'dlib', '_dlib_pybind11'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
