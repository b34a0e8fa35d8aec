"""Everything a2bench raises on purpose.

A2BenchError
├── UsageError             the request cannot be right (exit code 1)
│   ├── UnknownName        no such generator, metric or suite; suggests the nearest
│   └── Forbidden          what a rater may not do: another's page, a score of 6 (study/votes)
├── CannotRun              the request is right but this machine or store cannot serve it (exit 3)
│   ├── SuiteError         faults in a suite, all of them, with file, line and field
│   ├── VideosError        faults in a folder of videos, all of them
│   └── StoreError         the store cannot be read or written
└── WorkError              one piece of work failed; the others go on (exit 2 at the end; 3 alone)
    ├── VideoError         a video that cannot be read, or is over the limits
    ├── PictureError       a picture that cannot be read as people see it
    ├── GeneratorError     a generator that gave no video
    ├── MetricError        a metric that cannot measure a video, or broke its contract (NaN)
    ├── NotApplicable      the metric does not apply to this case or profile: no failure
    ├── Refused            a service declined to answer: no failure, no score
    ├── Stopped            no further paid call in this run (ledger)
    └── JudgeError         a judge without a usable answer (metrics/judge/protocol)
"""

from __future__ import annotations


class A2BenchError(Exception):
    """The root of the tree. Its text says what is wrong, where, and what to do next."""


class UsageError(A2BenchError):
    """The request cannot be right."""


class UnknownName(UsageError):
    """No generator, metric, suite or profile of that name."""


class CannotRun(A2BenchError):
    """The request is right, but it cannot be served here; nothing was run."""


class SuiteError(CannotRun):
    """Every fault of a suite at once, one a line: ``file:line: field: what is wrong``."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class VideosError(CannotRun):
    """Every fault of a folder of videos at once, one a line."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class StoreError(CannotRun):
    """The store cannot be read or written."""


class WorkError(A2BenchError):
    """One piece of work failed; the others go on."""


class VideoError(WorkError):
    """A video that cannot be read, or that is over the limits."""


class PictureError(WorkError):
    """A picture that cannot be read as people see it."""


class GeneratorError(WorkError):
    """A generator that gave no video."""


class MetricError(WorkError):
    """A metric that a video makes impossible, or that broke its contract."""


class NotApplicable(WorkError):
    """The metric does not apply here; the text is the reason."""


class Refused(WorkError):
    """A service declined to answer."""
