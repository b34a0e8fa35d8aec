"""Makes the pictures of ``docs/metrics/``: ``python -m tests.helpers.metric_pictures FOLDER``.

FOLDER holds their videos, so that a second call only draws. About five minutes on two cores.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from a2bench.features import FeatureBank
from a2bench.metrics.extractors.motion.changes import FrameChanges
from a2bench.registry import GENERATORS, build_profile, choose_metrics
from a2bench.results.inspection import inspect, sheet
from a2bench.suites.pairs import paired
from a2bench.suites.suite import load_suite, select
from a2bench.types import Case, Json, Video
from a2bench.video import probe
from tests.helpers import ROOT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUT = ROOT / "docs" / "metrics"
CASE = "open-003"
TILES, TILE_PX, EDGE_PX = (0, 3), 422, 6
"""Of a sheet two frames are kept, which are as wide as a page."""
COLOURS = ("#0072b2", "#d55e00", "#009e73")
LEVEL = "levels of 255"


def main() -> None:
    videos = Path(sys.argv[1])
    suite = load_suite("a2bench-open")
    (case,) = select(suite, ids=[CASE]).cases
    two = paired(suite).cases[0]
    for name in ("id_consistency", "object_consistency", "background_consistency"):
        _seen(name, case, _video(videos, "collage", case))
    _seen("dynamic_degree", case, _video(videos, "collage", case))
    _seen("identity_swaps", two, _video(videos, "collage", two))
    made = {
        name: _video(videos, name, case)
        for name in (
            "collage", "blurred", "compressed", "stuttered", "flickering", "cut", "frozen", "faded",
        )
    }  # fmt: skip
    _qualities(case, made)
    _errors(case, made)
    _changes(case, made)


def _video(folder: Path, model: str, case: Case) -> Video:
    """The video of a model, made if it is not there."""
    path = folder / f"{model}-{case.id}.mp4"
    if not path.exists():
        generator = GENERATORS.create(model)
        if prepare := getattr(generator, "prepare", None):
            prepare(load_suite("a2bench-open"))
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"part-{path.name}")
        generator.generate(case, seed=0, out=part)
        part.replace(path)
    return probe(path)


def _seen(name: str, case: Case, video: Video) -> None:
    """What ``a2bench inspect --metrics NAME`` draws, of two frames."""
    found = inspect(video, case, choose_metrics(build_profile("lite"), [name]))
    print(name, found.findings)
    with tempfile.TemporaryDirectory() as folder:
        sheet(video, found, whole := Path(folder) / "sheet.png")
        page = Image.open(whole).convert("RGB")
    kept = Image.new("RGB", (EDGE_PX + len(TILES) * TILE_PX, page.height), "white")
    for place, tile in enumerate(TILES):
        left = EDGE_PX + tile * TILE_PX
        part = page.crop((left, 0, left + TILE_PX, page.height))
        kept.paste(part, (EDGE_PX + place * TILE_PX, 0))
    kept.save(OUT / f"{name}.jpg", quality=82, optimize=True)


def _detail(name: str, case: Case, video: Video) -> Mapping[str, Json]:
    (metric,) = choose_metrics(build_profile("lite"), [name])
    return metric.score(case, FeatureBank(case, video, metric.extractors)).detail


def _qualities(case: Case, made: Mapping[str, Video]) -> None:
    with _panels("image_quality", 1) as (panel,):
        for colour, name in zip(COLOURS, ("collage", "blurred", "compressed"), strict=True):
            course = _detail("image_quality", case, made[name])["qualities"]
            panel.plot(course, color=colour, label=name)
        panel.set_xlabel("sampled frame")
        panel.set_ylabel("quality")
        panel.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))


def _errors(case: Case, made: Mapping[str, Video]) -> None:
    with _panels("motion_smoothness", 1) as (panel,):
        for colour, name in zip(COLOURS, ("collage", "stuttered", "flickering"), strict=True):
            errors = _detail("motion_smoothness", case, made[name])["errors"]
            panel.plot(range(1, 2 * len(errors), 2), errors, color=colour, label=name)
        panel.set_xlabel("odd frame")
        panel.set_ylabel(f"error, {LEVEL}")
        panel.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))


def _changes(case: Case, made: Mapping[str, Video]) -> None:
    extractor = FrameChanges()
    seen = {n: FeatureBank(case, made[n], [extractor])[extractor] for n in made}
    for metric, control in (("cuts", "cut"), ("frozen_share", "frozen"), ("fades", "faded")):
        with _panels(metric, 2) as panels:
            for panel, name in zip(panels, ("collage", control), strict=True):
                course: Sequence[float] = seen[name].changes
                what = "greatest change"
                if metric == "fades":
                    course, what = seen[name].contrasts, "contrast"
                panel.plot(range(len(seen[name].levels) - len(course), len(seen[name].levels)),
                           course, color=COLOURS[name != "collage"])  # fmt: skip
                panel.set_title(f"{name}: {_value(metric, case, made[name])}", loc="left")
                panel.set_xlabel("frame")
            panels[0].set_ylim(bottom=0)
            panels[0].set_ylabel(f"{what}, {LEVEL}")


def _value(metric: str, case: Case, video: Video) -> str:
    (one,) = choose_metrics(build_profile("lite"), [metric])
    value = one.score(case, FeatureBank(case, video, one.extractors)).value
    return f"{metric} {value:.2g}"


class _panels:
    """Panels beside each other, saved as the metric's picture in the end."""

    def __init__(self, name: str, count: int) -> None:
        import matplotlib as mpl
        from matplotlib.figure import Figure

        self.name = name
        with mpl.rc_context({"font.size": 10, "axes.titlesize": 10}):
            self.figure = Figure(figsize=(8.6, 2.6), layout="constrained")
            self.axes: list[Axes] = list(
                self.figure.subplots(1, count, squeeze=False, sharey=True)[0]
            )

    def __enter__(self) -> list[Axes]:
        return self.axes

    def __exit__(self, *_: Any) -> None:
        for panel in self.axes:
            panel.spines[["top", "right"]].set_visible(False)
        self.figure.savefig(OUT / f"{self.name}.png", dpi=110)


if __name__ == "__main__":
    main()
