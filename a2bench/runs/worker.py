"""A worker: makes the videos and the scores of one request, one job at a time.

Here is the boundary where any failure becomes a record, so that the other works go on.
"""

from __future__ import annotations

import math
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
    VideoError,
)
from a2bench.features import FeatureBank
from a2bench.keys import canonical_json
from a2bench.metric import Metric, MetricInfo, metric_licence, outside, within
from a2bench.redaction import redact, redacted
from a2bench.runs.request import Job, Request, score_key
from a2bench.runs.store import Record, RecordWriter, RunStore
from a2bench.types import Json, Measurement, Status, Video
from a2bench.video import probe


class Worker:
    """Does jobs of one request against one store. Cheap to send to another process."""

    def __init__(self, request: Request, store: RunStore, *, revision: int) -> None:
        self.request = request
        self.store = store
        self.revision = revision
        self._metrics = {m.info.name: m for m in request.metrics}
        self._writer: RecordWriter | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_writer": None}  # each process appends to a file of its own

    def perform(self, job: Job) -> tuple[Record, ...]:
        """Makes the video when it is missing, then the scores that are missing."""
        records: list[Record] = []
        video = self._stored_video(job)
        if video is None:
            record, video = self._generate(job)
            records.append(self._keep(record))
        elif job.unread and video.notes:
            records.append(self._keep(self._video_record(job, video=video)))
        if video is not None:
            chosen = [self._metrics[name] for name in job.metrics]
            bank = FeatureBank(job.case, video, [e for m in chosen for e in m.extractors])
            made = replace(job, video_sha256=video.sha256, read=video.notes)
            for metric in chosen:
                records.append(self._keep(self._score(made, metric, bank)))
        return tuple(records)

    def remainder(self, job: Job) -> Iterator[Job]:
        """The steps of a job that left no record, one job for each, looked up as they come."""
        if self._made(job) is None:
            yield replace(job, metrics=())
        video = self._made(job)
        if video is not None:
            records = self.store.records()
            for name in job.metrics:
                step = replace(
                    job,
                    video_sha256=video.video_sha256,
                    metrics=(name,),
                    read=job.read if video.read is None else video.read,
                )
                if self._score_key(step, name) not in records:
                    yield step

    def give_up(self, job: Job, reason: str) -> tuple[Record, ...]:
        """Records a job of one step as failed."""
        reason = redact(reason)
        if not job.metrics:
            return (self._keep(self._video_record(job, error=reason)),)
        return (self._keep(self._score_record(job, job.metrics[0], Status.FAILED, error=reason)),)

    def _made(self, job: Job) -> Record | None:
        record = self.store.records().get(job.video_key)
        return record if record and record.status is Status.OK else None

    def _keep(self, record: Record) -> Record:
        self._writer = self._writer or self.store.writer()
        self._writer.append(record)
        return record

    def _stored_video(self, job: Job) -> Video | None:
        """The video of the store, unless it is to be made, is gone or was tampered with."""
        path = self.store.video_path(job.video_key)
        if not job.video_sha256 or not path.exists():
            return None
        try:
            video = probe(path)
        except VideoError:
            return None
        return video if video.sha256 == job.video_sha256 else None

    def _generate(self, job: Job) -> tuple[Record, Video | None]:
        start = time.perf_counter()
        try:
            video = self._publish(job)
        except Exception as error:  # noqa: BLE001 - the boundary of a work: one failure must not stop the others
            return self._video_record(job, error=_describe(error), seconds=_since(start)), None
        return self._video_record(job, video=video, seconds=_since(start)), video

    def _publish(self, job: Job) -> Video:
        with self.store.staging() as folder:
            out = folder / "video.mp4"
            self.request.generator.generate(job.case, seed=job.seed, out=out)
            _check_output(folder, out)
            video = probe(out)
            try:
                return replace(video, path=self.store.publish(out, job.video_key))
            except OSError as error:
                path = self.store.video_path(job.video_key)
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
        except Exception as error:  # noqa: BLE001 - the boundary of a work: one failure must not stop the others
            return self._score_record(job, name, Status.FAILED, error=_describe(error))
        return self._score_record(job, name, Status.OK, measured=measured, seconds=_since(start))

    def _score_key(self, job: Job, metric: str) -> str:
        identity = self.request.identities[metric]
        return score_key(job.video_key, job.video_sha256, identity, self.request.profile, job.read)

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
            model=self.request.generator.info.name,
            case_id=job.case.id,
            case_key=job.case.key,
            seed=job.seed,
            profile=self.request.profile,
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
            model=self.request.generator.info.name,
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


def _shape(video: Video) -> dict[str, Json]:
    names = ("width", "height", "fps", "frames", "duration_s", "colour")
    return {**{name: getattr(video, name) for name in names}, "read": list(video.notes)}


def _describe(error: Exception) -> str:
    """A failure in one line: our own errors speak for themselves, others name their type."""
    text = str(error) if isinstance(error, A2BenchError) else f"{type(error).__name__}: {error}"
    return redact(text)


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 3)
