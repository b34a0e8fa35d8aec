"""One row in one file, to be sent: its requests, its records and its videos; and read again.

A submission is a .zip of a small run store with ``submission.json``, which says what it is of. No
figure in it is believed: means and intervals follow again from the records, each of which carries a
checksum, and every video is found to be the one that was recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from a2bench import __version__
from a2bench.errors import CannotRun, UnknownName, UsageError, VideosError
from a2bench.generators.archive import unpack
from a2bench.keys import canonical_json
from a2bench.metric import filed_bounds
from a2bench.outputs import replacing
from a2bench.registry import build_profile
from a2bench.results.holdings import SUBJECT
from a2bench.results.leaderboard import Row, collect
from a2bench.results.selection import suite_of
from a2bench.results.upkeep import append, check, copy_video, merge
from a2bench.results.videos import stored_videos
from a2bench.runs.record import Record
from a2bench.runs.store import RunStore
from a2bench.types import Json, Status, Suite
from a2bench.waiting.locks import temporary_folder

SCHEMA = "a2bench/submission/1"
ABOUT = "submission.json"
PARTS = re.compile(
    r"(submission/)?(submission\.json|((runs/[0-9a-f]{64}\.json|records/[0-9A-Za-z._-]{1,80}\.jsonl"
    r"|videos/[0-9a-f]{2}/[0-9a-f]{64}\.mp4)?)|(runs|records|videos)/|videos/[0-9a-f]{2}/)"
)
"""The names of entries: what else a file holds is refused before anything is written."""
MOST_TOLD = 5
Tick = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a file was found to hold: one row, and what is to know of it before it is believed."""

    row: Row
    about: Mapping[str, Json]
    remarks: tuple[str, ...]


def pack(row: Row, out: Path, *, tick: Tick = lambda: None) -> int:
    """Writes a row to a .zip; returns the number of its videos.

    Raises ``CannotRun`` for a row without videos, or of which one is no longer in its store.
    """
    records = list(_records(row))
    held = {video.sha256: video for video in stored_videos((), [row])}
    made = [r for r in records if r.kind == "video" and r.status is Status.OK]
    if not made:
        raise CannotRun(f"{row.name} has no video: there is nothing to submit")
    if gone := [record.case_id for record in made if record.video_sha256 not in held]:
        raise CannotRun(f"{row.name}: {_named(gone)} are no longer in the store")
    with temporary_folder(out.resolve().parent if out.parent.is_dir() else None) as folder:
        store = RunStore(folder / "submission").create()
        for manifest in (m for s in row.stores for m in s.manifests()):
            request = manifest["request"]
            if row.covers({name: request[name] for name in SUBJECT}):
                store.write_manifest(request, manifest["provenance"], revision=manifest["revision"])
        append(store, records)
        for video in held.values():
            copy_video(video.path, store, video.sha256)
            tick()
        (store.root / ABOUT).write_text(canonical_json(_about(row)), encoding="utf-8")
        with replacing(out) as staged, ZipFile(staged, "w") as file:
            for path in sorted(path for path in store.root.rglob("*") if path.is_file()):
                name = f"submission/{path.relative_to(store.root).as_posix()}"
                if PARTS.fullmatch(name):
                    kind = ZIP_STORED if path.suffix == ".mp4" else ZIP_DEFLATED
                    file.write(path, name, compress_type=kind)
    return len(held)


def _about(row: Row) -> dict[str, Json]:
    """What a submission says of itself: to be read by people, and held against its records."""
    return {
        "schema": SCHEMA,
        "a2bench": __version__,
        "model": dict(row.model),
        "suite": dict(row.suite),
        "profile": row.profile,
        "works": len(row.works),
        "metrics": sorted(row.metrics),
    }


def _records(row: Row) -> Iterator[Record]:
    for work in row.works:
        if work.video is not None:
            yield work.video
        yield from work.scores.values()


@contextmanager
def opened(
    path: Path, suite: str = "", *, tick: Tick = lambda: None
) -> Iterator[tuple[Submission, RunStore]]:
    """A submission, unpacked and checked, and its store, which goes afterwards.

    ``suite`` is what to hold it against: a name or file; that of its own name if empty.
    Raises ``CannotRun`` with every fault of a file that is none: entries that lead outside, links,
    bombs, names of other things, too many or too large (all before anything is written); damaged
    records and videos; more than one row; another row than it says.
    """
    with temporary_folder() as folder:
        if not path.is_file():
            raise CannotRun(f"{path} is not a file")
        try:
            root = unpack(path, folder, names=PARTS)
        except VideosError as error:
            raise CannotRun(str(error)) from error
        store = RunStore(root)
        if not store.exists():
            raise CannotRun(f"{path} is no submission: a2bench submission pack makes one")
        found = check(store, tick=tick)
        faults = [str(one).replace(str(root), str(path)) for one in found.damage]
        faults += [f"{path}: {one.name} is of no record" for one in found.unused]
        faults += [f"{path}: the video {one.stem} is missing" for one in found.gone]
        if faults:
            raise CannotRun("\n".join(faults))
        rows = collect([store])
        if len(rows) != 1:
            raise CannotRun(f"{path} holds {len(rows)} rows: a submission is of one")
        if others := found.records.keys() - {record.key for record in _records(rows[0])}:
            raise CannotRun(f"{path} holds {len(others)} records of no work of its row")
        if told := list(_redefined(rows[0])):
            raise CannotRun("\n".join(f"{path}: {one}" for one in told))
        about = _read_about(path, root / ABOUT)
        if {**about, "a2bench": None} != {**_about(rows[0]), "a2bench": None}:
            raise CannotRun(f"{path}: {ABOUT} tells of another row than its records")
        name = suite or str(rows[0].suite["name"])
        remarks = _remarks(rows[0], suite_of(name, needed=bool(suite))[0])
        yield Submission(row=rows[0], about=about, remarks=tuple(remarks)), store


def add(path: Path, into: RunStore, suite: str = "", *, tick: Tick = lambda: None) -> Submission:
    """Adds a submission to a store, from whose records every figure is derived again.

    Raises ``CannotRun`` as ``opened`` and ``merge`` do; then nothing was written.
    """
    with opened(path, suite, tick=tick) as (found, store):
        held = into.records() if into.exists() else {}
        for record in _records(found.row):
            mine = held.get(record.key)
            if mine is not None and mine.final and _outcome(mine) != _outcome(record):
                what = record.metric or "the video"
                raise CannotRun(
                    f"{path}: {into.root} holds another outcome of {what} in {record.case_id}: "
                    "keep them apart"
                )
        merge(into, [store], tick=tick)
    return found


def _outcome(record: Record) -> tuple[object, ...]:
    return record.status, record.value, record.video_sha256


def _redefined(row: Row) -> Iterator[str]:
    """What a row says of a metric that this a2bench defines otherwise: its bounds and direction."""
    try:
        known = build_profile(row.profile).all
    except (UnknownName, CannotRun, UsageError):
        return
    for column, told in row.metrics.items():
        metric = known.get(told["name"])
        if metric is None or metric.info.version != told["version"]:
            continue
        ours = {**filed_bounds(metric.info), "higher_is_better": metric.info.higher_is_better}
        if other := [name for name, value in ours.items() if told[name] != value]:
            yield f"{column} is not defined so here: {', '.join(other)}"


def _read_about(path: Path, about: Path) -> dict[str, Any]:
    try:
        told = json.loads(about.read_bytes())
    except (OSError, ValueError) as error:
        raise CannotRun(f"{path} is no submission: {ABOUT}: {error}") from error
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        raise CannotRun(f"{path}: {ABOUT} is of another schema than {SCHEMA}")
    return told


def _remarks(row: Row, suite: Suite | None) -> Iterator[str]:
    """What is to know before a row is compared: other cases, missing ones, failures."""
    yield "the scores are the sender's: they were not measured again"
    if suite is None:
        yield f"the suite {row.suite['name']} is not at hand, its cases were not compared (--suite)"
    else:
        keys = {case.key: case.id for case in suite.cases}
        mine = {work.case_key: work.case_id for work in row.works}
        if others := [mine[key] for key in mine.keys() - keys.keys()]:
            yield f"{_named(others)}: not the prompt and references of {suite.name} {suite.version}"
        if missing := [keys[key] for key in keys.keys() - mine.keys()]:
            yield f"{_named(missing)}: in the suite, and not submitted"
    for (metric, status), n in sorted(row.undone().items()):
        yield f"{metric}: {n} {status}"


def _named(ids: list[str]) -> str:
    told = sorted(ids)
    more = f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    return ", ".join(told[:MOST_TOLD]) + more
