"""Seconds a video for making, decoding, each extractor and each metric; peak memory.

Two peers in the same run: OpenCV's decoder, and scoring as VBench does it, where every metric
decodes the video for itself.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2

from a2bench.errors import NotApplicable
from a2bench.executors import single_thread
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import Metric
from a2bench.registry import GENERATORS, build_metrics
from a2bench.suite import load_suite
from a2bench.types import Case, Video
from a2bench.video import decode, probe


def main(cases: int = 3) -> None:
    single_thread()
    suite = load_suite("a2bench-open:mini")
    generator = GENERATORS.create("collage")
    metrics = build_metrics("lite")
    extractors = list({repr(e.info): e for m in metrics for e in m.extractors}.values())
    rows: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = call()
        rows.setdefault(name, []).append(time.perf_counter() - start)
        return result

    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(suite.cases[: cases + 1]):
            out = Path(folder) / f"{number}.mp4"
            timed("make (collage)", lambda c=case, o=out: generator.generate(c, seed=0, out=o))
            video = timed("probe", lambda o=out: probe(o))
            timed("decode", lambda v=video: sum(1 for _ in decode(v)))
            timed("decode, peer: OpenCV", lambda o=out: _decode_with_opencv(o))
            for one in extractors:
                timed(
                    f"extract {one.info.name}", lambda e=one, c=case, v=video: _extract(c, v, [e])
                )
            bank = timed(
                "extract all in one pass",
                lambda c=case, v=video: _extract(c, v, extractors),
            )
            assert bank.decodes == 1
            for metric in metrics:
                timed(f"score {metric.info.name}", lambda m=metric, c=case, b=bank: _score(m, c, b))
            timed(
                "score all, peer: a pass for each metric",
                lambda c=case, v=video: _score_apart(metrics, c, v),
            )
    print(f"{'seconds a video, one thread':45} mean of {cases} (the first, which loads, left out)")
    for name, seconds in rows.items():
        print(f"{name:45} {sum(seconds[1:]) / cases:8.3f}")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory':45} {peak_mib:8.0f} MiB")


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
