"""The run store: append-only records, atomic video blobs, and manifests of what was asked for.

    STORE/records/<writer>.jsonl     one file per writer, one fsynced line per outcome
    STORE/videos/<ab>/<key>.mp4      one blob per generated video, published by rename
    STORE/runs/<id>.json             one manifest per distinct request
    STORE/tmp/                       unfinished work, removed when the run ends
    STORE/judge.sqlite               what judges were asked, answered and cost (ledger.py)

Every name is a hash or a random number: nothing a model is called, and nothing a prompt says, can
become a path. A writer that dies leaves at most one torn last line, which is skipped.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from a2bench.errors import StoreError, VideoError
from a2bench.keys import canonical_json, digest
from a2bench.types import Json, Status
from a2bench.video import probe

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """The outcome of one piece of work, named by its content key.

    Only a score of status ``ok`` has a value, and that is finite; anything else raises
    ``ValueError``. ``revision`` numbers the run that wrote it, so that the newest wins without a
    clock. ``licence`` (of a score: that of the metric and of its weights) and ``written_at`` (UTC)
    only inform.
    """

    kind: Literal["video", "score"]
    key: str
    model: str
    case_id: str
    case_key: str
    seed: int
    status: Status
    metric: str = ""
    profile: str = ""
    video_sha256: str = ""
    value: float | None = None
    detail: Mapping[str, Json] = field(default_factory=dict)
    error: str | None = None
    licence: str = ""
    seconds: float = 0.0
    revision: int = 0
    written_at: str = ""

    def __post_init__(self) -> None:
        finite = self.value is not None and math.isfinite(self.value)
        if finite != (self.kind == "score" and self.status is Status.OK):
            raise ValueError(f"a {self.kind} of status {self.status} has the value {self.value}")

    @property
    def final(self) -> bool:
        """Whether the work is done for good; what failed is tried again by the next run."""
        return self.status is not Status.FAILED

    @property
    def read(self) -> tuple[str, ...] | None:
        """The notes of a video; None where the record was made before there were any."""
        notes = self.detail.get("read")
        return None if notes is None else tuple(notes)

    @property
    def rank(self) -> tuple[int, bool, str]:
        """Which of several records of one key counts: the highest, in any order of reading."""
        outcome = [self.status, self.value, self.video_sha256, self.error]
        return self.revision, self.final, canonical_json(outcome)


class RunStore:
    """A store in a folder, made on first use. Raises ``StoreError`` when it cannot serve."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._staged: set[Path] = set()

    def create(self) -> RunStore:
        """Makes the folders and proves that they can be written."""
        try:
            for name in ("records", "videos", "runs", "tmp"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            with self.staging():
                pass
        except OSError as error:
            raise StoreError(f"cannot write the store {self.root}: {error.strerror}") from error
        return self

    def exists(self) -> bool:
        return (self.root / "records").is_dir()

    def records(self) -> dict[str, Record]:
        """Every outcome by its key, the newest of each. Torn last lines are skipped."""
        found: dict[str, Record] = {}
        try:
            for path in sorted((self.root / "records").glob("*.jsonl")):
                for record in _read_records(path):
                    held = found.get(record.key)
                    if held is None or record.rank > held.rank:
                        found[record.key] = record
        except OSError as error:
            raise StoreError(f"cannot read the store {self.root}: {error}") from error
        return found

    def writer(self) -> RecordWriter:
        return RecordWriter(self.root / "records" / f"{uuid.uuid4().hex}.jsonl")

    def video_path(self, key: str) -> Path:
        return self.root / "videos" / key[:2] / f"{key}.mp4"

    def notes(self, key: str) -> tuple[str, ...]:
        """The notes of a stored video; empty for one that is gone.

        One that is refused today, as HDR is, has the reason for a note: no score of it counts.
        """
        path = self.video_path(key)
        try:
            return probe(path).notes if path.exists() else ()
        except VideoError as error:
            return (str(error),)

    def publish(self, staged: Path, key: str) -> Path:
        """Moves a finished video to its place: all of it or nothing, also when the disk is full."""
        path = self.video_path(key)
        path.parent.mkdir(exist_ok=True)
        with staged.open("rb+") as file:
            os.fsync(file.fileno())
        staged.replace(path)
        return path

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder for unfinished work, removed afterwards; its name tells whose it is."""
        path = self.root / "tmp" / f"{_host()}-{os.getpid()}-{uuid.uuid4().hex}"
        self._staged.add(path)
        try:
            path.mkdir()
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            self._staged.discard(path)

    def sweep(self, *, own: bool = False) -> None:
        """Removes what processes of this machine that no longer live left unfinished.

        ``own``: also what this store staged, for a run that was interrupted while it tidied up.
        """
        for path in self._staged.copy() if own else ():
            shutil.rmtree(path, ignore_errors=True)
            self._staged.discard(path)
        for path in (self.root / "tmp").iterdir():
            host, _, rest = path.name.partition("-")
            pid = rest.partition("-")[0]
            if host == _host() and not _alive(int(pid)):
                shutil.rmtree(path, ignore_errors=True)

    def write_manifest(self, request: Mapping[str, Json], provenance: Mapping[str, Json]) -> int:
        """Files a request under the hash of its content; returns its revision, the newest."""
        revision = 1 + max((m["revision"] for m in self.manifests()), default=0)
        manifest = {
            "schema": SCHEMA,
            "revision": revision,
            "request": dict(request),
            "provenance": dict(provenance),
        }
        with self.staging() as folder:
            staged = folder / "manifest.json"
            staged.write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")
            staged.replace(self.root / "runs" / f"{digest(request)}.json")
        return revision

    def manifests(self) -> list[dict[str, Any]]:
        """Every request, the oldest first."""
        paths = sorted((self.root / "runs").glob("*.json"))
        found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        for path, manifest in zip(paths, found, strict=True):
            if manifest["schema"] != SCHEMA:
                raise StoreError(f"{path}: schema {manifest['schema']}; this is {SCHEMA}")
        return sorted(found, key=lambda manifest: manifest["revision"])


class RecordWriter:
    """Appends records to a file of its own; a record that was written is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, record: Record) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = canonical_json({"schema": SCHEMA, **asdict(record), "written_at": now})
        with self._path.open("ab") as file:
            end = file.tell()
            try:
                file.write(line.encode("utf-8", "surrogatepass") + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                file.truncate(end)  # a torn line must not run into the next one
                raise StoreError(f"cannot write {self._path}: {error.strerror}") from error


def _read_records(path: Path) -> Iterator[Record]:
    names = {f.name for f in fields(Record)}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last newline is torn
        try:
            row = json.loads(line.decode("utf-8", "surrogatepass"))
            if row.pop("schema") != SCHEMA:
                raise StoreError(f"{path}:{number}: written by another version of a2bench")
            row["status"] = Status(row["status"])
            row.setdefault("licence", "")  # older records have none
            record = Record(**{name: row[name] for name in names})
            if not isinstance(record.key, str) or record.rank < (0, False, ""):
                raise ValueError("a key that is no text, or a revision below 0")
            yield record
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StoreError(f"{path}:{number}: damaged record: {error}") from error


def _host() -> str:
    return digest(socket.gethostname())[:12]


def _alive(pid: int) -> bool:
    if os.name != "posix":  # elsewhere a signal 0 would end the process instead of asking for it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    stat = Path(f"/proc/{pid}/stat")  # a zombie is dead, though nobody has fetched its exit code
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
