"""A judge's verdict on a video: asked once, read by all metrics of the judge."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil

from PIL import Image

from a2bench.criteria import Criterion
from a2bench.features import ExtractorInfo
from a2bench.metrics.judge.asking import Answer, Asking
from a2bench.metrics.judge.contract import Shown, applicable, question, rubric_sha256
from a2bench.metrics.judge.protocol import JudgeError, Media
from a2bench.pictures import Frame, over_white, read_rgba
from a2bench.types import Case, Element, Video

PICTURE_PX = 1024
PICTURE_TOKENS = 1300
FRAME_TOKENS = 300
MOST_LOOKED_AT = 240
MOST_BYTES = 200_000_000


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The answers to one question, asked once or several times."""

    answers: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True)
class JudgedVideo:
    """Shows a judge the video, or ``frames`` of it, with the prompt and the references.

    All ``criteria`` that apply to the case are asked at once, ``repeats`` times; ``alone`` names
    the set that they are, where others are left out. Pictures are sent
    as JPEG, at most 1024 pixels wide and high; a video byte for byte, to be looked at as often a
    second as the judge does, but at most 240 times.
    """

    asking: Asking
    criteria: tuple[Criterion, ...] = field(repr=False)
    frames: int = 0
    repeats: int = 1
    alone: str = ""

    @property
    def info(self) -> ExtractorInfo:
        judge = self.asking.judge
        video = judge.shows == "video" and not self.frames
        seen = {"video_fps": judge.video_fps, "most": MOST_LOOKED_AT} if video else {}
        return ExtractorInfo(
            name="judge",
            version="1",
            sampling=f"linspace-{self.frames}" if self.frames else "none",
            params={
                **judge.identity,
                **({"one_set": self.alone} if self.alone else {}),
                **seen,
                "rubric_sha256": rubric_sha256(self.criteria),
                "repeats": self.repeats,
                "picture_px": PICTURE_PX,
            },
        )

    def missing(self) -> tuple[str, ...]:
        judge, found = self.asking.judge, list(self.asking.judge.missing())
        if self.asking.ledger.max_usd is not None and judge.price is None:
            found.append("--max-cost needs the judge's price: --judge-price INPUT,OUTPUT")
        return tuple(found)

    def start(self, case: Case, video: Video) -> _Look:
        return _Look(extractor=self, case=case, video=video)


@dataclass(kw_only=True)
class _Look:
    extractor: JudgedVideo
    case: Case
    video: Video
    pictures: list[Media] = field(default_factory=list)

    def push(self, index: int, frame: Frame) -> None:
        self.pictures.append(_picture(Image.fromarray(frame)))

    def finish(self) -> Judgement:
        this = self.extractor
        criteria = applicable(this.criteria, self.case)
        references = [(element, _reference(element)) for element in self.case.elements]
        asked = question(self.case, self.video.sha256, criteria, references, self._shown())
        repeats = (replace(asked, repeat=number) for number in range(this.repeats))
        return Judgement(answers=tuple(this.asking.answer(one, criteria) for one in repeats))

    def _shown(self) -> Shown:
        judge = self.extractor.asking.judge
        media: Sequence[Media] = self.pictures
        if judge.shows == "video" and not self.extractor.frames:
            media = [_film(self.video, judge.video_fps)]
        return Shown(media=tuple(media), duration_s=self.video.duration_s)


def _film(video: Video, fps: float) -> Media:
    if video.path.stat().st_size > MOST_BYTES:
        raise JudgeError(f"the video is over {MOST_BYTES:,} bytes; use --judge-frames 16")
    fps = round(min(fps, video.fps, MOST_LOOKED_AT / video.duration_s), 3)
    return Media(
        mime=_mime(data := video.path.read_bytes()),
        data=data,
        sha256=video.sha256,
        tokens=ceil(fps * video.duration_s + 1) * FRAME_TOKENS,
        fps=fps,
    )


def _mime(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return "video/quicktime" if data[8:12] == b"qt  " else "video/mp4"
    if data[:4] == b"\x1aE\xdf\xa3":
        return "video/webm"
    if data[:4] == b"RIFF":
        return "video/x-msvideo"
    raise JudgeError("the judge takes MP4, MOV, WebM and AVI; use --judge-frames 16")


@lru_cache(maxsize=64)
def _reference(element: Element) -> Media:
    return _picture(Image.fromarray(over_white(read_rgba(element))))


def _picture(image: Image.Image) -> Media:
    image.thumbnail((PICTURE_PX, PICTURE_PX))
    image.save(jpeg := io.BytesIO(), "JPEG", quality=92)
    data = jpeg.getvalue()
    return Media(
        mime="image/jpeg",
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        tokens=PICTURE_TOKENS,
    )
