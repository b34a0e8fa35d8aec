"""The weight files of networks: located, verified, fetched, imported.

    ROOT/NAME/FILE              a file of the table
    ROOT/NAME/FILE.pin.json     its sha256, with the size and time of the file that was hashed
    ROOT/NAME/FILE.part         a download that was interrupted
    ROOT/NAME.lock              held by the process that writes into ROOT/NAME

The pin spares hashing gigabytes at every start, and holds the sha256 of what is published without
one to the bytes that first arrived.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from platformdirs import user_cache_path

from a2bench.checkpoints.download import PATIENCE, copy, download, silent, take_member
from a2bench.checkpoints.pins import read_pin, write_pin
from a2bench.checkpoints.table import TABLE, Checkpoint, File
from a2bench.checkpoints.transfer import Expected, Progress
from a2bench.errors import CannotRun, UnknownName, UsageError
from a2bench.keys import file_sha256
from a2bench.waiting.locks import alone
from a2bench.waiting.patience import Patience, to_screen

_HUB = "https://huggingface.co"


class State(StrEnum):
    """What is known of a checkpoint without hashing it."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"
    NOT_VERIFIED = "not verified"


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """The checkpoints of ``table`` in the folder ``root``, which is made when one arrives."""

    root: Path
    table: tuple[Checkpoint, ...] = TABLE

    def named(self, name: str) -> Checkpoint:
        """The checkpoint of that name. Raises ``UnknownName``, with the nearest one."""
        known = {checkpoint.name: checkpoint for checkpoint in self.table}
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise UnknownName(f"no checkpoint {name!r}; {hint}")
        return known[name]

    def path(self, name: str) -> Path:
        """Where a checkpoint belongs: its file, or its folder if it has several."""
        files = self.named(name).files
        return self.root / name / files[0].name if len(files) == 1 else self.root / name

    def locate(self, name: str) -> Path:
        """The verified file, or the folder of several.

        Raises ``CannotRun`` for what is missing or damaged, with what it must be, the command that
        fetches it and the place to put it by hand.
        """
        self.sha256(name)
        return self.path(name)

    def sha256(self, name: str, *, anew: bool = False) -> dict[str, str]:
        """The sha256 of each file, verified; ``anew`` hashes what the pin knows. Raises as above"""
        checkpoint = self.named(name)
        return {file.name: self._verified(checkpoint, file, anew) for file in checkpoint.files}

    def state(self, name: str) -> State:
        """The worst state of its files, told from names, sizes and times alone."""
        states = {self._state(self.root / name / f.name, f) for f in self.named(name).files}
        order = (State.MISSING, State.DAMAGED, State.NOT_VERIFIED, State.PRESENT)
        return next(state for state in order if state in states)

    def fetch(
        self,
        name: str,
        *,
        accept: Collection[str] = (),
        progress: Progress = silent,
        patience: Patience = PATIENCE,
        environ: Mapping[str, str] = os.environ,
    ) -> Path:
        """Downloads what is not here and whole; then as ``locate``.

        Waits while another process does so. Raises ``UsageError`` for a non-commercial licence that
        is not in ``accept``, ``CannotRun`` when the network, the disk or the bytes are not as they
        should be.
        """
        checkpoint = self.named(name)
        self.refuse_unaccepted([name], accept)
        if lacking := [file for file in checkpoint.files if not self._whole(checkpoint, file)]:
            file = lacking[0]
            try:
                if _offline(environ):
                    raise CannotRun("the network is off (A2BENCH_OFFLINE or HF_HUB_OFFLINE)")
                with self._alone(checkpoint, patience.tell):
                    for file in lacking:
                        if not self._whole(checkpoint, file):
                            self._fetch(checkpoint, file, progress, patience, environ)
            except CannotRun as error:
                raise CannotRun(f"{name}: {error}\n{self._by_hand(checkpoint, file)}") from error
        if checkpoint.archive:  # whole files need it no more, in no process
            self._archive(checkpoint).unlink(missing_ok=True)
        return self.locate(name)

    def refuse_unaccepted(self, names: Collection[str], accept: Collection[str]) -> None:
        """Raises ``UsageError`` that names each non-commercial licence not yet accepted."""
        known = sorted({checkpoint.accept for checkpoint in self.table} - {""})
        if wrong := sorted(set(accept) - set(known)):
            wanted = f"known: {', '.join(known)}"
            raise UsageError(f"no checkpoint has the licence {', '.join(wrong)}; {wanted}")
        lines = [
            f"{c.name} is for non-commercial use ({c.licence}); if you accept that: {command(c)}"
            for c in map(self.named, names)
            if c.accept and c.accept not in accept
        ]
        if lines:
            raise UsageError("\n".join(lines))

    def import_folder(self, folder: Path) -> dict[str, tuple[str, ...]]:
        """Copies what is not here from ``folder`` and below; the files that came, by checkpoint.

        A file is known by its sha256 under any name; where none is published, by its name in a
        folder named like the checkpoint, or by a name that only one checkpoint has.
        """
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder")
        there = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        came: dict[str, tuple[str, ...]] = {}
        for checkpoint in self.table:
            for file in checkpoint.files:
                if not self._whole(checkpoint, file) and self._import(checkpoint, file, there):
                    came[checkpoint.name] = (*came.get(checkpoint.name, ()), file.name)
        return came

    def _alone(
        self, checkpoint: Checkpoint, tell: Callable[[str], None] = to_screen
    ) -> AbstractContextManager[None]:
        name = checkpoint.name
        return alone(self.root / f"{name}.lock", f"checkpoint {name}", tell)

    def _fetch(
        self,
        checkpoint: Checkpoint,
        file: File,
        progress: Progress,
        patience: Patience,
        environ: Mapping[str, str],
    ) -> None:
        def get(url: str, out: Path, expected: Expected) -> str:
            url = _mirrored(url, environ)
            return download(url, out, expected, progress=progress, patience=patience)

        out, expected = self.root / checkpoint.name / file.name, self._expected(checkpoint, file)
        if checkpoint.archive is None:
            sha256 = get(file.url, out, expected)
        else:
            archive, whole = self._archive(checkpoint), checkpoint.archive
            if not archive.is_file():
                get(whole.url, archive, Expected(bytes=whole.bytes, sha256=whole.sha256))
            sha256 = take_member(archive, file.member, out, expected)
        write_pin(out, sha256)

    def _import(self, checkpoint: Checkpoint, file: File, there: list[Path]) -> bool:
        out, expected = self.root / checkpoint.name / file.name, self._expected(checkpoint, file)
        for path in there:
            if self._is(path, checkpoint, file, expected):
                with self._alone(checkpoint):
                    write_pin(out, copy(path, out, expected))
                return True
        whole = checkpoint.archive
        for path in there:
            if whole and path.name == whole.name and _sha256(path) == whole.sha256:
                with self._alone(checkpoint):
                    write_pin(out, take_member(path, file.member, out, expected))
                return True
        return False

    def _is(self, path: Path, checkpoint: Checkpoint, file: File, expected: Expected) -> bool:
        named = path.name == file.name
        if expected.sha256:
            alike = named if file.bytes is None else path.stat().st_size == file.bytes
            return alike and _sha256(path).startswith(expected.sha256)
        alone = sum(other.name == file.name for c in self.table for other in c.files) == 1
        return named and (alone or path.parent.name == checkpoint.name)

    def _verified(self, checkpoint: Checkpoint, file: File, anew: bool) -> str:
        path = self.root / checkpoint.name / file.name
        state = self._state(path, file)
        if state is State.MISSING:
            raise CannotRun(
                f"checkpoint {checkpoint.name} is missing: {path}\n"
                f"{self._by_hand(checkpoint, file)}"
            )
        pin = read_pin(path)
        if state is State.PRESENT and pin and not anew:
            return pin.sha256
        found, expected = _sha256(path), self._expected(checkpoint, file)
        size = path.stat().st_size
        if not found.startswith(expected.sha256) or expected.bytes not in (None, size):
            raise CannotRun(
                f"checkpoint {checkpoint.name} is damaged: {path} has sha256 {found}, "
                f"{size} bytes\n{self._by_hand(checkpoint, file)}"
            )
        write_pin(path, found)
        return found

    def _state(self, path: Path, file: File) -> State:
        if not path.is_file():
            return State.MISSING
        stat, pin = path.stat(), read_pin(path)
        if file.bytes not in (None, stat.st_size):
            return State.DAMAGED
        if pin is None or (pin.size, pin.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            return State.NOT_VERIFIED
        return State.PRESENT if pin.sha256.startswith(file.sha256) else State.DAMAGED

    def _whole(self, checkpoint: Checkpoint, file: File) -> bool:
        try:
            self._verified(checkpoint, file, anew=False)
        except CannotRun:
            return False
        return True

    def _expected(self, checkpoint: Checkpoint, file: File) -> Expected:
        """The published sha256 if it is complete, otherwise that of the bytes that came first."""
        pin = read_pin(self.root / checkpoint.name / file.name)
        sha256 = pin.sha256 if pin and len(file.sha256) < 64 else file.sha256
        return Expected(bytes=file.bytes, sha256=sha256)

    def _archive(self, checkpoint: Checkpoint) -> Path:
        assert checkpoint.archive
        return self.root / checkpoint.name / checkpoint.archive.name

    def _by_hand(self, checkpoint: Checkpoint, file: File) -> str:
        """What the file must be, the command that fetches it, and the way without internet."""
        path = self.root / checkpoint.name / file.name
        expected = self._expected(checkpoint, file)
        source = checkpoint.archive.url if checkpoint.archive else file.url
        take = f"{file.member} of {source}" if file.member else source
        return (
            f"expected sha256: {expected.sha256 or 'not published, pinned on first fetch'}\n"
            f"fetch it: {command(checkpoint)}\n"
            f"without internet: put {take} at {path}, or run a2bench checkpoints import FOLDER"
        )


def default_root() -> Path:
    """``A2BENCH_CHECKPOINTS``, or ``a2bench/checkpoints`` in the user's cache folder."""
    if given := os.environ.get("A2BENCH_CHECKPOINTS"):
        return Path(given).expanduser().absolute()
    return user_cache_path("a2bench", appauthor=False) / "checkpoints"


def command(checkpoint: Checkpoint) -> str:
    """The command that fetches a checkpoint."""
    accept = f" --accept-licence {checkpoint.accept}" if checkpoint.accept else ""
    return f"a2bench checkpoints fetch {checkpoint.name}{accept}"


def _offline(environ: Mapping[str, str]) -> bool:
    flags = (environ.get(name, "") for name in ("A2BENCH_OFFLINE", "HF_HUB_OFFLINE"))
    return any(flag.lower() in ("1", "true", "yes", "on") for flag in flags)


def _mirrored(url: str, environ: Mapping[str, str]) -> str:
    """The address at ``HF_ENDPOINT`` if it is one of the hub's."""
    mirror = environ.get("HF_ENDPOINT", "").rstrip("/")
    return mirror + urlsplit(url).path if mirror and url.startswith(f"{_HUB}/") else url


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise CannotRun(f"cannot read {path}: {error.strerror}") from error
