"""Profiles: which methods realise the eight metrics. Scores of two profiles never mix."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from a2bench.errors import CannotRun, NotApplicable
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import Metric, MetricInfo, Profile
from a2bench.types import Case, Measurement

from . import aesthetic_quality, text_similarity
from .aesthetic_quality import AestheticQuality
from .background_consistency import BackgroundConsistency
from .clip_text_similarity import ClipTextSimilarity
from .dynamic_degree import DynamicDegree
from .extractors.arcface import ArcFace, CurricularFace
from .extractors.clip import Clip, ClipFrames
from .extractors.detected_faces import DetectedFaces
from .extractors.differences import FrameDifferences
from .extractors.dino import DinoFrames
from .extractors.faces import DlibFaces
from .extractors.facexlib_faces import FacexlibArcFace, RetinaFace
from .extractors.flow import DisFlow, FlowInterpolation, RaftFlow
from .extractors.grounded_scenes import GroundedScenes
from .extractors.grounding import GroundingDino
from .extractors.inception import Inception
from .extractors.interpolation import AmtInterpolation
from .extractors.motion import PairMotion
from .extractors.quality import MusiqFrames, Piqe
from .extractors.scenes import Lite0Scenes
from .extractors.scrfd import Scrfd
from .extractors.segmentation import Sam
from .extractors.video_text import ViClip
from .extractors.weights import CheckpointWeights
from .face_fid import FaceFid
from .face_resemblance import FaceResemblance
from .id_consistency import IdConsistency
from .image_quality import ImageQuality
from .motion_smoothness import MotionSmoothness
from .multi_identity import MultiIdentity
from .object_consistency import ObjectConsistency
from .text_similarity import TextSimilarity
from .vbench_quality import FrameConsistency, TemporalFlickering, VbenchQuality

PAPER_PACKAGES = ("onnxruntime", "open_clip", "safetensors", "timm", "torchvision", "transformers")


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
    return Profile(metrics=metrics, over_videos=(FaceFid(faces=faces),))


def paper(device: str = "cpu", *, exhaustive: bool = False) -> Profile:
    """The profile of the papers: the models that SkyReels-A2, VBench, Ingredients and Lynx name.

    ``device`` is torch's name of it; ``exhaustive`` looks at all pairs for the dynamic degree.
    docs/metrics.md tells where each metric differs from its paper, and why. Raises ``CannotRun``
    without the packages of the extra ``paper``.
    """
    if absent := [name for name in PAPER_PACKAGES if find_spec(name) is None]:
        raise CannotRun(
            f"the profile paper needs packages that are not installed: {', '.join(absent)}; "
            "pip install -c constraints-cpu.txt -e '.[paper]' (on a GPU machine without -c ...)"
        )
    clip, raft, scrfd = Clip(device=device), RaftFlow(device=device), Scrfd(device=device)
    faces = DetectedFaces(detector=scrfd, recogniser=ArcFace(device=device))
    curricular = DetectedFaces(detector=scrfd, recogniser=CurricularFace(device=device))
    facexlib = DetectedFaces(
        detector=RetinaFace(device=device), recogniser=FacexlibArcFace(device=device)
    )
    scenes = GroundedScenes(
        detector=GroundingDino(device=device), segmenter=Sam(device=device), clip=clip
    )
    aesthetic = ClipFrames(clip=clip, head=CheckpointWeights(name="laion-aesthetic"))
    clip_b = ClipFrames(clip=Clip(variant="ViT-B-32", device=device), prompt=True)
    metrics: tuple[Metric, ...] = (
        IdConsistency(faces=faces, low=-1.0),
        ObjectConsistency(scenes=scenes),
        BackgroundConsistency(scenes=scenes),
        ImageQuality(frames=MusiqFrames(device=device)),
        AestheticQuality(clip=aesthetic),
        MotionSmoothness(interpolation=AmtInterpolation(device=device)),
        DynamicDegree(motion=PairMotion(flow=raft, exhaustive=exhaustive)),
        TextSimilarity(video_text=ViClip(device=device)),
    )
    vbench: tuple[Metric, ...] = (
        FrameConsistency(of="subject", frames=DinoFrames(device=device)),
        FrameConsistency(of="background", frames=clip_b),
        TemporalFlickering(frames=FrameDifferences()),
    )
    quality = (*vbench, *metrics[3:7])
    more: tuple[Metric, ...] = (
        IdConsistency(faces=facexlib, recogniser="facexlib", low=-1.0),
        IdConsistency(faces=curricular, recogniser="curricular", low=-1.0),
        MotionSmoothness(interpolation=FlowInterpolation(flow=raft), interpolator="flow"),
        *vbench,
        VbenchQuality(parts=quality),
        MultiIdentity(faces=faces),
        ClipTextSimilarity(clip=clip_b),
        FaceResemblance(faces=facexlib, recogniser="facexlib"),
        FaceResemblance(faces=faces, recogniser="insightface"),
    )
    return Profile(
        metrics=metrics,
        more=more,
        sets={
            "vbench-quality": (*(part.info.name for part in quality), "vbench_quality"),
            "ingredients": ("multi_identity", "clip_text_similarity"),
            "lynx": ("face_resemblance_facexlib", "face_resemblance_insightface"),
        },
        over_videos=(FaceFid(faces=faces, inception=Inception(device=device)),),
        worker_gib=8.0,
    )
