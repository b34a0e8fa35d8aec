"""Seconds a video for making, decoding, each extractor and each metric; peak memory.

Two peers in the same run: OpenCV's decoder, and scoring as VBench does it, where every metric
decodes the video for itself.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import Metric
from a2bench.registry import GENERATORS, build_profile
from a2bench.runs.executors import single_thread
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Video
from a2bench.video import decode, probe


def main(cases: int = 3) -> None:
    single_thread()
    suite = load_suite("a2bench-open:mini")
    generator = GENERATORS.create("collage")
    metrics = build_profile("lite").metrics
    extractors = list({repr(e.info): e for m in metrics for e in m.extractors}.values())
    rows: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[..., Any], *given: Any) -> Any:
        start = time.perf_counter()
        result = call(*given)
        rows.setdefault(name, []).append(time.perf_counter() - start)
        return result

    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(suite.cases[: cases + 1]):
            out = Path(folder) / f"{number}.mp4"
            timed("make (collage)", partial(generator.generate, case, seed=0, out=out))
            video = timed("probe", probe, out)
            timed("decode", _decode, video)
            timed("decode, peer: OpenCV", _decode_with_opencv, out)
            for one in extractors:
                timed(f"extract {one.info.name}", _extract, case, video, [one])
            bank = timed("extract all in one pass", _extract, case, video, extractors)
            assert bank.decodes == 1
            for metric in metrics:
                timed(f"score {metric.info.name}", _score, metric, case, bank)
            timed("score all, peer: a pass for each metric", _score_apart, metrics, case, video)
    print(f"{'seconds a video, one thread':45} mean of {cases} (the first, which loads, left out)")
    for name, seconds in rows.items():
        print(f"{name:45} {sum(seconds[1:]) / cases:8.3f}")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory':45} {peak_mib:8.0f} MiB")


def _decode(video: Video) -> int:
    return sum(1 for _ in decode(video))


def _decode_with_opencv(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while True:
        ok, frame = capture.read()
        if not ok:
            return count
        cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        count += 1


def _extract(case: Case, video: Video, extractors: Sequence[Extractor[Any]]) -> FeatureBank:
    bank = FeatureBank(case, video, extractors)
    for extractor in extractors:
        bank[extractor]
    return bank


def _score(metric: Metric, case: Case, bank: FeatureBank) -> float | None:
    try:
        return metric.score(case, bank).value
    except NotApplicable:
        return None


def _score_apart(metrics: Sequence[Metric], case: Case, video: Video) -> list[float | None]:
    return [_score(m, case, FeatureBank(case, video, m.extractors)) for m in metrics]


if __name__ == "__main__":
    main()
