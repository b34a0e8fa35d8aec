"""The pages without a browser: what they say to whom, and what happens when something is amiss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from a2bench.app import frame, rater
from a2bench.app.routes import ADMIN_COOKIE, RATER_COOKIE
from a2bench.app.serving import VARIABLE, Served
from a2bench.errors import StoreError
from a2bench.study.database import Database
from a2bench.study.folder import open_study
from tests.app.study import make_study
from tests.helpers import ROOT

TABLE = ROOT / "leaderboards" / "skyreels-a2-table-1.csv"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages") / "study"
    make_study(made)
    return made


@pytest.fixture
def database(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv(VARIABLE, Served(study=folder).to_environment())
    opened = open_study(folder)
    monkeypatch.setattr(frame, "study", lambda: opened)
    _with_cookies(monkeypatch)
    yield opened
    opened.close()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the components of the page were given: they run in browsers only."""
    given: list[dict[str, Any]] = []

    def component(*_: object, **__: object) -> Any:
        return lambda *, key, data, **_: given.append({"key": key, **data})

    monkeypatch.setattr(frame, "component", component)
    return given


def _with_cookies(monkeypatch: pytest.MonkeyPatch, **cookies: str) -> None:
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: cookies))


def _open(**query: str) -> AppTest:
    app = AppTest.from_file(ROOT / "app" / "main.py", default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def _words(app: AppTest) -> str:
    return "\n".join(str(one.value) for one in (*app.title, *app.markdown, *app.error, *app.info))


def test_the_door_asks_for_consent_only_with_an_invitation(database: Database) -> None:
    assert "open the link of your invitation" in _words(_open())
    words = _words(_open(invite="0" * 32))
    assert "up to 12, now or later.\n  The first page is an exercise." in words
    assert "What is not kept" in words


def test_a_study_may_bring_its_own_consent(database: Database, folder: Path) -> None:
    own = folder / rater.CONSENT
    own.write_text("# The study of our group\nWrite to us.", encoding="utf-8")
    try:
        assert "Write to us." in _words(_open(invite="0" * 32))
    finally:
        own.unlink()


@pytest.mark.parametrize("problem", ["invite", "code", "database"])
def test_every_problem_says_what_to_do(database: Database, problem: str) -> None:
    app = _open(problem=problem)
    assert [one.value for one in app.error] == [rater.PROBLEMS[problem]]
    assert not _open(problem="<b>x</b>").error


def test_a_rater_finds_their_page_and_later_a_break(
    database: Database, shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = database.join(database.invite(1)[0])
    _with_cookies(monkeypatch, **{RATER_COOKIE: code})
    now = 1000.0
    monkeypatch.setattr(rater, "monotonic", lambda: now)
    app = _open()
    assert shown[-1]["key"] == f"page-{shown[-1]['page']}"
    assert len(shown[-1]["clips"]) == 4
    now += rater.BREAK_AFTER_S + 1
    app.run()
    assert len(shown) == 2  # not in the middle of a page
    who = database.rater(code)
    _answer_all(database, code)
    database.finish(who, shown[-1]["page"])
    app.run()
    assert "Time for a break?" in _words(app)
    assert len(shown) == 2
    next(one for one in app.button if one.label == "I go on").click().run()
    assert len(shown) == 3
    assert shown[-1]["page"] != shown[0]["page"]


def test_after_the_last_page_comes_a_thank_you(
    database: Database, shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = database.join(database.invite(1)[0])
    _with_cookies(monkeypatch, **{RATER_COOKIE: code})
    while (page := database.page(database.rater(code))) is not None:
        _answer_all(database, code)
        database.finish(database.rater(code), page.assignment)
    assert "That was all" in _words(_open())
    assert not shown


def test_a_database_that_fails_is_told_and_tried_again(
    database: Database, shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = database.join(database.invite(1)[0])
    _with_cookies(monkeypatch, **{RATER_COOKIE: code})

    def fail(_: object) -> None:
        raise StoreError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(database, "page", fail)
        app = _open()
        assert [one.value for one in app.error] == [rater.PROBLEMS["database"]]
    next(one for one in app.button if one.label == "Try again").click().run()
    assert not app.error
    assert shown


def test_a_withdrawn_code_leads_to_the_door(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = database.join(database.invite(1)[0])
    database.withdraw(code)
    _with_cookies(monkeypatch, **{RATER_COOKIE: code})
    assert "open the link of your invitation" in _words(_open(left="withdrawn"))


def test_the_admin_page_needs_a_code(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    (admin,) = database.invite(1, admin=True)
    code = database.join(database.invite(1)[0])
    _answer_all(database, code)
    for cookies in ({}, {ADMIN_COOKIE: code}, {ADMIN_COOKIE: "0" * 32}, {RATER_COOKIE: admin}):
        _with_cookies(monkeypatch, **cookies)
        app = _open_admin()
        assert "prints a code for this page" in _words(app)
        assert not app.metric
    _with_cookies(monkeypatch, **{ADMIN_COOKIE: admin})
    app = _open_admin()
    figures = {one.label: one.value for one in app.metric}
    assert figures["Pages rated"].endswith("of 6")
    assert "Is it enough?" in [one.value for one in app.subheader]


def test_the_leaderboard_alone_shows_scores_with_their_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, Served(tables=(TABLE,)).to_environment())
    app = _open()
    assert [one.value for one in app.title] == ["Leaderboard"]
    scored = app.dataframe[1].value
    assert list(scored["comprehensive"]) == ["0.826", "0.821", "0.818", "0.807"]
    assert list(scored["model"]) == ["Keling (1.6)", "Vidu (2.1)", "SkyReels-A2", "Pika (2.1)"]
    assert "id_consistency" in scored
    assert "Unofficial" in _words(app)
    assert "--run STORE" in _words(app)


def test_a_file_that_is_no_leaderboard_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    monkeypatch.setenv(VARIABLE, Served(tables=(tmp_path / "x.csv",)).to_environment())
    assert "is no leaderboard" in _words(_open())


def _open_admin() -> AppTest:
    def script() -> None:
        from a2bench.app import admin

        admin.page()

    app = AppTest.from_function(script, default_timeout=30)
    app.run()
    assert not app.exception
    return app


def _answer_all(database: Database, code: str) -> None:
    from a2bench.study.votes import Vote

    who = database.rater(code)
    page = database.page(who)
    assert page is not None
    for criterion in page.item.criteria:
        for slot in range(len(page.order)):
            database.save(who, page.assignment, Vote(criterion=criterion, slot=slot, score=3))
