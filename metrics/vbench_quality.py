"""VBench's quality dimensions that A2-Bench leaves out, and VBench's quality score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from a2bench.errors import MetricError
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import Metric, MetricInfo
from a2bench.pictures import Floats
from a2bench.types import Case, Json, Measurement


class Embedded(Protocol):
    """Features that hold the sampled frames' ``embeddings`` (n, d), rows of length 1."""

    @property
    def embeddings(self) -> Floats: ...


@dataclass(frozen=True, kw_only=True)
class FrameConsistency:
    """How alike a video's frames are to the first and to the one before.

    The mean over t >= 1 of ``(max(0, cos(f_t, f_t-1)) + max(0, cos(f_t, f_0))) / 2``; range [0, 1],
    higher is better, and a still video has 1. For the ``subject``, ``frames`` are DINO's
    (``DinoFrames``); for the ``background``, CLIP ViT-B/32's (``ClipFrames``). Both see whole
    frames: nothing is masked and no reference is read, so the latter is not A2-Bench's
    ``background_consistency``, which masks the subjects and compares with the case's background.
    VBench averages over all frames of all videos, so that long videos weigh more; here, as for
    every metric, videos weigh alike. Raises ``MetricError`` for a single frame.
    Source: VBench, subject consistency and background consistency.
    """

    of: Literal["subject", "background"]
    frames: Extractor[Embedded]

    @property
    def info(self) -> MetricInfo:
        return _info(f"vbench_{self.of}_consistency", f"VBench, {self.of} consistency")

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.frames,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        rows = features[self.frames].embeddings.astype(np.float64)
        if len(rows) < 2:
            raise MetricError("frame consistency needs at least 2 frames, the video has 1")
        before = np.clip((rows[1:] * rows[:-1]).sum(axis=1), 0, 1)
        first = np.clip(rows[1:] @ rows[0], 0, 1)
        similarities = ((before + first) / 2).tolist()
        return Measurement(
            value=fsum(similarities) / len(similarities),
            detail={"similarities": [round(similarity, 4) for similarity in similarities]},
        )


@dataclass(frozen=True, kw_only=True)
class TemporalFlickering:
    """How little adjacent frames differ: ``(255 - mean |f_t - f_t-1|) / 255``.

    ``frames`` gives the mean absolute difference of each pair, in levels of 0 to 255. Range [0, 1],
    higher is less flicker. Motion counts as flicker too: VBench asks for this only of prompts for
    still scenes, and drops videos that move. Raises ``MetricError`` for a single frame.
    Source: VBench, temporal flickering.
    """

    frames: Extractor[Sequence[float]]

    @property
    def info(self) -> MetricInfo:
        return _info("vbench_temporal_flickering", "VBench, temporal flickering")

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.frames,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        differences = features[self.frames]
        if not differences:
            raise MetricError("temporal flickering needs at least 2 frames, the video has 1")
        return Measurement(
            value=(255 - fsum(differences) / len(differences)) / 255,
            detail={"differences": [round(difference, 3) for difference in differences]},
        )


class Scale(NamedTuple):
    """The values that VBench maps to 0 and to 1, and the dimension's weight."""

    least: float
    most: float
    weight: float = 1.0


SCALES = {
    "vbench_subject_consistency": Scale(0.1462, 1.0),
    "vbench_background_consistency": Scale(0.2615, 1.0),
    "vbench_temporal_flickering": Scale(0.6293, 1.0),
    "motion_smoothness": Scale(0.706, 0.9975),
    "dynamic_degree": Scale(0.0, 1.0, 0.5),
    "aesthetic_quality": Scale(0.0, 1.0),
    "image_quality": Scale(0.0, 1.0),
}
"""VBench's seven dimensions of quality, by our metrics' names (``scripts/constant.py``)."""


@dataclass(frozen=True, kw_only=True)
class VbenchQuality:
    """VBench's quality score of one video, from its seven dimensions.

    ``sum_i w_i (x_i - least_i) / (most_i - least_i) / sum_i w_i`` over the values x of ``parts``
    (``SCALES``). Nothing is cut off: a value under ``least`` counts below 0, so the range is about
    [-0.715, 1.001]; higher is better. In the detail: the value of each part. The mean over videos
    is VBench's score but for the two consistencies, in which VBench lets long videos weigh more.
    Its flickering is of still scenes, ours of every video.

    Raises ``MetricError`` where a part does. (VBench counts a dimension that was not measured as
    0.) Raises ``ValueError`` for other parts. Source: VBench, ``scripts/cal_final_score.py``.
    """

    parts: tuple[Metric, ...]

    def __post_init__(self) -> None:
        names = sorted(part.info.name for part in self.parts)
        if names != sorted(SCALES):
            raise ValueError(
                f"the parts are {', '.join(names)}; give one of each: {', '.join(SCALES)}"
            )

    @property
    def info(self) -> MetricInfo:
        infos = {part.info.name: part.info for part in self.parts}
        params: dict[str, Json] = {n: [i.version, dict(i.params)] for n, i in infos.items()}
        low = normalised({name: info.low for name, info in infos.items()})
        high = normalised({name: info.high for name, info in infos.items()})
        return _info("vbench_quality", "VBench, quality score", low, high, params)

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return tuple({id(e): e for part in self.parts for e in part.extractors}.values())

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        values = {}
        for part in self.parts:
            try:
                values[part.info.name] = part.score(case, features).value
            except MetricError as error:
                raise MetricError(f"{part.info.name}: {error}") from error
        return Measurement(value=normalised(values), detail=values)


def normalised(values: Mapping[str, float]) -> float:
    """The weighted mean of the values, each on its scale."""
    terms = [s.weight * (values[n] - s.least) / (s.most - s.least) for n, s in SCALES.items()]
    return fsum(terms) / fsum(scale.weight for scale in SCALES.values())


def _info(
    name: str,
    source: str,
    low: float = 0.0,
    high: float = 1.0,
    params: Mapping[str, Json] = MappingProxyType({}),
) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="2",
        dimension="visual quality",
        low=low,
        high=high,
        higher_is_better=True,
        needs=("video",),
        licence="Apache-2.0",
        source=f"arXiv:2311.17982; {source}",
        params=params,
    )
