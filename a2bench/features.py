"""One decode and one forward for each (video, extractor), however many metrics read the result.

An extractor says which frames it wants and hands out a consumer for each video. The bank decodes
the video once, from the first frame to the last, and pushes each frame to the consumers that asked
for it; a consumer keeps what it must and batches as it likes, so memory stays bounded by the
extractors and not by the length of the video.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from a2bench.boxes import Box
from a2bench.errors import MetricError, UsageError, VideoError
from a2bench.keys import digest, json_fault
from a2bench.pictures import Floats, Frame
from a2bench.types import Case, Element, Json, Video

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ExtractorInfo:
    """An extractor's definition; all of it enters the keys of the scores that read it.

    ``sampling`` is a policy of ``a2bench.video.sample_indices``; ``weights`` maps a file to its
    sha256. ``licence`` is that of the weights; it stands in every score and enters no key.
    """

    name: str
    version: str
    sampling: str
    params: Mapping[str, Json] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""

    def __post_init__(self) -> None:
        if fault := json_fault(self.params):
            raise UsageError(f"extractor {self.name}: its params {fault}")

    def identity(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "version": self.version,
            "sampling": self.sampling,
            "params": dict(self.params),
            "weights": dict(self.weights),
        }


class Consumer(Protocol[T_co]):
    """Takes the sampled frames of one video in order, then gives the features."""

    def push(self, index: int, frame: Frame) -> None: ...

    def finish(self) -> T_co: ...


class Extractor(Protocol[T_co]):
    """A network, or a classical method, that several metrics may share. Loads on first use."""

    @property
    def info(self) -> ExtractorInfo: ...

    def start(self, case: Case, video: Video) -> Consumer[T_co]: ...


@runtime_checkable
class NeedsFiles(Protocol):
    """An extractor that needs weights; asked before anything runs, and by ``a2bench doctor``."""

    def missing(self) -> tuple[str, ...]:
        """What is not here or not whole, each with what to type; empty when all is in order."""
        ...


@runtime_checkable
class ComparesReferences(Protocol):
    """An extractor that can tell how alike two references are, as it compares them with frames."""

    def compare(self, one: Element, other: Element) -> float | None:
        """The similarity, higher for more alike; None where it cannot tell."""
        ...


class Mark(NamedTuple):
    """Something that an extractor saw in a frame, for people to look at.

    ``box`` is left, top, right, bottom in pixels; ``counted`` (rows, columns), 0 to 1, is how much
    of each part of the frame counts.
    """

    label: str
    box: Box | None = None
    counted: Floats | None = None


@runtime_checkable
class MarksFrames(Protocol):
    """An extractor that can show what it saw: ``a2bench inspect`` draws it."""

    def marks(self, features: Any) -> Mapping[int, Sequence[Mark]]:
        """What it saw, by the number of the frame, from the features that it gave."""
        ...


class FeatureBank:
    """The features of one video: ``features[extractor]``. Two extractors of one key run once.

    ``extractors`` are all that will be asked for; the first request decodes the video once for all
    of them. An extractor that raises spoils only the metrics that ask for it; a video that does not
    decode spoils all of them. ``decodes`` counts the passes: 0 or 1.
    """

    def __init__(self, case: Case, video: Video, extractors: Sequence[Extractor[Any]]) -> None:
        self.case = case
        self.video = video
        self.decodes = 0
        self._extractors = {digest(e.info.identity()): e for e in reversed(extractors)}
        self._results: dict[str, Any] = {}

    def __getitem__(self, extractor: Extractor[T]) -> T:
        key = digest(extractor.info.identity())
        if key not in self._extractors:
            raise MetricError(f"{extractor.info.name} is read but not listed in `extractors`")
        if self.decodes == 0:
            self._results = self._run()
        result = self._results[key]
        if isinstance(result, Exception):
            raise result
        features: T = result
        return features

    def _run(self) -> dict[str, Any]:
        """The one pass over the video: each extractor's features, or the exception that it met."""
        from a2bench.video import decode  # PyAV: who only reads names needs none

        self.decodes += 1
        passes = {k: _Pass(e, self.case, self.video) for k, e in self._extractors.items()}
        wanted = frozenset(index for one in passes.values() for index in one.wanted)
        try:
            for index, frame in decode(self.video, wanted) if wanted else ():
                for one in passes.values():
                    one.push(index, frame)
        except VideoError as error:
            return dict.fromkeys(passes, error)
        return {key: one.finish() for key, one in passes.items()}


class _Pass:
    """One extractor on one video, up to its first exception."""

    def __init__(self, extractor: Extractor[Any], case: Case, video: Video) -> None:
        from a2bench.video import sampled

        self._error: Exception | None = None
        self._consumer: Consumer[Any] | None = None
        self.wanted = Counter(sampled(extractor.info.sampling, video))
        self._consumer = self._try(extractor.start, case, video)

    def push(self, index: int, frame: Frame) -> None:
        for _ in range(self.wanted[index]):
            if self._error is None and self._consumer is not None:
                self._try(self._consumer.push, index, frame)

    def finish(self) -> Any:
        if self._error is None and self._consumer is not None:
            features = self._try(self._consumer.finish)
            if self._error is None:
                return features
        return self._error

    def _try(self, step: Callable[..., Any], *args: Any) -> Any:
        try:
            return step(*args)
        except Exception as error:  # noqa: BLE001 - the boundary between extractors: one must not spoil the rest
            self._error = error
            return None
