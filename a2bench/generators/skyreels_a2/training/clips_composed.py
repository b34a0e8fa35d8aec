"""Clips composed of pictures: subjects moved by known motions before a scene.

Each gives the triplet that the model learns from: references, prompt, video (section 2.4 of the
paper). What is on the references and what is in the clip is known here; for clips of a camera it
has to be found, which is ``clips``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from a2bench.generators.skyreels_a2.conditioning import Reference, on_white
from a2bench.generators.skyreels_a2.training.pictures import Picture
from a2bench.pictures import bounds, upright
from a2bench.types import ROLES, Role

Video = NDArray[np.uint8]
"""RGB, shape (frames, height, width, 3)."""
Floats = NDArray[np.float32]

SCENE_LONG_PX = 1024
SUBJECT_LONG_PX = 384
SMALLEST_CROP = 0.4
"""The smallest share of a scene's width that a view of it shows."""
MARGIN = 1 / 3
"""The white around a subject in its reference, as a share of its size, half on each side."""
LARGEST_ZOOM = 0.05
SEEN_ALPHA = 12


@dataclass(frozen=True, kw_only=True)
class Motion:
    """What a subject does, in words and in shares of the frame from first frame to last.

    ``right`` of the width, ``down`` of the height, ``larger`` of its size; ``turns`` is how many
    degrees it sways to either side, once back and forth.
    """

    words: str
    right: float = 0
    down: float = 0
    larger: float = 0
    turns: float = 0


MOTIONS = (
    Motion(words="stays still"),
    Motion(words="moves to the right", right=0.06),
    Motion(words="moves to the left", right=-0.06),
    Motion(words="rises", down=-0.08),
    Motion(words="sinks", down=0.08),
    Motion(words="comes nearer", larger=0.1),
    Motion(words="goes away", larger=-0.1),
    Motion(words="sways", turns=5),
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The centre of a subject in the middle of its motion, in shares of the frame."""

    x: float
    y: float


PLACES: dict[Role, tuple[Place, ...]] = {
    "character": (Place(x=2 / 7, y=5 / 8),),
    "object": (Place(x=5 / 7, y=1 / 2), Place(x=2 / 7, y=1 / 2)),
}
"""The places of a role's subjects in turn: one layout is what little training can learn.

Each subject is as large as the frame of its reference shows it. At 224x128 it is moved by whole
latents, which are 16 pixels wide, so that what stands still is a copy of the reference's latents.
"""


@dataclass(frozen=True, kw_only=True)
class Triplet:
    """What the model learns from; ``references`` in its order: characters, objects, background."""

    references: tuple[Reference, ...]
    prompt: str
    video: Video


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The pictures of a clip in the model's order, what each does, and what is drawn after it."""

    pictures: tuple[Picture, ...]
    motions: tuple[Motion, ...]
    random: np.random.Generator

    @property
    def prompt(self) -> str:
        """Who does what, before what."""
        words = [
            f"before {one.name}" if one.role == "background" else f"{one.name} {motion.words}"
            for one, motion in zip(self.pictures, self.motions, strict=True)
        ]
        return ", ".join(words)


@dataclass(frozen=True, kw_only=True)
class Composer:
    """Draws clips of ``size`` (width, height) and ``frames``, each from its number alone.

    ``mixes`` says which roles a clip shows, and ``shares`` how often.
    """

    pictures: Sequence[Picture]
    size: tuple[int, int]
    frames: int
    seed: int = 0
    mixes: Sequence[Sequence[Role]] = (
        ("character", "object", "background"),
        ("object", "background"),
        ("character", "background"),
        ("object", "object", "background"),
    )
    shares: Sequence[float] = (0.88, 0.05, 0.05, 0.02)

    def plan(self, number: int) -> Plan:
        """What the clip of a number shows, without drawing it."""
        random = np.random.default_rng((self.seed, number))
        roles = self.mixes[random.choice(len(self.mixes), p=self.shares)]
        chosen = tuple(self._choose(role, random) for role in sorted(roles, key=ROLES.index))
        motions = tuple(MOTIONS[n] for n in random.integers(len(MOTIONS), size=len(chosen)))
        return Plan(pictures=chosen, motions=motions, random=random)

    def draw(self, number: int) -> Triplet:
        """The clip of a number: the same one whenever, and in whatever order, it is asked for."""
        plan = self.plan(number)
        random = plan.random
        scene = _grey(self.size)
        for one in plan.pictures:
            if one.role == "background":
                scene = _view(_scene(one.path), self.size, random)
        video, mirrored = self._scene_video(scene, random), random.random() < 0.5
        references, taken = [], dict.fromkeys(PLACES, 0)
        for one, motion in zip(plan.pictures, plan.motions, strict=True):
            if one.role == "background":
                references.append(Reference(role=one.role, image=Image.fromarray(scene)))
                continue
            cutout = _subject(one.path)
            cutout = np.ascontiguousarray(cutout[:, ::-1]) if mirrored else cutout
            place = PLACES[one.role][taken[one.role]]
            taken[one.role] += 1
            _add(video, cutout, place, motion)
            references.append(Reference(role=one.role, image=on_white(cutout, MARGIN)))
        rounded = np.clip(video, 0, 255).round().astype(np.uint8)
        return Triplet(references=tuple(references), prompt=plan.prompt, video=rounded)

    def _choose(self, role: Role, random: np.random.Generator) -> Picture:
        choices = [picture for picture in self.pictures if picture.role == role]
        return choices[random.integers(len(choices))]

    def _scene_video(self, scene: Video, random: np.random.Generator) -> Floats:
        """The scene under a slow zoom toward a point; its first frame is the scene itself."""
        (width, height), zoom = self.size, random.uniform(0, LARGEST_ZOOM)
        x, y = random.uniform(0.2, 0.8, 2) * self.size
        video = np.empty((self.frames, height, width, 3), np.float32)
        for index, frame in enumerate(video):
            s = 1 + zoom * index / max(1, self.frames - 1)
            shift = np.array([[s, 0, (1 - s) * x], [0, s, (1 - s) * y]], np.float32)
            frame[:] = cv2.warpAffine(scene, shift, self.size, borderMode=cv2.BORDER_REFLECT)
        return video


def _add(video: Floats, cutout: Video, place: Place, motion: Motion) -> None:
    """Draws a subject into a video, premultiplied so that its rim keeps its own colour."""
    frames, height, width, _ = video.shape
    fit = min(height / cutout.shape[0], width / cutout.shape[1]) / (1 + MARGIN)
    size = [max(2, round(side * fit)) for side in cutout.shape[1::-1]]
    layers = cutout.astype(np.float32)
    layers[..., :3] *= layers[..., 3:] / 255
    layers = cv2.resize(layers, size, interpolation=cv2.INTER_AREA)
    for index, frame in enumerate(video):
        done = index / max(1, frames - 1) - 0.5
        angle = np.deg2rad(motion.turns * np.sin(2 * np.pi * done))
        scale = 1 + motion.larger * done
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        x = (place.x + motion.right * done) * width - c * size[0] / 2 + s * size[1] / 2
        y = (place.y + motion.down * done) * height - s * size[0] / 2 - c * size[1] / 2
        turn = np.array([[c, -s, x], [s, c, y]], np.float32)
        drawn = cv2.warpAffine(layers, turn, (width, height))
        frame *= 1 - drawn[..., 3:] / 255
        frame += drawn[..., :3]


def _view(scene: Video, size: tuple[int, int], random: np.random.Generator) -> Video:
    """A part of a scene at a size, mirrored as often as not."""
    height, width = scene.shape[:2]
    shape = size[0] / size[1]
    wide = min(width, height * shape) * random.uniform(SMALLEST_CROP, 1)
    high = wide / shape
    left, top = random.uniform(0, 1, 2) * (width - wide, height - high)
    part = scene[int(top) : int(top + high), int(left) : int(left + wide)]
    part = part[:, ::-1] if random.random() < 0.5 else part
    seen: Video = cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_AREA)
    return seen


def _grey(size: tuple[int, int]) -> Video:
    return np.full((size[1], size[0], 3), 128, np.uint8)


@lru_cache(maxsize=256)
def _scene(path: Path) -> Video:
    with Image.open(path) as image:
        image.draft("RGB", (SCENE_LONG_PX, SCENE_LONG_PX))
        small = image.convert("RGB")
    small.thumbnail((SCENE_LONG_PX, SCENE_LONG_PX), Image.Resampling.LANCZOS)
    return np.asarray(small)


@lru_cache(maxsize=1024)
def _subject(path: Path) -> Video:
    """What is seen of a subject, RGBA; a person down to the hips as in the conditioning."""
    subject = np.asarray(upright(path, "RGBA", SUBJECT_LONG_PX))
    return subject[bounds(subject[..., 3] > SEEN_ALPHA)]
