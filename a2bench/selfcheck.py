"""Known answers: do the metrics of a profile tell right from wrong on this machine?

The controls of the benchmark are generated and scored like any model; each expectation compares
what two of them got on the same case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from a2bench.features import ComparesReferences
from a2bench.generator import Generator
from a2bench.keys import file_sha256
from a2bench.metric import Metric
from a2bench.registry import GENERATORS
from a2bench.results.leaderboard import collect
from a2bench.runs.executors import Executor
from a2bench.runs.loop import Policy, Watch, perform, plan
from a2bench.runs.request import Request
from a2bench.runs.store import RunStore
from a2bench.stats import roc_auc
from a2bench.suites.pairs import PAIRS, paired
from a2bench.types import Case, Element, Suite

CONSISTENCY = ("id_consistency", "object_consistency", "background_consistency")
SHARE_NEEDED = 0.95
AUC_NEEDED = 0.98
FROZEN_TOLERANCE = 0.03
LAYOUT = 0.01
"""What another place and size in the frame may change of the score of one who is right."""

Values = Mapping[str, float]
"""What each control scored on one case."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A sentence about one metric that must hold for at least 95 % of the cases.

    ``pairs``: of the cases of two people that are made of the suite's.
    ``profile`` names the only profile of which it is expected, if it is not expected of all.
    """

    text: str
    metric: str
    controls: tuple[str, ...]
    holds: Callable[[Values], bool]
    pairs: bool = False
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
    """Not below what is wrong where that is 0 already, as strangers are."""
    return Expectation(
        text="noise is lowest",
        metric=metric,
        controls=("noise", "collage", "swapped"),
        holds=lambda values: (
            values["noise"] < values["collage"]
            and (values["noise"] < values["swapped"] or values["noise"] == values["swapped"] == 0)
        ),
    )


def _rests(control: str, profile: str = "") -> Expectation:
    return Expectation(
        text=f"{control} does not move",
        metric="dynamic_degree",
        controls=(control,),
        holds=lambda values: values[control] == 0.0,
        profile=profile,
    )


OF_PAIRS: tuple[Expectation, ...] = (
    Expectation(
        text="of two people, both right beat one right, one missing",
        metric="id_consistency",
        controls=("collage", "alone"),
        holds=lambda values: values["collage"] > values["alone"],
        pairs=True,
    ),
    Expectation(
        text="of two people, one right, one missing beat two wrong",
        metric="id_consistency",
        controls=("alone", "swapped"),
        holds=lambda values: values["alone"] > values["swapped"],
        pairs=True,
    ),
    Expectation(
        text="of two people, one missing is not above one wrong, nor that above both right",
        metric="id_consistency",
        controls=("alone", "mistaken", "collage"),
        holds=lambda values: values["alone"] - LAYOUT <= values["mistaken"] < values["collage"],
        pairs=True,
    ),
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
    Expectation(
        text="cut has 1, collage none",
        metric="cuts",
        controls=("cut", "collage"),
        holds=lambda values: (values["cut"], values["collage"]) == (1.0, 0.0),
    ),
    Expectation(
        text="still 1, frozen about 0.5, collage 0",
        metric="frozen_share",
        controls=("still", "frozen", "collage"),
        holds=lambda values: (
            (values["still"], values["collage"]) == (1.0, 0.0)
            and abs(values["frozen"] - 0.5) <= FROZEN_TOLERANCE
        ),
    ),
    _greater("background_consistency", "centred", "swapped"),
    *OF_PAIRS,
)


def requests(suite: Suite, metrics: Sequence[Metric], profile: str) -> list[Request]:
    """One request for each control, with just the metrics that an expectation reads."""
    found, expectations = [], expected(metrics, profile)
    suites = {False: suite, True: paired(suite)}
    wanted = [(e.pairs, c) for e in expectations if suites[e.pairs].cases for c in e.controls]
    for pairs, control in dict.fromkeys(wanted):
        read = {e.metric for e in expectations if e.pairs is pairs and control in e.controls}
        generator: Generator = GENERATORS.create(control)
        request = Request(
            suite=suites[pairs],
            cases=suites[pairs].cases,
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
    asked: Sequence[Request],
    store: RunStore,
    executor: Executor,
    *,
    watch: Watch,
    expect: Callable[[int], None],
) -> list[Finding]:
    """Runs the controls, those parts that the store does not hold, and weighs what they scored.

    ``expect`` is told first how many jobs there are.
    """
    held = store.records() if store.exists() else {}
    works = [(request, plan(request, held, Policy.ONLY_MISSING).jobs) for request in asked]
    expect(sum(len(jobs) for _, jobs in works))
    for request, jobs in works:
        perform(request, jobs, store, executor, watch=watch)
    cases: dict[bool, set[str]] = {False: set(), True: set()}
    for request in asked:
        cases[request.suite.name == PAIRS] |= {case.key for case in request.cases}
    values = _values(store, {request.suite.key for request in asked})
    profile = asked[0].profile if asked else ""
    found = expected([metric for request in asked for metric in request.metrics], profile)
    return [_weigh(e, values, cases[e.pairs]) for e in found if cases[e.pairs] or not e.pairs]


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


def photographs(suite: Suite, metrics: Sequence[Metric]) -> list[Finding]:
    """Is the object of a photograph told from what it stands before?

    A photograph is a frame of the collage of a case's object and background alone. It must be more
    like the object's own reference than like the same photograph of the next case's object. Empty
    when no extractor of a metric can compare objects.
    """
    cases = {c.of("object")[0].sha256: c for c in suite.cases if c.of("object")}
    scenes = [(c.of("object")[0], c.of("background")[:1]) for c in cases.values()]
    found = []
    for metric in metrics:
        for extractor in metric.extractors:
            if metric.info.name != "object_consistency" or len(scenes) < 2:
                continue
            if isinstance(extractor, ComparesReferences):
                met = 0
                for (one, place), (other, _) in pairwise([*scenes, scenes[0]]):
                    with TemporaryDirectory() as folder:
                        mine, its = (_photograph(e, place, Path(folder)) for e in (one, other))
                        alike, unlike = extractor.compare(mine, one), extractor.compare(mine, its)
                        met += alike is not None and unlike is not None and alike > unlike
                result, holds = f"{met} of {len(scenes)} objects", met >= SHARE_NEEDED * len(scenes)
                text = "a photograph of it is more like it than like one of another object"
                found.append(
                    Finding(metric=metric.info.name, text=text, result=result, holds=holds)
                )
    return found


def _photograph(thing: Element, place: tuple[Element, ...], folder: Path) -> Element:
    """An object's reference as a photograph of it."""
    from PIL import Image

    from a2bench.generators.collage import Collage

    case = Case(id=thing.id, prompt="", elements=(thing, *place))
    path = folder / f"{thing.sha256}.png"
    Image.fromarray(next(Collage().render(case, seed=0))).save(path)
    return replace(thing, image=path, sha256=file_sha256(path))


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
