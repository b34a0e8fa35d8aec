"""The pictures that composed clips are made of, none of them a reference of the benchmark.

They come by package: objects and people with transparency from Debian's tuxpaint-stamps-default
(GPL-2) and npm's @lobehub/fluent-emoji-3d (MIT), scenes from Debian's wallpaper packages.
"""

from __future__ import annotations

import csv
import re
import subprocess
import tarfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from a2bench.errors import CannotRun
from a2bench.keys import file_sha256
from a2bench.types import Role

DEBIAN = (
    "tuxpaint-stamps-default",
    "lomiri-wallpapers-16.04",
    "plasma-workspace-wallpapers",
    "mate-backgrounds",
    "ukui-wallpapers",
    "gnome-backgrounds",
)
NPM = "@lobehub/fluent-emoji-3d@1.1.0"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SCENE_PX = (600, 350)
"""A scene is at least this wide and high, which leaves out icons and previews."""
SUBJECT_PX = 64
TRANSPARENT_SHARE = 0.05
_PEOPLE = frozenset(
    code
    for first, last in (
        (0x1F466, 0x1F469),
        (0x1F46E, 0x1F46E),
        (0x1F470, 0x1F478),
        (0x1F481, 0x1F482),
        (0x1F575, 0x1F575),
        (0x1F64B, 0x1F64E),
        (0x1F9B8, 0x1F9B9),
        (0x1F9D1, 0x1F9DD),
    )
    for code in range(first, last + 1)
    if code != 0x1F64C  # hands alone
)
"""The code points of one person each."""
_JOINERS = frozenset((0x200D, 0xFE0F, 0x2640, 0x2642, *range(0x1F3FB, 0x1F400)))
_NAMELESS = re.compile(r"contents|images(_dark)?|screenshot|\d+x\d+|\d+")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image file, what it may stand for, and its name in words."""

    path: Path
    role: Role
    name: str


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What tells a reference of the benchmark: its bytes, its names, and the file it came from."""

    sha256: frozenset[str]
    names: frozenset[str]
    sources: tuple[str, ...]

    @classmethod
    def read(cls, manifest: Path) -> Benchmark:
        """From the table of ``references/``."""
        with manifest.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        return cls(
            sha256=frozenset(row["sha256"] for row in rows),
            names=frozenset(_words(row[key]) for row in rows for key in ("id", "subject", "name")),
            sources=tuple(
                part.strip().rpartition("/")[2]
                for row in rows
                for part in row["source"].split(",")[1:]
            ),
        )

    def holds(self, picture: Picture) -> bool:
        """Whether it is a reference, a picture that one was made from, or has one's name.

        People and scenes have names too common to tell (a woman, a beach): of them only
        the file counts.
        """
        parts = {Path(part).stem for part in self.sources} & {
            part.partition(".")[0] for part in picture.path.parts
        }
        return (
            bool(parts)
            or (picture.role == "object" and _words(picture.name) in self.names)
            or file_sha256(picture.path) in self.sha256
        )


def fetch(folder: Path) -> None:
    """Downloads and unpacks the packages into a folder, those that are not there yet.

    Needs Debian's ``apt-get`` and ``dpkg``, and ``npm``. Raises ``CannotRun`` when one fails.
    """
    archives = folder / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    for package in DEBIAN:
        if not (files := list(archives.glob(f"{package}_*.deb"))):
            _call(("apt-get", "download", package), archives)
            files = list(archives.glob(f"{package}_*.deb"))
        if not (target := folder / "files" / package).is_dir():
            _call(("dpkg", "-x", str(files[0].resolve()), str(target.resolve())), archives)
    if not (target := folder / "files" / "fluent-emoji-3d").is_dir():
        _call(("npm", "pack", "--silent", NPM), archives)
        with tarfile.open(next(archives.glob("lobehub-*.tgz"))) as archive:
            archive.extractall(target, filter="data")


def find(folder: Path, benchmark: Benchmark) -> tuple[Picture, ...]:
    """All pictures below a folder that are fit for clips and not the benchmark's, in order."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    found = (picture for path in files for picture in _told(path) if _fit(picture))
    return tuple(picture for picture in found if not benchmark.holds(picture))


def _told(path: Path) -> Iterator[Picture]:
    """What a file is, by where it lies; nothing for flags, screenshots and the like."""
    text = path.as_posix()
    if "fluent-emoji" in text:
        codes = [int(code, 16) for code in path.stem.split("-")]
        alone = codes[0] in _PEOPLE and all(c in _JOINERS or c not in _PEOPLE for c in codes[1:])
        plain = len(codes) == 1 or codes[1:] == [0xFE0F]
        if alone:
            yield Picture(path=path, role="character", name=_name(codes[0]))
        elif plain and codes[0] >= 0x2600 and codes[0] not in _PEOPLE:
            yield Picture(path=path, role="object", name=_name(codes[0]))
    elif "/stamps/" in text:
        told = path.with_suffix(".txt")  # mirrored ones have none
        if told.is_file():
            name = told.read_text(encoding="utf-8", errors="replace").splitlines()[0]
            role: Role = "character" if "/people/" in text else "object"
            yield Picture(path=path, role=role, name=name.rstrip(".! ").lower())
    elif "screenshot" not in path.stem:
        parts = [part for part in path.with_suffix("").parts if not _NAMELESS.fullmatch(part)]
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parts[-1]).partition("_by_")[0]
        yield Picture(path=path, role="background", name=_words(name))


def _fit(picture: Picture) -> bool:
    """Whether it is large enough, and a subject stands on nothing."""
    with Image.open(picture.path) as image:
        if picture.role == "background":
            return image.width >= SCENE_PX[0] and image.height >= SCENE_PX[1]
        if min(image.size) < SUBJECT_PX:
            return False
        counts = image.convert("RGBA").getchannel("A").histogram()
    return sum(counts[:12]) > TRANSPARENT_SHARE * sum(counts)


def _name(code: int) -> str:
    return unicodedata.name(chr(code), "thing").lower()


def _words(text: str) -> str:
    """Small letters and single spaces."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _call(command: tuple[str, ...], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        raise CannotRun(f"{' '.join(command)} failed in {folder}: {told.strip()}") from error
