"""Rows of several stores: one where they hold the same videos, several where they do not."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from a2bench.cli import main
from a2bench.errors import UsageError
from a2bench.results.leaderboard import collect, table, to_csv, told_apart
from a2bench.results.table import lines_of, read_table
from a2bench.results.videos import gallery, stored_videos
from a2bench.runs.store import RunStore
from a2bench.study.selection import choose
from a2bench.types import Suite
from tests.helpers.fakes import Level
from tests.helpers.generators import FromElsewhere, MyGenerator, Otherwise
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return make_suite(tmp_path / "s", 3)


def store(tmp_path: Path, name: str) -> RunStore:
    return RunStore(tmp_path / "runs" / name)


def means(stores: list[RunStore]) -> dict[str, float]:
    return {line.name: line.means["level"] for line in lines_of(table(collect(stores)))}


@pytest.mark.parametrize("other", [Otherwise(), FromElsewhere()])
def test_other_videos_of_one_model_have_a_row_of_their_own(
    suite: Suite, tmp_path: Path, other: MyGenerator
) -> None:
    a, b = store(tmp_path, "a"), store(tmp_path, "b")
    do(ask(suite), a)
    do(ask(suite, generator=other), b)
    alone = [means([a])["my-generator (1)"], means([b])["my-generator (1)"]]
    assert alone[0] != alone[1]
    for stores in ([a, b], [b, a]):
        found = means(stores)
        assert found == {
            "my-generator (1) [runs/a]": alone[0],
            "my-generator (1) [runs/b]": alone[1],
        }
        (told,) = told_apart(collect(stores))
        assert told.startswith("my-generator (1): runs/a and runs/b hold other videos")
    with pytest.raises(UsageError, match="other videos of one model"):
        choose([a, b], suite.cases, [])


def test_each_row_shows_the_videos_of_its_own_store(suite: Suite, tmp_path: Path) -> None:
    a, b = store(tmp_path, "a"), store(tmp_path, "b")
    do(ask(suite), a)
    do(ask(suite, generator=Otherwise()), b)
    shown = list(stored_videos([a, b], collect([a, b])))
    assert len(shown) == 6
    assert all(f"runs/{v.path.relative_to(tmp_path / 'runs').parts[0]}" in v.name for v in shown)
    assert len({v.media for v in gallery([a.root, b.root])}) == 6
    assert {v.media for v in gallery([a.root])} == {v.path.name for v in gallery([a.root])}


def test_a_copied_store_and_one_that_was_split_make_one_row(suite: Suite, tmp_path: Path) -> None:
    whole, first, rest = (store(tmp_path, name) for name in ("whole", "first", "rest"))
    do(ask(suite), whole)
    do(replace(ask(suite), cases=suite.cases[:2]), first)
    do(replace(ask(suite), cases=suite.cases[1:]), rest)
    copied = Path(shutil.copytree(whole.root, tmp_path / "copied"))
    expected = to_csv(collect([whole]))
    for stores in ([whole, RunStore(copied)], [first, rest], [rest, whole, first], [whole, whole]):
        assert to_csv(collect(stores)) == expected
        assert told_apart(collect(stores)) == []


def test_more_cases_and_metrics_of_a_copy_join_the_row(suite: Suite, tmp_path: Path) -> None:
    a = store(tmp_path, "a")
    do(replace(ask(suite), cases=suite.cases[:1]), a)
    b = RunStore(Path(shutil.copytree(a.root, tmp_path / "runs" / "b")))
    do(ask(suite, Level(), Level(name="more")), b)
    (row,) = collect([a, b])
    assert (row.cell("level").counts, row.cell("more").counts) == ({"ok": 3}, {"ok": 3})


def test_of_three_stores_those_that_agree_share_a_row(suite: Suite, tmp_path: Path) -> None:
    a, b, c, d = (store(tmp_path, name) for name in "abcd")
    do(replace(ask(suite), cases=suite.cases[:2]), a)
    do(ask(suite, generator=Otherwise()), b)
    do(replace(ask(suite), cases=suite.cases[1:2]), c)
    do(replace(ask(suite), cases=suite.cases[2:], seeds=(7,)), d)  # of which is this?
    assert set(means([a, b, c, d])) == {
        "my-generator (1) [runs/a + runs/c]",
        "my-generator (1) [runs/b]",
        "my-generator (1) [runs/d]",
    }


def test_a_video_that_one_store_lacks_or_failed_at_is_no_other_video(
    suite: Suite, tmp_path: Path
) -> None:
    from tests.helpers.generators import Raises

    a, b = store(tmp_path, "a"), store(tmp_path, "b")
    do(ask(suite), a)
    do(ask(suite, generator=Raises()), b)
    (row,) = collect([b, a])
    assert row.origin == ""


def test_the_command_names_the_stores_and_the_table_reads_back(
    suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, out = store(tmp_path, "a"), store(tmp_path, "b"), tmp_path / "x.csv"
    do(ask(suite), a)
    do(ask(suite, generator=Otherwise()), b)
    assert main(["leaderboard", str(a.root), str(b.root), "--out", str(out)]) == 0
    assert "runs/a and runs/b hold other videos of the same cases" in capsys.readouterr().out
    lines = list(csv.DictReader(out.read_text().splitlines()))
    assert [line["store"] for line in lines] == ["runs/a", "runs/b"]
    assert {line.name for line in lines_of(read_table(out))} == means([a, b]).keys()
    shown = [*map(str, (a.root, b.root)), "--recipe", "equal"]
    assert main(["leaderboard", *shown, "--out", str(tmp_path / "x.md")]) == 0
    assert "my-generator 1 \\[runs/b\\]" in (tmp_path / "x.md").read_text()
    assert str(tmp_path) not in out.read_text()
    assert main(["leaderboard", str(a.root), "--out", str(out)]) == 0
    assert "store" not in out.read_text().splitlines()[0].split(",")
