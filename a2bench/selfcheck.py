"""Known answers: do the metrics of a profile tell right from wrong on this machine?

The controls of the benchmark are generated and scored like any model; each expectation compares
what two of them got on the same case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from a2bench.features import ComparesReferences
from a2bench.generator import Generator
from a2bench.metric import Metric
from a2bench.registry import GENERATORS
from a2bench.results.leaderboard import collect
from a2bench.runs.loop import Executor, Policy, Watch, perform, plan
from a2bench.runs.request import Request
from a2bench.runs.store import RunStore
from a2bench.stats import roc_auc
from a2bench.types import Element, Suite

CONSISTENCY = ("id_consistency", "object_consistency", "background_consistency")
SHARE_NEEDED = 0.95
AUC_NEEDED = 0.98

Values = Mapping[str, float]
"""What each control scored on one case."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A sentence about one metric that must hold for at least 95 % of the cases.

    ``profile`` names the only profile of which it is expected, if it is not expected of all.
    """

    text: str
    metric: str
    controls: tuple[str, ...]
    holds: Callable[[Values], bool]
    profile: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of an expectation: how far it was met, in words, and whether that is enough."""

    metric: str
    text: str
    result: str
    holds: bool


def _greater(metric: str, better: str, worse: str) -> Expectation:
    return Expectation(
        text=f"{better} beats {worse}",
        metric=metric,
        controls=(better, worse),
        holds=lambda values: values[better] > values[worse],
    )


def _noise_lowest(metric: str) -> Expectation:
    return Expectation(
        text="noise is lowest",
        metric=metric,
        controls=("noise", "collage", "swapped"),
        holds=lambda v: v["noise"] <= v["swapped"] and v["noise"] < v["collage"],
    )


def _rests(control: str, profile: str = "") -> Expectation:
    return Expectation(
        text=f"{control} does not move",
        metric="dynamic_degree",
        controls=(control,),
        holds=lambda values: values[control] == 0.0,
        profile=profile,
    )


EXPECTATIONS: tuple[Expectation, ...] = (
    *(_greater(metric, "collage", "swapped") for metric in CONSISTENCY),
    *(_greater(metric, "restaged", "swapped") for metric in CONSISTENCY),
    *(_noise_lowest(metric) for metric in CONSISTENCY),
    _greater("id_consistency", "distant", "swapped"),
    _greater("object_consistency", "distant", "swapped"),
    Expectation(
        text="objectless has less than half of collage",
        metric="object_consistency",
        controls=("objectless", "collage"),
        holds=lambda values: values["objectless"] < values["collage"] / 2,
    ),
    _greater("background_consistency", "collage", "shuffled"),
    Expectation(
        text="peopleless gains less than a fifth of what swapped loses",
        metric="background_consistency",
        controls=("peopleless", "collage", "swapped"),
        holds=lambda v: v["peopleless"] - v["collage"] < (v["collage"] - v["swapped"]) / 5,
    ),
    _greater("image_quality", "collage", "blurred"),
    _greater("image_quality", "collage", "compressed"),
    _greater("aesthetic_quality", "collage", "noise"),
    _greater("motion_smoothness", "collage", "stuttered"),
    _greater("dynamic_degree", "collage", "still"),
    _rests("still"),
    # RAFT is VBench's own and takes some of these for motion
    *(_rests(control, "lite") for control in ("faded", "flickering", "defocused")),
    _greater("text_similarity", "collage", "noise"),
)


def requests(suite: Suite, metrics: Sequence[Metric], profile: str) -> list[Request]:
    """One request for each control, with just the metrics that an expectation reads."""
    found, expectations = [], expected(metrics, profile)
    for control in dict.fromkeys(c for e in expectations for c in e.controls):
        read = {e.metric for e in expectations if control in e.controls}
        generator: Generator = GENERATORS.create(control)
        request = Request(
            suite=suite,
            cases=suite.cases,
            generator=generator,
            metrics=tuple(m for m in metrics if m.info.name in read),
            profile=profile,
        )
        request.prepare()
        found.append(request)
    return found


def expected(metrics: Sequence[Metric], profile: str) -> list[Expectation]:
    """The expectations of what is measured: a metric that reads nothing measures nothing."""
    measured = {metric.info.name for metric in metrics if metric.extractors}
    return [e for e in EXPECTATIONS if e.metric in measured and e.profile in ("", profile)]


def selfcheck(
    asked: Sequence[Request], store: RunStore, executor: Executor, *, watch: Watch
) -> list[Finding]:
    """Runs the controls, those parts that the store does not hold, and weighs what they scored."""
    for request in asked:
        work = plan(request, store.records() if store.exists() else {}, Policy.ONLY_MISSING)
        perform(request, work.jobs, store, executor, watch=watch)
    cases = {case.key for request in asked for case in request.cases}
    values = _values(store, {request.suite.key for request in asked})
    metrics = [metric for request in asked for metric in request.metrics]
    profile = asked[0].profile if asked else ""
    return [_weigh(expectation, values, cases) for expectation in expected(metrics, profile)]


def weigh(expectation: Expectation, met: int, cases: int) -> Finding:
    """The finding for an expectation that ``met`` of ``cases`` meet."""
    return Finding(
        metric=expectation.metric,
        text=expectation.text,
        result=f"{met} of {cases} cases",
        holds=cases > 0 and met >= SHARE_NEEDED * cases,
    )


def identity_auc(references: Sequence[Element], metrics: Sequence[Metric]) -> list[Finding]:
    """Do two photographs of one person look more alike than those of two people?

    Over all pairs of the suite's character photographs; empty when no extractor of a metric can
    compare photographs, or no person has two.
    """
    found = []
    people = [element for element in references if element.role == "character"]
    for metric in metrics:
        for extractor in metric.extractors:
            if metric.info.name == "id_consistency" and isinstance(extractor, ComparesReferences):
                same: list[float] = []
                others: list[float] = []
                for one, other in combinations(people, 2):
                    alike = extractor.compare(one, other)
                    unlike = -1.0 if alike is None else alike  # no face: as unlike as can be
                    (same if one.subject == other.subject else others).append(unlike)
                if same and others:
                    found.append(_auc(roc_auc(same, others), len(same), len(others)))
    return found


def _auc(area: float, same: int, others: int) -> Finding:
    return Finding(
        metric="id_consistency",
        text=f"photographs of one person ({same} pairs) beat those of two ({others})",
        result=f"AUC {area:.3f}",
        holds=area >= AUC_NEEDED,
    )


def _weigh(
    expectation: Expectation, values: Mapping[tuple[str, str, str], float], cases: set[str]
) -> Finding:
    """A case that has no score does not meet an expectation."""
    return weigh(expectation, sum(_met(expectation, values, case) for case in cases), len(cases))


def _met(expectation: Expectation, values: Mapping[tuple[str, str, str], float], case: str) -> bool:
    keys = {control: (control, expectation.metric, case) for control in expectation.controls}
    if any(key not in values for key in keys.values()):
        return False
    return expectation.holds({control: values[key] for control, key in keys.items()})


def _values(store: RunStore, suites: set[str]) -> dict[tuple[str, str, str], float]:
    """Each value that is ok, by control, metric and case key."""
    return {
        (str(row.model["name"]), record.metric, work.case_key): record.value
        for row in collect([store])
        if row.suite["key"] in suites
        for work in row.works
        for record in work.scores.values()
        if record.value is not None
    }
