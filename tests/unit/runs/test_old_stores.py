"""A store that version 0.1 made, by ``run --model collage --limit 2`` and ``--model noise``."""

from __future__ import annotations

import csv
import io

import pytest

from a2bench.registry import GENERATORS, build_profile
from a2bench.results.leaderboard import collect, to_csv
from a2bench.runs.loop import Policy, plan
from a2bench.runs.request import Request
from a2bench.runs.store import RunStore
from a2bench.suites.suite import load_suite, select
from tests.helpers import ROOT

FOLDER = ROOT / "tests" / "data" / "store-0.1"
STORE = RunStore(FOLDER)


def test_its_leaderboard_is_what_it_was() -> None:
    """As it was but for two things: proportions have intervals, and a column was added."""
    was = (FOLDER / "leaderboard.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(was)), csv.DictReader(io.StringIO(to_csv(collect([STORE]))))
    for old, new in zip(*rows, strict=True):
        assert {**new, "a2bench": old["a2bench"]} == old  # the version of who reads it


@pytest.mark.parametrize(("model", "seeds"), [("collage", (0,)), ("noise", (0, 1))])
def test_what_it_holds_is_not_done_again_unless_a_version_rose(
    model: str, seeds: tuple[int, ...]
) -> None:
    suite = load_suite("a2bench-open")
    request = Request(
        suite=suite,
        cases=select(suite, limit=2 if model == "collage" else 1).cases,
        generator=GENERATORS.create(model),
        metrics=build_profile("lite").metrics,
        profile="lite",
        seeds=seeds,
    )
    (manifest,) = (
        m["request"] for m in STORE.manifests() if m["request"]["model"]["name"] == model
    )
    was = {metric["name"]: _versions(metric) for metric in manifest["metrics"]}
    new = request.identities.keys() - was
    assert new == {"cuts", "frozen_share", "fades", "identity_swaps"}
    rose = {name for name in was if _versions(request.identities[name]) != was[name]}
    # name here what CHANGELOG says has another version now
    assert rose == was.keys() - {"aesthetic_quality", "text_similarity"}
    jobs = plan(request, STORE.records(), Policy.ONLY_MISSING).jobs
    missing = {name for job in jobs for name in job.metrics}
    assert missing == rose | new


def _versions(metric: dict[str, object]) -> list[object]:
    """The version of a metric and of each extractor that it reads."""
    extractors = metric["extractors"]
    assert isinstance(extractors, list)
    return [metric["version"], *((one["name"], one["version"]) for one in extractors)]
