"""Controls: generators of which it is known how a good metric ranks them against the collage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import ClassVar, TypeVar

import cv2
import numpy as np
from numpy.random import Generator as Random
from PIL import Image

from a2bench.errors import CannotRun, GeneratorError
from a2bench.generators.collage import Actor, Collage, Matrix, Part, draw
from a2bench.generators.cutout import Bytes
from a2bench.parameters import above_zero, within
from a2bench.pictures import Frame, Rgba
from a2bench.types import ROLES, Case, Element, Json, Role, Suite
from a2bench.video import encode

T = TypeVar("T")


@dataclass(kw_only=True)
class Still(Collage):
    """The collage's first frame, held: nothing moves."""

    name: ClassVar[str] = "still"

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        first = next(super().render(case, seed=seed))
        for _ in range(self.frames):
            yield first


@dataclass(kw_only=True)
class Noise(Collage):
    """Uniform RGB noise, independent for each pixel and frame: nothing is shown."""

    name: ClassVar[str] = "noise"

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        # noise does not compress: at this rate it stays noise in half the bytes
        encode(out, self.render(case, seed=seed), fps=self.fps, crf=28)

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        random = draw(case, seed)
        for _ in range(self.frames):
            yield random.integers(0, 256, (self.height, self.width, 3), np.uint8)


@dataclass(kw_only=True)
class Blurred(Collage):
    """The collage with each frame blurred (Gaussian)."""

    name: ClassVar[str] = "blurred"

    sigma_px: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "sigma_px")

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        for frame in super().render(case, seed=seed):
            yield cv2.GaussianBlur(frame, (0, 0), self.sigma_px)


@dataclass(kw_only=True)
class Compressed(Collage):
    """The collage with each frame passed through JPEG of a low quality."""

    name: ClassVar[str] = "compressed"

    quality: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        within(self, "quality", 1, 100)

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        for frame in super().render(case, seed=seed):
            jpeg = BytesIO()
            Image.fromarray(frame).save(jpeg, "JPEG", quality=self.quality)
            yield np.asarray(Image.open(jpeg))


@dataclass(kw_only=True)
class Stuttered(Collage):
    """The collage with every fourth frame replaced by the one before it."""

    name: ClassVar[str] = "stuttered"

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        shown = None
        for index, frame in enumerate(super().render(case, seed=seed)):
            if shown is None or self._moves(index):
                shown = frame
            yield shown

    def _moves(self, index: int) -> bool:
        return index % 4 != 3


@dataclass(kw_only=True)
class Frozen(Stuttered):
    """The collage until its middle frame, which is held to the end."""

    name: ClassVar[str] = "frozen"

    def _moves(self, index: int) -> bool:
        return index <= self.frames // 2


@dataclass(kw_only=True)
class Faded(Still):
    """The collage's first frame, which fades to black: nothing moves."""

    name: ClassVar[str] = "faded"

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        for index, frame in enumerate(super().render(case, seed=seed)):
            yield _lit(frame, 1 - index / max(1, self.frames - 1))


@dataclass(kw_only=True)
class Flickering(Still):
    """The collage's first frame, its brightness drawn anew each time: nothing moves."""

    name: ClassVar[str] = "flickering"

    by: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        within(self, "by", 0, 1)

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        random = draw(case, seed)
        for frame in super().render(case, seed=seed):
            yield _lit(frame, 1 + random.uniform(-self.by, self.by))


@dataclass(kw_only=True)
class Defocused(Still):
    """The collage's first frame, which becomes blurred (Gaussian): nothing moves."""

    name: ClassVar[str] = "defocused"

    sigma_px: float = 12.0

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "sigma_px")

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        for index, frame in enumerate(super().render(case, seed=seed)):
            sigma_px = self.sigma_px * index / max(1, self.frames - 1)
            yield cv2.GaussianBlur(frame, (0, 0), sigma_px) if sigma_px else frame


@dataclass(kw_only=True)
class Peopleless(Collage):
    """The collage without its characters."""

    name: ClassVar[str] = "peopleless"

    def _cast(self, case: Case, plate: Bytes, random: Random) -> list[Actor]:
        return super()._cast(case, plate, random)[len(case.of("character")) :]


@dataclass(kw_only=True)
class Objectless(Collage):
    """The collage without its objects."""

    name: ClassVar[str] = "objectless"

    def _cast(self, case: Case, plate: Bytes, random: Random) -> list[Actor]:
        return super()._cast(case, plate, random)[: len(case.of("character"))]


@dataclass(kw_only=True)
class Distant(Collage):
    """The collage with small subjects: of 832 px width, a face takes some 45, an object some 50."""

    name: ClassVar[str] = "distant"

    scale: float = 0.33

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "scale")

    def _part(self, element: Element, share: float, random: Random) -> Part:
        return super()._part(element, self.scale * share, random)


@dataclass(kw_only=True)
class Shuffled(Collage):
    """The collage before a background of which the tiles, 4 by 3, have changed places."""

    name: ClassVar[str] = "shuffled"

    def _plate(self, case: Case) -> Bytes:
        plate = super()._plate(case)
        height, width = plate.shape[0] // 3, plate.shape[1] // 4
        corners = [(height * (i // 4), width * (i % 4)) for i in range(12)]
        shuffled = plate.copy()
        for index, (top, left) in enumerate(corners):
            y, x = corners[(5 * index + 7) % 12]  # none of the twelve stays in its place
            shuffled[top : top + height, left : left + width] = plate[y : y + height, x : x + width]
        return shuffled


@dataclass(kw_only=True)
class Swapped(Collage):
    """The collage of another case: wrong references.

    It is the next case of the suite that shares no character, object or background with this one.
    """

    name: ClassVar[str] = "swapped"

    _other: dict[str, Case] = field(default_factory=dict, init=False, repr=False)

    def prepare(self, suite: Suite) -> tuple[str, ...]:
        self._other = {}
        for index, case in enumerate(suite.cases):
            later_first = suite.cases[index + 1 :] + suite.cases[:index]
            other = next((o for o in later_first if _all_differ(case, o)), None)
            if other is None:
                raise CannotRun(
                    f"swapped: none of {len(suite.cases)} cases of {suite.name} differs from "
                    f"{case.id} in character, object and background; take a larger suite"
                )
            self._other[case.key] = other
        return ()

    def inputs(self, case: Case, *, seed: int) -> Mapping[str, Json]:
        del seed  # the other case is the same for all
        return {"case": _known(self._other, case.key, self.name, case).key}

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        other = _known(self._other, case.key, self.name, case)
        return super().render(other, seed=seed)


@dataclass(kw_only=True)
class Cut(Swapped):
    """The collage whose second half is that of another case, as in ``Swapped``: one hard cut."""

    name: ClassVar[str] = "cut"

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        other = super().render(case, seed=seed)
        own = Collage.render(self, case, seed=seed)
        for index, (first, second) in enumerate(zip(own, other, strict=True)):
            yield first if index < self.frames // 2 else second


@dataclass(kw_only=True)
class Mistaken(Swapped):
    """The collage with other people in the place of all characters but the first.

    They are those of the case that ``swapped`` shows.
    """

    name: ClassVar[str] = "mistaken"

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        return super(Swapped, self).render(case, seed=seed)

    def _cast(self, case: Case, plate: Bytes, random: Random) -> list[Actor]:
        people = case.of("character")
        others = _known(self._other, case.key, self.name, case).of("character")
        wrong = dict(zip(people[1:], others[1:] or others, strict=False))
        elements = tuple(wrong.get(element, element) for element in case.elements)
        return super()._cast(replace(case, elements=elements), plate, random)


@dataclass(kw_only=True)
class Alone(Collage):
    """The collage without its characters but the first: the others are missing."""

    name: ClassVar[str] = "alone"

    def _cast(self, case: Case, plate: Bytes, random: Random) -> list[Actor]:
        cast, people = super()._cast(case, plate, random), len(case.of("character"))
        return [*cast[:1], *cast[people:]] if people else cast


@dataclass(frozen=True, kw_only=True)
class _Rooted(Actor):
    """An actor who does not walk."""

    def pose(self, turn: float, stroll_px: float) -> Matrix:
        del stroll_px
        return super().pose(turn, 0.0)


@dataclass(kw_only=True)
class Centred(Collage):
    """The first character alone, before the middle of the background: two thirds of the width."""

    name: ClassVar[str] = "centred"

    def _cast(self, case: Case, plate: Bytes, random: Random) -> list[Actor]:
        first = replace(case, elements=case.of("character")[:1])
        return [_Rooted(**vars(actor)) for actor in super()._cast(first, plate, random)]

    def _part(self, element: Element, share: float, random: Random) -> Part:
        return super()._part(element, 2 * share, random)  # then made to fit


@dataclass(kw_only=True)
class Restaged(Collage):
    """The case composed from other pictures of the same things.

    Each character comes from another photograph of the person; each object is turned, smaller and
    of another hue. It tells keeping identity from copying pixels.
    """

    name: ClassVar[str] = "restaged"

    _others: dict[str, tuple[Element, ...]] = field(default_factory=dict, init=False, repr=False)

    def prepare(self, suite: Suite) -> tuple[str, ...]:
        self._others = {
            e.sha256: tuple(r for r in suite.references if _another_photograph(e, r))
            for case in suite.cases
            for e in case.of("character")
        }
        shown = {e.id: e.sha256 for case in suite.cases for e in case.of("character")}
        alone = sorted(i for i, sha256 in shown.items() if not self._others[sha256])
        if alone:
            raise CannotRun(
                "restaged: the references hold no second photograph of the subject of "
                f"{', '.join(alone)}; add one with the same subject, or leave this control out"
            )
        return ()

    def inputs(self, case: Case, *, seed: int) -> Mapping[str, Json]:
        characters = self._restaged(case, seed).of("character")
        return {"characters": [e.sha256 for e in characters]}

    def render(self, case: Case, *, seed: int) -> Iterator[Frame]:
        return super().render(self._restaged(case, seed), seed=seed)

    def picture(self, element: Element, random: Random) -> Rgba:
        picture = super().picture(element, random)
        if element.role == "character":  # head and shoulders: these faces are smaller ones
            return picture[: round(1.15 * picture.shape[1])]
        hue, turn_deg = random.uniform((30, 15), (60, 35)) * random.choice((-1, 1), 2)
        return _turned_and_reduced(_hue_shifted(picture, hue), turn_deg, random.uniform(0.8, 0.95))

    def _restaged(self, case: Case, seed: int) -> Case:
        random = draw(case, seed)
        elements = []
        for element in case.elements:
            if element.role == "character":
                others = _known(self._others, element.sha256, self.name, case)
                element = others[int(random.integers(len(others)))]
            elements.append(element)
        return replace(case, elements=tuple(elements))


def _lit(frame: Frame, factor: float) -> Frame:
    """The frame at another brightness; 0 is black."""
    lit: Frame = cv2.convertScaleAbs(frame, alpha=factor)
    return lit


def _all_differ(case: Case, other: Case) -> bool:
    """Whether ``other`` fills each role of ``case``, and with nothing that ``case`` shows."""
    return all(
        other.of(role) and _subjects(case, role).isdisjoint(_subjects(other, role))
        for role in ROLES
        if case.of(role)
    )


def _subjects(case: Case, role: Role) -> set[str]:
    return {e.subject or e.sha256 for e in case.of(role)}


def _another_photograph(shown: Element, reference: Element) -> bool:
    return (
        reference.role == shown.role
        and reference.subject == shown.subject != ""
        and reference.sha256 != shown.sha256
    )


def _known(found: Mapping[str, T], key: str, name: str, case: Case) -> T:
    if key not in found:
        raise GeneratorError(
            f"{name} was not prepared for case {case.id}: call prepare with its suite first"
        )
    return found[key]


def _hue_shifted(picture: Rgba, degrees: float) -> Rgba:
    hsv = cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(degrees * 256 / 360) % 256)  # wraps around
    shifted: Rgba = np.dstack([cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), picture[..., 3]])
    return shifted


def _turned_and_reduced(picture: Rgba, degrees: float, scale: float) -> Rgba:
    """The picture turned about its middle, on a canvas that is larger than it by ``1 / scale``."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = np.abs(matrix[0, :2])
    size = np.array([width * cosine + height * sine, width * sine + height * cosine]) / scale
    matrix[:, 2] += size / 2 - (width / 2, height / 2)
    canvas = (int(np.ceil(size[0])), int(np.ceil(size[1])))
    alpha = picture[..., 3:].astype(np.float32) / 255
    layers = np.dstack([picture[..., :3] * alpha, alpha])
    turned = cv2.warpAffine(layers, matrix, canvas)
    colour = turned[..., :3] / np.maximum(turned[..., 3:], 1e-3)
    return np.dstack([colour, 255 * turned[..., 3]]).round().clip(0, 255).astype(np.uint8)
