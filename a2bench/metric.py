"""What a metric is: a definition (``MetricInfo``), the extractors it reads, and ``score``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from a2bench.features import Extractor, FeatureBank, NeedsFiles
from a2bench.types import Case, Json, Measurement, Video


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """A metric's definition. ``params`` and ``version`` enter every score's key.

    ``low`` and ``high`` bound the value; ``needs`` names the inputs that it reads
    (``video``, ``prompt``, ``character``, ``object``, ``background``). ``licence`` is that of the
    code; the extractors know those of their weights.
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
    """All that decides a metric's value besides the video and the case, for keys and records."""
    info = metric.info
    return {
        "name": info.name,
        "version": info.version,
        "params": dict(info.params),
        "extractors": [e.info.identity() for e in metric.extractors],
    }


def metric_licence(metric: Metric) -> str:
    """The licences that a score stands under: of the metric's code and of the weights it reads."""
    found = (metric.info.licence, *(e.info.licence for e in metric.extractors))
    return "; ".join(dict.fromkeys(text for text in found if text))


def missing_files(metrics: Sequence[Metric]) -> tuple[str, ...]:
    """What the metrics' extractors lack on this machine, each with what to type."""
    needy = (e for m in metrics for e in m.extractors if isinstance(e, NeedsFiles))
    return tuple(dict.fromkeys(text for extractor in needy for text in extractor.missing()))
