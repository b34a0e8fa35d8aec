"""A worker: makes the videos and the scores of one request, one job at a time.

Here is the boundary where any failure becomes a record, so that the other works go on.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from a2bench.errors import (
    A2BenchError,
    GeneratorError,
    MetricError,
    NotApplicable,
    Refused,
    StoreError,
    VideoError,
)
from a2bench.features import FeatureBank
from a2bench.keys import canonical_json
from a2bench.metric import Metric, MetricInfo, metric_licence, outside, within
from a2bench.redaction import redact, redacted
from a2bench.runs.files import RecordWriter
from a2bench.runs.record import Record
from a2bench.runs.request import Job, Request, score_key
from a2bench.runs.store import RunStore
from a2bench.types import Json, Measurement, Status, Video
from a2bench.video import probe

FAILURES = (Exception, SystemExit)
"""What a work may raise without stopping the others; not ``KeyboardInterrupt``."""


class Worker:
    """Does jobs of one request against one store. Cheap to send to another process."""

    def __init__(self, request: Request, store: RunStore, *, revision: int) -> None:
        self.store = store
        self.revision = revision
        self._generator = request.generator
        self._profile = request.profile
        self._identities = request.identities
        self._metrics = {m.info.name: m for m in request.metrics}
        self._writer: RecordWriter | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_writer": None}  # each process appends to a file of its own

    def perform(self, job: Job) -> Iterator[Record]:
        """Makes the video when it is missing, then the scores that are missing.

        Yields each record when it is on the disk. Raises ``StoreError`` where the disk refuses it.
        """
        video = self._stored_video(job)
        if video is None:
            record, video = self._generate(job)
            yield self._keep(record)
        elif job.unread and video.notes:
            yield self._keep(self._video_record(job, video=video))
        if video is not None:
            chosen = [self._metrics[name] for name in job.metrics]
            bank = FeatureBank(job.case, video, [e for m in chosen for e in m.extractors])
            made = replace(job, video_sha256=video.sha256, read=video.notes)
            for metric in chosen:
                yield self._keep(self._score(made, metric, bank))

    def give_up(self, job: Job, reason: str) -> Record:
        """Records a job of one step as failed."""
        reason = redact(reason)
        if not job.metrics:
            return self._keep(self._video_record(job, error=reason))
        return self._keep(self._score_record(job, job.metrics[0], Status.FAILED, error=reason))

    def _keep(self, record: Record) -> Record:
        self._writer = self._writer or self.store.writer()
        self._writer.append(record)
        return record

    def _stored_video(self, job: Job) -> Video | None:
        """The video of the store, unless it is to be made, is gone or was tampered with."""
        if not job.video_sha256:
            return None
        try:
            return self.store.video(job.video_sha256, job.video_key)
        except (StoreError, VideoError):
            return None

    def _generate(self, job: Job) -> tuple[Record, Video | None]:
        start = time.perf_counter()
        try:
            video = self._publish(job)
        except FAILURES as error:
            return self._video_record(job, error=_describe(error), seconds=_since(start)), None
        return self._video_record(job, video=video, seconds=_since(start)), video

    def _publish(self, job: Job) -> Video:
        with self.store.staging() as folder:
            out = folder / "video.mp4"
            self._generator.generate(job.case, seed=job.seed, out=out)
            _check_output(folder, out)
            _make_own(out)
            video = probe(out)
            try:
                return replace(video, path=self.store.publish(out, video.sha256))
            except OSError as error:
                path = self.store.video_path(video.sha256)
                raise GeneratorError(f"cannot publish {path}: {error.strerror}") from error

    def _score(self, job: Job, metric: Metric, bank: FeatureBank) -> Record:
        name = metric.info.name
        start = time.perf_counter()
        try:
            measured = _checked(metric.score(job.case, bank), metric.info)
        except NotApplicable as reason:
            return self._score_record(job, name, Status.NOT_APPLICABLE, error=_describe(reason))
        except Refused as reason:
            return self._score_record(job, name, Status.REFUSED, error=_describe(reason))
        except FAILURES as error:
            return self._score_record(job, name, Status.FAILED, error=_describe(error))
        return self._score_record(job, name, Status.OK, measured=measured, seconds=_since(start))

    def _score_key(self, job: Job, metric: str) -> str:
        identity = self._identities[metric]
        return score_key(job.video_key, job.video_sha256, identity, self._profile, job.read)

    def _score_record(
        self,
        job: Job,
        metric: str,
        status: Status,
        *,
        measured: Measurement | None = None,
        error: str | None = None,
        seconds: float = 0.0,
    ) -> Record:
        return Record(
            kind="score",
            key=self._score_key(job, metric),
            model=self._generator.info.name,
            case_id=job.case.id,
            case_key=job.case.key,
            seed=job.seed,
            profile=self._profile,
            metric=metric,
            video_sha256=job.video_sha256,
            status=status,
            value=None if measured is None else measured.value,
            detail={} if measured is None else measured.detail,
            error=error,
            licence=metric_licence(self._metrics[metric]),
            seconds=seconds,
            revision=self.revision,
        )

    def _video_record(
        self,
        job: Job,
        *,
        video: Video | None = None,
        error: str | None = None,
        seconds: float = 0.0,
    ) -> Record:
        return Record(
            kind="video",
            key=job.video_key,
            model=self._generator.info.name,
            case_id=job.case.id,
            case_key=job.case.key,
            seed=job.seed,
            status=Status.FAILED if video is None else Status.OK,
            video_sha256="" if video is None else video.sha256,
            detail={} if video is None else _shape(video),
            error=error,
            seconds=seconds,
            revision=self.revision,
        )


def _checked(measured: Measurement, metric: MetricInfo) -> Measurement:
    """A metric's answer, checked and kept as it is.

    Raises ``MetricError`` when it is no finite number, or outside the metric's own bounds.
    """
    value = float(measured.value)
    if not math.isfinite(value):
        raise MetricError(f"{metric.name}: non-finite value {value}")
    if not within(value, (metric.low, metric.high)):
        raise MetricError(outside(metric.name, value, (metric.low, metric.high)))
    try:
        canonical_json(measured.detail)
    except (TypeError, ValueError) as error:
        raise MetricError(f"{metric.name}: detail is not JSON: {error}") from error
    return Measurement(value=value, detail=redacted(measured.detail))


def _check_output(folder: Path, out: Path) -> None:
    """Holds a generator to its contract: one regular file, at ``out``."""
    found = sorted(path.name for path in folder.iterdir())
    if not found:
        raise GeneratorError("generator wrote no video")
    if found != [out.name]:
        raise GeneratorError(f"generator wrote no video at the path it was given, but {found[:5]}")
    if out.is_symlink() or not out.is_file():
        raise GeneratorError("generator wrote no video: what it left is not a regular file")


def _make_own(out: Path) -> None:
    """Copies a file that has other names, too, under which it could be changed afterwards."""
    if out.stat().st_nlink > 1:
        copy = out.with_name("copy")
        shutil.copyfile(out, copy)
        copy.replace(out)


def _shape(video: Video) -> dict[str, Json]:
    names = ("width", "height", "fps", "frames", "duration_s", "colour")
    return {**{name: getattr(video, name) for name in names}, "read": list(video.notes)}


def _describe(error: BaseException) -> str:
    """A failure in one line: our own errors speak for themselves, others name their type."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign error's text may be broken, too
        text = "its text cannot be read"
    kind = type(error).__name__
    return redact(text if isinstance(error, A2BenchError) else f"{kind}: {text}")


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 3)
