"""The admin watches a study fill, and sees names that raters do not."""

from __future__ import annotations

from pathlib import Path

from a2bench.study.votes import Vote
from tests.app.screen import browser
from tests.app.study import Site


def test_the_admin_sees_progress_reasons_and_the_leaderboard(site: Site, tmp_path: Path) -> None:
    _rate_all(site, raters=2)
    (admin,) = site.database.invite(1, admin=True)
    with browser(site.base, tmp_path / "profile") as screen:
        screen.open("/leaderboard")
        screen.until_text("Admin code")  # raters stay blind
        assert "Keling" not in screen.text()
        screen.fill("admin", admin)
        screen.until_text("Is it enough?")
        screen.until_text("4 of 6")
        for tab, says in (("Agreement", "Do raters agree"), ("Raters", "What each rater did")):
            screen.click("[role=tab]", tab)
            screen.until_text(says)
        screen.click("[role=tab]", "Export")
        screen.until_text("Download ratings.csv")
        screen.open("/leaderboard")
        screen.until_text("Comprehensive score")
        drawn = 'return document.querySelectorAll("canvas.marks, svg.marks").length'
        screen.until(lambda: screen.driver.execute_script(drawn) >= 2, "no charts")
        assert screen.violations() == []
        screen.open("/admin")
        screen.click(".a2-form button", "Sign out")
        screen.until_text("Admin code")


def _rate_all(site: Site, raters: int) -> None:
    for code in map(site.database.join, site.database.invite(raters)):
        rater = site.database.rater(code)
        while (page := site.database.page(rater)) is not None:
            for criterion in page.item.criteria:
                for slot, index in enumerate(page.order):
                    vote = Vote(criterion=criterion, slot=slot, score=1 + index)
                    site.database.save(rater, page.assignment, vote)
            site.database.finish(rater, page.assignment)
