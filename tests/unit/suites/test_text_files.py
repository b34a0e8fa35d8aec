"""Tables and names as people really have them: every reader takes each, or says what is wrong."""

from __future__ import annotations

import json
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from a2bench.criteria import criteria
from a2bench.errors import CannotRun, SuiteError, VideosError
from a2bench.generators.folder import Folder
from a2bench.names import on_disk
from a2bench.ratings import table as ratings
from a2bench.results.recipe import load_recipe
from a2bench.suites.importing import import_official
from a2bench.suites.suite import load_suite, select
from a2bench.types import VideoId
from tests.helpers import ROOT
from tests.helpers.makers import make_suite, write_video

NFC, NFD = (unicodedata.normalize(form, "Bärchen-é") for form in ("NFC", "NFD"))
assert NFC != NFD

Rows = list[list[str]]


def table(by: str, *, before: str = "", names: Callable[[str], str] = str) -> Callable[[Rows], str]:
    """How a table is written: what separates its cells, what stands before it, how names look."""

    def text(rows: Rows) -> str:
        lines = [by.join(map(names, rows[0])), *(by.join(row) for row in rows[1:])]
        return before + "".join(f"{line}\r\n" for line in lines)

    return text


FORMS: dict[str, tuple[Callable[[Rows], str], str]] = {
    "commas": (table(","), "utf-8"),
    "a byte order mark": (table(","), "utf-8-sig"),
    "semicolons": (table(";"), "utf-8"),
    "semicolons with a byte order mark": (table(";"), "utf-8-sig"),
    "tabs": (table("\t"), "utf-8"),
    "told semicolons": (table(";", before="sep=;\r\n"), "utf-8-sig"),
    "told commas": (table(",", before='"sep=,"\r\n'), "utf-8"),
    "capitals": (table(",", names=str.capitalize), "utf-8"),
    "spaces around names": (table(",", names=lambda name: f" {name} "), "utf-8"),
    "spaces after commas": (table(", "), "utf-8"),
    "UTF-16, as Excel's Unicode text": (table("\t"), "utf-16"),
    "lines as on an old Mac": (lambda rows: table(",")(rows).replace("\r\n", "\r"), "utf-8"),
    "empty cells at the end": (lambda r: table(",")(r).replace("\r\n", ",,\r\n"), "utf-8"),
    "empty rows": (lambda rows: table(",")(rows) + ",\r\n ,\r\n\r\n", "utf-8"),
}
form = pytest.mark.parametrize("form", FORMS)


def write(path: Path, form: str, rows: Rows) -> Path:
    text, encoding = FORMS[form]
    path.write_bytes(text(rows).encode(encoding))
    return path


@form
def test_a_table_of_videos(form: str, tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "suite", 2)
    video = write_video(tmp_path / "v" / f"{NFC}.mp4")
    rows = [["case", "video", "seed"], ["case-001", video.name, "0"], ["case-002", video.name, "0"]]
    folder = Folder(videos=write(tmp_path / "v" / "table.csv", form, rows))
    assert folder.prepare(suite) == ()
    folder.generate(suite.cases[1], seed=0, out=tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == video.read_bytes()


def manifest_of(folder: Path) -> tuple[Path, Rows]:
    """A suite of one case in files, and the rows of its manifest."""
    suite = make_suite(folder, 1)
    ids = [element.id for element in suite.references]
    lines = [
        {"suite": "s", "version": "1", "references": "manifest.csv"},
        {"id": "c", "prompt": "a bear", "elements": ids},
    ]
    path = folder / "suite.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = [["id", "file", "role", "name"]]
    return path, rows + [[e.id, e.image.name, e.role, e.name] for e in suite.references]


@form
def test_a_manifest(form: str, tmp_path: Path) -> None:
    path, rows = manifest_of(tmp_path)
    write(tmp_path / "manifest.csv", "commas", rows)
    key = load_suite(path).key
    write(tmp_path / "manifest.csv", form, rows)
    assert load_suite(path).key == key


@form
def test_a_table_to_import(form: str, tmp_path: Path) -> None:
    (tmp_path / "thing" / "bear").mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(tmp_path / "thing" / "bear" / "1.png")
    rows = [["thing", "prompt"], ["thing/bear/1.png", "a bear; it dances"]]
    suite = import_official(tmp_path, write(tmp_path / "t.csv", form, quoted(rows)), tmp_path / "o")
    assert [case.prompt for case in suite.cases] == ["a bear; it dances"]
    assert suite.cases[0].elements[0].name == "bear"


def quoted(rows: Rows) -> Rows:
    return [[f'"{cell}"' if ";" in cell else cell for cell in row] for row in rows]


@form
def test_a_table_of_ratings(form: str, tmp_path: Path) -> None:
    rows = [["rater", "case", "model", "criterion", "score"], ["a", "c", "m", "overall", "4"]]
    rows[1][3] = sorted(criterion.id for criterion in criteria())[0]
    (one,) = ratings.read(write(tmp_path / "r.csv", form, rows))
    assert (one.video, one.score) == (VideoId("c", "m", 0), 4)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lines_of_json(encoding: str, tmp_path: Path) -> None:
    path, rows = manifest_of(tmp_path)
    write(tmp_path / "manifest.csv", "commas", rows)
    key = load_suite(path).key
    path.write_bytes(path.read_text().encode(encoding))
    assert load_suite(path).key == key
    write_video(tmp_path / "v" / "a.mp4")
    lines = json.dumps({"case": "case-001", "video": "a.mp4"})
    (tmp_path / "v" / "manifest.jsonl").write_bytes(lines.encode(encoding))
    assert Folder(videos=tmp_path / "v").prepare(make_suite(tmp_path / "s", 1)) == ()


def test_a_recipe_may_have_a_byte_order_mark(tmp_path: Path) -> None:
    ours = next((ROOT / "leaderboards").glob("recipe-*.toml"))
    (tmp_path / "r.toml").write_bytes(b"\xef\xbb\xbf" + ours.read_bytes())
    assert load_recipe(str(tmp_path / "r.toml")) == load_recipe(str(ours))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("fall,datei\n", "1: case: the column is missing; found: fall, datei"),
        ("case;datei\n", "1: video: the column is missing; found: case, datei"),
        ("Case,Video,case\n", "1: 'Case': given twice"),
        ("case,video\na,b.mp4,c\n", "2: row: 3 fields; the header has 2"),
        ('case,video\na,"b.mp4\n', "3: row: not CSV: unexpected end of data"),
        ("", "1: header: is missing: the columns are case, video"),
    ],
)
def test_what_is_no_such_table_names_what_was_found(text: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(VideosError) as caught:
        Folder(videos=path, name="m").prepare(make_suite(tmp_path / "s", 1))
    assert caught.value.faults[0].startswith(f"{path}:{fault}")
    path.write_text(text.replace("case", "model").replace("Case", "Model"))
    with pytest.raises(CannotRun, match=r"table\.csv:\d: "):
        ratings.read(path)


def spellings() -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("stored", "told"), [(NFC, NFD), (NFD, NFC), (NFD, NFD)])


@spellings()
@pytest.mark.parametrize("kind", ["table", "names", "folder"])
def test_videos_whose_names_are_spelled_otherwise(
    stored: str, told: str, kind: str, tmp_path: Path
) -> None:
    suite = make_suite(tmp_path / "suite", 1)
    if kind == "names":
        case = replace(suite.cases[0], id=told)
        suite = replace(suite, cases=(case,))
        write_video(tmp_path / "v" / f"{stored}.mp4")
    elif kind == "table":
        write_video(tmp_path / "v" / stored / f"{stored}.mp4")
        (tmp_path / "v" / "manifest.csv").write_text(f"case,video\ncase-001,{told}/{told}.mp4\n")
    else:
        write_video(tmp_path / stored / "case-001.mp4")
    folder = Folder(videos=tmp_path / (told if kind == "folder" else "v"))
    assert folder.prepare(suite) == ()
    folder.generate(suite.cases[0], seed=0, out=tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").stat().st_size


@spellings()
@pytest.mark.parametrize("says", [True, False], ids=["says UTF-8", "as macOS"])
def test_a_zip_whose_names_are_spelled_otherwise(
    stored: str, told: str, says: bool, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "a.mp4").read_bytes()
    with zipfile.ZipFile(tmp_path / "entry.zip", "w") as archive:
        archive.writestr(f"{stored}.mp4", video)
        archive.writestr("manifest.csv", f"case,video\ncase-001,{told}.mp4\n")
    if not says:
        data = bytearray((tmp_path / "entry.zip").read_bytes())
        at = data.index(b"PK\1\2")
        data[at + 9] &= ~8
        data[7] &= ~8
        (tmp_path / "entry.zip").write_bytes(data)
        assert not zipfile.ZipFile(tmp_path / "entry.zip").infolist()[0].flag_bits & 0x800
    folder = Folder(videos=tmp_path / "entry.zip")
    assert folder.prepare(make_suite(tmp_path / "s", 1)) == ()


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "entry.zip", "w") as archive:
        for name in (NFC, NFD):
            archive.writestr(f"{name}.mp4", b"x")
    with pytest.raises(VideosError, match="comes 2 times"):
        Folder(videos=tmp_path / "entry.zip").prepare(make_suite(tmp_path / "s", 1))


@spellings()
def test_a_suite_whose_names_are_spelled_otherwise(stored: str, told: str, tmp_path: Path) -> None:
    path, rows = manifest_of(tmp_path)
    (tmp_path / rows[1][1]).rename(tmp_path / f"{stored}.png")
    rows[1][1] = f"{told}.png"
    write(tmp_path / f"{stored}.csv", "commas", rows)
    text = path.read_text().replace("manifest.csv", f"{told}.csv")
    path.with_name(f"{stored}.jsonl").write_text(
        text.replace('"id": "c"', f'"category": "{stored}", "id": "c"'), encoding="utf-8"
    )
    suite = load_suite(tmp_path / f"{told}.jsonl")
    assert suite.cases[0].elements[0].image.is_file()
    assert select(suite, category=told).cases == suite.cases


def test_a_name_that_nothing_has_stays_as_it_is(tmp_path: Path) -> None:
    assert on_disk(tmp_path / NFD / "x") == tmp_path / NFD / "x"
    path, rows = manifest_of(tmp_path)
    rows[1][1] = f"{NFD}.png"
    write(tmp_path / "manifest.csv", "commas", rows)
    with pytest.raises(SuiteError, match="no such file"):
        load_suite(path)
