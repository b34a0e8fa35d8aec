"""What a run is asked for, what a job is, and the keys of videos and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from a2bench.errors import CannotRun, UsageError
from a2bench.generator import Generator, RequestAware, SuiteAware, inputs_of, model_identity
from a2bench.keys import digest
from a2bench.metric import (
    Metric,
    filed_bounds,
    metric_identity,
    metric_licence,
    missing_files,
)
from a2bench.redaction import redact, sealed
from a2bench.types import Case, Json, Suite


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a run is asked for. ``cases`` are those of ``suite`` that were selected."""

    suite: Suite
    cases: tuple[Case, ...]
    generator: Generator
    metrics: tuple[Metric, ...]
    profile: str
    seeds: tuple[int, ...] = (0,)

    def prepare(self) -> tuple[str, ...]:
        """Checks weights and the generator's files before anything runs. Returns warnings.

        Raises ``CannotRun`` with all that is missing and what to type, ``UsageError`` for a model
        whose name or revision, which every table shows, holds a secret.
        """
        info = self.generator.info
        for what, text in (("name", info.name), ("revision", info.revision)):
            if (shown := redact(text)) != text:
                raise UsageError(f"the model's {what} {shown!r} holds a secret, and is published")
        if lacking := missing_files(self.metrics):
            raise CannotRun("\n".join(lacking))
        if isinstance(self.generator, RequestAware):
            self.generator.asked_for(self.cases, self.seeds)
        if isinstance(self.generator, SuiteAware):
            return self.generator.prepare(self.suite)
        return ()

    @cached_property
    def works(self) -> tuple[tuple[Case, int, str], ...]:
        """Each case and seed with the key of its video; a generator that must be is prepared."""
        about, generator = model_identity(self.generator), self.generator
        suite_aware = generator if isinstance(generator, SuiteAware) else None
        return tuple(
            (case, seed, video_key(about, suite_aware, case, seed))
            for case in self.cases
            for seed in self.seeds
        )

    @cached_property
    def identities(self) -> dict[str, dict[str, Json]]:
        """All that decides each metric's value, by the metric's name."""
        return {metric.info.name: metric_identity(metric) for metric in self.metrics}

    @property
    def subject(self) -> dict[str, Json]:
        """What the request is about, and one row of a leaderboard: model, suite and profile."""
        info = self.generator.info
        return {
            "model": {
                "name": info.name,
                "revision": info.revision,
                "params": sealed(info.params),
                "weights": dict(info.weights),
                "licence": redact(info.licence),
                "source": redact(info.source),
            },
            "suite": {
                "name": self.suite.name,
                "version": self.suite.version,
                "key": self.suite.key,
            },
            "profile": self.profile,
        }

    def manifest(self) -> dict[str, Json]:
        """The request as the store files it: all that a leaderboard needs to find the records."""
        return {
            **self.subject,
            "works": [[case.id, case.key, seed, key] for case, seed, key in self.works],
            "metrics": [
                {
                    "dimension": m.info.dimension,
                    **filed_bounds(m.info),
                    "higher_is_better": m.info.higher_is_better,
                    "licence": metric_licence(m),
                    **self.identities[m.info.name],
                }
                for m in self.metrics
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is missing of one case and seed; ``video_sha256`` is empty when the video is too.

    ``read`` are the notes of the video. ``unread`` says that its record does not tell them, since
    it was made before there were any.
    """

    case: Case
    seed: int
    video_key: str
    video_sha256: str
    metrics: tuple[str, ...]
    read: tuple[str, ...] = ()
    unread: bool = False

    @property
    def steps(self) -> int:
        return len(self.metrics) + (not self.video_sha256)


def video_key(
    about: Mapping[str, Json], generator: SuiteAware | None, case: Case, seed: int
) -> str:
    """The key of a video: the case's content, all that the generator is, and the seed."""
    inputs = inputs_of(generator, case, seed=seed) if generator else {}
    who = {**about, "inputs": inputs}
    return digest({"kind": "video", "case": case.key, "generator": who, "seed": seed})


def score_key(
    video: str,
    video_sha256: str,
    metric: Mapping[str, Json],
    profile: str,
    read: Sequence[str] = (),
) -> str:
    """The key of a score: its video's key, bytes and notes, ``metric_identity``, the profile."""
    names = ("name", "version", "params", "extractors")
    what = {name: metric[name] for name in names}
    return digest(
        {
            "kind": "score",
            "video": video,
            "sha256": video_sha256,
            "metric": what,
            "profile": profile,
            **({"read": list(read)} if read else {}),
        }
    )
