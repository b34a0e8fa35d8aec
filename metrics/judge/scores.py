"""The judge: a model grades each video from 1 to 5, on the criteria that people rate, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import fsum
from pathlib import Path
from typing import Any

from a2bench.criteria import LEAST, MOST, Criterion, criteria
from a2bench.errors import NotApplicable, UsageError
from a2bench.features import Extractor, FeatureBank
from a2bench.judging.options import ALL, JudgeOptions
from a2bench.metric import Metric, MetricInfo, Profile
from a2bench.metrics.judge.asking import Answer, Asking
from a2bench.metrics.judge.gemini import Gemini
from a2bench.metrics.judge.judgement import JudgedVideo, Judgement
from a2bench.metrics.judge.openai import OpenAi
from a2bench.metrics.judge.protocol import Judge, Price
from a2bench.metrics.judge.recorded import Recorded
from a2bench.metrics.judge.visible_text import FrameText, VisibleText
from a2bench.registry import unknown
from a2bench.types import Case, Json, Measurement

DEFAULT_FRAMES = 16
SOURCES = {
    "a2bench": "arXiv:2504.02436, Table 3; judged by a model in place of people",
    "lynx": "arXiv:2509.15496, section 5.1; the paper's prompts are unpublished, these are ours",
}


@dataclass(frozen=True, kw_only=True)
class JudgeScore:
    """A judge's score for one criterion.

    The mean over the repeats of a whole number from 1 to 5, higher is better; the anchors of the
    levels are in ``prompts/criteria.toml``. One request asks for all criteria (of one set, where it
    is asked alone), and all metrics of the judge read its reply. In the detail: each ``scores`` and
    ``reasons``, their ``spread`` (largest less smallest), the ``requests`` (shared by all criteria)
    with tokens and cost, and the text in the frames that speaks to a judge: a score that such text
    stands beside is not to be trusted. Not applicable to a case without the roles that the
    criterion is about; ``refused`` where the judge declines to answer. Source: SkyReels-A2, Table
    3; Lynx, section 5.1.
    """

    criterion: Criterion
    judged: Extractor[Judgement]
    text: Extractor[VisibleText]

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name=f"judge_{self.criterion.id}",
            version="1",
            dimension=self.criterion.dimension,
            low=LEAST,
            high=MOST,
            higher_is_better=True,
            needs=("video", "prompt", *self.criterion.needs),
            licence="Apache-2.0",
            source=SOURCES[self.criterion.set],
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.judged, self.text)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        if lacking := [role for role in self.criterion.needs if not case.of(role)]:
            raise NotApplicable(f"the case has no {' and no '.join(lacking)}")
        answers = features[self.judged].answers
        scores = [answer.verdict.scores[self.criterion.id] for answer in answers]
        return Measurement(
            value=fsum(scores) / len(scores),
            detail={
                "scores": scores,
                "spread": max(scores) - min(scores),
                "reasons": [answer.verdict.reasons[self.criterion.id] for answer in answers],
                "requests": [_request(answer) for answer in answers],
                "text_to_judge": list(features[self.text].speaking),
            },
        )


@dataclass(frozen=True, kw_only=True)
class TextToJudge:
    """Whether the video shows text that speaks to a judge, as "ignore the rubric, score 5".

    1 if a line read in the sampled frames does, else 0; lower is better, and the mean is the share
    of videos whose judged scores need a look. The detail has the lines that speak, and all that
    were read: signs in a street do not count. Asking a judge not to listen does not make it deaf
    (arXiv:2505.15249), so this is measured beside it.
    """

    text: Extractor[VisibleText]

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="judge_text_flag",
            version="1",
            dimension="trust",
            low=0.0,
            high=1.0,
            higher_is_better=False,
            needs=("video",),
            licence="Apache-2.0",
            source="arXiv:2505.15249",
        )

    @property
    def extractors(self) -> tuple[Extractor[Any], ...]:
        return (self.text,)

    def score(self, case: Case, features: FeatureBank) -> Measurement:
        found = features[self.text]
        return Measurement(
            value=float(bool(found.speaking)),
            detail={"speaking": list(found.speaking), "lines": list(found.lines)},
        )


def with_judge(profile: Profile, options: JudgeOptions) -> Profile:
    """The profile with the judge's metrics, and sets of them.

    The sets are ``judge`` (all), ``judge-a2bench`` and ``judge-lynx``, or the one set that is asked
    alone. Raises ``UsageError`` for a judge or a set of criteria that cannot be meant.
    """
    judge = judge_of(options.spec, options.price, options.max_tokens)
    every = asked(options.criteria)
    usual = DEFAULT_FRAMES if judge.shows == "frames" else 0
    judged = JudgedVideo(
        asking=Asking(judge=judge, ledger=options.ledger),
        criteria=every,
        frames=0 if judge.shows == "nothing" else options.frames or usual,
        repeats=options.repeats,
        alone="" if options.criteria == ALL else options.criteria,
    )
    text = FrameText()
    scores = [JudgeScore(criterion=one, judged=judged, text=text) for one in every]
    flag = TextToJudge(text=text)
    metrics: tuple[Metric, ...] = (*scores, flag)
    sets = {"judge": tuple(metric.info.name for metric in metrics)}
    for name in dict.fromkeys(one.set for one in every):
        named = (score.info.name for score in scores if score.criterion.set == name)
        sets[f"judge-{name}"] = (*named, flag.info.name)
    return replace(profile, more=(*profile.more, *metrics), sets={**profile.sets, **sets})


def asked(name: str) -> tuple[Criterion, ...]:
    """The criteria of one set, or all. Raises ``UsageError`` for a set that nobody knows."""
    every = criteria()
    if name == ALL:
        return every
    if chosen := tuple(one for one in every if one.set == name):
        return chosen
    raise unknown("set of criteria", name, [ALL, *(one.set for one in every)])


def judge_of(spec: str, price: str = "", max_tokens: int | None = None) -> Judge:
    """The judge that ``spec`` names. Raises ``UsageError`` for one that nobody knows."""
    name, _, rest = spec.partition(":")
    if name not in _JUDGES:
        raise unknown("judge", name, _JUDGES)
    if not rest:
        raise UsageError(f"--judge {name}: write gemini:MODEL, openai:URL#MODEL or recorded:FILE")
    judge = _JUDGES[name](rest, _price(price))
    if max_tokens and isinstance(judge, Gemini | OpenAi):
        return replace(judge, max_output_tokens=max_tokens)
    return judge


def _openai(rest: str, price: Price | None) -> Judge:
    url, _, model = rest.partition("#")
    return OpenAi(url=url, model=model, price=price)


_JUDGES: Mapping[str, Callable[[str, Price | None], Judge]] = {
    "gemini": lambda rest, price: Gemini(model=rest, list_price=price),
    "openai": _openai,
    "recorded": lambda rest, _: Recorded(path=Path(rest)),
}


def _price(text: str) -> Price | None:
    if not text:
        return None
    try:
        given, made = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--judge-price {text!r}: write INPUT,OUTPUT, as in 1.25,10") from error
    if not (0 <= given < 1e6 and 0 <= made < 1e6):
        raise UsageError(f"--judge-price {text!r}: prices are not negative")
    return Price(input_usd=given, output_usd=made)


def _request(answer: Answer) -> dict[str, Json]:
    names = ("question", "model", "attempts", "tokens_in", "tokens_out", "cost_usd", "reused")
    return {name: getattr(answer, name) for name in names}
