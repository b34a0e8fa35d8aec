"""The videos that stores hold, with what they scored: the one way from rows to files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from a2bench.errors import CannotRun, SuiteError, UnknownName
from a2bench.keys import digest
from a2bench.results.leaderboard import Row, collect
from a2bench.runs.store import RunStore
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Status, VideoId


@dataclass(frozen=True, kw_only=True)
class StoredVideo:
    """A video of a row. ``name`` is the row's; ``path`` is named by a hash.

    ``apart``: another store may hold another video under the name of its file.
    """

    video: VideoId
    name: str
    profile: str
    suite: str
    case_key: str
    path: Path
    scores: Mapping[str, float]
    apart: bool = False

    @property
    def media(self) -> str:
        """The name that it is served under."""
        return f"{digest(str(self.path))[:12]}-{self.path.name}" if self.apart else self.path.name

    @property
    def label(self) -> str:
        return f"{self.name}, seed {self.video.seed}" if self.video.seed else self.name


def stored_videos(stores: Sequence[RunStore], rows: Sequence[Row]) -> Iterator[StoredVideo]:
    """Every video of the rows that was made and is still in one of the stores, row by row.

    A row's own stores come first; where it has an origin, others hold other videos of that key.
    """
    for row in rows:
        for work in row.works:
            record = work.video
            if record is None or record.status is not Status.OK:
                continue
            where = row.stores if row.origin else (*row.stores, *stores)
            paths = (store.video_path(record.key) for store in where)
            if path := next((path for path in paths if path.is_file()), None):
                yield StoredVideo(
                    video=VideoId(work.case_id, str(row.model["name"]), work.seed),
                    name=row.name,
                    profile=row.profile,
                    suite=str(row.suite["name"]),
                    case_key=work.case_key,
                    path=path,
                    scores={n: r.value for n, r in work.scores.items() if r.value is not None},
                    apart=bool(row.origin),
                )


def opened(paths: Sequence[Path]) -> list[RunStore]:
    """The stores in these folders. Raises ``CannotRun`` naming those that are none."""
    if absent := [str(path) for path in paths if not RunStore(path).exists()]:
        are = "are no run stores" if len(absent) > 1 else "is no run store"
        raise CannotRun(f"{', '.join(absent)} {are}: a2bench run --store {absent[0]} makes one")
    return [RunStore(path) for path in paths]


def gallery(paths: Sequence[Path]) -> list[StoredVideo]:
    """Every video of the stores, by suite, case, model and seed. Raises ``CannotRun``."""
    stores = opened(paths)
    found = stored_videos(stores, collect(stores))
    return sorted(found, key=lambda v: (v.suite, v.video.case, v.name, v.video.seed, v.profile))


def case_of(video: StoredVideo) -> Case | None:
    """The case of a video, if its suite is at hand and still the same."""
    try:
        suite = load_suite(video.suite)
    except (UnknownName, SuiteError):
        return None
    return next((case for case in suite.cases if case.key == video.case_key), None)
