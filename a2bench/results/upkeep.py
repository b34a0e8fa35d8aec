"""Stores looked after: checked, mended, made smaller, put together.

Nothing is deleted that a run has made: what is taken out goes to the store's folder ``removed``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from a2bench.errors import CannotRun, StoreError
from a2bench.keys import file_sha256
from a2bench.results.holdings import held, origins, shared
from a2bench.runs.record import Record, newest, to_line
from a2bench.runs.store import Damage, RunStore, publish, writing
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
    damage += store.read_manifests()[1]
    videos = {
        store.video_path(record.video_sha256, record.key): record.video_sha256
        for record in records.values()
        if record.kind == "video" and record.status is Status.OK
    }
    gone = tuple(path for path in videos if not path.exists())
    for path in sorted(videos.keys() - set(gone)):
        if (found := file_sha256(path)) != videos[path]:
            reason = f"not the video that was recorded: sha256 {found}, not {videos[path]}"
            damage.append(Damage(path=path, reason=reason))
        tick()
    here = sorted((store.root / "videos").glob("*/*.mp4"))
    return Health(
        records=records,
        superseded=lines - len(records),
        videos={path: sha256 for path, sha256 in videos.items() if path not in gone},
        gone=gone,
        unused=tuple(path for path in here if path not in videos),
        damage=tuple(sorted(damage, key=str)),
    )


def repair(store: RunStore, *, tick: Tick = lambda: None) -> Health:
    """Takes out what is damaged; returns what was found. What that leaves missing is run again."""
    _alone(store)
    found = check(store, tick=tick)
    lines: dict[Path, set[int]] = {}
    for one in found.damage:
        lines.setdefault(one.path, set()).add(one.line)
    for path, numbers in lines.items():
        if path.suffix == ".jsonl":
            _split(store, path, numbers)
        else:
            _remove(store, path)
    return found


def compact(store: RunStore, *, tick: Tick = lambda: None) -> Health:
    """One file for the records that count, each video under its sha256, and nothing else.

    Returns what was found. Raises ``CannotRun`` for a damaged store.
    """
    _alone(store)
    found = _whole(store, tick)
    for path, sha256 in found.videos.items():
        if path.stem != sha256:
            store.publish(path, sha256)
    for path in found.unused:
        _remove(store, path)
    old = sorted((store.root / "records").glob("*.jsonl"))
    _append(store, found.records.values())
    for path in old:
        _remove(store, path)
    for path in (store.root / "tmp").iterdir():  # of versions that knew no locks
        if path.is_dir() and not path.with_suffix(".lock").exists():
            shutil.rmtree(path, ignore_errors=True)
    return found


def merge(into: RunStore, sources: Sequence[RunStore], *, tick: Tick = lambda: None) -> None:
    """Adds what other stores hold to one; of two outcomes of one work, that of the later store.

    A failure replaces no outcome that is final. Raises ``CannotRun``, before anything is written,
    if a store is damaged or two hold other videos of one model, case and seed.
    """
    everyone = [*([into] if into.exists() else []), *sources]
    health = [_whole(store, tick) for store in everyone]
    _refuse_others(everyone)
    into.create()
    for store, found in zip(sources, health[-len(sources) :], strict=True):
        here = into.records()
        base = max(into.newest_revision(), *(r.revision for r in here.values()), 0)
        for path, sha256 in found.videos.items():
            if not into.video_path(sha256).exists():
                _copy(path, into, sha256)
        fresh = [
            replace(record, revision=record.revision + base)
            for key, record in found.records.items()
            if record.final or key not in here or not here[key].final
        ]
        _append(into, fresh)
        for manifest in store.manifests():
            revision = manifest["revision"] + base
            into.write_manifest(manifest["request"], manifest["provenance"], revision=revision)


def _whole(store: RunStore, tick: Tick) -> Health:
    """What a store holds. Raises ``CannotRun`` for a damaged one."""
    found = check(store, tick=tick)
    if found.damage:
        raise CannotRun(f"{store.root} is damaged: a2bench store repair {store.root} comes first")
    return found


def _refuse_others(stores: Sequence[RunStore]) -> None:
    found = [held(store) for store in stores]
    for subject in dict.fromkeys(name for one in found for name in one.requests):
        groups = shared(found, subject)
        if len(groups) > 1:
            model = groups[0][0].requests[subject][0]["model"]["name"]
            raise CannotRun(
                f"{' and '.join(origins(groups))} hold other videos of {model!r} for the same "
                "cases and seeds, so one of them would be lost: keep them apart, and give "
                "leaderboard both"
            )


def _alone(store: RunStore) -> None:
    """Raises ``CannotRun`` while a run is at work on a store."""
    if store.create().sweep():
        raise CannotRun(f"a run is at work on {store.root}: wait until it has ended")


def _append(store: RunStore, records: Iterable[Record]) -> None:
    """A new file of records, there as a whole or not at all."""
    with store.staging() as folder, writing(store.root / "records"):
        staged = folder / "records.jsonl"
        with staged.open("wb") as file:
            file.writelines(map(to_line, records))
        publish(staged, store.root / "records" / f"{folder.name}.jsonl")


def _copy(path: Path, into: RunStore, sha256: str) -> None:
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
        path.replace(_removed(store, path))


def _removed(store: RunStore, path: Path) -> Path:
    """A new name for a file among what was removed."""
    folder = store.root / "removed" / path.relative_to(store.root).parts[0]
    folder.mkdir(parents=True, exist_ok=True)
    names = (folder / f"{path.stem}{f'-{n}' if n else ''}{path.suffix}" for n in range(10**6))
    return next(name for name in names if not name.exists())
