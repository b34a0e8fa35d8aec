"""Object consistency: do the objects in the video look like their references?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, Literal

from a2bench.errors import NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.scenes.base import Region, Scenes
from a2bench.types import Case, Json, Measurement

Regions = tuple[Region | None, ...]
"""An entry for each object of the case."""


@dataclass(frozen=True, kw_only=True)
class ObjectConsistency:
    """The mean similarity of each object's reference to the region of the frame that shows it.

    ``mean_t mean_o s_to`` over frames t and the case's objects o, where ``s_to`` is the cosine of
    the features of region and reference, or 0 for an object that the extractor did not find;
    ``missing="skip"`` leaves such pairs (t, o) out instead, and frames that have no other, unless
    the video shows none of them: then the value is 0. Range [-1, 1], higher is better. In the
    detail: ``minimum``, ``mean_t min_o s_to``; ``detection_rate``, the share of (frame, object)
    pairs with a region; ``similarities`` and ``boxes`` (left, top, right, bottom in pixels) in
    order, None where there is none; ``whole_references``, those that are photographs in which the
    object was not found, where there are such.

    Not applicable to a case without objects.

    The paper segments with Grounded-SAM and embeds with CLIP: ``GroundedScenes``. With
    ``Lite0Scenes`` the numbers are not the paper's. There (frames of 32 cases, half of them of
    pictures that a2bench-open does not use) the reference's own picture has 0.67-0.91 (median
    0.81), also at a twentieth of the frame's width (0.60-0.86), the object turned and of another
    hue 0.56-0.90 (0.78). Under 0.5 it counts as not there: so do 31 of 32 frames without an object
    and 14 of 32 that show another one, of which the rest has up to 0.73. Source: SkyReels-A2,
    section 2.5.
    """

    scenes: Extractor[Scenes]
    missing: Literal["zero", "skip"] = "zero"

    def __post_init__(self) -> None:
        if self.missing not in ("zero", "skip"):
            raise ValueError(f"missing is 'zero' or 'skip', not {self.missing!r}")

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="object_consistency",
            version="1",
            dimension="composition consistency",
            low=-1.0,
            high=1.0,
            higher_is_better=True,
            needs=("video", "object"),
            licence="Apache-2.0",
            source="arXiv:2504.02436, section 2.5",
            # version 1 had no such parameter: what it scored as 0 keeps its key
            params={} if self.missing == "zero" else {"missing": self.missing},
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.scenes,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        if not case.of("object"):
            raise NotApplicable("the case has no object")
        scenes = features[self.scenes]
        regions = [frame.objects for frame in scenes.frames]
        rows = [[r.similarity if r else 0.0 for r in row] for row in self._counted(regions)]
        found = [region is not None for row in regions for region in row]
        return Measurement(
            value=fsum(map(fsum, rows)) / sum(map(len, rows)),
            detail={
                "minimum": fsum(map(min, rows)) / len(rows),
                "detection_rate": sum(found) / len(found),
                "frames": [frame.index for frame in scenes.frames],
                "similarities": [
                    [round(r.similarity, 4) if r else None for r in row] for row in regions
                ],
                "boxes": [[_rounded(r) for r in row] for row in regions],
                **({"whole_references": list(scenes.whole)} if scenes.whole else {}),
            },
        )

    def _counted(self, regions: Sequence[Regions]) -> list[Regions]:
        """What counts of each frame, without frames of which nothing does, unless all are such."""
        seen: list[Regions] = [tuple(region for region in row if region) for row in regions]
        kept = [row for row in seen if row]
        return kept if self.missing == "skip" and kept else list(regions)


def _rounded(region: Region | None) -> Json:
    return None if region is None else [round(side, 1) for side in region.box]
