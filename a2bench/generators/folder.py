"""Videos that exist already, from any model, matched to the cases of a suite."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from typing import Any

from a2bench.errors import GeneratorError, UsageError, VideoError, VideosError
from a2bench.generator import GeneratorInfo
from a2bench.generators.archive import leads_outside, unpack
from a2bench.keys import file_sha256
from a2bench.pictures import Frame
from a2bench.text import plain
from a2bench.types import Case, Json, Suite, Video
from a2bench.video import decode, encode, probe

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif")
TABLES = ("manifest.csv", "manifest.jsonl")
CROP_CRF = 10
SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """A file said to be the video of a case and seed; ``where`` says by what."""

    case_id: str
    seed: int
    path: Path
    where: str


@dataclass(kw_only=True)
class Folder:
    """Scores videos that exist.

    ``videos`` is one of

    - a folder with ``<case id>.mp4`` for seed 0 and ``<case id>-<seed>.mp4`` for any seed (or .mov,
      .mkv, .webm, .avi, .gif); other files and sub-folders are ignored;
    - a table with the columns ``case``, ``video`` (a path relative to the table) and, if there are
      several, ``seed``: a .csv, a .jsonl, or the manifest.csv or manifest.jsonl of a folder;
    - a .zip of either.

    All is checked before anything runs. Videos are scored as they are, byte for byte. Only
    ``crop_panels`` = N re-encodes: it keeps the last of N panels of equal width, at the mean frame
    rate, nearly without loss (H.264, CRF 10); an odd side loses its last row or column.
    """

    videos: Path
    name: str = ""
    revision: str = ""
    crop_panels: int = 1
    _files: dict[tuple[str, int], tuple[Path, str | None]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        self.videos = Path(self.videos)
        if self.crop_panels < 1:
            raise UsageError(f"--crop-panels {self.crop_panels}: give the number of panels")

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name=self.name or self._own_name(),
            revision=self.revision,
            params={"crop_panels": self.crop_panels},
            source="videos that exist",
            parallel=True,
        )

    def prepare(self, suite: Suite) -> tuple[str, ...]:
        """Finds and probes every video. Raises ``VideosError`` with all that must not be run."""
        ids = {case.id for case in suite.cases}
        try:
            root, claims, faults = self._claims(ids)
        except OSError as error:
            raise VideosError([f"{self.videos}: {error.strerror}"]) from error
        except VideosError as error:
            raise VideosError(_cut(error.faults)) from error
        ours = [claim for claim in claims if claim.case_id in ids]
        faults += _outside(claims, root) + _duplicates(ours)
        if faults:
            raise VideosError(_cut(faults))
        if not ours:
            raise VideosError([_nothing(self.videos, claims, suite)])
        unreadable, wide = self._examine_all(ours)
        extra = [claim.where for claim in claims if claim.case_id not in ids]
        have = {claim.case_id for claim in ours}
        missing = [case.id for case in suite.cases if case.id not in have]
        return _warnings(missing, extra, unreadable, wide)

    def inputs(self, case: Case, *, seed: int) -> Mapping[str, Json]:
        return {"file": self._files.get((case.id, seed), (None, None))[1]}

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        path, sha256 = self._files.get((case.id, seed), (None, None))
        if path is None:
            raise GeneratorError(f"{self.videos}: no video of case {case.id} for seed {seed}")
        video = self._examine(path)
        if video.sha256 != sha256:
            raise GeneratorError(f"{path} has changed since the run began; start it again")
        if self.crop_panels == 1:
            shutil.copyfile(path, out)
        else:
            fps = Fraction(video.fps).limit_denominator(1001)
            encode(out, self._last_panel(video), fps=fps, crf=CROP_CRF)

    def _own_name(self) -> str:
        path = self.videos.resolve()
        if path.suffix.lower() in (".csv", ".jsonl"):
            return path.parent.name
        return path.stem if path.suffix.lower() == ".zip" else path.name

    def _claims(self, ids: Collection[str]) -> tuple[Path, list[_Claim], list[str]]:
        """The folder that holds all videos, what is said of them, and faults in the table."""
        root, suffix = self.videos.absolute(), self.videos.suffix.lower()
        if root.is_file() and suffix == ".zip":
            folder = Path(tempfile.mkdtemp(prefix="a2bench-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            root = unpack(root, folder)
        elif root.is_file() and suffix in (".csv", ".jsonl"):
            return (root.parent, *_read_table(root))
        if not root.is_dir():
            raise VideosError([f"{root}: there is no folder, .zip, .csv or .jsonl of that name"])
        table = next((root / name for name in TABLES if (root / name).is_file()), None)
        return (root, *_read_table(table)) if table else (root, _read_names(root, ids), [])

    def _examine_all(self, claims: Sequence[_Claim]) -> tuple[list[str], list[str]]:
        """Files what each video is; returns the unreadable ones and those that look like strips."""
        unreadable, wide = [], []
        self._files = {}
        for claim in claims:
            try:
                video = self._examine(claim.path)
                sha256: str | None = video.sha256
                if video.width >= 4 * video.height and self.crop_panels == 1:
                    wide.append(f"{claim.path.name} ({video.width}x{video.height})")
            except VideoError as error:
                unreadable.append(str(error))
                sha256 = file_sha256(claim.path) if claim.path.is_file() else None
            self._files[claim.case_id, claim.seed] = (claim.path, sha256)
        return unreadable, wide

    def _examine(self, path: Path) -> Video:
        video = probe(path)
        if video.width % self.crop_panels:
            raise VideoError(
                f"{path}: {video.width}x{video.height} does not divide into"
                f" {self.crop_panels} panels of equal width"
            )
        return video

    def _last_panel(self, video: Video) -> Iterator[Frame]:
        panel = video.width // self.crop_panels
        left = video.width - panel
        for _, frame in decode(video):
            yield frame[: video.height // 2 * 2, left : left + panel // 2 * 2]


def _read_names(folder: Path, ids: Collection[str]) -> list[_Claim]:
    claims = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            case_id, seed = path.stem, 0
            numbered = re.fullmatch(r"(.+)-(0|[1-9]\d*)", path.stem)
            if numbered and path.stem not in ids and numbered[1] in ids:
                case_id, seed = numbered[1], int(numbered[2])
            claims.append(_Claim(case_id=case_id, seed=seed, path=path, where=path.name))
    return claims


def _read_table(table: Path) -> tuple[list[_Claim], list[str]]:
    claims, faults = [], []
    try:
        for number, row in _rows(table):
            try:
                claims.append(_claim(row, table, f"{table.name}:{number}"))
            except ValueError as error:
                faults.append(f"{table}:{number}: {error}")
    except (UnicodeDecodeError, csv.Error) as error:
        faults.append(f"{table}: {error}")
    return claims, faults


def _rows(table: Path) -> Iterator[tuple[int, Any]]:
    text = table.read_text(encoding="utf-8-sig")
    if table.suffix.lower() == ".csv":
        reader = csv.DictReader(io.StringIO(text, newline=""))
        for row in reader:
            yield reader.line_num, row
    else:
        yield from ((n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip())


def _claim(row: Any, table: Path, where: str) -> _Claim:
    """One row. Raises ``ValueError`` with what is wrong about it."""
    row = json.loads(row) if isinstance(row, str) else row
    names = ("case", "video", "seed")
    case_id, video, seed = map(row.get, names) if isinstance(row, dict) else (None, None, None)
    if not (isinstance(case_id, str) and case_id and isinstance(video, str) and video):
        raise ValueError("it needs a case and a video")
    if not re.fullmatch(r"\d{1,18}", str(seed or 0)):
        raise ValueError(f"seed {seed!r} is no whole number")
    if leads_outside(video):
        raise ValueError(f"{video!r} leads outside the folder of the table")
    path = table.parent.joinpath(*PureWindowsPath(video).parts)  # takes both kinds of slashes
    return _Claim(case_id=case_id, seed=int(seed or 0), path=path, where=f"{where} ({video})")


def _outside(claims: Sequence[_Claim], root: Path) -> list[str]:
    real = Path(os.path.realpath(root))
    targets = [(claim, Path(os.path.realpath(claim.path))) for claim in claims]
    return [
        f"{claim.where}: is a link to {target}, outside {root}"
        for claim, target in targets
        if not target.is_relative_to(real)
    ]


def _duplicates(claims: Sequence[_Claim]) -> list[str]:
    named: dict[tuple[str, int], list[str]] = {}
    for claim in claims:
        named.setdefault((claim.case_id, claim.seed), []).append(claim.where)
    return [
        f"case {case_id}, seed {seed}, has {len(names)} videos: {', '.join(names)}"
        for (case_id, seed), names in named.items()
        if len(names) > 1
    ]


def _nothing(videos: Path, claims: Sequence[_Claim], suite: Suite) -> str:
    found = f"{len(claims)} others, such as {claims[0].where}" if claims else "no video at all"
    expected = f"{suite.cases[0].id}.mp4" if suite.cases else "none"
    return f"{videos}: no video of suite {suite.name} (such as {expected}), but {found}"


def _warnings(
    missing: list[str], extra: list[str], unreadable: list[str], wide: list[str]
) -> tuple[str, ...]:
    told = (
        (missing, "without a video; it will count as failed"),
        (extra, "for no case of the suite; left out"),
        (unreadable, "not usable; it will count as failed"),
        (wide, "perhaps panels side by side; --crop-panels N keeps the last of N"),
    )
    return tuple(
        "\n  ".join([f"{what} ({len(names)}):", *_cut(names)]) for names, what in told if names
    )


def _cut(lines: list[str]) -> list[str]:
    shown = [plain(line) for line in lines[:SHOWN]]
    return shown if len(lines) <= SHOWN else [*shown, f"and {len(lines) - SHOWN} more"]
