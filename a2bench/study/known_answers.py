"""Pages whose right answers are known: training, gold and traps, made from the controls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from a2bench.criteria import LEAST, MOST
from a2bench.errors import CannotRun
from a2bench.generator import SuiteAware
from a2bench.generators.collage import Collage
from a2bench.generators.controls import Blurred, Compressed, Noise, Swapped
from a2bench.pictures import Frame
from a2bench.ratings.answers import Kind
from a2bench.types import ROLES, Case, Suite

GOLD = 2
TRAPS = 2
# The least and the greatest right score, one apart: people may differ by one.
_GOOD, _BAD = (MOST - 1, MOST), (LEAST, LEAST + 1)
_RIGHT: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "collage": dict.fromkeys(
        (
            "face_consistency",
            "dress_consistency",
            "background_consistency",
            "object_consistency",
        ),
        _GOOD,
    ),
    "swapped": dict.fromkeys(
        ("face_consistency", "background_consistency", "object_consistency"), _BAD
    ),
    "noise": dict.fromkeys(("instruction_following", "aesthetic_quality", "video_quality"), _BAD),
    "blurred": {"video_quality": _BAD},
    "compressed": {"video_quality": _BAD},
}
_TOLD = {
    "collage": "one is put together from the reference pictures themselves, so people, objects "
    "and place agree with them (4 or 5)",
    "swapped": "one shows the people, objects and place of another prompt (1 or 2)",
    "noise": "one is nothing but noise, yet it plays: quality and content are 1 or 2",
    "blurred": "one is badly blurred (video quality 1 or 2)",
    "compressed": "one is badly compressed (video quality 1 or 2)",
}


@dataclass(frozen=True, kw_only=True)
class KnownClip:
    """A clip that is made for a page; ``press`` is the score that it tells to give, or 0."""

    generator: Collage
    seed: int = 0
    press: int = 0

    def right(self, criteria: Sequence[str]) -> dict[str, tuple[int, int]]:
        """The least and the greatest right score by criterion, where one is known."""
        if self.press:
            return dict.fromkeys(criteria, (self.press, self.press))
        known = _RIGHT[self.generator.name] if not self.seed else {}
        return {name: known[name] for name in criteria if name in known}

    def frames(self, case: Case) -> Iterator[Frame]:
        shown = self.generator.render(case, seed=self.seed)
        return told_to_press(shown, self.press, self.generator.frames) if self.press else shown


@dataclass(frozen=True, kw_only=True)
class KnownPage:
    """A page of one kind on a case."""

    kind: Kind
    case: Case
    clips: tuple[KnownClip, ...]
    feedback: str = ""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the rated videos look like, so that others do not stand out."""

    width: int
    height: int
    frames: int
    fps: int


def known_pages(
    suite: Suite,
    rated: Sequence[Case],
    *,
    at_once: int,
    training: int,
    look: Look,
    random: Random,
) -> list[KnownPage]:
    """Training, gold and trap pages, if possible on cases that are not rated."""
    controls = _controls(suite, look, at_once)
    shown = {case.key for case in rated}
    cases = sorted(suite.cases, key=lambda c: (c.key in shown, -_roles(c), random.random()))
    feedback = f"These videos were made for practice: {'; '.join(_TOLD[c.name] for c in controls)}."
    pages = []
    for index in range(training + GOLD + TRAPS):
        case = cases[index % len(cases)]
        if index >= training + GOLD:
            pages.append(_trap(case, at_once, random.randint(LEAST, MOST), look))
            continue
        clips = [KnownClip(generator=control) for control in controls]
        train = index < training
        kind = Kind.TRAIN if train else Kind.GOLD
        mixed = tuple(random.sample(clips, len(clips)))
        pages.append(
            KnownPage(kind=kind, case=case, clips=mixed, feedback=feedback if train else "")
        )
    return pages


def told_to_press(frames: Iterable[Frame], score: int, count: int) -> Iterator[Frame]:
    """The frames, the last two thirds of them under a text that says which score to give."""
    for index, frame in enumerate(frames):
        yield _lettered(frame, score) if index >= count / 3 else frame


def _trap(case: Case, at_once: int, score: int, look: Look) -> KnownPage:
    """One clip that says what to press, among others of the same case."""
    collage = _made(Collage, look)
    trap = KnownClip(generator=collage, press=score)
    others = [KnownClip(generator=collage, seed=seed) for seed in range(1, at_once)]
    return KnownPage(kind=Kind.TRAP, case=case, clips=(trap, *others))


def _controls(suite: Suite, look: Look, count: int) -> list[Collage]:
    """The most telling controls that can be made for this suite."""
    found: list[Collage] = []
    for control in (Collage, Swapped, Noise, Blurred, Compressed):
        if len(found) == count:
            break
        made = _made(control, look)
        try:
            if isinstance(made, SuiteAware):
                made.prepare(suite)
        except CannotRun:  # a suite too small to swap anything
            continue
        found.append(made)
    return found


def _made(control: type[Collage], look: Look) -> Collage:
    made = control(width=look.width, height=look.height, frames=look.frames, fps=look.fps)
    if isinstance(made, Blurred):
        made.sigma_px = look.height / 60
    return made


def _roles(case: Case) -> int:
    return sum(bool(case.of(role)) for role in ROLES)


def _lettered(frame: Frame, score: int) -> Frame:
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(8, image.width // 14))
    lines = f"Attention:\nplease answer {score}\nfor this video"
    middle = (image.width / 2, image.height / 2)
    box = draw.multiline_textbbox(middle, lines, font=font, anchor="mm", align="center")
    edge = image.width // 40
    draw.rectangle((box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge), fill="white")
    draw.multiline_text(middle, lines, font=font, anchor="mm", align="center", fill="black")
    return np.asarray(image)
