"""A rater goes through a whole study in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys
from sqlalchemy import func, select

from a2bench.app.routes import RATER_COOKIE
from a2bench.study import tables as t
from a2bench.study.progress import checks, events, progress
from tests.app.screen import Screen, browser
from tests.app.study import FPS, Site

QUESTIONS, SLOTS = 2, 4


def test_a_rater_joins_rates_reloads_moves_and_finishes(site: Site, tmp_path: Path) -> None:
    (invite,) = site.database.invite(1)
    with browser(site.base, tmp_path / "first") as screen:
        code = _join(screen, invite)
        _practise(screen)
        _videos_keep_in_step(screen)
        assert screen.violations() == []
        _rates_by_keys_and_reloads(screen)
    with browser(site.base, tmp_path / "second") as screen:
        screen.open()
        screen.fill("code", code)
        _finds_the_place_and_finishes(screen)
    _each_answer_is_held_once(site)


def _join(screen: Screen, invite: str) -> str:
    """Consent, then the code; the token is in no address any more, the cookie hidden."""
    screen.open(f"/?invite={invite}")
    screen.until_text("It is voluntary.")
    screen.click(".a2-form button", "take part")
    screen.until_text("Please keep your personal code")
    assert invite not in screen.driver.current_url
    cookie = screen.driver.get_cookie(RATER_COOKIE)
    assert cookie is not None
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    screen.until_text(cookie["value"])
    screen.click("button", "start")
    screen.until(screen.count, "no question")
    assert "?" not in screen.driver.current_url
    return str(cookie["value"])


def _practise(screen: Screen) -> None:
    """Training says what most people answer, once a question is answered."""
    assert "an exercise" in screen.page()
    hints = 'return all(".hint").map((h) => h.textContent).filter(Boolean)'
    screen.keys("555")
    screen.until(lambda: screen.state() == "One answer is open", "three answers are kept")
    assert screen.board(hints) == []
    screen.keys("5", Keys.ENTER)  # nothing is known of the faces: no hint
    screen.until(lambda: screen.count().startswith("Question 2"), "no second question")
    screen.keys("5555")
    told = screen.until(lambda: screen.board(hints), "no hint")
    assert told == ["1 or 2 would be right here"]
    screen.until_text("Look closely.")
    screen.keys(Keys.ENTER)
    _new_page(screen, "Page 2")


def _new_page(screen: Screen, page: str) -> None:
    screen.until(lambda: screen.page().startswith(page), f"no {page}")
    screen.until(lambda: screen.count().startswith("Question 1"), "the old page stands there")
    assert screen.chosen() == [None] * SLOTS


def _videos_keep_in_step(screen: Screen) -> None:
    """While playing, after a seek, and paused: within two frames, the short one at its end."""
    screen.until_playing()
    for _ in range(5):
        _in_step(screen)
    screen.board(
        'const bar = root.querySelector(".bar"); bar.value = 500;'
        'bar.dispatchEvent(new Event("input"));'
    )
    screen.until(lambda: screen.times()[0] > 0.9, "the seek does nothing")
    _in_step(screen)
    paused = 'return all("video").every((v) => v.paused)'
    screen.keys(" ")
    screen.until(lambda: screen.board(paused), "space does not pause")
    rest = screen.times()
    assert rest == screen.times()
    _in_step(screen, frames=0.5)
    screen.keys(" ")
    screen.until(lambda: not screen.board(paused), "space does not play")


def _in_step(screen: Screen, frames: float = 2) -> None:
    read = 'return all("video").map((v) => [v.currentTime, v.duration])'
    videos = screen.board(read)
    lead = max(time for time, _ in videos)
    for time, length in videos:
        assert abs(time - min(lead, length)) <= frames / FPS, videos


def _rates_by_keys_and_reloads(screen: Screen) -> None:
    screen.board('window.kept = all("video")')
    screen.keys("3", "0", Keys.ARROW_LEFT, "2")  # goes back to the second video
    screen.until(lambda: screen.chosen() == ["3", "2", None, None], "keys do not choose")
    screen.until(lambda: screen.state() == "2 answers are open", "not saved")
    same = 'return all("video").every((v, i) => v === window.kept[i] && v.src)'
    assert screen.board(same), "a video was loaded again"
    screen.driver.refresh()
    screen.until(lambda: screen.chosen() == ["3", "2", None, None], "the place is lost")
    assert screen.page().startswith("Page 2")
    screen.board('all(".scale")[2].querySelector("[data-value=cannot_play]").click()')
    screen.until(lambda: screen.state() == "One answer is open", "a click does nothing")


def _finds_the_place_and_finishes(screen: Screen) -> None:
    screen.until(lambda: screen.chosen() == ["3", "2", "Cannot play", None], "the place is lost")
    screen.keys("4", Keys.ENTER)
    screen.until(lambda: screen.count().startswith("Question 2"), "no second question")
    screen.keys("1234", Keys.BACKSPACE)
    screen.until(lambda: screen.chosen()[0] == "3", "there is no way back")
    screen.keys(Keys.ENTER, Keys.ENTER)
    for page in ("Page 3", "Page 4", "Page 5"):
        _new_page(screen, page)
        screen.keys("1234", Keys.ENTER, "4321", Keys.ENTER)
    screen.until_text("That was all")


def _each_answer_is_held_once(site: Site) -> None:
    found = checks(site.database)
    assert len(found) == 5 * QUESTIONS * SLOTS
    assert len({(c.page, c.criterion, c.slot) for c in found}) == len(found)
    changed = [c for c in found if c.revision > 1]
    assert [(c.slot, c.score) for c in changed] == [(1, 2)]
    with site.database.read() as connection:
        held = connection.execute(select(func.count()).select_from(t.rating)).scalar_one()
    assert held == len(found) + 1
    assert progress(site.database).missing == 4  # two other votes for each of the two cases
    assert "viewport" in {event.kind for event in events(site.database)}
    assert all(c.elapsed_ms > 0 for c in found)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/?invite=00000000000000000000000000000000", "unknown, or it was used before"),
        ("/?invite=<script>alert(1)</script>", "unknown, or it was used before"),
    ],
)
def test_a_forged_invitation_opens_nothing(
    site: Site, tmp_path: Path, path: str, says: str
) -> None:
    before = len(progress(site.database).raters)
    with browser(site.base, tmp_path / "profile") as screen:
        screen.open(path)
        screen.click(".a2-form button", "take part")
        screen.until_text(says)
        assert screen.driver.get_cookie(RATER_COOKIE) is None
    assert len(progress(site.database).raters) == before


def test_a_narrow_window_is_refused_kindly_and_a_rater_can_withdraw(
    site: Site, tmp_path: Path
) -> None:
    (invite,) = site.database.invite(1)
    code = site.database.join(invite)
    before = len(progress(site.database).raters)
    with browser(site.base, tmp_path / "profile", size=(480, 800)) as screen:
        screen.open()
        screen.fill("code", code)
        refused = 'return root.querySelector(".refusal").textContent'
        assert "laptop" in screen.until(lambda: screen.board(refused), "not refused")
        screen.click("button", "My code")
        screen.click("label", "Yes, delete all")
        screen.click(".a2-form button", "Withdraw")
        screen.until_text("all your answers are deleted")
    assert len(progress(site.database).raters) == before - 1
