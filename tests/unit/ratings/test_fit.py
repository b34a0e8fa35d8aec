from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from a2bench.cli import weights as cli_weights
from a2bench.errors import CannotRun
from a2bench.ratings.fit import (
    Samples,
    best_single,
    collect_samples,
    equal,
    fit,
    inflation,
    with_votes,
)
from a2bench.ratings.fitted_recipe import Origin, fitted_recipe, to_toml
from a2bench.ratings.opinions import qualities, without
from a2bench.ratings.reliability import ceiling, screen
from a2bench.ratings.table import ALL, Rating, Votes, to_csv
from a2bench.ratings.validation import (
    Validated,
    choose_shrink,
    figures,
    folded,
    held_out,
    stability,
    validate,
    with_bounds,
)
from a2bench.results.leaderboard import collect, table
from a2bench.results.ranks import scored
from a2bench.results.recipe import load_recipe, parse
from a2bench.results.table import lines_of
from a2bench.runs.store import RunStore
from a2bench.types import VideoId
from tests.helpers.fakes import Level, Misbehaves
from tests.helpers.makers import make_suite
from tests.helpers.planted import WEIGHTS, planted
from tests.helpers.runs import ask, do
from tests.helpers.study_raters import CRITERIA, Floats, simulate

ORIGIN = Origin(date="2026-01-02", raters=9, ratings=99, left_out=("r1",), profile="lite")


@pytest.fixture(scope="module")
def found() -> Validated:
    return validate(planted(noise=0.2), ceiling=0.9)


def test_without_noise_the_planted_weights_come_back_exactly() -> None:
    samples = planted(noise=0.0)
    ours = fit(samples.values, samples.target, 0.0)
    assert ours.weights == pytest.approx(WEIGHTS, abs=1e-9)
    assert [ours.slope, ours.intercept] == pytest.approx([5.0, 1.0])
    assert ours.predict(samples.values) == pytest.approx(samples.target)


def test_the_fit_is_the_least_of_what_it_says_it_minimises() -> None:
    from scipy.optimize import minimize

    samples, shrink = planted(), 0.003
    n, k = samples.values.shape

    def loss(p: Floats) -> float:
        b = p[1:]
        errors = samples.target - p[0] - samples.values @ b
        return float(errors @ errors + shrink * n * np.sum((b - b.mean()) ** 2))

    theirs = minimize(loss, np.ones(k + 1), bounds=[(None, None)] + [(0, None)] * k, tol=1e-14).x[
        1:
    ]
    ours = fit(samples.values, samples.target, shrink)
    assert ours.weights == pytest.approx(theirs / theirs.sum(), abs=1e-4)


def test_shrinkage_slides_from_the_free_fit_to_equal_weights() -> None:
    samples = planted()
    apart = [
        float(np.ptp(fit(samples.values, samples.target, shrink).weights))
        for shrink in (0.0, 0.001, 0.01, 0.1, 10.0, math.inf)
    ]
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] == 0.0
    assert apart[-2] < 0.001


@pytest.mark.slow
def test_planted_weights_lie_within_their_intervals() -> None:
    inside = []
    for seed in range(5):
        low, high = stability(planted(seed=seed), resamples=200)
        inside += ((low <= WEIGHTS) & (high >= WEIGHTS)).tolist()
    assert sum(inside) / len(inside) >= 0.9


def test_weights_that_matter_beat_equal_ones_a_single_metric_and_say_so(found: Validated) -> None:
    assert found.reason == ""
    assert ((found.low <= WEIGHTS) & (found.high >= WEIGHTS)).all()
    assert found.within_cases == pytest.approx(WEIGHTS, abs=0.1)
    assert found.gain.low is not None
    assert found.gain.low > 0
    for unseen in (found.cases, found.models):
        assert list(unseen) == ["fitted", "equal", "single"]
        assert unseen["fitted"].rmse < unseen["equal"].rmse < unseen["single"].rmse
        assert unseen["fitted"].pairs is not None
        assert unseen["fitted"].pairs > 0.6


def rated_by_people(seed: int) -> tuple[Samples, float | None]:
    """Planted weights as simulated raters see them, the clickers found and left out."""
    samples = planted(seed=seed, noise=0.0)
    quality = 3 + (samples.target - samples.target.mean()) * 2
    videos = [video._replace(case=f"case-{video.case[1:]}") for video in samples.videos]
    overall = dict(zip(videos, quality.tolist(), strict=True))
    study = simulate(overall=overall, seed=seed)
    faults = [one.rater for one in screen(study.ratings) if one.fault]
    assert set(faults) >= set(study.clickers)
    kept = without(study.ratings, faults)
    rated = qualities(kept)[ALL]
    return replace(samples, target=np.array([rated[video] for video in videos])), ceiling(kept)


@pytest.mark.slow
def test_planted_weights_lie_within_the_intervals_that_simulated_raters_give() -> None:
    inside = []
    for seed in range(16):
        low, high = stability(rated_by_people(seed)[0], resamples=150)
        inside += ((low <= WEIGHTS) & (high >= WEIGHTS)).tolist()
    assert sum(inside) / len(inside) >= 0.88  # of 95 %, four weights a study


@pytest.mark.slow
def test_simulated_raters_show_that_planted_weights_beat_equal_ones() -> None:
    samples, ideal = rated_by_people(1)
    found = validate(samples, ceiling=ideal)
    assert found.reason == ""
    assert found.fit.weights == pytest.approx(WEIGHTS, abs=0.07)
    fitted = found.cases["fitted"].pearson
    assert fitted is not None
    assert found.ceiling is not None
    assert 0.7 < fitted < found.ceiling + 0.02


@pytest.mark.slow
def test_weights_that_are_equal_are_not_said_to_beat_equal_ones() -> None:
    for seed in range(3):
        result = validate(planted((0.25,) * 4, seed=seed))
        assert result.reason == "on unseen cases they do not beat equal weights"
        assert result.fit.weights == pytest.approx([0.25] * 4, abs=0.1)


@pytest.mark.slow
def test_a_judge_that_knows_better_is_told_beside_them() -> None:
    samples = planted(cases=20)
    judged = validate(replace(samples, judge=samples.target * 2))
    assert judged.cases["judge"].rmse == pytest.approx(0.0, abs=1e-9)
    assert judged.models["judge"].pearson == pytest.approx(1.0)


def test_nothing_of_a_held_out_part_is_seen() -> None:
    samples = planted(cases=10)
    parts = folded(samples.cases, 0)
    assert all(len(set(parts[samples.cases == case])) == 1 for case in set(samples.cases))
    assert len(set(parts)) == 5
    seen: list[set[str]] = []

    def spy(kept: Samples) -> object:
        seen.append(set(kept.cases.tolist()))
        return equal(kept.values, kept.target)

    held_out(samples, parts, spy)  # type: ignore[arg-type]
    assert [len(cases) for cases in seen] == [8] * 5


def test_figures_with_known_answers() -> None:
    samples = planted(cases=3)
    perfect = figures(samples, samples.target)
    assert (perfect.pairs, perfect.rmse) == (1.0, 0.0)
    assert perfect.kendall == pytest.approx(1.0)
    assert perfect.models == pytest.approx(1.0)
    wrong = figures(samples, -samples.target)
    assert wrong.pairs == 0.0
    assert wrong.spearman == pytest.approx(-1.0)
    same = figures(samples, np.zeros(12))
    assert (same.pairs, same.pearson, same.models) == (0.5, None, None)


def test_metrics_that_say_the_same_have_a_large_inflation_factor() -> None:
    random = np.random.default_rng(0)
    a, b, noise = random.normal(0, 1, (3, 400))
    close = inflation(np.stack([a, b, a + 0.2 * noise], axis=1))
    r = np.corrcoef(a, a + 0.2 * noise)[0, 1]
    assert close == pytest.approx([1 / (1 - r**2), 1.0, 1 / (1 - r**2)], rel=0.02)
    assert inflation(np.stack([a, a], axis=1)).tolist() == [np.inf, np.inf]
    assert inflation(a[:, None]).tolist() == [1.0]
    assert np.isnan(inflation(np.stack([a, np.ones(400)], axis=1))).all()


def test_bounds_hold_the_figures_and_are_wider_when_raters_are_drawn_too() -> None:
    samples = planted(cases=30)
    predicted = samples.target + np.random.default_rng(0).normal(0, 0.5, len(samples.target))
    alone = with_bounds(samples, predicted)
    people = np.random.default_rng(1).normal(0, 1.0, (len(samples.target), 5))
    videos = samples.videos
    shuffled = tuple(reversed(videos))
    scores = samples.target[::-1, None] + people
    held = Votes(videos=shuffled, raters=tuple("abcde"), scores=scores)
    rated = with_votes(samples, held)
    both = with_bounds(rated, predicted)
    assert rated.redrawn(np.random.default_rng(0)) != pytest.approx(samples.target)
    assert samples.redrawn(np.random.default_rng(0)) is samples.target
    for name in ("pearson", "pairs"):
        value = getattr(alone, name)
        low, high = (getattr(alone, f"{name}_{end}") for end in ("low", "high"))
        assert low < value < high
        assert getattr(both, f"{name}_low") < low
    narrow, wide = (np.subtract(*stability(s, resamples=100)[::-1]) for s in (samples, rated))
    assert wide.sum() > narrow.sum()


def test_a_video_that_no_drawn_rater_rated_is_not_counted() -> None:
    samples = planted(cases=10)
    votes = np.full((40, 2), np.nan)
    votes[:20, 0] = samples.target[:20]
    votes[20:, 1] = samples.target[20:]
    half = replace(samples, votes=votes)
    gone = {int(np.isnan(half.redrawn(np.random.default_rng(n))).sum()) for n in range(20)}
    assert gone == {0, 20}
    low, high = stability(half, resamples=50)
    assert np.isfinite([low, high]).all()


def test_the_best_single_metric_is_found() -> None:
    samples = planted((0.0, 0.0, 1.0, 0.0))
    assert best_single(samples.values, samples.target).weights.tolist() == [0, 0, 1, 0]


def test_the_file_is_a_recipe_with_its_figures(tmp_path: Path, found: Validated) -> None:
    samples = planted(noise=0.2)
    recipe = fitted_recipe(samples, found, ORIGIN)
    path = tmp_path / "w.toml"
    path.write_text(to_toml(recipe))
    read = load_recipe(str(path))
    assert read.weights == recipe.weights
    assert read.weights == pytest.approx(dict(zip(samples.metrics, found.fit.weights, strict=True)))
    assert read.bounds == {"x0": (0.5, 1.0)}
    assert read.label.startswith("fitted@2026-01-02-")
    assert read.fit["beats_equal_weights"] is True
    assert read.fit["noise_ceiling"] == 0.9
    assert read.fit["unseen_models"]["fitted"]["rmse"] == found.models["fitted"].rmse
    assert read.fit["raters_left_out"] == ["r1"]


@pytest.mark.slow
def test_where_they_are_not_better_the_file_holds_equal_weights_and_says_why() -> None:
    samples = planted((0.25,) * 4)
    recipe = parse(to_toml(fitted_recipe(samples, validate(samples), ORIGIN)))
    assert set(recipe.weights.values()) == {0.25}
    assert recipe.title == "equal weights: on unseen cases they do not beat equal weights"
    assert recipe.fit["beats_equal_weights"] is False
    assert len(recipe.fit["fitted"]) == 4


def test_the_ceiling_is_how_well_the_truth_itself_would_do() -> None:
    study = simulate(clickers=0, votes=6)
    value = ceiling(study.ratings)
    assert value is not None
    assert 0.85 < value < 0.99
    assert ceiling(study.ratings[:1]) is None


def rate(cases: int, model: str = "my-generator") -> list[Rating]:
    return [
        Rating(
            rater=f"r{rater}",
            video=VideoId(f"case-{case:03d}", model, 0),
            criterion=CRITERIA[0],
            score=1 + (case * 2 + rater % 2) % 5,
        )
        for case in range(1, cases + 1)
        for rater in range(3)
    ]


def test_ratings_meet_the_measured_videos(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 4), Level(), Misbehaves(how="raise")), store)
    target = {r.video: 3.0 for r in rate(3)}
    samples = collect_samples(collect([store]), target)
    assert samples.metrics == ("level",)
    assert [video.case for video in samples.videos] == ["case-001", "case-002", "case-003"]
    assert samples.left_out == "0 videos; metrics: does_raise"
    (line,) = table(collect([store])).to_dict("records")
    assert 0 < samples.values.mean() < 1
    assert line["level"] > 0
    assert samples.judge is None
    with pytest.raises(CannotRun, match="none of 3 rated videos"):
        collect_samples(collect([store]), {r.video: 3.0 for r in rate(3, "other")})
    with pytest.raises(CannotRun, match="3 rated cases: weights need 4"):
        validate(samples)


@pytest.mark.slow
def test_the_command_fits_writes_and_the_leaderboard_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 6)
    do(ask(suite, Level(), Level(name="twin")), store)
    ratings, out = tmp_path / "r.csv", tmp_path / "w.toml"
    ratings.write_text(to_csv(rate(6)))
    command = ["fit", str(ratings), "--run", str(store.root), "--out", str(out)]
    cli_weights.app(args=[*command, "--profile", "test"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "equal weights: two of the metrics say the same" in shown
    recipe = load_recipe(str(out))
    assert recipe.weights == {"level": 0.5, "twin": 0.5}
    (found,) = scored(lines_of(table(collect([store]))), recipe)
    assert found.score == pytest.approx(found.line.means["level"])
    with pytest.raises(CannotRun, match="no run store"):
        cli_weights.app(
            args=["fit", str(ratings), "--run", str(tmp_path / "x"), "--out", str(out)],
            standalone_mode=False,
        )


def test_the_stronger_shrinkage_is_chosen_when_none_is_better() -> None:
    samples = planted((0.25,) * 4)
    assert choose_shrink(samples) >= 0.03
    assert choose_shrink(planted(noise=0.01)) < 0.003
