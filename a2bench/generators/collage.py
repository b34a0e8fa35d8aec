"""The training-free baseline: the reference images themselves, cut out and moved over each other.

It keeps identity by copying pixels and understands nothing of the prompt. So it marks the level
that "copy and paste" reaches on every consistency metric.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, TypeVar

import cv2
import numpy as np
from numpy.random import Generator as Random
from numpy.typing import NDArray

from a2bench.errors import UsageError
from a2bench.generator import GeneratorInfo
from a2bench.generators.cutout import Bytes, cut_out
from a2bench.keys import digest
from a2bench.parameters import above_zero
from a2bench.pictures import Floats, Frame, Rgba, upright
from a2bench.types import Case, Element
from a2bench.video import encode

Matrix = NDArray[np.float64]
"""Affine, from source to target pixels, shape (2, 3)."""
Pixels = TypeVar("Pixels", Bytes, Floats)

# Lengths are shares of the frame's width (W) or height (H).
STROLL_W = 0.155  # half the way that the group walks
FOLLOW = 0.25  # how far the camera follows it
PLATE = 1.16  # the background's size, so that the camera has room to move
CHARACTER_H = 0.78
CHARACTER_SINKS_H = 0.03  # below the lower edge, so that leaning never shows the cut
OBJECT_H = 0.30
OBJECT_ALONE_H = 0.50
OBJECT_FLOOR_H = 0.93


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A premultiplied RGBA sprite and how it moves; ``foot`` is its lower middle, in its pixels."""

    sprite: Bytes
    foot: tuple[float, float]
    x_px: float
    y_px: float
    lift_px: float
    hops: int
    lean_deg: float
    lag_rad: float

    def pose(self, turn: float, stroll_px: float) -> Matrix:
        """The 2x3 matrix from sprite to frame; ``turn`` goes from 0 to 2 pi over the clip."""
        turn -= self.lag_rad
        lift_px = self.lift_px * (1 - np.cos(self.hops * turn)) / 2
        scale = 0.975 + 0.025 * np.sin(turn + 1)
        matrix: Matrix = cv2.getRotationMatrix2D(self.foot, self.lean_deg * np.sin(turn), scale)
        matrix[:, 2] += (
            self.x_px - stroll_px * np.cos(turn) - self.foot[0],
            self.y_px - lift_px - self.foot[1],
        )
        return matrix


@dataclass(frozen=True, kw_only=True)
class Part:
    """A picture and the size at which it would like to appear."""

    picture: Rgba
    person: bool
    width_px: float
    height_px: float


@dataclass(kw_only=True)
class Collage:
    """Characters and objects walk to and fro before the background while the camera follows.

    Any number of characters and objects, the first background or a plain gradient. Characters stand
    at the frame's lower edge, objects move beside them and never over a face. What varies (sizes,
    sides, directions, phases) is drawn from the case and the seed.
    """

    name: ClassVar[str] = "collage"
    revision: ClassVar[str] = "1"

    width: int = 832
    height: int = 480
    frames: int = 81
    fps: int = 15

    def __post_init__(self) -> None:
        above_zero(self, "width", "height", "frames", "fps")
        if self.width % 2 or self.height % 2:
            raise UsageError(f"width {self.width}, height {self.height}: H.264 needs even sides")

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name=self.name,
            revision=self.revision,
            params={f.name: getattr(self, f.name) for f in fields(self) if f.init},
            licence="Apache-2.0",
            source="a2bench",
            parallel=True,
        )

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        encode(out, self.render(case, seed=seed), fps=self.fps)

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        """The frames, one after the other, before they are encoded."""
        random = draw(case, seed)
        plate = self._plate(case)
        actors = self._cast(case, plate, random)
        stroll_px = STROLL_W * self.width * random.choice((-1.0, 1.0))
        start, zoom_by = random.uniform(-0.35, 0.35), random.choice((-0.03, 0.03))
        for index in range(self.frames):
            time = index / max(1, self.frames - 1)
            turn = start + 2 * np.pi * time
            zoom = 0.97 + zoom_by * np.cos(np.pi * time)
            frame = self._view(plate, zoom, FOLLOW * stroll_px * np.cos(turn))
            for actor in actors:
                _paint(frame, actor.sprite, actor.pose(turn, stroll_px))
            yield frame

    def picture(self, element: Element, random: Random) -> Rgba:
        """What is shown of a character or an object."""
        del random  # the collage shows each as it is
        return cut_out(element)

    def _plate(self, case: Case) -> Bytes:
        """The background, larger than the frame by ``PLATE``: cropped to cover, or a gradient."""
        width, height = round(self.width * PLATE), round(self.height * PLATE)
        backgrounds = case.of("background")
        if not backgrounds:
            shade = np.linspace((214, 220, 228), (150, 158, 170), height).round().astype(np.uint8)
            return np.repeat(shade[:, None], width, axis=1)
        image = np.asarray(upright(backgrounds[0].image, "RGB", 2 * max(width, height)))
        scale = max(width / image.shape[1], height / image.shape[0])
        size = max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale))
        image = _resized(image, size)
        top, left = (size[1] - height) // 2, (size[0] - width) // 2
        return np.ascontiguousarray(image[top : top + height, left : left + width])

    def _view(self, plate: Bytes, zoom: float, pan_px: float) -> Frame:
        """What the camera sees of the background."""
        right, down = plate.shape[1] / 2 * zoom, plate.shape[0] / 2 * zoom
        matrix = np.array(
            [[zoom, 0, self.width / 2 - right + pan_px], [0, zoom, self.height / 2 - down]]
        )
        size = self.width, self.height
        view: Frame = cv2.warpAffine(plate, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        return view

    def _cast(self, case: Case, plate: Bytes, random: Random) -> list[Actor]:
        """The actors in the order in which they are painted: characters, then objects."""
        people, things = case.of("character"), case.of("object")
        columns = deque(self._part(e, CHARACTER_H, random) for e in people)
        side = int(random.integers(2))
        for index, element in enumerate(things):
            thing = self._part(element, OBJECT_H if people else OBJECT_ALONE_H, random)
            columns.append(thing) if (index + side) % 2 else columns.appendleft(thing)
        lefts, span = _beside(columns)
        room = self.width * (0.98 - 2 * STROLL_W)
        shrink = min(1.0, room / max(span, 1.0))
        margin = self.width / 2 - span * shrink / 2
        margin += random.uniform(-0.5, 0.5) * (room - span * shrink)
        light = ((plate.mean(axis=(0, 1)) + 1) / 128).astype(np.float32) ** 0.12
        cast = [
            self._actor(part, margin + left * shrink, shrink, light)
            for left, part in zip(lefts, columns, strict=True)
        ]
        order = sorted(range(len(cast)), key=lambda i: not columns[i].person)
        return [cast[i] for i in order]

    def _part(self, element: Element, share: float, random: Random) -> Part:
        """An element's picture and its size in the frame, before all are made to fit."""
        picture = self.picture(element, random)
        height, width = picture.shape[:2]
        goal_px = share * self.height * random.uniform(0.95, 1.05)
        if element.role == "character":
            scale = goal_px / height
        else:  # things of any shape appear about equally large
            scale = min(goal_px / np.sqrt(width * height), 1.2 * goal_px / height)
        return Part(
            picture=picture,
            person=element.role == "character",
            width_px=width * scale,
            height_px=height * scale,
        )

    def _actor(self, part: Part, left_px: float, shrink: float, light: Floats) -> Actor:
        size = max(1, round(part.width_px * shrink)), max(1, round(part.height_px * shrink))
        sprite, edge_px = _sprite(part.picture, size, light, blur_px=self.height / 40)
        person = part.person
        return Actor(
            sprite=sprite,
            foot=(edge_px + size[0] / 2, edge_px + size[1]),
            x_px=left_px + size[0] / 2,
            y_px=self.height * (1 + CHARACTER_SINKS_H if person else OBJECT_FLOOR_H),
            lift_px=self.height * (0.012 if person else 0.12),
            hops=4 if person else 2,
            lean_deg=1.2 if person else 6.0,
            lag_rad=0.0 if person else 0.2,
        )


def draw(case: Case, seed: int) -> Random:
    """The random numbers of one case and seed."""
    return np.random.default_rng(int(digest([case.key, seed])[:16], 16))


def _beside(parts: Iterable[Part]) -> tuple[list[float], float]:
    """Each part's left edge, and the span of all; neighbours reach over a person's shoulders."""
    lefts: list[float] = []
    end_px, before = 0.0, None
    for part in parts:
        if before is not None and (before.person or part.person):
            end_px -= 0.25 * min(before.width_px, part.width_px)
        lefts.append(end_px)
        end_px, before = end_px + part.width_px, part
    return lefts, end_px


def _resized(image: Pixels, size: tuple[int, int]) -> Pixels:
    way = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_CUBIC
    resized: Pixels = cv2.resize(image, size, interpolation=way)
    return resized


def _sprite(
    picture: Rgba, size: tuple[int, int], light: Floats, *, blur_px: float
) -> tuple[Bytes, int]:
    """A picture at its size, in the scene's light, on a soft shadow; and the width of the edge."""
    pixels = picture.astype(np.float32)
    pixels[..., :3] = np.minimum(pixels[..., :3] * light, 255) * (pixels[..., 3:] / 255)
    pixels = np.clip(_resized(pixels, size), 0, 255)
    edge_px = round(3 * blur_px)
    pixels = np.pad(pixels, ((edge_px, edge_px), (edge_px, edge_px), (0, 0)))
    alpha = pixels[..., 3]
    fall = np.array([[1, 0, 0.4 * blur_px], [0, 1, 0.8 * blur_px]])
    shadow = cv2.warpAffine(cv2.GaussianBlur(alpha, (0, 0), blur_px), fall, alpha.shape[::-1])
    pixels[..., 3] = alpha + 0.3 * shadow * (1 - alpha / 255)
    pixels[..., :3] = np.minimum(pixels[..., :3], pixels[..., 3:])
    return pixels.round().astype(np.uint8), edge_px


def _paint(frame: Frame, sprite: Bytes, matrix: Matrix) -> None:
    """Lays a sprite over a frame, in place, at subpixel position: ``sprite + (1 - a) frame``."""
    height, width = sprite.shape[:2]
    corners = matrix @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    (left, top), (right, bottom) = np.floor(corners.min(axis=1)), np.ceil(corners.max(axis=1))
    left, right = (int(np.clip(x, 0, frame.shape[1])) for x in (left, right))
    top, bottom = (int(np.clip(y, 0, frame.shape[0])) for y in (top, bottom))
    if left >= right or top >= bottom:
        return
    shift = np.array([[0, 0, left], [0, 0, top]])
    moved = cv2.warpAffine(sprite, matrix - shift, (right - left, bottom - top))
    below = frame[top:bottom, left:right]
    through = cv2.cvtColor(255 - moved[..., 3], cv2.COLOR_GRAY2RGB)
    cv2.add(cv2.multiply(below, through, scale=1 / 255), moved[..., :3], dst=below)
