"""What was decided to show a video is in its record and in the keys of its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from a2bench.features import FeatureBank
from a2bench.generators.folder import Folder
from a2bench.metrics.dynamic_degree import DynamicDegree
from a2bench.metrics.extractors.motion.flow import DisFlow
from a2bench.metrics.extractors.motion.pairs import PairMotion
from a2bench.results.leaderboard import collect
from a2bench.runs.loop import Policy, plan
from a2bench.runs.record import Record
from a2bench.runs.request import Request
from a2bench.runs.store import RunStore
from a2bench.types import Case
from a2bench.video import probe
from tests.helpers.fakes import Level
from tests.helpers.makers import make_suite, write_as
from tests.helpers.runs import ask, do
from tests.helpers.video_files import written


def wide(folder: Path) -> tuple[Request, RunStore, list[Record]]:
    """A run over one video whose pixels are twice as wide as high, and what it recorded."""
    path = folder / "mine" / "case-001.mp4"
    path.parent.mkdir()
    written(sample_aspect_ratio=Fraction(2, 1))(path)
    suite = make_suite(folder / "suite", 1)
    request = ask(suite, Level(), generator=Folder(videos=path.parent, name="mine"))
    request.prepare()
    store = RunStore(folder / "store")
    return request, store, do(request, store)


def test_a_wide_pixel_is_told_in_the_record_and_scored_as_it_is_shown(tmp_path: Path) -> None:
    _, store, done = wide(tmp_path)
    made = next(record for record in done if record.kind == "video")
    assert (made.detail["width"], made.detail["height"]) == (128, 48)
    assert made.detail["read"] == ["its pixels are 2: shown as 128x48, stored as 64x48"]
    (row,) = collect([store])
    assert row.cell("level").counts == {"ok": 1}


def test_an_old_record_of_such_a_video_is_looked_at_and_scored_anew(tmp_path: Path) -> None:
    request, store, _ = wide(tmp_path)
    records = store.records()
    old = {key: _as_before(record) for key, record in records.items()}
    assert plan(request, records, Policy.ONLY_MISSING, store.notes).jobs == ()
    (job,) = plan(request, old, Policy.ONLY_MISSING).jobs  # its scores lie under another key
    assert job.unread
    assert job.read == ()
    assert plan(request, old, Policy.ONLY_MISSING, store.notes).jobs == ()


def test_an_old_video_that_is_refused_today_is_not_taken_as_done(tmp_path: Path) -> None:
    request, store, _ = wide(tmp_path)
    (made,) = (r for r in store.records().values() if r.kind == "video")
    old = {name: _as_before(record) for name, record in store.records().items()}
    store.video_path(made.video_sha256).unlink()
    assert store.notes(made) == ()  # a video that was deleted keeps its scores
    hdr = tmp_path / "hdr.mp4"
    written("libx265", "yuv420p10le", color_trc=16)(hdr)
    hdr.rename(store.video_path(made.video_sha256))
    (job,) = plan(request, old, Policy.ONLY_MISSING, store.notes).jobs
    assert job.metrics == ("level",)
    assert "HDR (PQ)" in job.read[0]


def _as_before(record: Record) -> Record:
    """A record as it was when none told how a video was read."""
    detail = {name: value for name, value in record.detail.items() if name != "read"}
    return replace(record, detail=detail)


@pytest.mark.parametrize("kept", [range(15), range(0, 15, 3), range(5)])
def test_dynamic_degree_does_not_depend_on_how_the_rate_varies(
    kept: Sequence[int], tmp_path: Path
) -> None:
    """At 24 a second, at 8, and at 8 with frames dropped irregularly, the same film moves.

    In 1/24 s it moves by less than the threshold of 2.25 px, in 1/8 s by more.
    """
    random = np.random.default_rng(0)
    wide = random.integers(0, 256, (12, 60, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    chosen = [i for i in range(60) if i % 15 in kept]
    film = [np.ascontiguousarray(wide[:, i : i + 128]) for i in chosen]
    times = [round(i * 60 / 24) for i in chosen]
    path = write_as(tmp_path / "v.mp4", film, times=times)
    metric = DynamicDegree(motion=PairMotion(flow=DisFlow(), exhaustive=True))
    case = Case(id="c", prompt="p", elements=())
    assert metric.score(case, FeatureBank(case, probe(path), metric.extractors)).value == 1
