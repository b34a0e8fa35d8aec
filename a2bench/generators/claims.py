"""Which file is said to be the video of which case and seed: by its name, or by a table."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from a2bench.generators.archive import leads_outside
from a2bench.names import nfc, on_disk
from a2bench.suites.text_file import Source
from a2bench.types import Json
from a2bench.video import SUFFIXES, kind_of
from a2bench.video.kinds import Kind

TABLES = ("manifest.csv", "manifest.jsonl")
TABLE_SUFFIXES = (".csv", ".jsonl")
_COLUMNS = ("case", "video", "seed")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A file said to be the video of a case and seed; ``where`` says by what."""

    case_id: str
    seed: int
    path: Path
    where: str

    @property
    def pair(self) -> tuple[str, int]:
        return self.case_id, self.seed


@dataclass(frozen=True, kw_only=True)
class Claims:
    """All that a folder or a table says.

    ``faults`` stop a run. Of the names of what is left out, ``deeper`` are videos in sub-folders,
    ``unnamed`` those that a table in their folder does not name, ``others`` all other files.
    """

    root: Path
    claims: list[Claim] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    deeper: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def of_folder(root: Path, ids: Collection[str]) -> Claims:
    """What the table in a folder says, or the names of its videos. Raises ``OSError``."""
    table = next((root / name for name in TABLES if (root / name).is_file()), None)
    found = of_table(table, ids) if table else _of_names(root, ids)
    named = {os.path.realpath(claim.path) for claim in found.claims}
    for path in _videos_below(root):
        if os.path.realpath(path) not in named and (table or path.parent != root):
            (found.unnamed if table else found.deeper).append(path.relative_to(root).as_posix())
    return found


def of_table(table: Path, ids: Collection[str]) -> Claims:
    """What a table says; its paths are relative to it."""
    source = Source(table)
    found = Claims(root=table.parent)
    known = {nfc(case_id): case_id for case_id in ids}
    if table.suffix.lower() == ".csv":
        rows: Mapping[int, Mapping[str, Json]] = source.table(_COLUMNS[:2], _COLUMNS, strict=False)
    else:
        rows = {line: row for line, row in source.objects().items() if row}
    for line, row in rows.items():
        if claim := _claim(source, line, row, known):
            found.claims.append(claim)
    found.faults.extend(source.report())
    return found


def outside(claims: Sequence[Claim], root: Path) -> list[str]:
    """A fault for each file that is a link out of the folder."""
    real = Path(os.path.realpath(root))
    targets = [(claim, Path(os.path.realpath(claim.path))) for claim in claims]
    return [
        f"{claim.where}: is a link to {target}, outside {root}"
        for claim, target in targets
        if not target.is_relative_to(real)
    ]


def duplicates(claims: Sequence[Claim]) -> list[str]:
    """A fault for each case and seed of which there are several videos."""
    named: dict[tuple[str, int], list[str]] = {}
    for claim in claims:
        named.setdefault(claim.pair, []).append(claim.where)
    return [
        f"case {case_id}, seed {seed}, has {len(names)} videos: {', '.join(names)}"
        for (case_id, seed), names in named.items()
        if len(names) > 1
    ]


def _of_names(root: Path, ids: Collection[str]) -> Claims:
    """By content: a video counts whatever its suffix, and a video's suffix is a claim to be one.

    Where a file of a case has both, one that has less (a poster as WebP, a sound track) is another
    file.
    """
    found = Claims(root=root)
    known = {nfc(case_id): case_id for case_id in ids}
    doubtful = []
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.is_dir():
            continue
        kind, called = _kind(path), path.suffix.lower() in SUFFIXES
        stem = nfc(path.stem)
        numbered = re.fullmatch(r"(.+)-(0|[1-9]\d{0,17})", stem)
        if numbered and stem not in known and numbered[1] in known:
            stem, seed = numbered[1], int(numbered[2])
        else:
            seed = 0
        claim = Claim(case_id=known.get(stem, stem), seed=seed, path=path, where=path.name)
        if not (kind or called):
            found.others.append(path.name)
        elif called and (kind is None or kind.demuxers):
            found.claims.append(claim)
        else:
            doubtful.append(claim)
    taken = {claim.pair for claim in found.claims}
    found.claims.extend(claim for claim in doubtful if claim.pair not in taken)
    found.others.extend(claim.where for claim in doubtful if claim.pair in taken)
    return found


def _videos_below(root: Path) -> Iterator[Path]:
    """The videos in a folder and its sub-folders, by content, without what is hidden."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith((".", "__MACOSX")))
        for path in (Path(folder, file) for file in sorted(files) if not file.startswith(".")):
            kind = _kind(path)
            if kind and kind.demuxers:
                yield path


def _kind(path: Path) -> Kind | None:
    try:
        return kind_of(path) if path.is_file() else None
    except OSError:
        return None


def _claim(
    source: Source, line: int, row: Mapping[str, Json], known: Mapping[str, str]
) -> Claim | None:
    """One row; None, and faults, when something is wrong about it."""
    before = len(source.faults)
    values: list[Json] = [row.get(name) for name in _COLUMNS]
    case_id, video, seed = values
    for name, value in (("case", case_id), ("video", video)):
        if not isinstance(value, str) or not value:
            source.fault(line, name, "it needs a case and a video")
    if not re.fullmatch(r"\d{1,18}", str(seed or 0)):
        source.fault(line, "seed", f"{seed!r} is no whole number")
    if isinstance(video, str) and leads_outside(video):
        source.fault(line, "video", f"{video!r} leads outside the folder of the table")
    if len(source.faults) > before:
        return None
    # takes both kinds of slashes
    path = on_disk(source.path.parent.joinpath(*PureWindowsPath(video).parts))
    where = f"{source.path.name}:{line} ({video})"
    return Claim(
        case_id=known.get(nfc(case_id), case_id), seed=int(seed or 0), path=path, where=where
    )
