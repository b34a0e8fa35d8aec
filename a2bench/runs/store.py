"""The run store: append-only records, videos named by their content, manifests of what was asked.

    STORE/records/<writer>.jsonl     one file per writer, one fsynced line per outcome (record.py)
    STORE/videos/<ab>/<sha256>.mp4   one file per video, published by rename
    STORE/runs/<id>.json             one manifest per distinct request
    STORE/tmp/<name>/, <name>.lock   unfinished work, and the lock that its owner holds
    STORE/removed/                   what `a2bench store repair` and `compact` took out
    STORE/judge.sqlite               what judges were asked, answered and cost (ledger.py)

Every name is a hash or a random number: nothing a model is called, and nothing a prompt says, can
become a path. What is damaged is told and left out; docs/store.md tells all that is promised.
"""

from __future__ import annotations

import gc
import os
import re
import shutil
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from a2bench.errors import StoreError, VideoError
from a2bench.keys import digest, file_sha256
from a2bench.runs.manifest import from_file, to_file
from a2bench.runs.record import Record, from_line, newest, to_line
from a2bench.types import Json, Video
from a2bench.video import probe

FOLDERS = ("records", "videos", "runs", "tmp")
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A file, or one line of it, that cannot be what was written."""

    path: Path
    reason: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.reason}"


class RunStore:
    """A store in a folder, made on first use. Raises ``StoreError`` when it cannot serve."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def create(self) -> RunStore:
        """Makes the folders and proves that they can be written."""
        with writing(self.root):
            for name in FOLDERS:
                (self.root / name).mkdir(parents=True, exist_ok=True)
            with self.staging():
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
        """Every line of every file of records. What follows a last newline is torn, and no line."""
        try:
            for path in sorted((self.root / "records").glob("*.jsonl")):
                yield from lines_of(path)
        except OSError as error:
            raise StoreError(f"cannot read the store {self.root}: {error}") from error

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
            return probe(path).notes if path.exists() else ()
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
            lock = FileLock(_lock_of(folder), mode=0o666)
            lock.acquire()
            if _lock_of(folder).exists():  # not taken for a dead one's, just as it was made
                return lock, folder
            lock.release()

    def sweep(self) -> bool:
        """Removes unfinished work whose owner is gone; returns whether any is still at work."""
        busy = False
        for path in (self.root / "tmp").glob("*.lock"):
            try:
                with FileLock(path, timeout=0):
                    folder = path.with_suffix("")
                    shutil.rmtree(folder, ignore_errors=True)
                    if not folder.exists():  # else somebody writes there still
                        path.unlink(missing_ok=True)
            except Timeout:
                busy = True
        return busy

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
        for path in sorted((self.root / "runs").glob("*.json")):
            try:
                found.append(from_file(path))
            except ValueError as error:
                damage.append(Damage(path=path, reason=f"no manifest: {error}"))
        return sorted(found, key=lambda manifest: manifest["revision"]), damage

    def newest_revision(self) -> int:
        """The number of the run that was asked for last; 0 before the first."""
        found, damage = self.read_manifests()
        revisions = [manifest["revision"] for manifest in found]
        if damage:  # theirs are unknown, and what comes now must count before it
            revisions += [record.revision for record in self.records().values()]
        return max(revisions, default=0)

    def _warn(self, what: str, damage: list[Damage]) -> None:
        if damage:
            warnings.warn(
                f"{len(damage)} damaged {what} are left out, such as {damage[0]}; "
                f"a2bench store check {self.root} tells all",
                stacklevel=3,
            )


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")


class RecordWriter:
    """Appends records to a file of its own; a record that was written is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, *records: Record) -> None:
        """All of them or none. Raises ``StoreError`` naming the file."""
        lines = b"".join(map(to_line, records))
        with writing(self._path), self._path.open("ab", buffering=0) as file:
            end = file.tell()
            try:
                if (written := file.write(lines)) != len(lines):
                    file.write(lines[written:])  # says why it cannot
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)  # a torn line must not run into the next one
                raise
            if end == 0:
                _keep_name(self._path)


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


def lines_of(path: Path) -> Iterator[Record | Damage]:
    """The records of a file, and a damage for each line that is none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield from_line(line[:-1])
            except ValueError as error:
                yield Damage(path=path, line=number, reason=f"damaged record: {error}")
            except StoreError as error:
                raise StoreError(f"{path}:{number}: {error}") from error


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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tells what the disk refuses as ``StoreError``, with the path."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def publish(staged: Path, path: Path) -> None:
    """Gives a finished file its name, so that a crash leaves all of it or nothing."""
    with staged.open("rb+") as file:
        os.fsync(file.fileno())
    staged.replace(path)
    _keep_name(path)


def _keep_name(path: Path) -> None:
    """Forces a name in a folder to the disk."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
