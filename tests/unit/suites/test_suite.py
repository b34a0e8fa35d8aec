"""The suite that is shipped, and how suites are found, read and cut down."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from collections import Counter
from pathlib import Path
from unittest.mock import Mock

import pytest
from PIL import Image

from a2bench.errors import SuiteError, UnknownName, UsageError
from a2bench.prompts.draw import SEED, draw
from a2bench.suites.manifest import COLUMNS
from a2bench.suites.suite import PACKAGED, load_suite, packaged_suites, select
from a2bench.types import Element, Suite
from tests.helpers.makers import make_suite

REFERENCES = PACKAGED.parent / "references"
MANIFEST = REFERENCES / "manifest.csv"


@pytest.fixture(scope="module")
def shipped() -> Suite:
    return load_suite("a2bench-open")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with MANIFEST.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_case_is_a_character_an_object_and_a_background(shipped: Suite) -> None:
    assert len(shipped.cases) == 50
    for case in shipped.cases:
        assert [e.role for e in case.elements] == ["character", "object", "background"]
        assert case.elements[0].view == "portrait"
        assert case.category == case.elements[1].category


def test_every_object_is_used_once_and_the_others_evenly(shipped: Suite) -> None:
    trios = [tuple(e.id for e in case.elements) for case in shipped.cases]
    people, objects, scenes = (Counter(column) for column in zip(*trios, strict=True))
    assert sorted(objects) == sorted(e.id for e in shipped.references if e.role == "object")
    assert set(objects.values()) == {1}
    assert (len(people), set(people.values())) == (9, {5, 6})
    assert (len(scenes), set(scenes.values())) == (16, {3, 4})
    assert len({(person, scene) for person, _, scene in trios}) == 50
    assert len({case.category for case in shipped.cases}) == 12


def test_the_cases_are_those_of_the_seeded_draw(shipped: Suite) -> None:
    held = [
        {"id": c.id, "elements": [e.id for e in c.elements], "category": c.category}
        for c in shipped.cases
    ]
    assert held == draw(MANIFEST)
    random.seed(0)  # the draw has a generator of its own
    assert held == draw(MANIFEST)
    assert held != draw(MANIFEST, SEED + 1)


def test_prompts_are_short_different_and_name_the_object(shipped: Suite) -> None:
    assert len({case.prompt for case in shipped.cases}) == 50
    for case in shipped.cases:
        words = re.findall(r"[a-z-]+", case.prompt.lower())
        assert len(case.prompt.split()) <= 30
        assert case.prompt.endswith(".")
        assert set(re.findall(r"[a-z-]+", case.elements[1].name)) - {"and"} <= set(words), case.id
        assert case.elements[0].name in words


def test_prompts_name_a_trait_of_the_character(shipped: Suite) -> None:
    traits = {
        "p001": "short curly black",
        "p002": "curls|curly",
        "p004": "thick eyebrows|loose black curls",
        "p005": "beard",
        "p006": "sleek|centre-parted|parted in the middle",
        "p007": "thick curly black|black curls",
        "p008": "long light brown hair",
        "p009": "long straight black hair",
        "p010": "tied back|dark eyebrows",
    }
    for case in shipped.cases:
        assert re.search(traits[case.elements[0].subject], case.prompt), case.id


def test_mini_has_six_cases_without_a_shared_element(shipped: Suite) -> None:
    mini = load_suite("a2bench-open:mini")
    assert mini.name == "a2bench-open:mini"
    assert mini.key != shipped.key
    assert mini.references == shipped.references
    assert len(mini.cases) == 6
    assert len({e.id for case in mini.cases for e in case.elements}) == 18
    assert len({case.category for case in mini.cases}) == 6


def test_the_manifest_tells_everything_of_every_image(
    shipped: Suite, rows: list[dict[str, str]]
) -> None:
    assert tuple(rows[0]) == COLUMNS
    assert Counter(e.role for e in shipped.references) == {
        "character": 27,
        "object": 50,
        "background": 16,
    }
    for row in rows:
        assert all(row.values()), row
        with Image.open(REFERENCES / row["file"]) as image:
            assert image.size == (int(row["width"]), int(row["height"]))
            image.load()
    files = {p.relative_to(REFERENCES).as_posix() for p in REFERENCES.glob("*/*.[jp][pn]g")}
    assert files == {row["file"] for row in rows}


def test_the_readme_credits_every_author_and_licence(rows: list[dict[str, str]]) -> None:
    readme = (REFERENCES / "README.md").read_text(encoding="utf-8")
    credits = [line for line in readme.splitlines() if line.startswith("|")]
    for row in rows:
        name = Path(row["file"]).stem if row["role"] == "background" else Path(row["file"]).parent
        (line,) = [c for c in credits if f"`{name}" in c]
        assert row["author"] in line
        assert f"[{row['licence']}]" in line
    assert len(credits) == 2 + 11


def test_packaged_suites_all_load() -> None:
    assert packaged_suites() == ("a2bench-open", "a2bench-open:mini")
    assert [len(load_suite(name).cases) for name in packaged_suites()] == [50, 6]


def write(folder: Path, *, subsets: object = None) -> Path:
    suite = make_suite(folder, 3)
    table = ["id,file,role,name"]
    table += [f"{e.id},{e.image.name},{e.role},{e.name}" for e in suite.references]
    (folder / "manifest.csv").write_text("\n".join(table) + "\n")
    header = {"suite": "tiny", "version": "1", "references": "manifest.csv"}
    lines = [header | ({"subsets": subsets} if subsets else {})]
    lines += [
        {"id": c.id, "prompt": c.prompt, "elements": [e.id for e in c.elements]}
        for c in suite.cases
    ]
    path = folder / "suite.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_path_loads_like_a_name_with_and_without_a_subset(tmp_path: Path) -> None:
    path = write(tmp_path, subsets={"last": ["case-003", "case-001"]})
    suite = load_suite(path)
    assert [c.id for c in suite.cases] == ["case-001", "case-002", "case-003"]
    assert suite.key == make_suite(tmp_path, 3).key  # sha256 is computed when it is not given
    assert suite.references[0].subject == "case-001-character"
    subset = load_suite(f"{path}:last")
    assert [c.id for c in subset.cases] == ["case-003", "case-001"]
    with pytest.raises(UnknownName, match=r"no subset 'lost'.* did you mean last\?"):
        load_suite(f"{path}:lost")


def test_only_a_colon_after_a_suite_starts_a_subset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, subsets={"one": ["case-001"]})
    shutil.copy(path, tmp_path / "C:suite.jsonl")
    monkeypatch.chdir(tmp_path)
    assert len(load_suite("C:suite.jsonl").cases) == 3
    assert len(load_suite("C:suite.jsonl:one").cases) == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a2bench-opn", r"did you mean a2bench-open\?"),
        ("a2bench-open:min", r"no subset 'min'; did you mean mini\?"),
        ("lost.jsonl", "no suite file 'lost.jsonl'"),
        ("a:b", "no suite 'a:b'"),
        ("", "no suite ''"),
    ],
)
def test_an_unknown_suite_names_the_nearest(source: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        load_suite(source)


def test_an_image_with_the_same_bytes_in_another_folder_gives_the_same_keys(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert load_suite(path).key == load_suite(tmp_path / "b" / "suite.jsonl").key


def test_a_suite_may_be_reached_through_a_link(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "a", target_is_directory=True)
    assert load_suite(tmp_path / "link" / "suite.jsonl").key == load_suite(path).key


def test_select_keeps_the_order_of_the_suite(shipped: Suite) -> None:
    chosen = select(shipped, ids=["open-050", "open-001", "open-003"])
    assert [c.id for c in chosen.cases] == ["open-001", "open-003", "open-050"]
    toys = select(shipped, category="toy")
    assert {c.category for c in toys.cases} == {"toy"}
    assert len(toys.cases) == 4
    assert select(shipped, category="toy", limit=2).cases == toys.cases[:2]
    assert select(shipped, limit=99).cases == shipped.cases
    assert select(shipped) == shipped
    assert toys.references == shipped.references


def test_select_names_what_is_near(shipped: Suite) -> None:
    with pytest.raises(UsageError, match=r"no case 'opn-007', did you mean open-007") as error:
        select(shipped, ids=["opn-007", "open-001", "xyz"])
    assert "no case 'xyz', known: open-001" in str(error.value)
    with pytest.raises(UsageError, match=r"category 'toys', did you mean toy, tool\?"):
        select(shipped, category="toys")
    with pytest.raises(UsageError, match="at least 1, not 0"):
        select(shipped, limit=0)
    with pytest.raises(UsageError, match="none of the cases asked for is of 'toy'"):
        select(shipped, ids=["open-001"], category="toy")


def test_select_counts_what_is_too_much_to_tell(shipped: Suite) -> None:
    with pytest.raises(UsageError, match=r"no case 'x-19', did .*\?; others: 80$") as told:
        select(shipped, ids=[f"x-{i}" for i in range(100)])
    assert "x-20" not in str(told.value)


def test_element_fields_come_from_the_manifest(shipped: Suite) -> None:
    elements: dict[str, Element] = {e.id: e for e in shipped.references}
    ball = elements["basketball"]
    assert (ball.name, ball.category, ball.licence) == ("basketball", "sports equipment", "MIT")
    assert ball.caption == "an orange basketball"
    assert ball.image.is_file()
    views = {e.view for e in shipped.references if e.subject == "p001"}
    assert views == {"portrait", "selfie", "fullbody"}


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path)
    denied = PermissionError(13, "Permission denied")
    monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=denied))
    with pytest.raises(SuiteError, match=r"suite\.jsonl:1: file: cannot be read: Permission"):
        load_suite(path)
