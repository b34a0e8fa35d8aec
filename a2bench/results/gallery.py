"""The videos that stores hold, with their scores, for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from a2bench.errors import CannotRun, SuiteError, UnknownName
from a2bench.results.leaderboard import collect
from a2bench.runs.store import RunStore
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Status


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A video of the gallery, with its scores; ``media`` is the name that it is served under."""

    model: str
    profile: str
    case_id: str
    case_key: str
    seed: int
    suite: str
    media: str
    path: Path
    scores: Mapping[str, float]

    @property
    def label(self) -> str:
        return f"{self.model}, seed {self.seed}" if self.seed else self.model


def gallery(stores: Sequence[Path]) -> list[Exhibit]:
    """Every video that the stores hold, by case, model and seed. Raises ``CannotRun``."""
    held = [RunStore(path) for path in stores]
    if absent := [str(path) for path in stores if not RunStore(path).exists()]:
        raise CannotRun(f"{', '.join(absent)}: no run store; a2bench run makes one")
    found = []
    for row in collect(held):
        for work in row.works:
            if work.video is None or work.video.status is not Status.OK:
                continue
            key = work.video.key
            path = next((p for s in held if (p := s.video_path(key)).is_file()), None)
            if path is None:
                continue
            scores = {n: r.value for n, r in work.scores.items() if r.value is not None}
            found.append(
                Exhibit(
                    model=row.name,
                    profile=row.profile,
                    case_id=work.case_id,
                    case_key=work.case_key,
                    seed=work.seed,
                    suite=str(row.suite["name"]),
                    media=path.name,
                    path=path,
                    scores=scores,
                )
            )
    return sorted(found, key=lambda e: (e.suite, e.case_id, e.model, e.seed, e.profile))


def media_of(exhibits: Sequence[Exhibit]) -> dict[str, Path]:
    """The files of a gallery by the names that they are served under: hashes of their origin."""
    return {exhibit.media: exhibit.path for exhibit in exhibits}


def case_of(exhibit: Exhibit) -> Case | None:
    """The case of a video, if its suite is at hand and still the same."""
    try:
        suite = load_suite(exhibit.suite)
    except (UnknownName, SuiteError):
        return None
    return next((case for case in suite.cases if case.key == exhibit.case_key), None)
