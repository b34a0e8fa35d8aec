"""The page of a report and its figures: whole, safe, and what the records say."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from a2bench.cli import main
from a2bench.errors import UsageError
from a2bench.report.contents import MOST_COMPARED, Contents, contents
from a2bench.report.figures import FIGURES, save
from a2bench.report.gallery import exhibits
from a2bench.report.page import write_page
from a2bench.report.pictures import WIDTHS_PX, strip
from a2bench.results.recipe import parse
from a2bench.results.selection import suite_of
from a2bench.runs.store import RunStore
from a2bench.types import Json, Suite
from a2bench.video import probe, sampled
from tests.helpers.fakes import Level, ReadsBroken
from tests.helpers.generators import MyGenerator, Raises
from tests.helpers.makers import make_suite, write_video
from tests.helpers.runs import ask, do
from tests.helpers.suites import write_suite

HOSTILE = "<script>alert(1)</script>\"'> \x1b[31m{{ 7*7 }} =cmd()"
RECIPE = parse(
    """
    name = "level"
    version = "1"
    title = "the level"
    note = "of a test"
    divisor = 1.0
    [weights]
    level = 1.0
    """
)


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of 7 cases, and a store: three models, of which one fails, and a broken metric."""
    folder = tmp_path_factory.mktemp("report")
    suite, store = make_suite(folder / "suite", 7), RunStore(folder / "store")
    metrics = Level(), ReadsBroken(), Level(name="b")
    do(ask(suite, *metrics), store)
    do(ask(suite, *metrics, generator=MyGenerator(name=HOSTILE)), store)
    do(ask(suite, *metrics, generator=Raises(name="raises", text=HOSTILE)), store)
    return folder


@pytest.fixture(scope="module")
def suite(folder: Path) -> Suite:
    return make_suite(folder / "suite", 7)


@pytest.fixture(scope="module")
def found(folder: Path) -> Contents:
    return contents([str(folder / "store")], RECIPE)


@pytest.fixture(scope="module")
def html(folder: Path, found: Contents, suite: Suite) -> str:
    out = folder / "report.html"
    write_page(found, out, title=HOSTILE, suite=suite)
    return out.read_text(encoding="utf-8")


def test_the_page_is_whole_and_fetches_nothing(html: str) -> None:
    page = Page(html)
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            address = attributes.get(name) or ""
            assert not address or address.startswith(
                ("#", "data:image/jpeg;base64,", "data:image/png;base64,")
            )
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in html
    addresses = re.findall(r"url\(([^)]{0,5})", html)
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert len(page.of("script")) == 1


def test_only_the_page_s_own_script_may_run(html: str) -> None:
    (policy,) = (m["content"] for m in Page(html).of("meta") if m.get("http-equiv"))
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")


def test_fault_29_names_and_reasons_are_text(html: str) -> None:
    page = Page(html)
    assert "<script>alert" not in html
    assert "\x1b" not in html
    assert "alert(1)" in page.text
    assert "{{ 7*7 }}" in page.text
    assert "RuntimeError: <script>alert(1)</script>" in page.text


def test_the_page_says_what_the_records_say(html: str, found: Contents) -> None:
    page = Page(html)
    for row in found.rows:
        assert row.cell("level").interval is None or f"{row.cell('level')}" in page.text
    assert "not distinguishable" in page.text
    assert page.text.count("No video: ") == 7
    assert f"sha256 {found.rows[0].suite['key']}" in page.text
    assert "of 7, of each row its first seed" in page.text
    assert len(page.of("article")) == 7
    assert len([i for i in page.of("img") if "Reference" in str(i["alt"])]) == 21
    assert "Apache-2.0" in page.text


@pytest.mark.parametrize(
    "detail",
    [
        {"boxes": "abc", "frames": 5},
        {"boxes": [[[1, 2, 3]]], "frames": [0]},
        {"boxes": [[[1, 2, 3, 4]]], "frames": [100_000_000]},
        {"boxes": [[[1, 2, 3, 4]]], "frames": ["x"]},
        {"boxes": [[["a", 2, 3, 4]], 7], "frames": [0, True]},
        {"boxes": [[[5.0, 5.0, 1.0, 1.0]] * 10_000], "frames": [0]},
        {"numbers": [1e300, float("1e308"), 3, None, "x"] * 10_000},
    ],
)
def test_a_detail_of_any_form_leaves_the_page_whole(
    tmp_path: Path, found: Contents, suite: Suite, detail: dict[str, Json]
) -> None:
    """Anybody can write a store."""
    first = found.rows[0]
    works = [
        replace(w, scores={m: replace(r, detail=detail) for m, r in w.scores.items()})
        for w in first.works
    ]
    rows = [replace(first, works=works), *found.rows[1:]]
    write_page(replace(found, rows=rows), tmp_path / "p.html", title="t", suite=suite)
    html = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert len(Page(html).of("article")) == 7
    assert len(html) < 2_000_000


def test_cases_of_one_name_with_other_content_stand_apart(tmp_path: Path) -> None:
    """Each with its own prompt, or with none."""
    suite, store = make_suite(tmp_path / "suite", 2), RunStore(tmp_path / "store")
    do(ask(suite, generator=MyGenerator(name="one")), store)
    other = replace(suite, cases=tuple(replace(c, prompt="another") for c in suite.cases))
    do(ask(other, generator=MyGenerator(name="two")), RunStore(tmp_path / "two"))
    both = contents([str(store.root), str(tmp_path / "two")])
    told = [(one.case_id, one.prompt, len(one.shown)) for one in exhibits(both, suite)]
    prompt = suite.cases[0].prompt
    assert len(told) == 4
    assert sorted(t for t in told if t[0] == "case-001") == sorted(
        [("case-001", prompt, 1), ("case-001", "", 1)]
    )


def test_one_model_at_two_settings_has_two_rows(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "suite", 2), RunStore(tmp_path / "store")
    for frames in (9, 5):
        do(ask(suite, generator=MyGenerator(name="m", frames=frames)), store)
    both = contents([str(store.root)], RECIPE)
    write_page(both, tmp_path / "p.html", title="t", suite=suite)
    text = Page((tmp_path / "p.html").read_text(encoding="utf-8")).text
    assert "m (1) [frames=5]" in text
    assert "the order of the 2 rows" in text


def test_the_same_results_give_the_same_page(
    html: str, tmp_path: Path, found: Contents, suite: Suite
) -> None:
    write_page(found, tmp_path / "again.html", title=HOSTILE, suite=suite)
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == html


def test_cases_come_one_by_one_and_within_their_bytes(found: Contents, suite: Suite) -> None:
    done: list[int] = []
    cases = exhibits(found, suite, 3, tick=lambda: done.append(1))
    first = next(cases)
    assert (first.case_id, len(done)) == ("case-001", 0)
    assert [one.case_id for one in cases] == ["case-002", "case-003"]
    assert len(done) == 3
    made = {one.name: one.strip is not None for one in first.shown}
    assert made.pop("raises (1)") is False
    assert list(made.values()) == [True, True]


def test_a_strip_has_the_frames_and_no_more_bytes_than_it_may(tmp_path: Path) -> None:
    video = probe(write_video(tmp_path / "v.mp4", 17, (320, 240)))
    whole = strip(video, 10**6)
    assert whole.indices == tuple(sampled("linspace-8", video))
    assert (whole.width, whole.height) == (WIDTHS_PX[0], 156)
    picture = Image.open(BytesIO(b64decode(whole.address.partition(",")[2])))
    assert picture.size == (8 * whole.width, whole.height)
    assert strip(video, 10).width == WIDTHS_PX[-1]
    assert strip(video, 10**6, [3, 5]).indices == (3, 5)


def test_without_its_suite_a_page_has_no_prompts(tmp_path: Path, found: Contents) -> None:
    write_page(found, tmp_path / "p.html", title="t", suite=None, most=1)
    page = Page((tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "The suite is not at hand" in page.text
    assert len(page.of("article")) == 1


def test_rows_of_other_suites_and_profiles_have_no_common_page(folder: Path) -> None:
    other = make_suite(folder / "other", 2)
    do(ask(Suite(**{**vars(other), "name": "other"})), RunStore(folder / "two"))
    with pytest.raises(UsageError, match=r"rows of the suites other, .*: --suite names one"):
        contents([str(folder / "store"), str(folder / "two")])


def test_a_suite_s_name_in_a_store_is_no_path(tmp_path: Path) -> None:
    path = str(write_suite(tmp_path / "suite", 2))
    assert suite_of(path, needed=False) == (None, path)  # though the file is there
    asked, name = suite_of(path)
    assert asked is not None
    assert name == asked.name
    ours, _ = suite_of("a2bench-open:mini", needed=False)
    assert ours is not None


@pytest.mark.parametrize("name", list(FIGURES))
@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_figures_are_files_and_the_same_again(
    tmp_path: Path, found: Contents, name: str, ending: str
) -> None:
    figure = FIGURES[name](found)
    if figure is None:
        assert name == "radar"  # of fewer than three metrics
        return
    for out in (tmp_path / f"a{ending}", tmp_path / f"b{ending}"):
        figure = FIGURES[name](found)
        assert figure is not None
        save(figure, out)
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()
    if ending == ".svg":
        tree = ElementTree.parse(tmp_path / "a.svg")
        texts = "".join(t for node in tree.iter() for t in node.itertext())
        assert ("level" if name == "correlations" else "my-generator") in texts
    elif ending == ".png":
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.width > 200


def test_the_commands(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = write_suite(tmp_path / "suite", 2)
    words = ["--profile", "tests.helpers.fakes:profile", "--suite", str(suite), "--in-process"]
    store, out = str(tmp_path / "store"), tmp_path / "r.html"
    run = ["run", "--model", "tests.helpers.generators:MyGenerator", "--store", store, *words]
    assert main(run) == 0
    assert main(["report", store, "--suite", str(suite), "--out", str(out)]) == 0
    assert "1 row and 2 cases" in capsys.readouterr().out
    assert len(Page(out.read_text(encoding="utf-8")).of("article")) == 2
    assert main(["figures", store, "--formats", "png", "--out", str(tmp_path / "figures")]) == 0
    assert "no radar: these rows have nothing to draw there" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [
        "bars.png",
        "distributions.png",
    ]
    assert main(["report", store, "--out", "x.pdf"]) == 1
    assert main(["figures", store, "--formats", "gif", "--out", "x"]) == 1
    assert main(["report", str(folder / "store"), "--out", str(tmp_path / "no" / "r.html")]) == 3
    assert "cannot write" in capsys.readouterr().err


def test_many_rows_are_not_compared_in_pairs(tmp_path: Path) -> None:
    suite, store = make_suite(tmp_path / "suite", 1), RunStore(tmp_path / "store")
    for at in range(MOST_COMPARED + 1):
        do(ask(suite, generator=MyGenerator(name=f"m{at}")), store)
    many = contents([str(store.root)])
    write_page(many, tmp_path / "r.html", title="t", suite=suite, most=0)
    assert "Of more than 8 rows pairs are not compared here" in (tmp_path / "r.html").read_text()
    figure = FIGURES["bars"](many)
    assert figure is not None
    save(figure, tmp_path / "bars.svg")
