"""Simulated raters: what they think is known, so what is found can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2bench.ratings.table import Rating
from a2bench.types import VideoId

Floats = NDArray[np.float64]
CRITERIA = ("face_consistency", "background_consistency", "instruction_following")


def digits(scores: Floats) -> list[str]:
    """One text a row, one digit a vote, - for none."""
    return ["".join("-" if np.isnan(v) else str(int(v)) for v in row) for row in scores]


def matrix(texts: list[str]) -> Floats:
    return np.array([[np.nan if c == "-" else float(c) for c in text] for text in texts])


@dataclass(frozen=True, kw_only=True)
class Study:
    """Every rater sees all four models of some cases; two of the raters click at random."""

    truth: dict[tuple[str, VideoId], float]
    bias: dict[str, float]
    clickers: tuple[str, ...]
    ratings: list[Rating]


def simulate(
    *,
    cases: int = 60,
    raters: int = 16,
    votes: int = 5,
    clickers: int = 2,
    seed: int = 0,
    overall: Mapping[VideoId, float] | None = None,
) -> Study:
    """``score = round(quality + bias + noise)``, cut to 1 to 5; ``votes`` raters see each case.

    ``overall`` gives the quality of each video, which else is drawn; criteria lie about it.
    """
    random = np.random.default_rng(seed)
    names = [f"r{n:02d}" for n in range(raters)]
    bias = dict(zip(names, random.normal(0, 0.5, raters).tolist(), strict=True))
    noise = dict(zip(names, random.uniform(0.4, 0.9, raters).tolist(), strict=True))
    models = [f"m{n}" for n in range(4)]
    level = dict(zip(models, (2.3, 2.9, 3.3, 3.7), strict=True))
    truth: dict[tuple[str, VideoId], float] = {}
    ratings = []
    for case in range(cases):
        who = [names[(case * votes + n) % raters] for n in range(votes)]
        who = [str(name) for name in random.permutation(names)[:votes]] if case % 2 else who
        places = {name: random.permutation(4).tolist() for name in who}
        for place, model in enumerate(models):
            video = VideoId(f"case-{case:03d}", model, 0)
            common = overall[video] if overall else random.normal(level[model], 0.7)
            for criterion in CRITERIA:
                quality = float(np.clip(common + random.normal(0, 0.4), 1, 5))
                truth[criterion, video] = quality
                for name in who:
                    said = quality + bias[name] + random.normal(0, noise[name])
                    if name in names[:clickers]:
                        said = random.integers(1, 6)
                    ratings.append(
                        Rating(
                            rater=name,
                            video=video,
                            criterion=criterion,
                            score=int(np.clip(np.round(said), 1, 5)),
                            position=places[name][place] + 1,
                        )
                    )
    return Study(truth=truth, bias=bias, clickers=tuple(names[:clickers]), ratings=ratings)
