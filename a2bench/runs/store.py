"""The run store: append-only records, videos named by their content, manifests of what was asked.

    STORE/records/<writer>.jsonl     one file per writer, one fsynced line per outcome (record.py)
    STORE/videos/<ab>/<sha256>.mp4   one file per video, published by rename
    STORE/runs/<id>.json             one manifest per distinct request
    STORE/tmp/<name>/, <name>.lock   unfinished work, and the lock that its owner holds
    STORE/lock                       held while the store is looked after, or a run begins
    STORE/removed/                   what `a2bench store repair` and `compact` took out
    STORE/judge.sqlite               what judges were asked, answered and cost (ledger.py)

Every name is a hash or a random number: nothing a model is called, and nothing a prompt says, can
become a path. What is damaged is told and left out; docs/store.md tells all that is promised.
"""

from __future__ import annotations

import gc
import re
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from a2bench.errors import StoreError, VideoError
from a2bench.keys import digest, file_sha256
from a2bench.runs.files import (
    NO_FILE,
    Damage,
    RecordWriter,
    entries,
    highest_revision,
    is_foreign,
    is_regular,
    lines_of,
    publish,
    reading,
    writing,
)
from a2bench.runs.manifest import from_file, to_file
from a2bench.runs.record import Record, newest
from a2bench.types import Json, Video
from a2bench.video import probe
from a2bench.waiting.locks import alone

FOLDERS = ("records", "videos", "runs", "tmp")
_HASH = re.compile("[0-9a-f]{64}")
_BRIEFLY_S = 2.0
"""Longer than a run that begins holds a store's lock."""


class RunStore:
    """A store in a folder, made on first use. Raises ``StoreError`` when it cannot serve."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def create(self) -> RunStore:
        """Makes the folders and proves that they can be written."""
        for path in (self.root / name for name in FOLDERS):
            with writing(path):
                path.mkdir(parents=True, exist_ok=True)
        with writing(self.root), self.staging():
            pass
        return self

    def exists(self) -> bool:
        return (self.root / "records").is_dir()

    def records(self) -> dict[str, Record]:
        """Every outcome by its key, the newest of each; warns of what is damaged and left out."""
        found: dict[str, Record] = {}
        damage: list[Damage] = []
        with _no_search_for_cycles():
            for one in self.lines():
                if isinstance(one, Damage):
                    damage.append(one)
                else:
                    newest(found, one)
        self._warn("records", damage)
        return found

    def lines(self) -> Iterator[Record | Damage]:
        """Every line of every file of records."""
        for path in self.record_files():
            yield from lines_of(path)

    def record_files(self) -> list[Path]:
        return entries(self.root / "records", ".jsonl")

    def writer(self) -> RecordWriter:
        return RecordWriter(self.root / "records" / f"{uuid.uuid4().hex}.jsonl")

    def video_path(self, sha256: str, key: str = "") -> Path:
        """Where a video lies; older stores, where its ``key`` finds it, named it by that."""
        path = self._video(sha256)
        old = self._video(key) if _HASH.fullmatch(key) else None
        return old if old and not path.exists() and old.exists() else path

    def video(self, sha256: str, key: str = "") -> Video:
        """A stored video, probed and found to be what was recorded.

        Raises ``StoreError`` for one that is gone or is another.
        """
        return probed(self.video_path(sha256, key), sha256)

    def notes(self, record: Record) -> tuple[str, ...]:
        """The notes of a stored video; empty for one that is gone.

        One that is refused today, as HDR is, has the reason for a note: no score of it counts.
        """
        path = self.video_path(record.video_sha256, record.key)
        try:
            return probe(path).notes if path.is_file() else ()
        except VideoError as error:
            return (str(error),)

    def publish(self, staged: Path, sha256: str) -> Path:
        """Moves a finished video to its place: all of it or nothing, also when the disk is full."""
        path = self._video(sha256)
        path.parent.mkdir(exist_ok=True)
        publish(staged, path)
        return path

    def _video(self, name: str) -> Path:
        if not _HASH.fullmatch(name):
            raise StoreError(f"{self.root}: a record names the video {name!r}, which is no sha256")
        return self.root / "videos" / name[:2] / f"{name}.mp4"

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keeps others from looking after the store, as long as it lasts; runs may be many.

        Waits, and says so, while somebody does.
        """
        with ExitStack() as stack:
            with self.locked(_tell_who_waits):
                stack.enter_context(self.staging())  # ``sweep`` sees it from now on
            yield

    @contextmanager
    def locked(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Keeps runs from beginning; while somebody else does, tells it once and waits."""
        told = f"a2bench store is at work on {self.root}"
        path = self.root / "lock"
        with alone(path, "the store", lambda _: tell(told), briefly_s=_BRIEFLY_S):
            yield

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder for unfinished work, removed afterwards, and locked so that nobody else does."""
        lock, folder = self._claim()
        try:
            folder.mkdir()
            yield folder
        finally:
            try:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                if not folder.exists():  # else it was interrupted, and is left to ``sweep``
                    _lock_of(folder).unlink(missing_ok=True)
                lock.release()

    def _claim(self) -> tuple[FileLock, Path]:
        while True:
            folder = self.root / "tmp" / uuid.uuid4().hex
            if not folder.parent.is_dir():  # the lock would make it, where no store is any more
                raise StoreError(f"{folder.parent} is gone")
            lock = FileLock(_lock_of(folder), mode=0o666)
            lock.acquire()
            if _lock_of(folder).exists():  # not taken for a dead one's, just as it was made
                return lock, folder
            lock.release()

    def sweep(self) -> bool:
        """Removes unfinished work whose owner is gone; returns whether any is still at work."""
        busy = False
        for path in self.locks():
            if is_foreign(path):
                continue
            with writing(path):
                try:
                    with FileLock(path, timeout=0):
                        folder = path.with_suffix("")
                        shutil.rmtree(folder, ignore_errors=True)
                        if not folder.exists():  # else somebody writes there still
                            path.unlink(missing_ok=True)
                except Timeout:
                    busy = True
        return busy

    def locks(self) -> list[Path]:
        return entries(self.root / "tmp", ".lock")

    def write_manifest(
        self, request: Mapping[str, Json], provenance: Mapping[str, Json], *, revision: int = 0
    ) -> int:
        """Files a request under the hash of its content; returns its revision, else the newest."""
        revision = revision or 1 + self.newest_revision()
        path = self.root / "runs" / f"{digest(request)}.json"
        with writing(path), self.staging() as folder:
            staged = folder / "manifest.json"
            staged.write_bytes(to_file(request, provenance, revision))
            publish(staged, path)
        return revision

    def manifests(self) -> list[dict[str, Any]]:
        """Every request, the oldest first; warns of what is damaged and left out."""
        found, damage = self.read_manifests()
        self._warn("manifests", damage)
        return found

    def read_manifests(self) -> tuple[list[dict[str, Any]], list[Damage]]:
        """Every request, the oldest first, and the files that hold none."""
        found: list[dict[str, Any]] = []
        damage: list[Damage] = []
        for path in entries(self.root / "runs", ".json"):
            try:
                with reading(path):
                    if not is_regular(path):
                        raise ValueError(NO_FILE)
                    found.append(from_file(path))
            except ValueError as error:
                damage.append(Damage(path=path, reason=f"no manifest: {error}"))
        return sorted(found, key=lambda manifest: manifest["revision"]), damage

    def asked_last(self, request: Mapping[str, Json]) -> bool:
        """Whether the newest request is this one."""
        found, _ = self.read_manifests()
        return bool(found) and digest(found[-1]["request"]) == digest(request)

    def newest_revision(self) -> int:
        """The highest number of a run that a manifest or a record tells; 0 before the first.

        A manifest may be gone, and what comes now must count before the records that it left.
        """
        newest = max((manifest["revision"] for manifest in self.read_manifests()[0]), default=0)
        for path in self.record_files():
            newest = highest_revision(path, newest)
        return newest

    def _warn(self, what: str, damage: list[Damage]) -> None:
        if damage:
            warnings.warn(
                f"{len(damage)} damaged {what} are left out, such as {damage[0]}; "
                f"a2bench store check {self.root} tells all",
                stacklevel=3,
            )


def _tell_who_waits(what: str) -> None:
    warnings.warn(f"{what}: waiting until it has ended", stacklevel=2)


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """For what makes many objects without any: Python would look through all of them, again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


_AGAIN = "run its case again with --policy always"


def probed(path: Path, sha256: str) -> Video:
    """The video of a file. Raises ``StoreError`` unless it is there and has this sha256."""
    try:
        video = probe(path)
        found = video.sha256
    except VideoError:
        if not path.is_file():
            raise StoreError(f"{path} is gone: {_AGAIN}") from None
        found = file_sha256(path)
        if found == sha256:
            raise
    if found != sha256:
        raise StoreError(
            f"{path} is not the video that was recorded: its sha256 is {found}, not {sha256}; "
            f"{_AGAIN}"
        )
    return video
