"""Takes the pictures of docs/: ``python -m tests.app.screenshots STUDY --table CSV --run STORE``.

STUDY is a new study, of which at least six votes a page are wanted (``--votes 6``): simulated
raters answer all but two of its pages.
"""

from __future__ import annotations

import argparse
import io
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium.webdriver.common.keys import Keys

from a2bench.ratings.answers import Kind
from a2bench.study.database import Database
from a2bench.study.folder import open_study
from a2bench.study.votes import Page, Rater, Vote
from tests.app.screen import Screen, browser

LAPTOP, TALL = (1366, 768), (1366, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    asked = parser.parse_args()
    command = [sys.executable, "-m", "a2bench", "study", "serve", str(asked.study), "--port", "0"]
    command += ["--leaderboard", str(asked.table), "--run", str(asked.run)]
    database = open_study(asked.study)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            base = process.stdout.readline().split()[1]
            with tempfile.TemporaryDirectory() as folder:
                with browser(base, Path(folder) / "rater", LAPTOP) as screen:
                    _rater(screen, database, asked.out)
                fill(database, raters=6)
                with browser(base, Path(folder) / "admin", TALL) as screen:
                    _admin(screen, database, asked.out)
        finally:
            process.terminate()


def _rater(screen: Screen, database: Database, out: Path) -> None:
    screen.open(f"/?invite={database.invite(1)[0]}")
    screen.until_text("It is voluntary.")
    _take(screen, out / "study-consent.png")
    screen.click(".a2-form button", "take part")
    screen.until_text("Please keep")
    screen.click("button", "start")
    screen.until(screen.count, "no question")
    screen.until_playing()
    screen.keys("1352")
    screen.until(lambda: "Saved" in screen.state(), "not saved")
    _take(screen, out / "study-training.png")
    while "exercise" in screen.page():
        last = screen.page()
        _answer_page(screen)
        screen.until(lambda last=last: screen.page() != last, "no next page")  # type: ignore[misc]
        screen.until(lambda: screen.count().startswith("Question 1 "), "no new page")
    screen.until_playing()
    screen.keys("53")
    screen.until(lambda: "2 answers are open" in screen.state(), "not saved")
    _take(screen, out / "study-rater.png")


def _answer_page(screen: Screen) -> None:
    for step in range(1, 11):
        screen.until(lambda step=step: f"Question {step} of" in screen.count(), "stuck")  # type: ignore[misc]
        if None in screen.chosen():
            screen.keys("1352")
        ended = f"Question {step} of {step} " in screen.count()
        screen.keys(Keys.ENTER)
        if ended:
            return


def fill(database: Database, *, raters: int) -> None:
    """Simulated raters; the fourth one clicks at random, the last one stops on the way."""
    draw = random.Random(1)
    for number, code in enumerate(map(database.join, database.invite(raters))):
        rater, bias, pages = database.rater(code), draw.gauss(0, 0.4), 0
        while (page := database.page(rater)) is not None:
            _answer(database, rater, page, draw, None if number == 3 else bias)
            pages += 1
            if number == raters - 1 and pages == 4:
                break
            database.finish(rater, page.assignment)


def _answer(
    database: Database, rater: Rater, page: Page, draw: random.Random, bias: float | None
) -> None:
    """``bias`` None: at random, without looking."""
    liked = {"collage": 3.9, "restaged": 3.2, "swapped": 2.3, "blurred": 1.8}
    for criterion in page.item.criteria:
        for slot, index in enumerate(page.order):
            right = page.item.expected.get((criterion, index))
            level = liked.get(page.item.clips[index].video.model, 3.0)
            score = round(level + (bias or 0) + draw.gauss(0, 0.6))
            if page.item.kind is not Kind.RATED and right:
                score = draw.choice(right)
            if bias is None:
                score = draw.randint(1, 5)
            vote = Vote(
                criterion=criterion,
                slot=slot,
                score=max(1, min(5, score)),
                elapsed_ms=300 if bias is None else draw.randint(2500, 9000),
                plays=0 if bias is None else 1,
            )
            database.save(rater, page.assignment, vote)


def _admin(screen: Screen, database: Database, out: Path) -> None:
    screen.open("/admin")
    screen.fill("admin", database.invite(1, admin=True)[0])
    screen.until_text("Is it enough?")
    screen.until(lambda: screen.driver.find_elements("css selector", "canvas, svg.marks"), "empty")
    _take(screen, out / "study-admin.png")
    screen.open("/leaderboard")
    charts = "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
    screen.until(lambda: len(screen.driver.find_elements("css selector", charts)) > 1, "no charts")
    _take(screen, out / "study-leaderboard.png")
    screen.click("[role=tab]", "Videos")
    playing = "return [...document.querySelectorAll('*')].some((e) => e.shadowRoot && "
    playing += "[...e.shadowRoot.querySelectorAll('video')].some((v) => v.currentTime > 1))"
    screen.until(lambda: screen.driver.execute_script(playing), "no video plays")
    _take(screen, out / "study-gallery.png")


def _take(screen: Screen, path: Path) -> None:
    screen.driver.execute_async_script("setTimeout(arguments[0], 800)")  # until all has faded in
    with Image.open(io.BytesIO(screen.driver.get_screenshot_as_png())) as image:
        image.convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    main()
