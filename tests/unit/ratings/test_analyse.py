from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import nct
from scipy.stats import t as student

from a2bench.cli import study as cli_study
from a2bench.errors import CannotRun
from a2bench.ratings import answers as checks
from a2bench.ratings.adequacy import State, adequacy, cases_for, power, summary, votes_for
from a2bench.ratings.answers import Check, Kind
from a2bench.ratings.judge_agreement import Rated
from a2bench.ratings.judge_agreement import read_ratings as judge_reads
from a2bench.ratings.opinions import differences
from a2bench.ratings.raters import Right, Verdict, left_out, verdicts
from a2bench.ratings.report import enough, report
from a2bench.ratings.table import ALL, Answer, Rating, read, to_csv
from a2bench.types import VideoId
from tests.helpers.study_raters import CRITERIA, Study, simulate

pytestmark = pytest.mark.slow

FACE = CRITERIA[0]


@pytest.fixture(scope="module")
def study() -> Study:
    return simulate(cases=24)


def check(rating: Rating, **more: object) -> Check:
    """A calm answer to a rated page."""
    plain = Check(
        rater=rating.rater,
        kind=Kind.RATED,
        item=f"p-{rating.video.case}",
        page=1,
        video=rating.video,
        criterion=rating.criterion,
        slot=(rating.position or 1) - 1,
        answer=rating.answer,
        score=rating.score,
        least=None,
        most=None,
        elapsed_ms=3000,
        plays=1,
        stalls=0,
        duration_s=2.0,
        revision=1,
        time="2026-01-02T03:04:05.678+00:00",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def of(found: Sequence[Verdict], rater: str) -> Verdict:
    return next(verdict for verdict in found if verdict.rater == rater)


def test_checks_are_read_as_they_were_written(study: Study, tmp_path: Path) -> None:
    one = study.ratings[0]
    given = [
        check(one),
        check(one, kind=Kind.GOLD, least=4, most=5, revision=3, stalls=2),
        check(one, kind=Kind.TRAP, answer=Answer.CANNOT_PLAY, score=None, least=2, most=2),
    ]
    path = tmp_path / "raters.csv"
    path.write_text(checks.to_csv(given))
    assert checks.read(path) == given
    assert [c.right for c in given] == [None, one.score in (4, 5), False]
    path.write_text(checks.to_csv(given).replace(",gold,", ",silver,").replace(",trap,", ",x,"))
    with pytest.raises(CannotRun) as error:
        checks.read(path)
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["3", "4"]
    path.write_text(to_csv([one]))
    with pytest.raises(CannotRun, match="kind: the column is missing; found: rater, case"):
        checks.read(path)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(b"rater,case,model,criterion,score\n\xff\xfe")
    with pytest.raises(CannotRun, match=r"r\.csv:2: line: not UTF-8 at byte 1"):
        read(path)


def test_a_table_without_raters_serves_the_judge_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(f"case,model,criterion,score\nc1,m,{FACE},3\nc1,m,{FACE},3\n")
    assert judge_reads(path) == {Rated(VideoId("c1", "m", 0), FACE): [3, 3]}
    with pytest.raises(CannotRun, match="rater: the column is missing"):
        read(path)
    path.write_text(f"rater,case,model,criterion,score\na,c1,m,{FACE},3\na,c1,m,{FACE},4\n")
    with pytest.raises(CannotRun, match="a rated this before"):
        judge_reads(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"plays": 0}, "played 0% of the videos to their end before answering"),
        ({"elapsed_ms": 200}, "0.2 s an answer"),
        ({"kind": Kind.GOLD, "least": 6, "most": 6}, "gold pages: 0 of"),
        ({"kind": Kind.TRAP, "least": 6, "most": 6}, "trap pages: 0 of"),
    ],
)
def test_each_signal_is_a_reason_in_words(
    study: Study, change: dict[str, object], reason: str
) -> None:
    right = {"least": 1, "most": 5} if "kind" in change else {}
    kind = {"kind": change["kind"]} if "kind" in change else {}
    seen = [check(r, **(change if r.rater == "r05" else kind | right)) for r in study.ratings]
    found = verdicts(study.ratings, seen)
    (text,) = of(found, "r05").reasons
    assert text.startswith(reason)
    assert {v.rater for v in found if v.reasons} == {"r05", *study.clickers}
    assert set(left_out(found)) == {"r05", *study.clickers}


def test_what_most_raters_do_is_no_reason(study: Study) -> None:
    ratings = [r for r in study.ratings if r.rater not in study.clickers]
    hasty = [check(r, plays=0, elapsed_ms=100) for r in ratings]
    gold = [check(r, kind=Kind.GOLD, least=6, most=6) for r in ratings]
    found = verdicts(ratings, [*hasty, *gold])
    assert not any(v.reasons for v in found)
    assert found[0].gold.right == 0
    assert found[0].seconds == 0.1


def test_nearly_always_the_same_score_is_a_reason(study: Study) -> None:
    mine = [r for r in study.ratings if r.rater == "r05"]
    others = [r for r in study.ratings if r.rater != "r05"]
    flat = [replace(r, score=4 if n % 12 == 0 else 3) for n, r in enumerate(mine)]
    reasons = of(verdicts([*flat, *others]), "r05").reasons
    assert "nearly always the same score (variance 0.08)" in reasons


def test_too_little_is_no_reason(study: Study) -> None:
    one = study.ratings[0]
    known = [check(one, kind=Kind.GOLD, least=6, most=6)] * 2
    (verdict,) = verdicts([one], [*known, check(one, plays=0)])
    assert verdict.gold == Right(right=0, asked=2)
    assert (verdict.variance, verdict.played, verdict.seconds) == (None, None, None)
    assert verdict.reasons == ()


def test_nobody_is_left_out_where_all_have_reasons(study: Study) -> None:
    same = [replace(r, score=3) for r in study.ratings]
    found = verdicts(same)
    assert all(v.reasons for v in found)
    assert left_out(found) == {}


def test_power_is_that_of_a_published_example() -> None:
    assert power(0.421637, 1.0, 50) == pytest.approx(0.832114, abs=0.001)  # G*Power 3.1 manual


@pytest.mark.parametrize(("cases", "effect", "level"), [(20, 0.5, 0.05), (60, 0.3, 0.005)])
def test_power_is_that_of_the_noncentral_t(cases: int, effect: float, level: float) -> None:
    least, centre = student.ppf(1 - level / 2, cases - 1), effect * cases**0.5
    exact = 1 - nct.cdf(least, cases - 1, centre) + nct.cdf(-least, cases - 1, centre)
    assert power(effect, 1.0, cases, level) == pytest.approx(exact, abs=0.01)


def test_the_cases_needed_are_the_fewest_with_the_power() -> None:
    for effect, level in ((0.2, 0.05), (0.5, 0.05), (0.4, 0.001)):
        needed = cases_for(effect, 1.0, level)
        assert power(effect, 1.0, needed, level) >= 0.8 > power(effect, 1.0, needed - 1, level)
    assert cases_for(10.0, 1.0) == 6  # five signs reach 2 / 2 ** 5 at best, which is over 0.05
    assert power(0.1, 0.0, 10) == 1.0
    assert power(1.0, 1.0, 1) == 0.0


def test_the_votes_needed_are_the_fewest_with_the_power_if_any_are() -> None:
    between, within = 0.2, 1.5
    votes = votes_for(0.3, between, within, 30)
    assert votes is not None
    sds = [(between + within / count) ** 0.5 for count in (votes, votes - 1)]
    assert power(0.3, sds[0], 30) >= 0.8 > power(0.3, sds[1], 30)
    assert votes_for(0.3, 0.5, within, 30) is None
    assert votes_for(3.0, between, within, 30) == 1


def test_models_far_apart_are_settled_and_close_ones_need_more(study: Study) -> None:
    kept = [r for r in study.ratings if r.rater not in study.clickers]
    lines = {(a.criterion, a.first, a.second): a for a in adequacy(kept, differences(kept))}
    far, close = lines[ALL, "m0", "m3"], lines[ALL, "m1", "m2"]
    assert far.state is State.APART
    assert (far.cases_needed, far.votes_needed) == (None, None)
    assert far.power is not None
    assert far.power > 0.9
    assert close.state is State.OPEN
    assert close.cases_needed is not None
    assert close.cases_needed > close.cases == 24
    assert close.half_width is not None
    assert 0.1 < close.half_width < 0.8
    assert 3 < close.votes <= 5
    words = summary([far, close])
    assert len(words) == 1
    assert "1 of 2 pairs of models are settled; open: m1 and m2; about" in words[0]


def test_twins_are_alike_and_that_is_settled(study: Study) -> None:
    twins = [
        replace(r, video=r.video._replace(model=name))
        for r in study.ratings
        if r.video.model == "m1"
        for name in ("m1", "twin")
    ]
    lines = adequacy(twins, differences(twins))
    assert {a.state for a in lines} == {State.ALIKE}
    assert summary(lines)[-1] == "all criteria together: 1 of 1 pairs of models are settled"


def test_more_votes_help_only_as_far_as_the_cases_are_alike() -> None:
    """Votes are asked for where raters differ most, cases where cases do."""
    shared = simulate(cases=12, raters=12, votes=4, clickers=0, seed=3).ratings
    lines = [a for a in adequacy(shared, differences(shared)) if a.state is State.OPEN]
    assert lines
    for line in lines:
        assert line.votes_needed is None or line.votes_needed > line.votes


def test_the_command_prints_and_writes_every_table(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings, out = tmp_path / "r.csv", tmp_path / "out"
    ratings.write_text(to_csv(study.ratings))
    cli_study.app(args=["analyse", str(ratings), "--out", str(out)], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "left out r00: correlates" in shown
    assert "6 tables and notes.txt" in shown
    texts = {path.stem: path.read_text().splitlines() for path in out.glob("*.csv")}
    found = {name: list(csv.DictReader(lines)) for name, lines in texts.items()}
    assert sorted(found) == ["agreement", "differences", "missing", "mos", "positions", "raters"]
    line = found["mos"][-1]
    assert (line["criterion"], line["model"], line["cannot_play"]) == (ALL, "m3", "0")
    assert float(line["mos_low"]) < float(line["mos"]) < float(line["mos_high"])
    assert abs(float(line["plain_mean"]) - float(line["mos"])) < 0.3
    assert {row["rater"] for row in found["raters"] if row["left_out"] == "yes"} == {"r00", "r01"}
    assert (out / "notes.txt").read_text().splitlines()[0].startswith("1440 answers: 16 raters")
    cli_study.app(args=["analyse", str(ratings), "--keep-all"], standalone_mode=False)
    assert "all raters count, also 2 with reasons against them" in capsys.readouterr().out
    for absent in ([str(tmp_path)], [str(ratings), "--raters", str(tmp_path)]):
        with pytest.raises(CannotRun, match="is not a file"):
            cli_study.app(args=["analyse", *absent], standalone_mode=False)


def test_what_is_missing_is_told(study: Study) -> None:
    lost = [
        r
        for r in study.ratings
        if r.video.model != "m3" or r.criterion != FACE or r.video.case == "case-000"
    ]
    found = report(lost)
    sheet = next(sheet for sheet in found.sheets if sheet.name == "missing")
    rows = {row[:2]: row[2:] for row in sheet.rows}
    assert rows[FACE, "m3"][:3] == (24, 23, 0)
    assert rows[FACE, "m0"][1] == 0
    assert "1 of criteria and models lack videos: see the table missing" in found.notes


def test_a_place_that_counts_and_two_studies_are_told(study: Study) -> None:
    pushed = [
        replace(r, score=min(5, (r.score or 0) + 1), study="a") if r.position == 1 else r
        for r in study.ratings
    ]
    notes = report([replace(pushed[0], study="b"), *pushed[1:]]).notes
    assert any(note.startswith("the place on the screen counts: 1 (+0.") for note in notes)
    assert "they are of 2 studies, whose pages may not have been alike" in notes


def test_the_sentences_alone_are_those_of_the_report(study: Study) -> None:
    words = enough(study.ratings)
    assert tuple(words) == report(study.ratings).notes[-len(words) :]
    assert len(words) == len(CRITERIA) + 1
    assert enough([]) == []


def test_a_cell_that_a_spreadsheet_would_run_is_quoted(study: Study) -> None:
    evil = [replace(r, video=r.video._replace(model=f"={r.video.model}")) for r in study.ratings]
    texts = [sheet.to_csv() for sheet in report(evil).sheets]
    assert not any(",=" in text for text in texts)
    assert ",'=m0," in texts[0]
