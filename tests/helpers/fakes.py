"""Small extractors, networks and metrics with known behaviour."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from a2bench.errors import NotApplicable
from a2bench.features import Extractor, ExtractorInfo, FeatureBank
from a2bench.metric import Metric, MetricInfo, Profile
from a2bench.networks.files import Weights
from a2bench.pictures import Floats, Frame
from a2bench.types import Case, Json, Measurement, Video


@dataclass
class LevelConsumer:
    """Collects the mean of each frame."""

    levels: list[float] = field(default_factory=list)

    def push(self, index: int, frame: Frame) -> None:
        self.levels.append(float(frame.mean()))

    def finish(self) -> list[float]:
        return self.levels


@dataclass(frozen=True, kw_only=True)
class Levels:
    """An extractor: the mean of each frame."""

    sampling: str = "all"

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(name="levels", version="1", sampling=self.sampling)

    def start(self, case: Case, video: Video) -> LevelConsumer:
        return LevelConsumer()


def info(name: str, version: str = "1") -> MetricInfo:
    return MetricInfo(
        name=name,
        version=version,
        dimension="test",
        low=0.0,
        high=1.0,
        higher_is_better=True,
        needs=("video",),
        licence="Apache-2.0",
        source="tests",
    )


@dataclass(frozen=True, kw_only=True)
class Level:
    """The mean level of a video in [0, 1]."""

    name: str = "level"
    version: str = "1"
    levels: Levels = field(default_factory=Levels)

    @property
    def info(self) -> MetricInfo:
        return info(self.name, self.version)

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.levels,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        levels = features[self.levels]
        return Measurement(value=sum(levels) / len(levels) / 255, detail={"frames": len(levels)})


@dataclass(frozen=True, kw_only=True)
class Misbehaves:
    """A metric that does one bad thing: raise, nan, text, detail, sleep, die, or na."""

    how: str

    @property
    def info(self) -> MetricInfo:
        return info(f"does_{self.how}")

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return ()

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        match self.how:
            case "raise":
                raise RuntimeError("broken on purpose")
            case "nan":
                return Measurement(value=float("nan"))
            case "detail":
                return Measurement(value=1.0, detail={"not json": object()})
            case "sleep":
                time.sleep(600)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "na":
                raise NotApplicable("never applies")
        raise AssertionError(self.how)


class BreaksOnFrame:
    """An extractor whose consumer raises at the first frame."""

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(name="breaks", version="1", sampling="all")

    def start(self, case: Case, video: Video) -> BreaksOnFrame:
        return self

    def push(self, index: int, frame: Frame) -> None:
        raise RuntimeError("no such network")

    def finish(self) -> None:
        raise AssertionError("unreachable")


@dataclass(frozen=True, kw_only=True)
class ReadsBroken:
    """A metric whose extractor breaks."""

    breaks: BreaksOnFrame = field(default_factory=BreaksOnFrame)

    @property
    def info(self) -> MetricInfo:
        return info("reads_broken")

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.breaks,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        features[self.breaks]
        raise AssertionError("unreachable")


@dataclass(frozen=True, kw_only=True)
class Cured:
    """A metric that fails until a file exists."""

    by: str

    @property
    def info(self) -> MetricInfo:
        return info("cured")

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return ()

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        if not Path(self.by).exists():
            raise RuntimeError("not yet")
        return Measurement(value=1.0)


def profile() -> Profile:
    """A profile of one metric."""
    return Profile(metrics=(Level(),))


@dataclass(frozen=True, kw_only=True)
class Canned:
    """An extractor of any features, given beforehand: it looks at no frame."""

    features: Any
    sampling: str = "none"

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(name=f"canned-{id(self)}", version="1", sampling=self.sampling)

    def start(self, case: Case, video: Video) -> Canned:
        return self

    def push(self, index: int, frame: Frame) -> None:
        return

    def finish(self) -> Any:
        return self.features


@dataclass
class Histogram:
    """A picture's colours, 4 levels a channel, as a vector of length 1."""

    params: Mapping[str, Json] = field(default_factory=lambda: {"clip": "histogram"})
    files: tuple[Weights, ...] = ()
    pictures: list[list[Frame]] = field(default_factory=list)

    def images(self, frames: Sequence[Frame]) -> Floats:
        self.pictures.append(list(frames))
        bins = [np.ravel_multi_index(tuple((f // 64).reshape(-1, 3).T), (4, 4, 4)) for f in frames]
        counts = np.array([np.bincount(b, minlength=64) for b in bins], np.float32)
        rows: Floats = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return rows


NO_VIDEO = Video(path=Path(), sha256="", width=2, height=2, fps=15.0, frames=0, duration_s=0.0)
"""For metrics whose extractors are canned: nothing is decoded."""


def measure(metric: Metric, case: Case) -> Measurement:
    """What a metric with canned features says of a case."""
    return metric.score(case, FeatureBank(case, NO_VIDEO, metric.extractors))
