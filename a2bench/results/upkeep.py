"""Stores looked after: checked, mended, made smaller, put together.

Nothing is deleted that a run has made: what is taken out goes to the store's folder ``removed``.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import NoReturn

from a2bench.errors import CannotRun, StoreError
from a2bench.keys import file_sha256
from a2bench.results.holdings import clash, held, origins
from a2bench.runs.files import (
    NO_FILE,
    Damage,
    entries,
    is_foreign,
    is_regular,
    publish,
    reading,
    writing,
)
from a2bench.runs.record import Record, newest, to_line
from a2bench.runs.store import FOLDERS, RunStore
from a2bench.types import Status

Tick = Callable[[], None]
"""Called for each video that was read."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a store holds, and what is wrong with it.

    ``gone`` are videos that were deleted: their scores stay. ``unused`` are files of videos that no
    record which counts names, ``superseded`` the lines that newer ones replace.
    """

    records: dict[str, Record]
    superseded: int
    videos: dict[Path, str]
    gone: tuple[Path, ...]
    unused: tuple[Path, ...]
    damage: tuple[Damage, ...]


def check(store: RunStore, *, tick: Tick = lambda: None) -> Health:
    """Reads every line, manifest and video of a store. Raises ``StoreError`` if it cannot."""
    records: dict[str, Record] = {}
    damage: list[Damage] = []
    lines = 0
    for one in store.lines():
        if isinstance(one, Damage):
            damage.append(one)
        else:
            lines += 1
            newest(records, one)
    manifests, more = store.read_manifests()
    damage += [*more, *_no_folders(store), *_no_locks(store)]
    videos = {
        store.video_path(record.video_sha256, record.key): record.video_sha256
        for record in records.values()
        if record.kind == "video" and record.status is Status.OK
    }
    keys = records.keys() | {work[3] for one in manifests for work in one["request"]["works"]}
    here = _named(store, keys)
    gone = {path: None for path in videos if not os.path.lexists(path)}
    for path in sorted({**here, **videos}.keys() - gone.keys()):
        damage += _other(path, videos.get(path) or here[path])
        tick()
    damaged = {one.path for one in damage}
    return Health(
        records=records,
        superseded=lines - len(records),
        videos={path: sha256 for path, sha256 in videos.items() if path not in gone},
        gone=tuple(gone),
        unused=tuple(path for path in here if path not in videos and path not in damaged),
        damage=tuple(sorted(damage, key=str)),
    )


def _no_folders(store: RunStore) -> list[Damage]:
    """What lies where a store needs a folder."""
    inside = store.root / "videos"
    parts = [path for path in entries(inside, "") if re.fullmatch("[0-9a-f]{2}", path.name)]
    places = [*(store.root / name for name in (*FOLDERS, "removed")), *parts]
    return [
        Damage(path=path, reason="a folder is needed here")
        for path in places
        if os.path.lexists(path) and not path.is_dir()
    ]


def _no_locks(store: RunStore) -> list[Damage]:
    return [Damage(path=path, reason=NO_FILE) for path in store.locks() if is_foreign(path)]


def _named(store: RunStore, keys: Collection[str]) -> dict[Path, str]:
    """The files of videos, and the sha256 that they are named by; older stores name by key."""
    folders = [path for path in entries(store.root / "videos", "") if path.is_dir()]
    paths = [path for folder in folders for path in entries(folder, ".mp4")]
    hashed = re.compile("[0-9a-f]{64}")
    named = {path: bool(hashed.fullmatch(path.stem)) and path.stem not in keys for path in paths}
    return {path: path.stem if by_content else "" for path, by_content in named.items()}


def _other(path: Path, sha256: str) -> list[Damage]:
    """What is wrong with a video, of which the sha256 is known or not."""
    with reading(path):
        if not is_regular(path):
            return [Damage(path=path, reason=NO_FILE)]
        if not sha256 or (found := file_sha256(path)) == sha256:
            return []
    reason = f"not the video that was recorded: sha256 {found}, not {sha256}"
    return [Damage(path=path, reason=reason)]


def repair(store: RunStore, *, tick: Tick = lambda: None) -> Health:
    """Takes out what is damaged; returns what was found. What that leaves missing is run again."""
    with _alone(store):
        found = check(store, tick=tick)
        lines: dict[Path, set[int]] = {}
        for one in sorted(found.damage, key=_first):
            lines.setdefault(one.path, set()).add(one.line)
        for path, numbers in lines.items():
            if numbers == {0}:
                _remove(store, path)
            else:
                _split(store.create(), path, numbers)
        store.create()
    return found


def _first(damage: Damage) -> tuple[bool, int]:
    """What is in the way of others comes first, of all the folder of what is taken out."""
    return damage.path.name != "removed", len(damage.path.parts)


def compact(store: RunStore, *, tick: Tick = lambda: None) -> Health:
    """One file for the records that count, each video under its sha256, and nothing else.

    Returns what was found. Raises ``CannotRun`` for a damaged store.
    """
    with _alone(store):
        found = _whole(store, tick)
        store.create()
        for path, sha256 in found.videos.items():
            if path.stem != sha256:
                store.publish(path, sha256)
        for path in found.unused:
            _remove(store, path)
        old = store.record_files()
        append(store, found.records.values())
        for path in old:
            _remove(store, path)
        for path in (store.root / "tmp").iterdir():  # of versions that knew no locks
            if path.is_dir() and not path.with_suffix(".lock").exists():
                shutil.rmtree(path, ignore_errors=True)
    return found


def merge(into: RunStore, sources: Sequence[RunStore], *, tick: Tick = lambda: None) -> None:
    """Adds what other stores hold to one; of two outcomes of one work, that of the later store.

    A failure replaces no outcome that is final, and a store that is named twice counts where it is
    named last. Raises ``CannotRun``, before anything is written, if a store is damaged or two hold
    other videos of one model, case and seed.
    """
    each = _each_once(into, sources)
    with _alone(into) if into.exists() else nullcontext():
        everyone = [*([into] if into.exists() else []), *each]
        health = [_whole(store, tick) for store in everyone]
        _refuse_others(everyone)
        into.create()
        for store, found in zip(each, health[-len(each) :], strict=True):
            _add(into, store, found)


def _add(into: RunStore, store: RunStore, found: Health) -> None:
    here, base = into.records(), into.newest_revision()
    for path, sha256 in found.videos.items():
        target = into.video_path(sha256)
        if not target.exists() or _other(target, sha256):
            copy_video(path, into, sha256)
    fresh = [
        replace(record, revision=record.revision + base)
        for key, record in found.records.items()
        if record.final or key not in here or not here[key].final
    ]
    append(into, fresh)
    for manifest in store.manifests():
        revision = manifest["revision"] + base
        into.write_manifest(manifest["request"], manifest["provenance"], revision=revision)


def _each_once(into: RunStore, sources: Sequence[RunStore]) -> list[RunStore]:
    """The stores, whatever links lead to them, where each is named last."""
    home = _place(into)
    if home and (same := [store.root for store in sources if _place(store) == home]):
        raise CannotRun(f"{same[0]} is {into.root} itself: name the stores to add to it")
    last = {_place(store): store for store in reversed(sources)}
    return list(last.values())[::-1]


def _place(store: RunStore) -> tuple[int, int] | None:
    """What tells a folder from all others, by whatever name; None if there is none."""
    with reading(store.root):
        found = store.root.stat() if store.root.exists() else None
    return found and (found.st_dev, found.st_ino)


def _whole(store: RunStore, tick: Tick) -> Health:
    """What a store holds. Raises ``CannotRun`` for a damaged one."""
    found = check(store, tick=tick)
    if found.damage:
        raise CannotRun(f"{store.root} is damaged: a2bench store repair {store.root} comes first")
    return found


def _refuse_others(stores: Sequence[RunStore]) -> None:
    for a, b in combinations([held(store) for store in stores], 2):
        if model := clash(a, b):
            raise CannotRun(
                f"{' and '.join(origins([[a], [b]]))} hold other videos of {model!r} for the same "
                "cases and seeds, so one of them would be lost: keep them apart, and give "
                "leaderboard both"
            )


@contextmanager
def _alone(store: RunStore) -> Iterator[None]:
    """Keeps runs out of a store. Raises ``CannotRun`` while one is at work on it."""
    with store.locked(_refuse):
        if store.sweep():
            raise CannotRun(f"a run is at work on {store.root}: wait until it has ended")
        yield


def _refuse(what: str) -> NoReturn:
    raise CannotRun(f"{what}: wait until it has ended")


def append(store: RunStore, records: Iterable[Record]) -> None:
    """A new file of records, there as a whole or not at all."""
    with store.staging() as folder, writing(store.root / "records"):
        staged = folder / "records.jsonl"
        with staged.open("wb") as file:
            file.writelines(map(to_line, records))
        publish(staged, store.root / "records" / f"{folder.name}.jsonl")


def copy_video(path: Path, into: RunStore, sha256: str) -> None:
    """Puts a video into a store under its sha256. Raises ``StoreError`` if it has another."""
    with into.staging() as folder, writing(into.video_path(sha256)):
        staged = folder / "video.mp4"
        shutil.copyfile(path, staged)
        if file_sha256(staged) != sha256:
            raise StoreError(f"{path} has changed while it was copied")
        into.publish(staged, sha256)


def _split(store: RunStore, path: Path, numbers: set[int]) -> None:
    """Moves lines of a file of records to a file of that name among what was removed."""
    with store.staging() as folder, writing(path):
        staged, taken = folder / path.name, folder / "taken"
        with path.open("rb") as file, staged.open("wb") as kept, taken.open("wb") as out:
            for number, line in enumerate(file, start=1):
                (out if number in numbers or not line.endswith(b"\n") else kept).write(line)
        publish(taken, _removed(store, path))
        publish(staged, path)


def _remove(store: RunStore, path: Path) -> None:
    with writing(path):
        aside = path
        if path.parent == store.root:  # it may lie where ``removed`` belongs
            aside = path.rename(path.with_name(f"{path.name}-{uuid.uuid4().hex}"))
        aside.replace(_removed(store, path))


def _removed(store: RunStore, path: Path) -> Path:
    """A new name for a file among what was removed."""
    folder = store.root / "removed" / path.relative_to(store.root).parts[0]
    folder.mkdir(parents=True, exist_ok=True)
    names = (folder / f"{path.stem}{f'-{n}' if n else ''}{path.suffix}" for n in range(10**6))
    return next(name for name in names if not os.path.lexists(name))
