"""Subjects by prompts: every pair once, or a balanced part."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from a2bench.cli import main
from a2bench.errors import SuiteError, UsageError
from a2bench.suites.crossing import cross
from a2bench.suites.suite import load_suite
from a2bench.types import Suite
from tests.helpers import ROOT

PROMPTS = "# ours\nA {name} smiles.\n\nA {name} sings by the {name}.\nNobody is named.\n"


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Four people, two of them women, and a text of three prompts."""
    for at, name in enumerate(("woman/a.png", "woman/b.jpg", "man/c.png", "d.png")):
        path = tmp_path / "people" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (40 * at, 90, 120)).save(path)
    (tmp_path / "prompts.txt").write_text(PROMPTS, encoding="utf-8")
    return tmp_path


def crossed(people: Path, out: str, **draw: int) -> Suite:
    return cross(people / "people", people / "prompts.txt", people / out, **draw)


def test_every_subject_meets_every_prompt(people: Path) -> None:
    suite = crossed(people, "out")
    assert (suite.name, suite.version, len(suite.cases)) == ("cross", "4x3", 12)
    told = {
        case.id: (case.prompt, case.elements[0].role, case.elements[0].name) for case in suite.cases
    }
    assert told["s01-p01"] == ("A person smiles.", "character", "person")
    assert told["s02-p02"] == ("A man sings by the man.", "character", "man")
    assert told["s04-p03"] == ("Nobody is named.", "character", "woman")
    assert len({case.elements[0].sha256 for case in suite.cases}) == 4
    assert load_suite(people / "out" / "suite.jsonl").key == suite.key


@pytest.mark.parametrize("sample", range(1, 13))
def test_a_sample_is_balanced_and_the_same_again(people: Path, sample: int) -> None:
    drawn = []
    for out in ("one", "two"):
        suite = cross(
            people / "people", people / "prompts.txt", people / out, sample=sample, seed=3
        )
        drawn.append([case.id for case in suite.cases])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == sample
    for part, count in ((0, 4), (1, 3)):
        often = Counter(case_id.split("-")[part] for case_id in drawn[0])
        least = 0 if len(often) < count else min(often.values())
        assert max(often.values()) - least <= 1
    other = cross(
        people / "people", people / "prompts.txt", people / "three", sample=sample, seed=4
    )
    assert other.version == f"4x3-{sample}-seed4"


def test_what_cannot_be_crossed_says_why(people: Path) -> None:
    (people / "people" / "notes.txt").write_text("no picture")
    with pytest.raises(SuiteError, match=r"notes\.txt"):
        crossed(people, "out")
    assert not (people / "out").exists()
    (people / "people" / "notes.txt").unlink()
    with pytest.raises(UsageError, match="--sample 13: there are 12 cases"):
        crossed(people, "out", sample=13)
    (people / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no picture"):
        cross(people / "empty", people / "prompts.txt", people / "out")


def test_our_prompts_with_the_people_of_the_references(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--subjects", str(ROOT / "references" / "characters"), "--sample", "40"]
    prompts = ["--prompts", str(ROOT / "prompts" / "open-people.txt")]
    assert main(["suites", "cross", *words, *prompts, "--out", str(tmp_path / "out")]) == 0
    assert "40 cases in" in capsys.readouterr().out
    found = load_suite(tmp_path / "out" / "suite.jsonl")
    assert len({case.prompt for case in found.cases}) == 20
