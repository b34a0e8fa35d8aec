"""The judge's metrics for tests: no waiting, no text read, a planted key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from a2bench.judging.options import JudgeOptions, with_judge
from a2bench.metric import Metric, Profile
from a2bench.metrics.judge.gemini import KEYS
from a2bench.metrics.judge.scores import JudgeScore, TextToJudge
from a2bench.metrics.judge.visible_text import VisibleText
from a2bench.runs.request import Request
from a2bench.runs.store import RunStore
from a2bench.types import Suite
from a2bench.waiting.patience import Patience
from tests.helpers.clocks import Clock
from tests.helpers.fakes import Canned
from tests.helpers.generators import MyGenerator
from tests.helpers.judge_server import Service, serve

KEY = "planted-AIzaSyD-0123456789abcdef"
SILENT = Canned(features=VisibleText(lines=(), speaking=()))


@contextmanager
def gemini_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The stand-in, where google-genai looks for Gemini, and a key."""
    with serve() as service:
        monkeypatch.delenv(KEYS[1], raising=False)
        monkeypatch.setenv(KEYS[0], KEY)
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", service.url)
        yield service


def judge_metrics(
    store: RunStore,
    *,
    clock: Clock | None = None,
    call_s: float = 30.0,
    judge: Any = None,
    text: Any = SILENT,
    **options: Any,
) -> tuple[Metric, ...]:
    """All metrics of a judge with the ledger of a store."""
    clock = clock or Clock()
    patience = Patience(call_s=call_s, now_s=clock.now_s, sleep=clock.sleep, random=lambda: 0.5)
    profile = with_judge(Profile(metrics=()), JudgeOptions(store=store.root, **options))
    found: list[Metric] = []
    for metric in profile.more:
        if isinstance(metric, JudgeScore):
            judged: Any = metric.judged
            ledger = replace(judged.asking.ledger, wall_s=clock.now_s)
            asking = replace(judged.asking, patience=patience, ledger=ledger)
            asking = replace(asking, judge=judge or asking.judge)
            metric = replace(metric, judged=replace(judged, asking=asking), text=text)
        elif isinstance(metric, TextToJudge):
            metric = replace(metric, text=text)
        found.append(metric)
    return tuple(found)


def ask(suite: Suite, metrics: tuple[Metric, ...]) -> Request:
    return Request(
        suite=suite,
        cases=suite.cases,
        generator=MyGenerator(),
        metrics=metrics,
        profile="test",
    )


def everything(folder: Path) -> bytes:
    """All bytes of all files below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
