"""What a metric is: a definition (``MetricInfo``), the extractors it reads, and ``score``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from a2bench.errors import UsageError
from a2bench.features import Extractor, FeatureBank, NeedsFiles
from a2bench.keys import json_fault
from a2bench.redaction import sealed
from a2bench.types import Case, Json, Measurement, Video

ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """A metric's definition. ``params`` and ``version`` enter every score's key.

    ``low`` and ``high`` bound the value, which fails where it passes them; they may be infinite.
    ``needs`` names the inputs that it reads (``video``, ``prompt``, ``character``, ``object``,
    ``background``). ``licence`` is that of the code; the extractors know those of their weights.
    Raises ``UsageError`` for bounds that are none and for ``params`` that are no JSON.
    """

    name: str
    version: str
    dimension: str
    low: float
    high: float
    higher_is_better: bool
    needs: tuple[str, ...]
    licence: str
    source: str
    params: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise UsageError(f"metric {self.name}: its bounds are {self.low} to {self.high}")
        if fault := json_fault(self.params):
            raise UsageError(f"metric {self.name}: its params {fault}")


class Metric(Protocol):
    """Scores one video of one case. Never opens a file, never decodes: it reads features.

    ``score`` returns a finite value, or raises ``NotApplicable`` with the reason. Whatever else it
    raises becomes a ``failed`` score; the other metrics of the video are not touched.
    """

    @property
    def info(self) -> MetricInfo: ...

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]: ...

    def score(self, case: Case, features: FeatureBank) -> Measurement: ...


class SetMetric(Protocol):
    """Measures all videos of a model at once: its value is no mean of theirs.

    All that decides the value besides the videos is in ``info``. ``licence`` is that of the code
    and of the weights. ``measure`` raises ``NotApplicable`` with the reason, ``VideoError`` for a
    video that does not decode; its detail counts what it measured.
    """

    @property
    def info(self) -> MetricInfo: ...

    @property
    def licence(self) -> str: ...

    def missing(self) -> tuple[str, ...]: ...

    def measure(self, videos: Sequence[tuple[Case, Video]]) -> Measurement: ...


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Which methods realise the metrics. Scores of two profiles never mix.

    ``metrics`` are what a run measures unless told; ``more`` can be asked for by name. ``sets``
    gives names to groups of either. ``over_videos`` are asked for by commands of their own.
    ``worker_gib`` is the memory that a worker may take.
    """

    metrics: tuple[Metric, ...]
    more: tuple[Metric, ...] = ()
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    over_videos: tuple[SetMetric, ...] = ()
    worker_gib: float = 1.0

    @property
    def all(self) -> dict[str, Metric]:
        """Every metric by its name."""
        return {metric.info.name: metric for metric in (*self.metrics, *self.more)}


def metric_identity(metric: Metric) -> dict[str, Json]:
    """All that decides a metric's value besides the video and the case, for keys and records.

    Parameters are ``sealed``.
    """
    info = metric.info
    return {
        "name": info.name,
        "version": info.version,
        "params": sealed(info.params),
        "extractors": [
            {**e.info.identity(), "params": sealed(e.info.params)} for e in metric.extractors
        ],
    }


def filed_bounds(info: MetricInfo) -> dict[str, Json]:
    """A metric's bounds as a manifest holds them; None for one that is infinite."""
    ends = {"low": info.low, "high": info.high}
    return {name: end if math.isfinite(end) else None for name, end in ends.items()}


def read_bounds(filed: Mapping[str, Json]) -> tuple[float, float]:
    """The bounds of a metric in a manifest."""
    low, high = filed["low"], filed["high"]
    return -math.inf if low is None else low, math.inf if high is None else high


def within(value: float, bounds: tuple[float, float]) -> bool:
    """Whether a value lies within bounds, but for a float's rounding: 1e-9 of their span."""
    low, high = bounds
    slack = ROUNDING * (high - low if math.isfinite(high - low) else 1.0)
    return low - slack <= value <= high + slack


def outside(name: str, value: float, bounds: tuple[float, float]) -> str:
    """Says that a value lies outside a metric's bounds."""
    return f"{name}: {value:.12g} is outside its bounds {bounds[0]:g} to {bounds[1]:g}"


def metric_licence(metric: Metric) -> str:
    """The licences that a score stands under: of the metric's code and of the weights it reads."""
    found = (metric.info.licence, *(e.info.licence for e in metric.extractors))
    return "; ".join(dict.fromkeys(text for text in found if text))


def missing_files(metrics: Sequence[Metric]) -> tuple[str, ...]:
    """What the metrics' extractors lack on this machine, each with what to type."""
    needy = (e for m in metrics for e in m.extractors if isinstance(e, NeedsFiles))
    return tuple(dict.fromkeys(text for extractor in needy for text in extractor.missing()))
