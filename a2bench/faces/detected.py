"""Faces by a detector with five landmarks and a recogniser, each chosen by itself.

Give several ``DetectedFaces`` one detector, and each frame is searched once for all of them::

    scrfd = Scrfd()
    DetectedFaces(detector=scrfd, recogniser=ArcFace())
    DetectedFaces(detector=scrfd, recogniser=CurricularFace())
    DetectedFaces(detector=RetinaFace(), recogniser=FacexlibArcFace())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from a2bench.faces.finder import FaceFinder, Found
from a2bench.faces.models import Detection, Detector, Embedding, Recogniser
from a2bench.networks.files import Weights
from a2bench.pictures import Frame
from a2bench.types import Json

MARGIN_SHARE, MARGIN_LEVEL = 0.25, 128


@dataclass(frozen=True, kw_only=True)
class DetectedFaces(FaceFinder):
    """Faces found by ``detector`` and compared by the cosine of ``recogniser``'s embeddings.

    Similarities are in [-1, 1]: strangers are near 0 on either side, and from 0 down a face is a
    stranger's (OpenS2V-Eval and ConsisID count 0 there). Of each frame the ``most_faces`` surest
    are embedded. A face that fills its picture escapes detectors: a reference without a face is
    searched again with a grey margin of 25 % (as in OpenS2V-Eval and ConsisID). References are
    reduced to 1024 px first; published evaluations take them whole.
    """

    detector: Detector
    recogniser: Recogniser
    most_faces: int = 8

    name = "detected_faces"

    @property
    def params(self) -> Mapping[str, Json]:
        return {
            **self.detector.params,
            **self.recogniser.params,
            "most_faces": self.most_faces,
        }

    @property
    def files(self) -> tuple[Weights, ...]:
        return tuple(dict.fromkeys((self.detector.weights, self.recogniser.weights)))

    @property
    def stranger(self) -> float:
        return 0.0

    def missing(self) -> tuple[str, ...]:
        needed = dict.fromkeys((*self.detector.requires, *self.recogniser.requires))
        absent = [package for package in needed if find_spec(package.partition("=")[0]) is None]
        told = [f"the package {one} is not installed; pip install {one}" for one in absent]
        return (*told, *super().missing())

    def similarity(self, one: Embedding, other: Embedding) -> float:
        return float(np.clip(one @ other, -1, 1))

    def find(self, image: Frame, *, embed: bool, least: int = 1) -> list[Found]:
        del least  # one look finds small faces, too
        return self._found(image, self.detector.detect(image)[: self.most_faces], embed=embed)

    def find_in_reference(self, image: Frame) -> list[Found]:
        faces = self.detector.detect(image) or self._detect_with_margin(image)
        return self._found(image, faces[: self.most_faces], embed=True)

    def _detect_with_margin(self, image: Frame) -> tuple[Detection, ...]:
        top, left = (int(side * MARGIN_SHARE) for side in image.shape[:2])
        margins = ((top, top), (left, left), (0, 0))
        corner = np.array((left, top), np.float32)
        faces = self.detector.detect(np.pad(image, margins, constant_values=MARGIN_LEVEL))
        return tuple(
            Detection((x0 - left, y0 - top, x1 - left, y1 - top), score, points - corner)
            for (x0, y0, x1, y1), score, points in faces
        )

    def _found(self, image: Frame, faces: Sequence[Detection], *, embed: bool) -> list[Found]:
        if not embed:
            return [Found(face.box, face.score, None) for face in faces]
        embeddings = self.recogniser.embed(image, [face.points for face in faces])
        return [
            Found(face.box, face.score, embedding)
            for face, embedding in zip(faces, embeddings, strict=True)
        ]
