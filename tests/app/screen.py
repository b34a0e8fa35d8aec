"""A rater's browser: Chromium without a window, and what stands on its page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import JavascriptException, TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE_S = 20
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# The component is in the shadow of one of Streamlit's elements.
ROOT = """
const host = [...document.querySelectorAll("*")].find(
  (e) => e.shadowRoot && e.shadowRoot.querySelector(".board"));
const root = host && host.shadowRoot;
const all = (what) => [...root.querySelectorAll(what)];
"""
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) =>
  window.violations.push(`${e.effectiveDirective} ${e.blockedURI}`));
"""
T = TypeVar("T")


class Screen:
    """One window. Every ``until`` waits: no test sleeps for a guessed time."""

    def __init__(self, driver: webdriver.Chrome, base: str) -> None:
        self.driver, self.base = driver, base

    def open(self, path: str = "/") -> None:
        self.driver.get(self.base + path)

    def until(self, what: Callable[[], T], message: str) -> T:
        """The first true value of ``what``; the page may be half-drawn meanwhile."""

        def ask(_: object) -> T | None:
            try:
                return what() or None
            except (JavascriptException, WebDriverException):
                return None

        try:
            found = WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.1).until(ask)
        except TimeoutException:
            raise AssertionError(f"{message}; the page says:\n{self.text()}") from None
        assert found is not None
        return found

    def violations(self) -> list[str]:
        """What the content policy kept this page from, but for what Streamlit can do without.

        That is a flag for search engines in its page, and WebAssembly for numbers of 64 bits.
        """
        found = self.driver.execute_script("return window.violations")
        spared = ("script-src-elem inline", "script-src wasm-eval")
        return [one for one in found if not one.startswith(spared)]

    def text(self) -> str:
        """All that can be read on the page, that of the board with its answers."""
        parts = "all('.count, .scale, .state, .clock, .feedback').map((e) => '\\n' + e.innerHTML)"
        script = f"return document.body.innerText + (root ? {parts}.join('') : '')"
        return str(self.driver.execute_script(ROOT + script))

    def until_text(self, text: str) -> None:
        self.until(lambda: text in self.text(), f"no {text!r}")

    def click(self, css: str, text: str = "") -> None:
        def press() -> bool:
            found = self.driver.find_elements(By.CSS_SELECTOR, css)
            chosen = [one for one in found if text in one.text]
            if chosen:
                chosen[0].click()
            return bool(chosen)

        self.until(press, f"no {css} with {text!r}")

    def fill(self, name: str, text: str) -> None:
        css = f"input[name={name}]"
        self.until(lambda: self.driver.find_elements(By.CSS_SELECTOR, css), f"no {css}")
        self.driver.find_element(By.CSS_SELECTOR, css).send_keys(text + "\n")

    def keys(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def board(self, script: str) -> Any:
        """What JavaScript gives in the shadow of the board."""
        return self.driver.execute_script(ROOT + script)

    def count(self) -> str:
        """``Question 1 of 2 · Face consistency``."""
        return str(self.board('return root.querySelector(".count").textContent'))

    def state(self) -> str:
        return str(self.board('return root.querySelector(".state").textContent'))

    def chosen(self) -> list[str | None]:
        """The answer that is marked for each video."""
        marked = """s.querySelector('[aria-checked="true"]')?.textContent"""
        found = self.board(f'return all(".scale").map((s) => {marked})')
        return list(found)

    def page(self) -> str:
        return str(
            self.until(
                lambda: next(x for x in self.text().splitlines() if x.startswith("Page ")),
                "no page",
            )
        )

    def times(self) -> list[float]:
        return list(self.board('return all("video").map((v) => v.currentTime)'))

    def until_playing(self) -> None:
        ready = (
            'return all("video").every((v) => v.readyState === 4) && all("video")[0].currentTime'
        )
        self.until(lambda: float(self.board(ready) or 0) > 0.1, "the videos do not play")


@contextmanager
def browser(base: str, profile: Path, size: tuple[int, int] = (1366, 768)) -> Iterator[Screen]:
    """A new browser with an empty profile."""
    tools = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    assert all(tools.values()), f"install Debian's chromium and chromium-driver: {tools}"
    options = webdriver.ChromeOptions()
    options.binary_location = str(tools["chromium"])
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, Service(str(tools["chromedriver"])))
    try:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        yield Screen(driver, base)
    finally:
        driver.quit()
