"""A report in a browser without a network: light, dark, narrow; sorted, searched, by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from a2bench.report.contents import contents
from a2bench.report.page import write_page
from a2bench.runs.store import RunStore
from tests.app.screen import Screen, browser
from tests.helpers.fakes import Level
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, do

WIDE = "return document.documentElement.scrollWidth > window.innerWidth"
COLOURS = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    suite, store = make_suite(folder / "suite", 7), RunStore(folder / "store")
    for name in ("one", "two", "three"):
        do(ask(suite, Level(), Level(name="b"), generator=MyGenerator(name=name)), store)
    write_page(contents([str(store.root)]), folder / "r.html", title="Report", suite=suite)
    return folder / "r.html"


def opened(screen: Screen, dark: bool = False) -> None:
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    screen.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    screen.driver.execute_cdp_cmd("Network.enable", {})
    without = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    screen.driver.execute_cdp_cmd("Network.emulateNetworkConditions", without)
    screen.open("")
    screen.until_text("7 of 7 cases")
    assert screen.driver.execute_script("return window.violations") == []
    logged = screen.driver.get_log("browser")  # type: ignore[no-untyped-call]
    assert [line for line in logged if line["level"] == "SEVERE"] == []


def test_a_report_opens_from_a_file(page: Path, tmp_path: Path) -> None:
    with browser(page.as_uri(), tmp_path / "profile") as screen:
        opened(screen)
        drawn = 'return document.querySelectorAll("figure svg").length'
        assert screen.driver.execute_script(drawn) == 4  # a radar needs three metrics
        pictures = "return [...document.images].every((i) => i.complete && i.naturalWidth > 0)"
        screen.driver.execute_script('for (const i of document.images) i.loading = "eager"')
        screen.until(lambda: screen.driver.execute_script(pictures), "pictures are missing")

        first = 'return document.querySelector("#table tbody th").textContent'
        screen.driver.execute_script('document.querySelector("#table th button").focus()')
        screen.keys(Keys.ENTER)
        assert screen.driver.execute_script(first) == "two (1)"  # by name, from the last
        screen.keys(Keys.ENTER)
        assert screen.driver.execute_script(first) == "one (1)"

        screen.driver.execute_script('document.getElementById("search").focus()')
        screen.keys("case-003")
        screen.until_text("1 of 7 cases")
        seen = 'return [...document.querySelectorAll("article")].filter((a) => !a.hidden).length'
        assert screen.driver.execute_script(seen) == 1


@pytest.mark.parametrize("size", [(1366, 768), (390, 844)])
def test_a_report_is_dark_and_narrow(page: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    with browser(page.as_uri(), tmp_path / "profile", size) as screen:
        opened(screen)
        light = screen.driver.execute_script(COLOURS)
        assert not screen.driver.execute_script(WIDE)
        opened(screen, dark=True)
        assert screen.driver.execute_script(COLOURS) != light
        text = 'return getComputedStyle(document.querySelector("figure svg text")).fill'
        assert screen.driver.execute_script(text) == screen.driver.execute_script(COLOURS)[1]
