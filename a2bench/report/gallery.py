"""The cases of a report, one by one: prompt, references, and what each row made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from a2bench.errors import A2BenchError
from a2bench.redaction import redact
from a2bench.report.contents import Contents
from a2bench.report.pictures import FRAMES, Strip, reference, strip
from a2bench.results.charts import metrics_of
from a2bench.results.leaderboard import Row, Work
from a2bench.results.videos import StoredVideo, stored_videos
from a2bench.types import Case, Json, Suite, Video

PAGE_BYTES = 18_000_000
"""What a page may have in all, but for its tables: references and strips share it."""
BASE64 = 4 / 3
REFERENCE_BYTES = 8_000
THREADS = 2
SPARK = 64
MOST_BOXES, MOST_POINTS, MOST_FRAMES = 16, 128, 10**6

Tick = Callable[[], None]
"""Called for each case that is done."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box on a strip: its place in pixels of the strip, and the number of its metric."""

    x: float
    y: float
    width: float
    height: float
    metric: int


@dataclass(frozen=True, kw_only=True)
class Value:
    """What a metric said: the value or why there is none, and its course over the video."""

    metric: str
    shown: str
    reason: str
    course: str
    """Points of a polyline, 0 to ``SPARK`` by 0 to 16; empty where there is none."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A video of a row, or why there is none."""

    name: str
    label: str
    strip: Strip | None
    boxes: tuple[Box, ...]
    boxed: tuple[str, ...]
    """The metrics whose boxes are drawn, in the order of their numbers."""
    values: tuple[Value, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A case: its prompt and references where its suite is at hand, and a video a row."""

    case_id: str
    prompt: str
    references: tuple[tuple[str, str], ...]
    """Names and addresses."""
    shown: tuple[Shown, ...]


def exhibits(
    found: Contents, suite: Suite | None, most: int | None = None, *, tick: Tick = lambda: None
) -> Iterator[Exhibit]:
    """The cases by their ids, the first ``most`` of them; of each row its first seed.

    One case is in memory at a time; its videos are decoded side by side.
    """
    works: dict[tuple[str, str], dict[int, Work]] = {}
    for at, row in enumerate(found.rows):
        for work in row.works:
            works.setdefault((work.case_id, work.case_key), {}).setdefault(at, work)
    cases = {case.key: case for case in suite.cases} if suite else {}
    ids = sorted(works)[:most]
    pictures = sum(len(works[one]) for one in ids)
    references = sum(len(case.elements) for case in cases.values()) * REFERENCE_BYTES
    each = int((PAGE_BYTES / BASE64 - references) / max(1, pictures))
    stored = [_stored(row) for row in found.rows]

    def shown(one: tuple[int, Work]) -> Shown:
        return _shown(found, *one, stored[one[0]], each)

    with ThreadPoolExecutor(THREADS) as pool:
        for case_id, case_key in ids:
            own, case = works[case_id, case_key], cases.get(case_key)
            yield Exhibit(
                case_id=case_id,
                prompt=case.prompt if case else "",
                references=_references(case),
                shown=tuple(pool.map(shown, own.items())),
            )
            tick()


def _stored(row: Row) -> Mapping[tuple[str, int], StoredVideo]:
    return {(v.video.case, v.video.seed): v for v in stored_videos((), [row])}


def _references(case: Case | None) -> tuple[tuple[str, str], ...]:
    return tuple((e.name, reference(e)) for e in case.elements) if case else ()


def _shown(
    found: Contents, at: int, work: Work, stored: Mapping[tuple[str, int], StoredVideo], most: int
) -> Shown:
    row, name = found.rows[at], found.names[at]
    video, picture, reason = stored.get((work.case_id, work.seed)), None, ""
    boxed = {metric: seen for metric, one in work.scores.items() if (seen := _boxed(one.detail))}
    boxes: tuple[Box, ...] = ()
    if video is not None:
        try:
            read = video.probed()
            picture = strip(read, most, _frames(boxed, read))
            boxes = tuple(_boxes(boxed, picture, read))
        except (A2BenchError, OSError) as error:
            reason = str(error).replace(str(video.path), "the stored video")
    elif work.video is None:
        reason = "not made"
    else:
        reason = work.video.error or "the video is no longer in the store"
    return Shown(
        name=name,
        label=f"seed {work.seed}" if len({w.seed for w in row.works}) > 1 else "",
        strip=picture,
        boxes=boxes,
        boxed=tuple(boxed),
        values=tuple(_value(m, work) for m in metrics_of(found.lines) if m in row.metrics),
        reason=redact(reason),
    )


def _boxed(detail: Mapping[str, Json]) -> dict[int, list[tuple[float, ...]]]:
    """The boxes of a detail by frame; what is not of that form, as anybody may write, is none."""
    frames, rows = detail.get("frames"), detail.get("boxes")
    if not isinstance(frames, list) or not isinstance(rows, list):
        return {}
    found: dict[int, list[tuple[float, ...]]] = {}
    for index, row in zip(frames, rows, strict=False):
        if isinstance(row, list) and type(index) is int and 0 <= index < MOST_FRAMES:
            boxes = [box for box in row[:MOST_BOXES] if isinstance(box, list) and len(box) == 4]
            found[index] = [tuple(map(float, box)) for box in boxes if all(map(_is_number, box))]
    return found if any(found.values()) else {}


def _frames(boxed: Mapping[str, Mapping[int, object]], video: Video) -> Sequence[int]:
    """The frames that the first metric with boxes has looked at, at most 8 of them."""
    for seen in boxed.values():
        frames = sorted(index for index in seen if index < video.frames)
        step = max(1, round(len(frames) / FRAMES))
        return frames[::step][:FRAMES]
    return ()


def _boxes(
    boxed: Mapping[str, Mapping[int, Sequence[tuple[float, ...]]]], picture: Strip, video: Video
) -> Iterator[Box]:
    scale_x, scale_y = picture.width / video.width, picture.height / video.height
    for number, seen in enumerate(boxed.values()):
        for at, index in enumerate(picture.indices):
            for left, top, right, bottom in seen.get(index, ()):
                yield Box(
                    x=round(at * picture.width + left * scale_x, 1),
                    y=round(top * scale_y, 1),
                    width=round(max(0.0, right - left) * scale_x, 1),
                    height=round(max(0.0, bottom - top) * scale_y, 1),
                    metric=number,
                )


def _value(metric: str, work: Work) -> Value:
    record, status = work.scores.get(metric), work.status(metric)
    value = record.value if record else None
    reason = (record.error if record else "") or ""
    return Value(
        metric=metric,
        shown=status.replace("_", " ") if value is None else f"{value:.3f}",
        reason=redact(reason),
        course=_course(record.detail) if record else "",
    )


def _course(detail: Mapping[str, Json]) -> str:
    """The first row of numbers in a detail, as points; of rows of one number each these."""
    for name, told in detail.items():
        if name == "frames" or not isinstance(told, list) or len(told) < 3:
            continue
        numbers = [_number(one) for one in told[:: max(1, len(told) // MOST_POINTS)]]
        known = [number for number in numbers if number is not None]
        if len(known) < 3:
            continue
        low, high = min(known), max(known)
        span = (high - low) or 1.0
        return " ".join(
            f"{SPARK * at / (len(numbers) - 1):.1f},{15 - 14 * (number - low) / span:.1f}"
            for at, number in enumerate(numbers)
            if number is not None
        )
    return ""


def _number(one: Json) -> float | None:
    one = one[0] if isinstance(one, list) and len(one) == 1 else one
    return float(one) if _is_number(one) else None


def _is_number(one: Json) -> bool:
    return isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < 1e9
