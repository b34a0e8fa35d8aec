"""Text that can be read in the frames, and whether it speaks to a judge."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from a2bench.features import ExtractorInfo
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import PackagedWeights, lacking
from a2bench.pictures import Frame
from a2bench.types import Case, Video

_PACKAGE = "rapidocr_onnxruntime"
_RELEASE = "rapidocr-onnxruntime==1.4.4"
_BEYOND_ITS_PYTHON = "--ignore-requires-python "
"""It says that it is for Python below 3.13; it is pure Python, and reads the same with 3.13."""
_MODELS = {
    "det": (
        "ch_PP-OCRv4_det_infer.onnx",
        "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
    ),
    "rec": (
        "ch_PP-OCRv4_rec_infer.onnx",
        "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
    ),
}
LEAST_CONFIDENCE = 0.5
LONG_SIDE_PX = 960
"""Larger frames are made smaller before text is looked for."""
MOST_LINES = 20

_SPEAKS = re.compile(
    r"(?:ignor(?:e|ing)|disregard|forget|overrid(?:e|ing)|follow)"
    r"(?:all|any|every|the|your|these|this|previous|prior|above|earlier)*"
    r"(?:rubric|criteri|instruction|rule|prompt|guideline|anchor)"
    r"|rubric|criteri(?:on|a)|system(?:prompt|message)|evaluator|grader|(?:dear|ai|asa)judge"
    r"|(?:score|rate|rating|grade|give|assign|award)"
    r"(?:an?|of|it|this|that|the|me|all|video|full|is|as|must|be|should|=|:|\W){0,8}"
    r"(?:[1-5](?![\d:])|five|perfect|maxim|highest|top)"
    r"|[1-5](?:/|outof)5(?!\d)|fiveoutoffive|fullmarks|(?:perfect|top|maximum|highest)score",
    re.IGNORECASE,
)
"""What only text for a judge says; read without spaces, as OCR often loses them."""


@dataclass(frozen=True, kw_only=True)
class VisibleText:
    """The lines read in any frame, each once, and those among them that speak to a judge."""

    lines: tuple[str, ...]
    speaking: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FrameText(LoadsAnew):
    """Reads ``frames`` frames with PP-OCRv4 (RapidOCR; Chinese and Latin script).

    The networks come with the package: nothing is downloaded. On 832x480 letters of 10 pixels are
    read and of 8 missed; faint or strongly distorted text is missed, and so is text in frames that
    are not sampled: no flag is no proof. Takes 2 to 3 s a video on one core.
    """

    frames: int = 8

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="frame_text",
            version="1",
            sampling=f"linspace-{self.frames}",
            params={
                "least_confidence": LEAST_CONFIDENCE,
                "long_side_px": LONG_SIDE_PX,
                "speaks": _SPEAKS.pattern,
            },
            weights=dict(_MODELS.values()),
            licence="Apache-2.0",
        )

    def missing(self) -> tuple[str, ...]:
        return lacking(*_weights().values())

    def start(self, case: Case, video: Video) -> _Reading:
        return _Reading(reader=self._reader)

    @cached_property
    def _reader(self) -> Any:
        from rapidocr_onnxruntime import RapidOCR

        for weights in _weights().values():
            weights.locate()
        return RapidOCR(
            intra_op_num_threads=1,
            inter_op_num_threads=1,
            det_limit_type="max",  # by default small frames are enlarged, for three times the cost
            det_limit_side_len=LONG_SIDE_PX,
        )


@dataclass(kw_only=True)
class _Reading:
    reader: Any
    lines: dict[str, None] = field(default_factory=dict)

    def push(self, index: int, frame: Frame) -> None:
        found, _ = self.reader(frame[..., ::-1], use_cls=False)
        for _, text, confidence in found or ():
            if float(confidence) >= LEAST_CONFIDENCE:
                self.lines[text.strip()] = None

    def finish(self) -> VisibleText:
        speaking = tuple(line for line in self.lines if speaks(line))
        if not speaking and speaks("".join(self.lines)):  # a sentence over several lines
            speaking = tuple(self.lines)
        return VisibleText(lines=tuple(self.lines)[:MOST_LINES], speaking=speaking[:MOST_LINES])


def speaks(text: str) -> bool:
    """Whether a text seems to be meant for a judge."""
    return bool(_SPEAKS.search(re.sub(r"\s+", "", text)))


def _weights() -> Mapping[str, PackagedWeights]:
    return {
        name: PackagedWeights(
            package=_PACKAGE,
            release=_RELEASE if sys.version_info < (3, 13) else f"{_BEYOND_ITS_PYTHON}{_RELEASE}",
            path=f"models/{file}",
            sha256=sha256,
            licence="Apache-2.0",
        )
        for name, (file, sha256) in _MODELS.items()
    }
