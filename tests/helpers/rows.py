"""Rows of results, made of values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from a2bench.results.leaderboard import Row, Work
from a2bench.runs.record import Record
from a2bench.types import Json, Status

Values = Mapping[str, Sequence[float | None]]
"""By metric the value in each case c00, c01, ...; None: it failed there."""


def definition(name: str, **more: Json) -> dict[str, Json]:
    """What a manifest holds of a metric: between 0 and 1, and higher is better, unless told."""
    return {
        "name": name,
        "version": "1",
        "dimension": "quality",
        "params": {},
        "extractors": [],
        "low": 0.0,
        "high": 1.0,
        "higher_is_better": True,
        **more,
    }


def row(
    name: str,
    values: Values,
    *,
    start: int = 0,
    seeds: Sequence[Values] = (),
    profile: str = "lite",
    **definitions: Mapping[str, Json],
) -> Row:
    """A row whose cases begin with number ``start``; ``seeds`` are values of further seeds."""
    works = []
    for seed, held in enumerate((values, *seeds)):
        cases = max(map(len, held.values()))
        for at in range(cases):
            case = f"c{start + at:02}"
            scores = {metric: _score(case, seed, metric, own[at]) for metric, own in held.items()}
            video = _record(case, seed, kind="video")
            work = Work(case_id=case, case_key=f"key-{case}", seed=seed, video=video, scores=scores)
            works.append(work)
    return Row(
        model={"name": name, "revision": ""},
        suite={"name": "suite", "version": "1", "key": "0" * 64},
        profile=profile,
        metrics={metric: definition(metric, **definitions.get(metric, {})) for metric in values},
        works=works,
    )


def _score(case: str, seed: int, metric: str, value: float | None) -> Record:
    if value is None:
        return _record(case, seed, metric=metric, status=Status.FAILED, error="broke")
    return _record(case, seed, metric=metric, value=float(value))


def _record(case: str, seed: int, **more: object) -> Record:
    told = {
        "kind": "score",
        "key": f"{case} {seed} {more.get('metric', '')}",
        "model": "m",
        "case_id": case,
        "case_key": f"key-{case}",
        "seed": seed,
        "status": Status.OK,
        "metric": "",
        "profile": "lite",
        "video_sha256": "ab",
        "value": None,
        "detail": {},
        "error": None,
        "revision": 1,
        **more,
    }
    return Record(**told)  # type: ignore[arg-type]
