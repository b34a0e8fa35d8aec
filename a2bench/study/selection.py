"""Which videos of run stores a study shows: those of the cases that every model has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from a2bench.errors import CannotRun, UnknownName, UsageError
from a2bench.results.leaderboard import Row, collect
from a2bench.results.videos import StoredVideo, stored_videos
from a2bench.runs.store import RunStore
from a2bench.types import Case

NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Together:
    """The videos of one case and seed, by model."""

    case: Case
    seed: int
    videos: Mapping[str, StoredVideo]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a study shows; ``left_out`` tells which cases it does not, and why."""

    models: tuple[str, ...]
    shown: tuple[Together, ...]
    left_out: tuple[str, ...] = ()


def choose(
    stores: Sequence[RunStore],
    cases: Sequence[Case],
    models: Sequence[str],
    *,
    limit: int | None = None,
) -> Chosen:
    """The videos of ``models`` (all when empty) for the first ``limit`` cases that have them.

    A case and seed that some model lacks is left out. Raises ``CannotRun`` when nothing is left,
    ``UsageError`` for fewer than two models or one that is not there.
    """
    held = _held(stores, _rows(stores, models))
    if len(held) < 2:
        raise UsageError(
            f"a study compares at least two models; the stores hold {', '.join(held) or 'none'}: "
            "name more of them with --run"
        )
    shown: list[Together] = []
    left_out: dict[str, list[str]] = {}
    for case in cases:
        if len({together.case.id for together in shown}) == limit:
            break
        seeds = sorted(
            {seed for videos in held.values() for key, seed in videos if key == case.key}
        )
        for seed in seeds or [0]:
            videos = {m: v[case.key, seed] for m, v in held.items() if (case.key, seed) in v}
            if len(videos) == len(held):
                shown.append(Together(case=case, seed=seed, videos=videos))
            else:
                lacking = [model for model in held if model not in videos]
                who = ", ".join(lacking) if videos else "any model"
                left_out.setdefault(who, []).append(f"{case.id} seed {seed}" if seed else case.id)
    told = tuple(f"no video of {who} for {_named(what)}" for who, what in left_out.items())
    if not shown:
        raise CannotRun("\n".join(("no case has a video of every model", *told)))
    return Chosen(models=tuple(held), shown=tuple(shown), left_out=told)


def _rows(stores: Sequence[RunStore], models: Sequence[str]) -> list[Row]:
    """The rows of the models asked for; refuses two different models of one name."""
    rows = collect(stores)
    known = {str(row.model["name"]) for row in rows}
    if unknown := [name for name in models if name not in known]:
        raise UnknownName(
            f"no videos of {', '.join(unknown)}; the stores hold {', '.join(sorted(known)) or '-'}"
        )
    kept = [row for row in rows if not models or row.model["name"] in models]
    first: dict[str, Row] = {}
    for row in kept:
        held = first.setdefault(str(row.model["name"]), row)
        if held.origin != row.origin:
            raise UsageError(
                f"{held.name} and {row.name} are other videos of one model: give the store of one "
                "of them"
            )
        if held.model != row.model:
            raise UsageError(
                f"two models are called {row.model['name']}, with other revisions, weights or "
                "parameters: give the store of one of them, or run one with another --name"
            )
    return kept


def _held(
    stores: Sequence[RunStore], rows: Sequence[Row]
) -> dict[str, dict[tuple[str, int], StoredVideo]]:
    """The videos by model, then by case key and seed."""
    held: dict[str, dict[tuple[str, int], StoredVideo]] = {
        str(row.model["name"]): {} for row in rows
    }
    for one in stored_videos(stores, rows):
        held[one.video.model][one.case_key, one.video.seed] = one
    return held


def _named(cases: Sequence[str]) -> str:
    more = f" and {len(cases) - NAMED} more" if len(cases) > NAMED else ""
    return f"{len(cases)} case{'s'[: len(cases) > 1]}: {', '.join(cases[:NAMED])}{more}"
