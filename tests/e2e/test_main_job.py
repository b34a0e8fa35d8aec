"""The main job and the self-check, as a user runs them, on the real suite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import a2bench.registry
import a2bench.selfcheck
from a2bench.cli import main
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo, Profile
from a2bench.metrics.profiles import lite
from a2bench.runs.store import RunStore
from a2bench.selfcheck import CONSISTENCY, EXPECTATIONS
from a2bench.types import Case, Measurement
from tests.helpers.fakes import Levels, info

MEASURED = (
    "id_consistency",
    "object_consistency",
    "background_consistency",
    "image_quality",
    "motion_smoothness",
    "dynamic_degree",
)
UNAVAILABLE = ("aesthetic_quality", "text_similarity")


def test_collage_on_three_cases_to_a_leaderboard(tmp_path: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "x.csv"
    words = ["run", "--model", "collage", "--suite", "a2bench-open", "--limit", "3"]
    assert main([*words, "--store", str(store)]) == 0
    assert main(["leaderboard", str(store), "--out", str(out)]) == 0
    (line,) = pd.read_csv(out).to_dict("records")
    assert (line["model"], line["profile"], line["cases"]) == ("collage", "lite", 3)
    for name in MEASURED:
        counts = [line[f"{name}_n_{what}"] for what in ("ok", "failed", "na", "missing")]
        assert counts == [3, 0, 0, 0], name
        assert 0 <= line[name] <= 1
    for name in UNAVAILABLE:
        assert (line[f"{name}_n_ok"], line[f"{name}_n_na"]) == (0, 3)
    before = len(RunStore(store).records())
    assert main([*words, "--store", str(store)]) == 0
    assert len(RunStore(store).records()) == before


CONTROLS = {"collage", "swapped", "objectless", "still", "faded", "flickering", "defocused"}
"""Those of which the tests make videos: all would take ten minutes."""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The store of a self-check on two cases and some controls; it must pass."""
    some = [e for e in EXPECTATIONS if CONTROLS.issuperset(e.controls) and not e.pairs]
    assert {e.metric for e in some} >= {*CONSISTENCY, "dynamic_degree"}
    store = tmp_path_factory.mktemp("selfcheck") / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("a2bench.selfcheck.EXPECTATIONS", tuple(some))
        assert main(["selfcheck", "--limit", "2", "--store", str(store)]) == 0
        yield store


@dataclass(frozen=True, kw_only=True)
class AlwaysMoves:
    """A dynamic degree that is broken: 1 for every video."""

    @property
    def info(self) -> MetricInfo:
        return replace(info("dynamic_degree"), source="broken on purpose", version="broken")

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (Levels(),)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        return Measurement(value=1.0)


def test_selfcheck_finds_a_broken_metric(
    checked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = [m for m in lite().metrics if m.info.name != "dynamic_degree"]
    measures = Profile(metrics=(*metrics, AlwaysMoves()))
    monkeypatch.setattr(a2bench.registry, "build_profile", lambda *_: measures)
    assert main(["selfcheck", "--limit", "2", "--store", str(checked)]) == 2
    told = capsys.readouterr().out
    rows = [line for line in told.splitlines() if "FAILS" in line]
    assert len(rows) == 5
    assert all("dynamic_degree" in row for row in rows)
    some = [e for e in a2bench.selfcheck.EXPECTATIONS if e.metric == "dynamic_degree"]
    asked = {control for e in some for control in e.controls}
    jobs = 2 * len(asked)  # the rest is in the store
    assert f"{jobs}/{jobs} cases" in told
