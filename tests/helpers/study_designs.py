"""Designs of studies without any video, to rate in tests."""

from __future__ import annotations

from a2bench.criteria import criteria
from a2bench.ratings.answers import Kind
from a2bench.study.design import Clip, Design, Item, Reference, Shown
from a2bench.types import VideoId

CRITERIA = ("face_consistency", "video_quality")


def make_item(number: int, kind: Kind, *, votes: int = 0, clips: int = 4) -> Item:
    """A page of case ``c<number>``; the video quality of the first clip of a check is 1 or 2."""
    case = f"c{number}"
    return Item(
        id=f"p{number:03d}",
        kind=kind,
        case=case,
        clips=tuple(
            Clip(video=VideoId(case, f"m{n}", 0), media=f"{number}-{n}.mp4", duration_s=2.0)
            for n in range(clips)
        ),
        criteria=CRITERIA,
        votes=votes,
        expected={} if votes else {("video_quality", 0): (1, 2)},
        feedback="Look closely." if kind is Kind.TRAIN else "",
    )


def make_design(
    *,
    cases: int = 4,
    votes: int = 3,
    pages: int = 12,
    checks: bool = True,
    clips: int = 4,
    lease_s: float = 100.0,
) -> Design:
    """A study of ``cases`` rated pages and, with ``checks``, one each of training, gold, trap."""
    items = [make_item(n, Kind.RATED, votes=votes, clips=clips) for n in range(cases)]
    if checks:
        kinds = (Kind.TRAIN, Kind.GOLD, Kind.TRAP)
        items += [make_item(cases + n, kind, clips=clips) for n, kind in enumerate(kinds)]
    return Design(
        name="tiny",
        created="2026-01-01T00:00:00+00:00",
        seed=0,
        at_once=clips,
        votes=votes,
        pages=pages,
        lease_s=lease_s,
        width=64,
        height=48,
        fps=15.0,
        suite={"name": "tiny", "version": "1", "key": "0"},
        criteria=tuple(c for c in criteria() if c.id in CRITERIA),
        items=tuple(items),
        shown=tuple(
            Shown(
                case=item.case,
                prompt=f"Prompt of {item.case}.",
                references=(Reference("character", "a person", f"{item.case}.png"),),
            )
            for item in items
        ),
    )
