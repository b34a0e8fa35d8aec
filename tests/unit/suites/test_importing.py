"""Importing folders of the official set and of OpenS2V-Eval, built here, into suites."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from a2bench.cli import main
from a2bench.errors import CannotRun, SuiteError, UsageError
from a2bench.suites.importing import import_official, import_opens2v
from a2bench.suites.suite import load_suite
from tests.helpers.makers import make_element

OFFICIAL = (
    "human_masked/man/commoner/1.png",
    "human_masked/woman/synthesis/5.png",
    "thing/bear/3.png",
    "thing/animal/bird_cage/1.png",
    "thing/9.png",
    "environment/Street/2.png",
)
OPENS2V = (
    "Images/humanobj/human/crop_man/commoner/5.png",
    "Images/humanobj/thing/animal/dog/4.png",
    "Images/humanobj/environment/special/21.png",
    "Images/singleface/crop_woman/11.png",
)


def make_images(root: Path, names: Sequence[str]) -> Path:
    for name in names:
        path = root / name
        made = make_element(path.parent, name.replace("/", "-"), "object").image
        made.rename(path)
    return root


def write_csv(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("human,thing,environment,prompt,id", *rows)) + "\n")
    return path


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return make_images(tmp_path / "set", OFFICIAL)


def test_the_official_layout_becomes_a_suite(official: Path, tmp_path: Path) -> None:
    table = write_csv(
        tmp_path / "table.csv",
        "human_masked/man/commoner/1.png,thing/bear/3.png,environment/Street/2.png,"
        "A man holds a bear in the street.,",
        "woman/synthesis/5.png,animal/bird_cage/1.png;thing/9.png,,A woman has a bird.,own-id",
        r"man\commoner\1.png,,Street\2.png,A man.,",
    )
    suite = import_official(official, table, tmp_path / "out")
    assert (suite.name, suite.version) == ("a2-bench", "imported")
    first, second, third = suite.cases
    assert [c.id for c in suite.cases] == ["case-001", "own-id", "case-003"]
    assert [(e.role, e.name) for e in first.elements] == [
        ("character", "man"),
        ("object", "bear"),
        ("background", "street"),
    ]
    assert first.prompt == "A man holds a bear in the street."
    assert [c.category for c in suite.cases] == ["bear", "animal", ""]
    assert [(e.role, e.name) for e in second.elements] == [
        ("character", "woman"),
        ("object", "bird cage"),
        ("object", "object"),
    ]
    assert third.elements == (first.elements[0], first.elements[2])
    assert len(suite.references) == 6


def test_the_written_folder_stands_alone_and_has_no_name_of_the_input(
    official: Path, tmp_path: Path
) -> None:
    row = "man/commoner/1.png,bear/3.png,Street/2.png,A man.,"
    suite = import_official(official, write_csv(tmp_path / "t.csv", row), tmp_path / "a" / "out")
    for path in official.rglob("*.png"):
        path.unlink()
    (tmp_path / "a" / "out").rename(tmp_path / "moved")
    assert load_suite(tmp_path / "moved" / "suite.jsonl").key == suite.key
    files = sorted(p.name for p in (tmp_path / "moved").rglob("*") if p.is_file())
    images = [f"{e.sha256}.png" for e in suite.references]
    assert files == sorted(["manifest.csv", "suite.jsonl", *images])
    assert not list((tmp_path / "a").iterdir())


def test_json_lines_take_a_list_of_any_length(official: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    rows: list[dict[str, Any]] = [
        {"thing": ["bear/3.png", "animal/bird_cage/1.png"], "prompt": "A bear and a bird cage."},
        {"human": ["man/commoner/1.png"], "prompt": "A man.", "id": "solo"},
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "out").mkdir()  # an empty folder is taken
    suite = import_official(official, table, tmp_path / "out")
    assert [len(c.elements) for c in suite.cases] == [2, 1]


def test_every_fault_of_a_table_is_told_and_nothing_is_written(
    official: Path, tmp_path: Path
) -> None:
    (official / "thing" / "text.png").write_text("no image")
    (official / "thing" / "out.png").symlink_to(tmp_path / "table.csv")
    table = write_csv(
        tmp_path / "table.csv",
        "man/commoner/1.png,bear/3.png,,A man.,x",
        "man/commoner/1.png,bear/3.png,,A man.,y",
        "man/commoner/1.png,lost.png,../environment/Street/2.png,A man.,x",
        "/etc/hosts,text.png;out.png,,,a/b",
        ",,,Nothing.,",
        ",bear/3.png;thing/bear/3.png,,Twice.,",
        ",.,,A folder.,",
    )
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SuiteError) as error:
        import_official(official, table, tmp_path / "deep" / "out")
    told = [
        fault.removeprefix(f"{table}:").split(f" in {official}")[0] for fault in error.value.faults
    ]
    assert told == [
        "3: case: 'y' has the content of another case",
        "4: environment: 'environment/../environment/Street/2.png'",
        "4: id: 'x' is given twice",
        "4: thing: 'thing/lost.png'",
        "5: human: '/etc/hosts'",
        "5: id: 'a/b' must be 1 to 64 of A-Z a-z 0-9 . _ - and not start with . or -",
        "5: prompt: 'a/b' has no prompt",
        "5: thing: 'thing/out.png'",
        "5: thing: 'thing/text.png'",
        "6: case: 'case-005' names no image",
        "7: case: 'case-006' names an image twice",
        "8: thing: 'thing'",
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_the_set_that_is_a_link_to_outside_is_refused(
    official: Path, tmp_path: Path
) -> None:
    (official / "thing").rename(tmp_path / "elsewhere")
    (official / "thing").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    table = write_csv(tmp_path / "t.csv", ",bear/3.png,,A bear.,")
    with pytest.raises(SuiteError, match="is a link that leaves the folder"):
        import_official(official, table, tmp_path / "out")


def test_a_column_that_is_not_known_is_refused(official: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("human,enviroment,prompt\nman/commoner/1.png,x,A man.\n")
    with pytest.raises(SuiteError, match=r"t\.csv:1: 'enviroment': given twice, or not one of"):
        import_official(official, tmp_path / "t.csv", tmp_path / "out")
    (tmp_path / "t.jsonl").write_text('{"enviroment": "x", "prompt": "A man."}\nnull\n')
    with pytest.raises(SuiteError) as error:
        import_official(official, tmp_path / "t.jsonl", tmp_path / "out")
    assert [fault.rpartition("t.jsonl:")[2].split(" ")[0] for fault in error.value.faults] == [
        "1:",
        "1:",
        "2:",
    ]


@pytest.mark.parametrize("text", ["", "human,prompt\n"])
def test_a_table_without_a_row(official: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SuiteError, match=r"header: is missing|has no case"):
        import_official(official, tmp_path / "t.csv", tmp_path / "out")


def test_arguments_that_cannot_be_right(official: Path, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", "man/commoner/1.png,,,A man.,")
    with pytest.raises(UsageError, match="no such file"):
        import_official(official, tmp_path / "lost.csv", tmp_path / "out")
    with pytest.raises(UsageError, match="no such folder of images"):
        import_official(table, table, tmp_path / "out")
    with pytest.raises(UsageError, match="is not an empty folder"):
        import_official(official, table, official)
    with pytest.raises(UsageError, match="is not an empty folder"):
        import_official(official, table, table)
    with pytest.raises(UsageError, match=r"must be a \.csv or a \.jsonl file"):
        import_official(official, table.rename(tmp_path / "t.xlsx"), tmp_path / "out")


def test_a_full_disk_leaves_nothing(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("a2bench.suites.importing.shutil.copyfile", full)
    table = write_csv(tmp_path / "t.csv", "man/commoner/1.png,,,A man.,")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CannotRun, match="No space left"):
        import_official(official, table, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def opens2v(tmp_path: Path) -> Path:
    return make_images(tmp_path / "OpenS2V-Eval", OPENS2V)


def write_json(path: Path, cases: Mapping[str, object]) -> Path:
    path.write_text(json.dumps(cases, indent=4))
    return path


def entry(paths: Sequence[str], labels: Sequence[str], **more: object) -> dict[str, object]:
    return {
        "img_paths": list(paths),
        "prompt": "A long prompt.\n\nbackground\n",
        "synthesis_flag": "wrong",
        "class_label": list(labels),
        **more,
    }


def test_opens2v_becomes_a_suite(opens2v: Path, tmp_path: Path) -> None:
    cases = {
        "humanobj_12": entry(OPENS2V[:3], ["Man", "Dog", "Park"]),
        "singleface_3": entry(OPENS2V[3:], ["Woman"]),
        "multiobject_1": entry(OPENS2V[:2], ["Old man", "Man's watch"]),
        "x-7": entry(OPENS2V[1:2], ["Forest background"]),
    }
    suite = import_opens2v(write_json(tmp_path / "e.json", cases), opens2v, tmp_path / "out")
    assert suite.name == "opens2v-eval"
    assert [c.id for c in suite.cases] == list(cases)
    assert [c.category for c in suite.cases] == ["humanobj", "singleface", "multiobject", "x"]
    assert [[(e.role, e.name) for e in c.elements] for c in suite.cases] == [
        [("character", "man"), ("object", "dog"), ("background", "park")],
        [("character", "woman")],
        [("character", "old man"), ("object", "man's watch")],
        [("background", "forest background")],
    ]
    assert suite.cases[0].prompt == "A long prompt.\n\nbackground"


def test_every_fault_of_an_opens2v_file_is_told(opens2v: Path, tmp_path: Path) -> None:
    cases = {
        "a_1": entry(["Images/lost.png"], ["Cup"]),
        "a_2": entry(OPENS2V[:2], ["Man"]),
        "a_3": entry(["../x.png"], ["Cup"], prompt=None),
        "a_4": entry([], []),
        "a/5": entry(OPENS2V[:1], ["Man"]),
        "a_6": [],
        "a_7": entry(OPENS2V[:1], ["Man"], class_label=["a\ud800"]),
    }
    path = write_json(tmp_path / "e.json", cases)
    lines = path.read_text().splitlines()
    with pytest.raises(SuiteError) as error:
        import_opens2v(path, opens2v, tmp_path / "out")
    told = [fault.removeprefix(f"{path}:").split(": ")[:2] for fault in error.value.faults]
    for line, _ in told:
        assert '"a' in lines[int(line) - 1]
    assert [field for _, field in told] == [
        "a_1.img_paths", "a_2.class_label", "a_3.img_paths", "prompt", "case", "id", "case",
        "prompt", "a_7.class_label", "a_7.class_label", "case",
    ]  # fmt: skip
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["[]", "{}", '{"a": {}, "a": {}}', '{"a": 1,}', ""])
def test_an_opens2v_file_of_another_form(opens2v: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(SuiteError, match=r"e\.json:1: line: "):
        import_opens2v(tmp_path / "e.json", opens2v, tmp_path / "out")


def test_an_imported_suite_runs(
    official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_csv(tmp_path / "t.csv", "man/commoner/1.png,bear/3.png,Street/2.png,A man.,")
    out = tmp_path / "out"
    command = ["suites", "import", "a2bench-official", str(table)]
    assert main([*command, "--images", str(official), "--out", str(out)]) == 0
    assert "1 cases" in capsys.readouterr().out
    assert main(["suites", "check", str(out / "suite.jsonl")]) == 0
