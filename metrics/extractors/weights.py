"""Weights that arrive inside Python packages: found without import, verified before they load."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from a2bench.errors import CannotRun
from a2bench.keys import file_sha256


@dataclass(frozen=True, kw_only=True)
class PackagedWeights:
    """A weights file of an installed package: ``path`` inside it, and the sha256 it must have."""

    package: str
    release: str
    path: str
    sha256: str

    @property
    def name(self) -> str:
        return Path(self.path).name

    def locate(self) -> Path:
        """The verified file. Raises ``CannotRun`` when it is missing or has other bytes.

        The package is not imported: some need modules that today's Python no longer ships.
        """
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


def lacking(*files: PackagedWeights) -> tuple[str, ...]:
    """What is wrong with each file that cannot be used, and what to type."""
    found = []
    for file in files:
        try:
            file.locate()
        except CannotRun as error:
            found.append(str(error))
    return tuple(found)
