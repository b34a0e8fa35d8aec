"""Draws the combinations of a2bench-open: one character, one object, one background a case.

``python -m a2bench.prompts.draw`` prints them as JSON lines. Every object is drawn once, characters
and backgrounds as evenly as 50 cases allow, and no character meets a background twice. The prompts
are not drawn: they were written by hand for these combinations.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable
from pathlib import Path

SEED = 2025
CLOSE_OR_SKY = frozenset({"autumn_leaves", "blue_sky", "dandelion_field"})
INDOORS = frozenset({"wine_room"})
WATER = frozenset({"foggy_pier", "lakeside_deck", "misty_lake_night", "purple_lake_dusk"})
UNFIT = {
    # too large for a close-up, for the sky or for the room
    **dict.fromkeys(("bicycle", "elephant", "motor_scooter", "red_car"), CLOSE_OR_SKY | INDOORS),
    "sofa_and_lamp": CLOSE_OR_SKY,
    # the background shows another one already, which would be matched in its place
    "drum": frozenset({"wine_room"}),
    "kite": frozenset({"blue_sky"}),
    "fir_tree": CLOSE_OR_SKY | {"autumn_mountain_meadow", "dark_forest_path"},
}
FIT_ONLY = {"sailing_boat": WATER}


def draw(manifest: Path, seed: int = SEED) -> list[dict[str, str | list[str]]]:
    """The cases without prompts, in order: ``id``, ``elements`` and the object's ``category``."""
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    characters = [row["id"] for row in rows if row["view"] == "portrait"]
    backgrounds = [row["id"] for row in rows if row["role"] == "background"]
    categories = {row["id"]: row["category"] for row in rows if row["role"] == "object"}
    generator = random.Random(seed)  # noqa: S311 - a reproducible draw, not a secret
    objects = _shuffled(categories, generator)
    scenes = _evenly(backgrounds, len(objects), generator)
    while not all(_fits(o, s) for o, s in zip(objects, scenes, strict=True)):
        scenes = _evenly(backgrounds, len(objects), generator)
    people = _evenly(characters, len(objects), generator)
    while len(set(zip(people, scenes, strict=True))) < len(objects):
        people = _evenly(characters, len(objects), generator)
    return [
        {"id": f"open-{n:03d}", "elements": list(trio), "category": categories[trio[1]]}
        for n, trio in enumerate(zip(people, objects, scenes, strict=True), start=1)
    ]


def _fits(thing: str, scene: str) -> bool:
    return scene not in UNFIT.get(thing, ()) and scene in FIT_ONLY.get(thing, {scene})


def _evenly(items: list[str], count: int, generator: random.Random) -> list[str]:
    """``count`` items in random order, each as often as any other or once more."""
    whole, rest = divmod(count, len(items))
    return _shuffled(items * whole + _shuffled(items, generator)[:rest], generator)


def _shuffled(items: Iterable[str], generator: random.Random) -> list[str]:
    """Sorted by ``random()``: Python promises to keep its sequence, but not that of ``shuffle``."""
    return sorted(items, key=lambda _: generator.random())


if __name__ == "__main__":
    for case in draw(Path(__file__).parent.parent / "references" / "manifest.csv"):
        print(json.dumps(case))
