"""Cuts, standing pictures and fades in films of which all is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from a2bench.metrics.diagnostics import Cuts, Fades, FrozenShare, fades, repeated
from a2bench.metrics.extractors.motion.changes import Changes, FrameChanges
from a2bench.pictures import Frame
from a2bench.types import Case, Measurement
from a2bench.video import decode, encode, probe
from tests.helpers.fakes import NO_VIDEO, Canned, measure
from tests.helpers.films import HEIGHT, ROOM, WIDTH, drift, lit, scene, view

CASE = Case(id="c", prompt="p", elements=())
RANDOM = np.random.default_rng(5)


def look(frames: Sequence[Frame]) -> Changes:
    consumer = FrameChanges().start(CASE, NO_VIDEO)
    for index, frame in enumerate(frames):
        consumer.push(index, frame)
    return consumer.finish()


def measured(frames: Sequence[Frame]) -> dict[str, Measurement]:
    seen = Canned(features=look(frames))
    metrics = (Cuts(changes=seen), FrozenShare(changes=seen), Fades(changes=seen))
    return {metric.info.name: measure(metric, CASE) for metric in metrics}


def cuts(frames: Sequence[Frame]) -> list[int]:
    found = measured(frames)["cuts"]
    assert found.value == len(found.detail["frames"])
    return list(found.detail["frames"])


def dimmed(frames: Sequence[Frame], shares: Sequence[float], end: int = 0) -> list[Frame]:
    return [lit(frame, share, end) for frame, share in zip(frames, shares, strict=True)]


def ramp(start: int, steps: int, frames: int = 30) -> list[float]:
    """1 up to a frame, then down to 0 in so many steps."""
    return [float(np.clip(1 - (i - start) / steps, 0, 1)) for i in range(frames)]


def crossed(seed: int) -> list[Frame]:
    """A thing of nearly half the frame that crosses it in 12 frames."""
    frames, side = drift(seed), WIDTH * 45 // 100
    for index, frame in enumerate(frames):
        left = -side + index * (WIDTH + side) // 12
        low, high = max(0, left), min(WIDTH, left + side)
        if low < high:
            frame[30:, low:high] = view(scene(seed + 40))[30:, low - left : high - left]
    return frames


def whipped(seed: int) -> list[Frame]:
    """A camera that rests, turns by half a frame in four frames, and rests again."""
    ways = [*np.linspace(0, 3, 12), 40, 85, 130, 175, *np.linspace(178, 181, 12)]
    return [view(scene(seed), right - 90) for right in ways]


WITHOUT_CUTS: dict[str, Callable[[int], list[Frame]]] = {
    "calm": drift,
    "fast pan": lambda s: [view(scene(s), -ROOM + 40 * i) for i in range(7)],
    "whip pan": whipped,
    "shake": lambda s: [view(scene(s), *RANDOM.normal(0, 14, 2)) for _ in range(30)],
    "flicker": lambda s: dimmed(drift(s), RANDOM.uniform(0.6, 1, 30).tolist()),
    "light goes out": lambda s: dimmed(drift(s), [1.0] * 15 + [0.3] * 15),
    "flash of a frame": lambda s: dimmed(drift(s), [float(i != 12) for i in range(30)], 255),
    "flash that dies down": lambda s: dimmed(
        drift(s), [{12: 0.1, 13: 0.4, 14: 0.7}.get(i, 1.0) for i in range(30)], 255
    ),
    "black frames": lambda s: dimmed(drift(s), [float(i not in (9, 10, 11)) for i in range(30)]),
    "fade to black": lambda s: dimmed(drift(s), ramp(8, 12)),
    "fast fade to black": lambda s: dimmed(drift(s), ramp(8, 4)),
    "fade from black": lambda s: dimmed(drift(s), ramp(8, 12)[::-1]),
    "fade to white": lambda s: dimmed(drift(s), ramp(8, 12), 255),
    "large thing crosses": crossed,
    "noise": lambda s: list(
        np.random.default_rng(s).integers(0, 256, (20, HEIGHT, WIDTH, 3), np.uint8)
    ),
    "strobe": lambda s: dimmed(drift(s), [float(i % 2) for i in range(30)]),
}


@pytest.mark.parametrize("kind", WITHOUT_CUTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_no_cut_is_none(kind: str, seed: int) -> None:
    assert cuts(WITHOUT_CUTS[kind](seed)) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_change_of_scene_between_two_frames_is_a_cut(seed: int) -> None:
    one, other = drift(seed), drift(seed + 20)
    assert cuts(one[:15] + other[15:]) == [15]
    assert cuts(one[:10] + other[10:20] + one[20:]) == [10, 20]
    assert cuts(one[:29] + other[29:]) == [29]
    assert cuts(dimmed(one[:15], [0.3] * 15) + other[15:]) == [15]


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_to_other_structure_in_the_same_colours_is_a_cut(seed: int) -> None:
    one = drift(seed)
    other = [frame[::-1, ::-1] for frame in one]  # not a pixel is of another colour
    assert cuts(one[:15] + [np.ascontiguousarray(frame) for frame in other[15:]]) == [15]


def test_a_cut_from_and_to_black_is_one() -> None:
    frames = drift(3)
    assert cuts(dimmed(frames, [1.0] * 20 + [0.0] * 10)) == [20]
    assert cuts(dimmed(frames, [0.0] * 20 + [1.0] * 10)) == [20]


FADES: dict[str, tuple[list[float], int, list[str]]] = {
    "to black": (ramp(8, 12), 0, ["to black"]),
    "to black, fast": (ramp(8, 4), 0, ["to black"]),
    "to black, all along": ([1 - i / 29 for i in range(30)], 0, ["to black"]),
    "to white": (ramp(8, 12), 255, ["to white"]),
    "from black": (ramp(8, 12)[::-1], 0, ["from black"]),
    "from white": (ramp(8, 12)[::-1], 255, ["from white"]),
    "dip to black": (
        [abs(i - 15) / 10 if abs(i - 15) < 10 else 1.0 for i in range(30)],
        0,
        ["to black", "from black"],
    ),
    "to a fifth": ([max(0.2, x) for x in ramp(8, 12)], 0, ["to black"]),
    "to a half": ([max(0.5, x) for x in ramp(8, 12)], 0, []),
    "goes out at once": ([1.0] * 15 + [0.0] * 15, 0, []),
    "flicker": ([1.0, 0.6] * 15, 0, []),
}


@pytest.mark.parametrize("kind", FADES)
@pytest.mark.parametrize("seed", [1, 2])
def test_fades_are_counted_and_named(kind: str, seed: int) -> None:
    shares, end, names = FADES[kind]
    found = measured(dimmed(drift(seed), shares, end))["fades"]
    assert [fade[2] for fade in found.detail["fades"]] == names
    assert found.value == len(names)


def test_a_fade_tells_where_it_is() -> None:
    (fade,) = fades(look(dimmed(drift(1), ramp(8, 12))))
    assert abs(fade.first - 8) <= 1 and abs(fade.last - 20) <= 1


def test_fades_are_looked_for_scene_by_scene() -> None:
    bright, dark = dimmed(drift(1), [1.0] * 30), dimmed(drift(9), [0.5 * x for x in ramp(15, 10)])
    frames = bright[:10] + dark[10:]
    assert cuts(frames) == [10]
    assert [fade.kind for fade in fades(look(frames))] == ["to black"]


def test_a_plain_wall_that_comes_into_view_is_no_fade() -> None:
    wall = view(scene(4))
    frames = []
    for index in range(30):
        frame = wall.copy()
        frame[:, : index * WIDTH // 29] = 180
        frames.append(frame)
    assert measured(frames)["fades"].value == 0


STANDING: dict[str, tuple[Callable[[list[Frame]], list[Frame]], float, list[int] | None]] = {
    "moves": (lambda f: f, 0.0, None),
    "second half stands": (lambda f: f[:20] + [f[19]] * 21, 21 / 40, [19, 40]),
    "still": (lambda f: [f[0]] * 41, 1.0, [0, 40]),
    "every fourth is repeated": (lambda f: [f[i - (i % 4 == 3)] for i in range(41)], 0.25, [2, 3]),
    "every second is repeated": (lambda f: [f[i - i % 2] for i in range(41)], 0.5, [0, 1]),
    "stands in the middle": (lambda f: f[:10] + [f[10]] * 11 + f[21:], 10 / 40, [10, 20]),
}


@pytest.mark.parametrize("kind", STANDING)
def test_the_share_of_repeated_pictures_is_exact_without_coding(kind: str) -> None:
    change, share, longest = STANDING[kind]
    found = measured(change(drift(2, 41)))["frozen_share"]
    assert found.value == pytest.approx(share)
    assert found.detail["longest"] == longest


@pytest.mark.slow
@pytest.mark.parametrize("crf", [18, 23])
@pytest.mark.parametrize("kind", STANDING)
def test_the_share_of_repeated_pictures_survives_h264(tmp_path: Path, kind: str, crf: int) -> None:
    change, share, _ = STANDING[kind]
    encode(tmp_path / "v.mp4", change(drift(2, 41)), crf=crf)
    frames = [frame for _, frame in decode(probe(tmp_path / "v.mp4"))]
    found = measured(frames)["frozen_share"]
    assert found.value == pytest.approx(share, abs=1.1 / 40)  # a pair of forty


def test_slow_motion_is_not_frozen_and_motion_that_nobody_sees_is() -> None:
    for step_px, share in ((0.5, 0.0), (0.25, 0.0), (0.01, 1.0)):
        frames = [view(scene(1), step_px * index) for index in range(20)]
        assert measured(frames)["frozen_share"].value == share


def test_one_frame_stands_still_and_has_no_cut_and_no_fade() -> None:
    found = measured([view(scene(1))])
    assert {name: one.value for name, one in found.items()} == {
        "cuts": 0.0, "frozen_share": 1.0, "fades": 0.0,
    }  # fmt: skip
    assert found["frozen_share"].detail["longest"] is None


def test_a_picture_that_moves_on_next_to_a_cut_is_not_frozen() -> None:
    assert repeated([3.0, 3.0, 150.0, 3.0, 3.0]) == [False] * 5
    assert repeated([20.0, 20.0, 3.0, 20.0, 20.0]) == [False, False, True, False, False]
    assert repeated([20.0, 5.0, 20.0, 20.0]) == [False] * 4  # over 4 levels can be seen
    assert repeated([]) == []


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (48, 900)])
@pytest.mark.parametrize("level", [0, 255])
def test_odd_and_plain_frames_have_values(size: tuple[int, int], level: int) -> None:
    frames = [np.full((size[1], size[0], 3), level, np.uint8)] * 5
    found = {name: one.value for name, one in measured(frames).items()}
    assert found == {"cuts": 0.0, "frozen_share": 1.0, "fades": 0.0}


def test_memory_does_not_grow_with_the_length() -> None:
    consumer = FrameChanges().start(CASE, NO_VIDEO)
    for index, frame in enumerate(drift(1) * 2):
        consumer.push(index, frame)
    kept = [one for one in vars(consumer).values() if isinstance(one, np.ndarray)]
    assert sum(one.nbytes for one in kept) < 40_000
