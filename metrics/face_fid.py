"""Face FID: do the faces of all videos, taken together, look like those of the references?"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from a2bench.boxes import Box
from a2bench.errors import NotApplicable
from a2bench.metric import MetricInfo
from a2bench.metrics.extractors.embeddings.inception import FEATURES, SIDE_PX, Inception
from a2bench.metrics.extractors.faces import FaceExtractor
from a2bench.networks.files import lacking
from a2bench.pictures import Frame, over_white, read_rgba, resized
from a2bench.types import Case, Measurement, Video
from a2bench.video import decode, sampled

Rows = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FaceFid:
    """The Fréchet distance of the faces in the references and the faces in all videos of a model.

    ``|m_r - m_v|^2 + tr(C_r + C_v - 2 (C_r C_v)^(1/2))`` of the means m and covariances C of
    Inception's 2048 features of each face; range [0, inf), lower is better. Faces are all that
    ``faces`` finds in the characters' images of the cases, each image once, and in the frames of
    the videos that it samples; a face is the square of its box's longer side, inside the picture,
    brought to 299x299 without aliasing.

    It is of a set and not of a video, and of few faces it is too high: a warning tells when a side
    has fewer faces than features. Compare only equal numbers of faces. Raises ``NotApplicable``
    when a side has fewer than 2, ``VideoError`` for a video that does not decode.

    The paper names FID on face regions by InceptionV3. (The authors' code takes the squared
    distance of single faces: not copied.) Source: Ingredients, section 4.1; Heusel et al. 2017.
    """

    faces: FaceExtractor
    inception: Inception = field(default_factory=Inception)

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="face_fid",
            version="1",
            dimension="composition consistency",
            low=0.0,
            high=math.inf,
            higher_is_better=False,
            needs=("video", "character"),
            licence="Apache-2.0",
            source="arXiv:2501.01790, section 4.1; arXiv:1706.08500",
            params={
                "faces": self.faces.info.identity(),
                **self.inception.params,
                "weights": dict(self.inception.weights.hashes()),
            },
        )

    @property
    def licence(self) -> str:
        found = (self.info.licence, self.faces.info.licence, self.inception.weights.licence)
        return "; ".join(dict.fromkeys(text for text in found if text))

    def missing(self) -> tuple[str, ...]:
        return (*self.faces.missing(), *lacking(self.inception.weights))

    def measure(self, videos: Sequence[tuple[Case, Video]]) -> Measurement:
        images = {e.sha256: e for case, _ in videos for e in case.of("character")}
        references = self._features(over_white(read_rgba(e)) for e in images.values())
        shown = self._features(frame for _, video in videos for frame in self._frames(video))
        told = f"{len(references)} in the references, {len(shown)} in the videos"
        least = min(len(references), len(shown))
        if least < 2:
            raise NotApplicable(f"face FID needs at least 2 faces a side: {told}")
        if least < FEATURES:
            warnings.warn(
                f"FID is too high for fewer than {FEATURES} faces a side ({told}); "
                "compare it only with that of as many faces",
                stacklevel=2,
            )
        return Measurement(
            value=frechet_distance(references, shown),
            detail={"faces_references": len(references), "faces_videos": len(shown)},
        )

    def _frames(self, video: Video) -> Iterator[Frame]:
        wanted = sampled(self.faces.info.sampling, video)
        return (frame for _, frame in decode(video, frozenset(wanted)))

    def _features(self, images: Iterable[Frame]) -> Rows:
        """The features (n, 2048) of all faces in the images; a batch of faces waits at most."""
        faces = (face for image in images for face in self._cut(image))
        done = [np.zeros((0, FEATURES), np.float32)]
        while waiting := list(islice(faces, self.inception.batch)):
            done.append(self.inception.embed(waiting))
        return np.concatenate(done).astype(np.float64)

    def _cut(self, image: Frame) -> Iterator[Frame]:
        height, width = image.shape[:2]
        for found in self.faces.finder.find(image, embed=False):
            yield resized(image, (SIDE_PX, SIDE_PX), square(found.box, width, height))


def square(box: Box, width: int, height: int) -> Box:
    """The square about a box's middle with its longer side, moved into a picture, cut if larger."""
    left, top, right, bottom = box
    side = min(max(right - left, bottom - top, 1.0), width, height)
    x = min(max((left + right - side) / 2, 0.0), width - side)
    y = min(max((top + bottom - side) / 2, 0.0), height - side)
    return (x, y, x + side, y + side)


def frechet_distance(one: Rows, other: Rows) -> float:
    """The Fréchet distance of the Gaussians fitted to two sets of features (n, d) and (m, d).

    With covariances ``A^T A`` and ``B^T B``, the trace of the root of their product is the sum of
    the singular values of ``A B^T``: no root of a matrix that has none, also for n < d.
    """
    difference = one.mean(axis=0) - other.mean(axis=0)
    a, b = _spread(one), _spread(other)
    shared = np.linalg.svdvals(a @ b.T).sum()
    distance = difference @ difference + np.square(a).sum() + np.square(b).sum() - 2 * shared
    return max(float(distance), 0.0)  # rounding


def _spread(rows: Rows) -> Rows:
    """A matrix A of no more rows than features, whose ``A^T A`` is the covariance of a set."""
    centred: Rows = (rows - rows.mean(axis=0)) / math.sqrt(len(rows) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r"))
