"""Makes a study from chosen videos: playback copies, pages, the frozen design, the database."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from a2bench.criteria import Criterion
from a2bench.errors import CannotRun, VideoError
from a2bench.outputs import write_private
from a2bench.ratings.answers import Kind
from a2bench.study.blocks import Block, cells
from a2bench.study.database import Database
from a2bench.study.design import Clip, Design, Item, Reference, Shown
from a2bench.study.folder import DESIGN, MEDIA, database_url
from a2bench.study.known_answers import KnownClip, KnownPage, Look, known_pages
from a2bench.study.playback import Format, common_format, copy_picture, copy_video, write_clip
from a2bench.study.selection import Chosen, Together
from a2bench.types import Case, Suite, Video, VideoId

Tick = Callable[[], None]
Job = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a study is laid out; ``Design`` tells what each means. ``training`` counts pages."""

    criteria: tuple[Criterion, ...]
    votes: int = 5
    at_once: int = 4
    pages: int = 12
    training: int = 2
    lease_s: float = 1200.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is shown, before a copy is made. ``blocks`` stand beside ``chosen.shown``."""

    suite: Suite
    chosen: Chosen
    options: Options
    videos: Mapping[Path, Video]
    blocks: tuple[Counter[Block], ...]
    known: tuple[KnownPage, ...]
    form: Format

    @property
    def files(self) -> int:
        """How many copies and pictures will be written."""
        cases = [t.case for t in self.chosen.shown] + [page.case for page in self.known]
        pictures = {element.image for case in cases for element in case.elements}
        clips = sum(len(page.clips) for page in self.known)
        return len(self.videos) + clips + len(pictures)

    @property
    def at_once(self) -> int:
        return min(self.options.at_once, len(self.chosen.models))

    @property
    def votes(self) -> int:
        """How many pages must be rated in all."""
        return sum(case.total() for case in self.blocks)


def plan(suite: Suite, chosen: Chosen, options: Options) -> Plan:
    """Reads and checks all videos and lays out the pages. Raises ``CannotRun``."""
    stored = [one for together in chosen.shown for one in together.videos.values()]
    with _unreadable_told():
        videos = {one.path: one.probed() for one in stored}
    form = common_format(list(videos.values()))
    at_once = min(options.at_once, len(chosen.models))
    cases = [together.case for together in chosen.shown]
    if bare := [case.id for case in cases if not applicable(options.criteria, case)]:
        raise CannotRun(
            f"no criterion applies to {', '.join(bare)}: ask for more of them with --criteria, or "
            "leave these cases out with --cases"
        )
    known = known_pages(
        suite,
        cases,
        at_once=at_once,
        training=options.training,
        look=_look(list(videos.values()), form),
        random=Random(f"{options.seed}/known"),  # noqa: S311
    )
    blocks = cells(len(chosen.models), at_once, votes=options.votes, cases=len(cases))
    return Plan(
        suite=suite,
        chosen=chosen,
        options=options,
        videos=videos,
        blocks=tuple(blocks),
        known=tuple(known),
        form=form,
    )


def make(plan: Plan, folder: Path, *, url: str = "", tick: Tick = lambda: None) -> Design:
    """Writes the study to a new folder: all of it, or nothing. ``tick`` is called for each file.

    Folder and files are their owner's alone, where the file system knows owners.
    Raises ``CannotRun`` when the folder is there, or the database holds another study.
    """
    if folder.exists():
        raise CannotRun(f"{folder} exists: a study is never changed; take another name")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was interrupted
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir(mode=0o700)  # raters' answers, and which model made which video
        (partial / MEDIA).mkdir()
        with Database(database_url(partial, url)) as database:
            database.check_vacant()  # copies take long
            media = _Media(folder=partial / MEDIA, form=plan.form)
            design = _design(plan, folder.name, media)
            _perform(media.jobs, tick)
            write_private(partial / DESIGN, design.to_json())
            database.create(design)
        os.rename(partial, folder)  # noqa: PTH104
    except OSError as error:
        raise CannotRun(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return design


def _perform(jobs: Sequence[Job], tick: Tick) -> None:
    """Does all jobs, one a core at a time: encoding and decoding leave Python to the others."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            for done in as_completed([pool.submit(job) for job in jobs]):
                done.result()
                tick()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@dataclass(frozen=True, kw_only=True)
class _Media:
    """Gives files random names, the same one for the same source; ``jobs`` will write them."""

    folder: Path
    form: Format
    jobs: list[Job] = field(default_factory=list)
    made: dict[Path, str] = field(default_factory=dict)

    def video(self, video: Video) -> str:
        if video.path not in self.made:
            self.made[video.path], out = self._new(".mp4")
            self.jobs.append(lambda: _copy(video, out, self.form))
        return self.made[video.path]

    def known(self, clip: KnownClip, case: Case) -> str:
        name, out = self._new(".mp4")
        fps = clip.generator.fps
        self.jobs.append(lambda: write_clip(clip.frames(case), fps, out, self.form))
        return name

    def picture(self, path: Path) -> str:
        if path not in self.made:
            self.made[path], out = self._new(".png")
            self.jobs.append(lambda: copy_picture(path, out))
        return self.made[path]

    def _new(self, suffix: str) -> tuple[str, Path]:
        name = f"{secrets.token_hex(16)}{suffix}"
        return name, self.folder / name


def _design(plan: Plan, name: str, media: _Media) -> Design:
    options, random = plan.options, Random(f"{plan.options.seed}/items")  # noqa: S311
    items = [
        _rated(plan, together, random.sample(block, len(block)), votes, media)
        for together, case_blocks in zip(plan.chosen.shown, plan.blocks, strict=True)
        for block, votes in sorted(case_blocks.items())
    ]
    items += [_known(options, page, media) for page in plan.known]
    random.shuffle(items)  # so that an id does not tell what a page is for
    cases = {t.case.id: t.case for t in plan.chosen.shown} | {p.case.id: p.case for p in plan.known}
    return Design(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=options.seed,
        at_once=plan.at_once,
        votes=options.votes,
        pages=options.pages,
        lease_s=options.lease_s,
        width=plan.form.width,
        height=plan.form.height,
        fps=float(plan.form.fps),
        suite={"name": plan.suite.name, "version": plan.suite.version, "key": plan.suite.key},
        criteria=options.criteria,
        items=tuple(replace(item, id=f"p{n:03d}") for n, item in enumerate(items, start=1)),
        shown=tuple(_shown(case, media) for case in cases.values()),
    )


def _rated(plan: Plan, together: Together, block: Sequence[int], votes: int, media: _Media) -> Item:
    """A page with the models of a block. A video that is in several pages has one copy."""
    case = together.case
    models = [plan.chosen.models[index] for index in block]
    videos = [plan.videos[together.videos[model].path] for model in models]
    return Item(
        id="",
        kind=Kind.RATED,
        case=case.id,
        clips=tuple(
            Clip(
                video=VideoId(case.id, model, together.seed),
                media=media.video(video),
                sha256=video.sha256,
                duration_s=video.duration_s,
            )
            for model, video in zip(models, videos, strict=True)
        ),
        criteria=applicable(plan.options.criteria, case),
        votes=votes,
    )


def _known(options: Options, page: KnownPage, media: _Media) -> Item:
    criteria = applicable(options.criteria, page.case)
    return Item(
        id="",
        kind=page.kind,
        case=page.case.id,
        clips=tuple(
            Clip(
                video=VideoId(page.case.id, clip.generator.name, clip.seed),
                media=media.known(clip, page.case),
                duration_s=clip.generator.frames / clip.generator.fps,
            )
            for clip in page.clips
        ),
        criteria=criteria,
        expected={
            (criterion, index): bounds
            for index, clip in enumerate(page.clips)
            for criterion, bounds in clip.right(criteria).items()
        },
        feedback=page.feedback,
    )


def _shown(case: Case, media: _Media) -> Shown:
    references = (Reference(e.role, e.name, media.picture(e.image)) for e in case.elements)
    return Shown(case=case.id, prompt=case.prompt, references=tuple(references))


def _copy(video: Video, out: Path, form: Format) -> None:
    with _unreadable_told():
        copy_video(video, out, form)


@contextmanager
def _unreadable_told() -> Iterator[None]:
    try:
        yield
    except VideoError as error:
        raise CannotRun(f"{error}\nleave its case out with --cases, or run it again") from error


def applicable(criteria: Iterable[Criterion], case: Case) -> tuple[str, ...]:
    """The ids of the criteria whose roles the case has."""
    return tuple(c.id for c in criteria if all(case.of(role) for role in c.needs))


def _look(videos: Sequence[Video], form: Format) -> Look:
    """Size, length and rate of made clips: those of the video in the middle."""
    middle = sorted(videos, key=lambda video: video.duration_s)[len(videos) // 2]
    fps = max(1, round(middle.fps))
    frames = max(1, round(middle.duration_s * fps))
    return Look(width=form.width, height=form.height, frames=frames, fps=fps)
