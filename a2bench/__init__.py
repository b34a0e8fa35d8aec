"""a2bench: an open, local implementation of A2-Bench for elements-to-video generators.

``a2bench.evaluate`` runs a model on a suite; the other names are what a plug-in builds on. Each is
imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a2bench.errors import CannotRun, GeneratorError, MetricError, NotApplicable, Refused
    from a2bench.evaluation import evaluate
    from a2bench.features import Consumer, Extractor, ExtractorInfo, FeatureBank
    from a2bench.generator import Generator, GeneratorInfo, RequestAware, SuiteAware
    from a2bench.metric import Metric, MetricInfo, Profile
    from a2bench.types import Case, Element, Measurement, Status, Suite, Video

__version__ = "0.1.0"

_HOMES = {
    "errors": ("CannotRun", "GeneratorError", "MetricError", "NotApplicable", "Refused"),
    "evaluation": ("evaluate",),
    "features": ("Consumer", "Extractor", "ExtractorInfo", "FeatureBank"),
    "generator": ("Generator", "GeneratorInfo", "RequestAware", "SuiteAware"),
    "metric": ("Metric", "MetricInfo", "Profile"),
    "types": ("Case", "Element", "Measurement", "Status", "Suite", "Video"),
}
__all__ = [
    "CannotRun",
    "Case",
    "Consumer",
    "Element",
    "Extractor",
    "ExtractorInfo",
    "FeatureBank",
    "Generator",
    "GeneratorError",
    "GeneratorInfo",
    "Measurement",
    "Metric",
    "MetricError",
    "MetricInfo",
    "NotApplicable",
    "Profile",
    "Refused",
    "RequestAware",
    "Status",
    "Suite",
    "SuiteAware",
    "Video",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"a2bench.{module}"), name)
    raise AttributeError(f"module 'a2bench' has no attribute {name!r}")
