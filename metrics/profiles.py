"""Profiles: which methods realise the eight metrics. Scores of two profiles never mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import Metric, MetricInfo, Profile
from a2bench.types import Case, Measurement

from . import aesthetic_quality, text_similarity
from .background_consistency import BackgroundConsistency
from .dynamic_degree import DynamicDegree
from .extractors.faces import DlibFaces
from .extractors.flow import DisFlow, FlowInterpolation
from .extractors.motion import PairMotion
from .extractors.quality import Piqe
from .extractors.scenes import Lite0Scenes
from .id_consistency import IdConsistency
from .image_quality import ImageQuality
from .motion_smoothness import MotionSmoothness
from .object_consistency import ObjectConsistency


@dataclass(frozen=True, kw_only=True)
class Unavailable:
    """A metric that a profile cannot measure honestly: not applicable, with the reason."""

    info: MetricInfo
    reason: str

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return ()

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        raise NotApplicable(self.reason)


def lite() -> Profile:
    """The profile for any machine: what pip installs and this repository holds, no download."""
    faces, scenes, flow = DlibFaces(), Lite0Scenes(), DisFlow()
    metrics: tuple[Metric, ...] = (
        IdConsistency(faces=faces),
        ObjectConsistency(scenes=scenes),
        BackgroundConsistency(scenes=scenes, faces=faces),
        ImageQuality(frames=Piqe()),
        Unavailable(
            info=aesthetic_quality.INFO,
            reason="no model of aesthetics comes with pip; use --profile paper",
        ),
        MotionSmoothness(interpolation=FlowInterpolation(flow=flow)),
        DynamicDegree(motion=PairMotion(flow=flow, exhaustive=True)),
        Unavailable(
            info=text_similarity.INFO,
            reason="no model of video and text comes with pip; use --profile paper",
        ),
    )
    return Profile(metrics=metrics)
