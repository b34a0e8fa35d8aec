"""Videos that exist already, from any model, matched to the cases of a suite."""

from __future__ import annotations

import re
import shutil
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from a2bench.errors import GeneratorError, UsageError, VideoError, VideosError
from a2bench.generator import GeneratorInfo
from a2bench.generators.archive import unpack
from a2bench.generators.claims import (
    TABLE_SUFFIXES,
    Claim,
    Claims,
    duplicates,
    of_folder,
    of_table,
    outside,
)
from a2bench.keys import file_sha256
from a2bench.names import on_disk
from a2bench.pictures import Frame
from a2bench.text import plain
from a2bench.types import Case, Json, Suite, Video
from a2bench.video import decode, encode, probe
from a2bench.waiting.locks import temporary_folder

CROP_CRF = 10
SHOWN = 20
NO_NAMES = frozenset(
    {"", "archive", "clip", "clips", "data", "download", "downloads", "file", "files", "folder"}
    | {"generated", "generation", "generations", "movie", "movies", "mp4", "mp4s", "my", "new"}
    | {"out", "output", "outputs", "result", "results", "run", "runs", "sample", "samples", "seed"}
    | {"seeds", "submission", "submissions", "temp", "test", "tmp", "video", "videos"}
)
"""Words of folders that say what lies in them, and not which model made it."""


@dataclass(kw_only=True)
class Folder:
    """Scores videos that exist.

    ``videos`` is one of

    - a folder with ``<case id>.mp4`` for seed 0 and ``<case id>-<seed>.mp4`` for any seed; content
      decides what is a video, whatever its suffix;
    - a table with the columns ``case``, ``video`` (a path relative to the table) and, if there are
      several, ``seed``: a .csv, a .jsonl, or the manifest.csv or manifest.jsonl of a folder;
    - a .zip of either.

    ``name`` is the model's; else that of the folder, unless it is a general word (``videos``).

    All is checked before anything runs, and what is left out is named. Videos are scored as they
    are, byte for byte. Only ``crop_panels`` = N re-encodes: it keeps the last of N panels of equal
    width, at the mean frame rate, nearly without loss (H.264, CRF 10); an odd side loses its last
    row or column.
    """

    videos: Path
    name: str = ""
    revision: str = ""
    crop_panels: int = 1
    _files: dict[tuple[str, int], tuple[Path, str | None]] = field(
        default_factory=dict, init=False, repr=False
    )
    _asked: tuple[tuple[str, ...], tuple[int, ...]] | None = field(
        default=None, init=False, repr=False
    )

    def __post_init__(self) -> None:
        self.videos = on_disk(Path(self.videos))
        if self.crop_panels < 1:
            raise UsageError(f"--crop-panels {self.crop_panels}: give the number of panels")
        if not self.name and _is_general(self._own_name()):
            raise UsageError(
                f"--videos {self.videos}: {self._own_name()!r} is no name of a model, and two of"
                " that name would be one: give --name, as in --name my-model"
            )

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name=self.name or self._own_name(),
            revision=self.revision,
            params={"crop_panels": self.crop_panels},
            source="videos that exist",
            parallel=True,
        )

    def asked_for(self, cases: Sequence[Case], seeds: Sequence[int]) -> None:
        self._asked = tuple(case.id for case in cases), tuple(seeds)

    def prepare(self, suite: Suite) -> tuple[str, ...]:
        """Finds and probes the videos that were asked for, or all where nobody asked.

        Raises ``VideosError`` with all that must not be run.
        """
        found = self._checked(suite)
        ids = {case.id for case in suite.cases}
        cases, seeds = self._asked or (tuple(case.id for case in suite.cases), ())
        asked = set(cases)
        wanted = [claim for claim in found.claims if claim.case_id in asked]
        chosen = [claim for claim in wanted if claim.seed in seeds or not seeds]
        all_seeds = ",".join(map(str, sorted({*seeds, *(claim.seed for claim in wanted)})))
        if wanted and not chosen:
            told = f"no video for --seeds {','.join(map(str, seeds))}, but {wanted[0].where}"
            raise VideosError([f"{self.videos}: {told}: give --seeds {all_seeds}"])
        unreadable, wide = self._examine_all(chosen)
        unasked = [claim.where for claim in wanted if seeds and claim.seed not in seeds]
        return _warnings(
            ("without a video; it will count as failed", _missing(cases, seeds, chosen)),
            (f"for seeds not asked for; left out: give --seeds {all_seeds}", unasked),
            (
                "for no case of the suite; left out",
                [claim.where for claim in found.claims if claim.case_id not in ids],
            ),
            ("in sub-folders; left out", found.deeper),
            ("videos that the table does not name; left out", found.unnamed),
            ("other files; left out", found.others),
            ("not usable; it will count as failed", unreadable),
            ("perhaps panels side by side; --crop-panels N keeps the last of N", wide),
        )

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
        if path.suffix.lower() in TABLE_SUFFIXES:
            return path.parent.name
        return path.stem if path.suffix.lower() == ".zip" else path.name

    def _checked(self, suite: Suite) -> Claims:
        """What is said of the videos, without a fault and with one video of the suite or more."""
        ids = {case.id for case in suite.cases}
        try:
            found = self._claims(ids)
        except OSError as error:
            raise VideosError([f"{self.videos}: {error.strerror}"]) from error
        except VideosError as error:
            raise VideosError(_cut(error.faults)) from error
        ours = [claim for claim in found.claims if claim.case_id in ids]
        faults = found.faults + outside(found.claims, found.root) + duplicates(ours)
        if faults:
            raise VideosError(_cut(faults))
        if not ours:
            raise VideosError([_nothing(self.videos, found, suite)])
        return found

    def _claims(self, ids: Collection[str]) -> Claims:
        root, suffix = self.videos.absolute(), self.videos.suffix.lower()
        if root.is_file() and suffix == ".zip":
            unpacked = ExitStack()
            weakref.finalize(self, unpacked.close)
            root = unpack(root, unpacked.enter_context(temporary_folder()))
        elif root.is_file() and suffix in TABLE_SUFFIXES:
            return of_table(root, ids)
        if not root.is_dir():
            raise VideosError([f"{root}: there is no folder, .zip, .csv or .jsonl of that name"])
        return of_folder(root, ids)

    def _examine_all(self, claims: Sequence[Claim]) -> tuple[list[str], list[str]]:
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


def _is_general(name: str) -> bool:
    """Whether all words of a name are general ones, or numbers."""
    words = re.split(r"[\W_]+", name.casefold())
    return all(word in NO_NAMES or word.rstrip("0123456789") in NO_NAMES for word in words)


def _missing(cases: Sequence[str], seeds: Sequence[int], chosen: Sequence[Claim]) -> list[str]:
    """The cases without a video; where other seeds than 0 were asked for, with the seed."""
    have = {claim.pair for claim in chosen}
    if not seeds:
        found = {case_id for case_id, _ in have}
        return [case for case in cases if case not in found]
    pairs = [(case, seed) for case in cases for seed in seeds if (case, seed) not in have]
    alone = tuple(seeds) == (0,)
    return [case if alone else f"{case}, seed {seed}" for case, seed in pairs]


def _nothing(videos: Path, found: Claims, suite: Suite) -> str:
    expected = f"{suite.cases[0].id}.mp4" if suite.cases else "none"
    told = f"{videos}: no video of suite {suite.name} (such as {expected}), but "
    if found.claims:
        return f"{told}{len(found.claims)} others, such as {found.claims[0].where}"
    if found.deeper:
        where = f"{len(found.deeper)} in sub-folders, such as {found.deeper[0]}"
        return f"{told}{where}: give that folder, or a table (case,video,seed)"
    return f"{told}no video at all"


def _warnings(*told: tuple[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(
        "\n  ".join([f"{what} ({len(names)}):", *_cut(names)]) for what, names in told if names
    )


def _cut(lines: Sequence[str]) -> list[str]:
    shown = [plain(line) for line in lines[:SHOWN]]
    return shown if len(lines) <= SHOWN else [*shown, f"and {len(lines) - SHOWN} more"]
