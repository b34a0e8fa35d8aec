"""The videos that stores hold, with what they scored: the one way from rows to files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from a2bench.errors import CannotRun
from a2bench.results.leaderboard import Row, collect
from a2bench.runs.store import RunStore, probed
from a2bench.suites.suite import packaged_suite
from a2bench.types import Case, Status, Video, VideoId


@dataclass(frozen=True, kw_only=True)
class StoredVideo:
    """A video of a row, whose ``name`` it has; ``sha256`` is what was recorded of the file."""

    video: VideoId
    name: str
    profile: str
    suite: str
    case_key: str
    path: Path
    sha256: str
    scores: Mapping[str, float]

    @property
    def media(self) -> str:
        """The name that it is served under."""
        return f"{self.sha256}.mp4"

    def probed(self) -> Video:
        """The video, found to be what was recorded. Raises ``StoreError`` if it is not."""
        return probed(self.path, self.sha256)

    @property
    def label(self) -> str:
        return f"{self.name}, seed {self.video.seed}" if self.video.seed else self.name


def stored_videos(stores: Sequence[RunStore], rows: Sequence[Row]) -> Iterator[StoredVideo]:
    """Every video of the rows that was made and is still in one of the stores, row by row.

    A row's own stores come first; where it has an origin, others may hold other videos under the
    names that older stores gave. The files are not read: ``StoredVideo.probed`` does, and checks.
    """
    for row in rows:
        for work in row.works:
            record = work.video
            if record is None or record.status is not Status.OK:
                continue
            where = row.stores if row.origin else (*row.stores, *stores)
            paths = (store.video_path(record.video_sha256, record.key) for store in where)
            if path := next((path for path in paths if path.is_file()), None):
                yield StoredVideo(
                    video=VideoId(work.case_id, str(row.model["name"]), work.seed),
                    name=row.name,
                    profile=row.profile,
                    suite=str(row.suite["name"]),
                    case_key=work.case_key,
                    path=path,
                    sha256=record.video_sha256,
                    scores={n: r.value for n, r in work.scores.items() if r.value is not None},
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
    """The case of a video, if its suite comes with a2bench and is still the same."""
    suite = packaged_suite(video.suite)
    if suite is None:
        return None
    return next((case for case in suite.cases if case.key == video.case_key), None)
