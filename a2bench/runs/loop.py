"""Plan and perform: content-keyed work that is not in the store yet.

Making a video and scoring it are one job for each (case, seed), because all metrics of a video
share one decode. The plan holds only what is missing, so resuming, ``--limit``, ``--dry-run`` and
error isolation are the same loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum

from a2bench.keys import digest
from a2bench.metric import MetricInfo, within
from a2bench.runs.crew import Outcome
from a2bench.runs.executors import Executor
from a2bench.runs.provenance import provenance
from a2bench.runs.record import Record
from a2bench.runs.request import Job, Request, score_key
from a2bench.runs.store import RunStore
from a2bench.runs.worker import Worker
from a2bench.types import Json, Status


class Policy(StrEnum):
    """What to do about work whose outcome is in the store."""

    ONLY_MISSING = "only-missing"
    ALWAYS = "always"
    ONLY_CACHED = "only-cached"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The jobs to do, and how much of the request is in the store: (present, asked for).

    ``works`` are the case ids and seeds that were asked for, ``metrics`` the names of metrics.
    """

    jobs: tuple[Job, ...]
    videos: tuple[int, int]
    scores: tuple[int, int]
    works: tuple[tuple[str, int], ...]
    metrics: tuple[str, ...]


Watch = Callable[[Outcome], None]


def plan(
    request: Request,
    records: Mapping[str, Record],
    policy: Policy,
    look: Callable[[Record], tuple[str, ...]] = lambda _: (),
) -> Plan:
    """What is missing in ``records``; ``always`` takes everything as missing.

    A failure is not an outcome that stays: it is tried again, and so is a value outside its
    metric's bounds, which older versions let pass. ``look`` gives the notes of a record's video,
    for records that do not tell them.
    """
    jobs: list[Job] = []
    videos = scores = 0
    asked = [(metric.info, request.identities[metric.info.name]) for metric in request.metrics]
    for case, seed, key in request.works:
        held = records.get(key)
        sha256 = held.video_sha256 if held and held.status is Status.OK else ""
        unread = bool(sha256) and held is not None and held.read is None
        read = look(held) if unread and held else (held.read or () if held else ())
        done = set()
        for info, identity in asked if sha256 else ():
            score = records.get(score_key(key, sha256, identity, request.profile, read))
            if score and _is_done(score, info):
                done.add(info.name)
        videos += bool(sha256)
        scores += len(done)
        if policy is Policy.ALWAYS:
            sha256, done = "", set()
        missing = tuple(info.name for info, _ in asked if info.name not in done)
        if missing or not sha256:
            jobs.append(
                Job(
                    case=case,
                    seed=seed,
                    video_key=key,
                    video_sha256=sha256,
                    metrics=missing,
                    read=read,
                    unread=unread,
                )
            )
    total = len(request.cases) * len(request.seeds)
    return Plan(
        jobs=() if policy is Policy.ONLY_CACHED else tuple(jobs),
        videos=(videos, total),
        scores=(scores, total * len(request.metrics)),
        works=tuple((case.id, seed) for case in request.cases for seed in request.seeds),
        metrics=tuple(info.name for info, _ in asked),
    )


def replaced(
    request: Request, manifests: Sequence[Mapping[str, Json]], records: Mapping[str, Record]
) -> tuple[int, int]:
    """Of how many cases and seeds the store holds another video of the same model, and of all.

    A row knows its model by name, revision, parameters and weights; where what it is made of has
    changed (a file in a folder), the newest request counts. ``manifests`` are sorted by age.
    """
    model = request.subject["model"]
    newest: dict[tuple[str, str, int], dict[str, str]] = {}
    for asked in (manifest["request"] for manifest in manifests):
        if asked["model"] == model:
            row = digest([asked["suite"], asked["profile"]])
            for case_id, case_key, seed, video in asked["works"]:
                newest.setdefault((case_id, case_key, seed), {})[row] = video
    works = request.works
    others = 0
    for case, seed, key in works:
        held = set(newest.get((case.id, case.key, seed), {}).values()) - {key}
        others += any(name in records and records[name].status is Status.OK for name in held)
    return others, len(works)


def _is_done(record: Record, metric: MetricInfo) -> bool:
    value = record.value
    return record.final and (value is None or within(value, (metric.low, metric.high)))


def perform(
    request: Request,
    jobs: Sequence[Job],
    store: RunStore,
    executor: Executor,
    *,
    arguments: Sequence[str] = (),
    watch: Watch = lambda _: None,
    max_failures: int | None = None,
) -> bool:
    """Files the request in the store and does the jobs; ``watch`` sees each outcome.

    Stops after ``max_failures`` failed records; returns whether all jobs were done. Waits while
    somebody looks after the store. Raises ``StoreError`` where the disk refuses a record: what was
    recorded stays.
    """
    store.create().sweep()
    failures = 0
    try:
        with store.at_work():
            revision = store.write_manifest(request.manifest(), provenance(arguments))
            worker = Worker(request, store, revision=revision)
            with closing(executor.run(worker, jobs)) as outcomes:
                for done, outcome in enumerate(outcomes, start=1):
                    watch(outcome)
                    failures += sum(r.status is Status.FAILED for r in outcome.records)
                    if max_failures is not None and failures >= max_failures:
                        return done == len(jobs)
    finally:
        store.sweep()  # who was stopped could not remove their unfinished work
    return True
