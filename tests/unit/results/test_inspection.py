"""One video looked into: facts, findings, and what extractors saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2bench.cli import main
from a2bench.errors import MetricError, NotApplicable
from a2bench.features import ExtractorInfo, Mark
from a2bench.registry import build_profile
from a2bench.results.inspection import COLOURS, facts, inspect, sheet
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Measurement, Video
from a2bench.video import encode, probe
from tests.helpers.fakes import info
from tests.helpers.makers import make_frames, write_video
from tests.helpers.video_files import damaged, written

NOBODY = Case(id="c", prompt="p", elements=())
BOX = (8.0, 12.0, 40.0, 36.0)


class Boxes:
    """Sees one box in the first and the last frame."""

    info = ExtractorInfo(name="boxes", version="1", sampling="linspace-2")

    def start(self, case: Case, video: Video) -> Boxes:
        self.seen: list[int] = []
        return self

    def push(self, index: int, frame: object) -> None:
        self.seen.append(index)

    def finish(self) -> list[int]:
        return self.seen

    def marks(self, features: list[int]) -> dict[int, list[Mark]]:
        counted = np.array([[1, 0]], np.float32)
        return {index: [Mark("a box", BOX), Mark("half", counted=counted)] for index in features}


class Reads:
    """A metric on ``Boxes`` that gives 0.5, is not applicable, or fails."""

    extractors = (Boxes(),)

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.info = info(name)
        self._error = error

    def score(self, case: Case, features: object) -> Measurement:
        if self._error:
            raise self._error
        return Measurement(value=0.5)


def test_every_metric_tells_its_value_or_its_reason(tmp_path: Path) -> None:
    video = probe(write_video(tmp_path / "v.mp4"))
    absent, broken = NotApplicable("nothing there"), MetricError("x")
    metrics = [Reads("fine"), Reads("none", absent), Reads("bad", broken)]
    found = inspect(video, NOBODY, metrics)
    assert [(f.metric, f.value, f.reason) for f in found.findings] == [
        ("fine", 0.5, ""),
        ("none", None, "not applicable: nothing there"),
        ("bad", None, "failed: x"),
    ]
    (sight,) = found.sights
    assert (sight.name, list(sight.marks)) == ("boxes", [0, 8])


def test_the_sheet_draws_boxes_and_darkens_what_does_not_count(tmp_path: Path) -> None:
    encode(tmp_path / "v.mp4", [np.full((480, 640, 3), 200, np.uint8)] * 3)
    video = probe(tmp_path / "v.mp4")
    sheet(video, inspect(video, NOBODY, [Reads("fine")]), tmp_path / "s.png")
    picture = np.asarray(Image.open(tmp_path / "s.png").convert("RGB")).astype(int)
    frame = picture[26 : 26 + 240, 6 : 6 + 320]  # half of its size, below the extractor's name
    left, top, right, bottom = (round(side / 2) for side in BOX)
    for y, x in ((top, left + 8), (bottom, left + 8), (top + 6, left), (top + 6, right)):
        assert np.abs(frame[y, x] - COLOURS[0]).max() < 40
    assert frame[200, 40].mean() == pytest.approx(200, abs=3)
    assert frame[200, 300].mean() == pytest.approx(70, abs=3)


@pytest.mark.slow
def test_the_profile_s_own_extractors_show_what_they_saw(tmp_path: Path) -> None:
    case = load_suite("a2bench-open:mini").cases[0]
    encode(tmp_path / "v.mp4", make_frames(8, (96, 64)))
    found = inspect(probe(tmp_path / "v.mp4"), case, build_profile("lite").metrics)
    labels = {s.name: [m.label for marks in s.marks.values() for m in marks] for s in found.sights}
    assert set(labels) == {"dlib_faces", "lite0_scenes", "pair_motion"}
    assert any(label.startswith("object 1: ") for label in labels["lite0_scenes"])
    assert any(label.endswith("not covered by an object") for label in labels["lite0_scenes"])
    assert all("moves if over 1.5" in label for label in labels["pair_motion"])


def test_the_command_tells_what_is_read_and_refuses_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_video(tmp_path / "v.mp4")
    assert main(["inspect", str(path)]) == 0
    told = capsys.readouterr().out
    assert all(text in told for text in ("64x48", "9 in 0.600 s, 15 a second", "BT.601, assumed"))
    assert facts(probe(path))["converted"] == "nothing"
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), np.uint8)
    damaged(written(frames=list(noise)))(tmp_path / "bad.mp4")
    assert main(["inspect", str(tmp_path / "bad.mp4")]) == 3
    assert "is damaged" in capsys.readouterr().err
    assert main(["inspect", str(path), "--out", "x.png"]) == 1
