"""A whole study by simulated raters: pages, answers, export, analysis and weights, all as they are.

What these raters think is known: their biases, their noise, who clicks at random, and by which
weights of the metrics the videos are good. So what comes out can be checked.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from a2bench.cli import study as cli_study
from a2bench.cli import weights as cli_weights
from a2bench.criteria import criteria
from a2bench.keys import digest
from a2bench.ratings import answers as checks
from a2bench.ratings.answers import Kind
from a2bench.ratings.opinions import qualities, without
from a2bench.ratings.raters import Verdict, verdicts
from a2bench.ratings.table import ALL, Rating, read
from a2bench.results.recipe import load_recipe
from a2bench.runs.record import Record
from a2bench.runs.request import score_key
from a2bench.runs.store import RunStore
from a2bench.study.database import Database
from a2bench.study.design import Clip, Design, Item
from a2bench.study.folder import DESIGN, SQLITE
from a2bench.study.progress import progress
from a2bench.study.votes import Page, Rater, Vote
from a2bench.types import Status, VideoId
from tests.helpers.fakes import Level
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_suite
from tests.helpers.planted import WEIGHTS, planted
from tests.helpers.runs import ask
from tests.helpers.study_raters import CRITERIA, Floats

CASES, RATERS, VOTES, CLICKERS = 32, 14, 5, 2
MODELS = tuple(f"m{n}" for n in range(4))
METRICS = tuple(f"x{n}" for n in range(4))
GOOD, BAD = (4, 5), (1, 2)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Says ``quality + bias + noise`` in whole levels from 1 to 5, or anything."""

    bias: float
    noise: float
    clicks: bool

    def say(self, quality: float, random: np.random.Generator) -> int:
        if self.clicks:
            return int(random.integers(1, 6))
        return int(np.clip(round(quality + self.bias + random.normal(0, self.noise)), 1, 5))


@dataclass(frozen=True, kw_only=True)
class Done:
    """A finished study: its exported files and what is true of it."""

    ratings: Path
    raters: Path
    store: RunStore
    truth: Mapping[tuple[str, VideoId], float]
    overall: Mapping[VideoId, float]
    people: Mapping[str, Person]

    @property
    def clickers(self) -> set[str]:
        return {name for name, person in self.people.items() if person.clicks}


def page(number: int, kind: Kind, case: str, **more: object) -> Item:
    clips = tuple(
        Clip(video=VideoId(case, model, 0), media=f"{digest([case, model])}.mp4", duration_s=2.0)
        for model in MODELS
    )
    plain = Item(id=f"p{number:03d}", kind=kind, case=case, clips=clips, criteria=CRITERIA)
    return replace(plain, **more)  # type: ignore[arg-type]


def design(cases: list[str]) -> Design:
    """Rated pages, and training, gold and traps on cases of their own."""
    known = {(c, clip): (BAD, GOOD)[clip % 2] for c in CRITERIA for clip in range(4)}
    trap = {(c, 0): (2, 2) for c in CRITERIA}
    items = [page(n, Kind.RATED, case, votes=VOTES) for n, case in enumerate(cases)]
    for n, (kind, expected) in enumerate(
        [(Kind.TRAIN, known), *[(Kind.GOLD, known)] * 2, *[(Kind.TRAP, trap)] * 2]
    ):
        items.append(page(900 + n, kind, f"known-{n}", expected=expected))
    return Design(
        name="simulated",
        created="2026-01-02",
        seed=0,
        at_once=4,
        votes=VOTES,
        pages=12,
        lease_s=1200.0,
        width=64,
        height=48,
        fps=15.0,
        suite={},
        criteria=criteria(),
        items=tuple(items),
        shown=(),
    )


def measured(folder: Path, cases: int) -> tuple[RunStore, dict[VideoId, float]]:
    """A store with four metrics of the videos of four models; the quality that follows."""
    suite, store = make_suite(folder / "s", cases), RunStore(folder / "store").create()
    samples = planted(cases=cases, seed=2)
    values = np.clip(samples.values, 0.0, 1.0).reshape(cases, 4, 4)
    good = values @ np.array(WEIGHTS)
    good = 3 + 20 * (good - good.mean())
    writer, overall = store.writer(), {}
    for m, model in enumerate(MODELS):
        request = ask(suite, *(Level(name=n) for n in METRICS), generator=MyGenerator(name=model))
        manifest = request.manifest()
        store.write_manifest(manifest, {})
        for n, (case_id, case_key, seed, key) in enumerate(manifest["works"]):
            same = {"model": model, "case_id": case_id, "case_key": case_key, "seed": seed}
            video = Record(
                kind="video", key=key, status=Status.OK, video_sha256=digest(key), **same
            )
            writer.append(video)
            for x, metric in enumerate(manifest["metrics"]):
                score = replace(
                    video,
                    kind="score",
                    key=score_key(key, video.video_sha256, metric, "test"),
                    metric=metric["name"],
                    profile="test",
                    value=float(values[n, m, x]),
                )
                writer.append(score)
            overall[VideoId(case_id, model, 0)] = float(np.clip(good[n, m], 1, 5))
    return store, overall


def answer(
    database: Database,
    rater: Rater,
    person: Person,
    shown: Page,
    truth: Mapping[tuple[str, VideoId], float],
    random: np.random.Generator,
) -> None:
    """All questions of a page, as somebody who watches each video once; a clicker does not."""
    for criterion in shown.item.criteria:
        for slot, clip in enumerate(shown.order):
            expected = shown.item.expected.get((criterion, clip))
            video = shown.item.clips[clip].video
            obvious = {GOOD: 5.0, BAD: 1.0}.get(expected or (0, 0), 3.0)
            score = person.say(truth.get((criterion, video), obvious), random)
            if shown.item.kind is Kind.TRAP and expected and not person.clicks:
                score = expected[0]
            elapsed = 300 if person.clicks else 2500
            plays = 0 if person.clicks else 1
            vote = Vote(
                criterion=criterion, slot=slot, score=score, elapsed_ms=elapsed, plays=plays
            )
            database.save(rater, shown.assignment, vote)
    database.finish(rater, shown.assignment)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("study")
    random = np.random.default_rng(3)
    store, overall = measured(folder, CASES)
    truth = {
        (criterion, video): float(np.clip(quality + random.normal(0, 0.4), 1, 5))
        for video, quality in overall.items()
        for criterion in CRITERIA
    }
    made = design(sorted({video.case for video in overall}))
    (folder / DESIGN).write_text(made.to_json())
    database = Database(f"sqlite:///{folder / SQLITE}")
    database.create(made)
    raters = [database.rater(database.join(invite)) for invite in database.invite(RATERS)]
    people = [
        Person(bias=random.normal(0, 0.5), noise=random.uniform(0.4, 0.9), clicks=n < CLICKERS)
        for n in range(RATERS)
    ]
    left = list(zip(raters, people, strict=True))
    for rater, person in cycle(list(left)):
        if (rater, person) not in left:
            continue
        if shown := database.page(rater):
            answer(database, rater, person, shown, truth, random)
        else:
            left.remove((rater, person))
            if not left:
                break
    assert progress(database).missing == 0
    database.close()
    ratings, checked = folder / "ratings.csv", folder / "raters.csv"
    command = ["export", str(folder), "--out", str(ratings), "--raters", str(checked)]
    cli_study.app(args=command, standalone_mode=False)
    return Done(
        ratings=ratings,
        raters=checked,
        store=store,
        truth=truth,
        overall=overall,
        people={rater.name: person for rater, person in zip(raters, people, strict=True)},
    )


def judged(done: Done) -> list[Verdict]:
    return verdicts(read(done.ratings), checks.read(done.raters))


def test_every_wanted_vote_is_in_the_export_once(done: Done) -> None:
    ratings = read(done.ratings)
    assert len(ratings) == CASES * len(MODELS) * len(CRITERIA) * VOTES
    assert {r.video for r in ratings} == set(done.overall)
    assert {r.position for r in ratings} == {1, 2, 3, 4}
    assert len({r.study for r in ratings}) == 1
    kinds = {check.kind for check in checks.read(done.raters)}
    assert kinds == set(Kind)


def test_the_status_says_what_is_settled(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    cli_study.app(args=["status", str(done.ratings.parent)], standalone_mode=False)
    shown = capsys.readouterr().out
    assert f"{CASES * VOTES} of {CASES * VOTES} votes" in shown
    assert "all criteria together: " in shown
    assert " of 6 pairs of models are settled" in shown


def test_clickers_are_found_by_every_signal_and_nobody_else_is(done: Done) -> None:
    found = judged(done)
    assert {v.rater for v in found if v.reasons} == done.clickers
    for verdict in found:
        if verdict.rater in done.clickers:
            words = "; ".join(verdict.reasons)
            assert all(signal in words for signal in ("correlates", "played 0%", "0.3 s"))
            assert "gold pages" in words or "trap pages" in words
    by_correlation = {v.rater for v in verdicts(read(done.ratings)) if v.reasons}
    assert by_correlation == done.clickers


def error(done: Done, ratings: list[Rating], *, plain: bool) -> float:
    """How far the qualities are from the truth (root mean square), their common shift aside."""
    apart: list[float] = []
    ours = qualities(ratings)
    for criterion in CRITERIA:
        videos = sorted(ours[criterion])
        given: dict[VideoId, list[int]] = {}
        for r in ratings:
            if r.criterion == criterion and r.score is not None:
                given.setdefault(r.video, []).append(r.score)
        means = {video: sum(given[video]) / len(given[video]) for video in videos}
        values = means if plain else ours[criterion]
        off: Floats = np.array([values[v] - done.truth[criterion, v] for v in videos])
        apart += (off - off.mean()).tolist()
    return float(np.std(apart))


def test_mos_is_closer_to_the_truth_than_the_plain_mean(done: Done) -> None:
    ratings = read(done.ratings)
    kept = without(ratings, sorted(done.clickers))
    ours = error(done, kept, plain=False)
    assert ours < error(done, kept, plain=True) < error(done, ratings, plain=True)


def test_the_commands_analyse_and_give_the_planted_weights_back(
    done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [str(done.ratings), "--raters", str(done.raters)]
    out, weights = tmp_path / "tables", tmp_path / "w.toml"
    cli_study.app(args=["analyse", *both, "--out", str(out)], standalone_mode=False)
    shown = capsys.readouterr().out
    assert all(f"left out {name}: " in shown for name in done.clickers)
    lines = list(csv.DictReader((out / "mos.csv").read_text().splitlines()))
    mos = {line["model"]: float(line["mos"]) for line in lines if line["criterion"] == ALL}
    true = {m: np.mean([v for s, v in done.overall.items() if s.model == m]) for m in MODELS}
    assert all(abs((mos[m] - mos["m0"]) - (true[m] - true["m0"])) < 0.25 for m in MODELS)

    run = ["--run", str(done.store.root), "--out", str(weights), "--profile", "test"]
    cli_weights.app(args=["fit", *both, *run], standalone_mode=False)
    recipe = load_recipe(str(weights))
    assert recipe.fit["beats_equal_weights"] is True
    assert set(recipe.fit["raters_left_out"]) == done.clickers
    for name, planted_weight in zip(METRICS, WEIGHTS, strict=True):
        assert recipe.fit["low"][name] <= planted_weight <= recipe.fit["high"][name]
