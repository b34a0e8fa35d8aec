"""Profiles: which methods realise the eight metrics, and diagnostics beside them.

Scores of two profiles never mix.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from a2bench.errors import CannotRun, NotApplicable
from a2bench.faces.arcface import ArcFace, CurricularFace
from a2bench.faces.detected import DetectedFaces
from a2bench.faces.dlib_faces import DlibFaces
from a2bench.faces.facexlib import FacexlibArcFace, RetinaFace
from a2bench.faces.scrfd import Scrfd
from a2bench.features import Extractor, FeatureBank
from a2bench.metric import Metric, MetricInfo, Profile
from a2bench.metrics import aesthetic_quality, text_similarity
from a2bench.metrics.aesthetic_quality import AestheticQuality
from a2bench.metrics.background_consistency import BackgroundConsistency
from a2bench.metrics.clip_text_similarity import ClipTextSimilarity
from a2bench.metrics.diagnostics import Cuts, Fades, FrozenShare
from a2bench.metrics.dynamic_degree import DynamicDegree
from a2bench.metrics.extractors.embeddings.clip import Clip, ClipFrames
from a2bench.metrics.extractors.embeddings.dino import DinoFrames
from a2bench.metrics.extractors.embeddings.inception import Inception
from a2bench.metrics.extractors.embeddings.video_text import ViClip
from a2bench.metrics.extractors.faces import FaceExtractor
from a2bench.metrics.extractors.motion.changes import FrameChanges
from a2bench.metrics.extractors.motion.differences import FrameDifferences
from a2bench.metrics.extractors.motion.flow import DisFlow, FlowInterpolation, RaftFlow
from a2bench.metrics.extractors.motion.interpolation import AmtInterpolation
from a2bench.metrics.extractors.motion.pairs import PairMotion
from a2bench.metrics.extractors.quality.frames import MusiqFrames, Piqe
from a2bench.metrics.extractors.scenes.grounded import GroundedScenes
from a2bench.metrics.extractors.scenes.grounding import GroundingDino
from a2bench.metrics.extractors.scenes.lite0 import Lite0Scenes
from a2bench.metrics.extractors.scenes.segmentation import Sam
from a2bench.metrics.face_fid import FaceFid
from a2bench.metrics.face_resemblance import FaceResemblance
from a2bench.metrics.id_consistency import IdConsistency
from a2bench.metrics.identity_swaps import IdentitySwaps
from a2bench.metrics.image_quality import ImageQuality
from a2bench.metrics.motion_smoothness import MotionSmoothness
from a2bench.metrics.multi_identity import MultiIdentity
from a2bench.metrics.object_consistency import ObjectConsistency
from a2bench.metrics.text_similarity import TextSimilarity
from a2bench.metrics.vbench_quality import FrameConsistency, TemporalFlickering, VbenchQuality
from a2bench.networks.files import CheckpointWeights
from a2bench.types import Case, Measurement

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


def diagnostics(faces: FaceExtractor) -> tuple[Metric, ...]:
    """What every profile tells beside the scores, in the same way but for who finds ``faces``."""
    changes = FrameChanges()
    return (
        Cuts(changes=changes),
        FrozenShare(changes=changes),
        Fades(changes=changes),
        IdentitySwaps(faces=faces),
    )


def lite() -> Profile:
    """The profile for any machine: what pip installs and this repository holds, no download."""
    faces = FaceExtractor(finder=DlibFaces(), sampling="linspace-8")
    scenes, flow = Lite0Scenes(), DisFlow()
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
        *diagnostics(faces),
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
    faces = FaceExtractor(finder=DetectedFaces(detector=scrfd, recogniser=ArcFace(device=device)))
    curricular = FaceExtractor(
        finder=DetectedFaces(detector=scrfd, recogniser=CurricularFace(device=device))
    )
    facexlib = FaceExtractor(
        finder=DetectedFaces(
            detector=RetinaFace(device=device), recogniser=FacexlibArcFace(device=device)
        )
    )
    scenes = GroundedScenes(
        detector=GroundingDino(device=device), segmenter=Sam(device=device), clip=clip
    )
    aesthetic = ClipFrames(clip=clip, head=CheckpointWeights(name="laion-aesthetic"))
    clip_b = ClipFrames(clip=Clip(variant="ViT-B-32", device=device), prompt=True)
    metrics: tuple[Metric, ...] = (
        IdConsistency(faces=faces),
        ObjectConsistency(scenes=scenes),
        BackgroundConsistency(scenes=scenes),
        ImageQuality(frames=MusiqFrames(device=device)),
        AestheticQuality(clip=aesthetic),
        MotionSmoothness(interpolation=AmtInterpolation(device=device)),
        DynamicDegree(motion=PairMotion(flow=raft, exhaustive=exhaustive)),
        TextSimilarity(video_text=ViClip(device=device)),
        *diagnostics(faces),
    )
    vbench: tuple[Metric, ...] = (
        FrameConsistency(of="subject", frames=DinoFrames(device=device)),
        FrameConsistency(of="background", frames=clip_b),
        TemporalFlickering(frames=FrameDifferences()),
    )
    quality = (*vbench, *metrics[3:7])
    more: tuple[Metric, ...] = (
        IdConsistency(faces=facexlib, recogniser="facexlib"),
        IdConsistency(faces=curricular, recogniser="curricular"),
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
