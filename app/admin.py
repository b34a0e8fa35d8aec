"""The admin's page: how far the study is, what it says so far, whether that is enough, export."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from a2bench.app import frame
from a2bench.app import leaderboard as board
from a2bench.app.overview import cells, opinion_rows, shown_rows
from a2bench.app.routes import ADMIN_COOKIE
from a2bench.errors import CannotRun, StoreError
from a2bench.ratings import answers as check_file
from a2bench.ratings import table as rating_file
from a2bench.ratings.answers import Check
from a2bench.ratings.report import Report, Sheet, report
from a2bench.ratings.table import ALL, Rating
from a2bench.study.progress import Progress, checks, export, progress
from a2bench.text import markdown_cell

REFRESH_S = 20
BLUE = "#1f6fb2"
LABELS = alt.Axis(labelFlush=False, labelBound=False, labelLimit=260)
PROBLEMS = {
    "admin": "This is no admin code of this study.",
    "database": "The study's database does not answer. Please try again in a minute.",
}


def page() -> None:
    """Draws the page."""
    try:
        if _let_in():
            _study()
    except StoreError:
        st.error(PROBLEMS["database"])
        st.button("Try again")


def leaderboard() -> None:
    """The leaderboard beside a study: behind the code, so that raters do not see names."""
    try:
        if _let_in():
            board.page()
    except StoreError:
        st.error(PROBLEMS["database"])


def _let_in() -> bool:
    code = st.context.cookies.get(ADMIN_COOKIE, "")
    if code and frame.study().is_admin(code):
        return True
    with st.container(width=760, key="text"):
        st.title("The study's admin")
        if problem := PROBLEMS.get(st.query_params.get("problem", "")):
            st.error(problem)
        st.markdown("`a2bench study invite FOLDER --admin` prints a code for this page.")
        frame.form("/enter", "Open", secret=("admin", "Admin code"))
    return False


def _study() -> None:
    design = frame.study().design()
    left, right = st.columns([6, 1], vertical_alignment="center")
    left.title(f"Study {markdown_cell(design.name)}")
    with right:
        frame.form("/leave", "Sign out", hidden={"admin": "1"}, quiet=True)
    _progress()
    ratings, seen = export(frame.study()), checks(frame.study())
    found = _report(_state(design.key, seen), ratings, seen)
    _enough(found)
    names = ["Votes", "Opinions", "Agreement", "Differences", "Raters", "Export"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    with tabs["Votes"]:
        _votes(progress(frame.study()))
    with tabs["Export"]:
        _export(ratings, seen)
    sheets = {} if found is None else {sheet.name: sheet for sheet in found.sheets}
    with tabs["Opinions"]:
        _opinions(sheets.get("mos"))
    for tab, sheet in (("Agreement", "agreement"), ("Differences", "differences")):
        with tabs[tab]:
            _table(sheets.get(sheet))
    with tabs["Raters"]:
        _table(sheets.get("raters"), first=("rater", "left out", "reasons"))
        _table(sheets.get("positions"))


@st.fragment(run_every=REFRESH_S)
def _progress() -> None:
    try:
        found = progress(frame.study())
    except StoreError:
        st.error(PROBLEMS["database"])
        return
    done = found.wanted - found.missing
    figures = {
        "Pages rated": f"{done} of {found.wanted}",
        "Being rated now": str(sum(item.open for item in found.items)),
        "Raters": str(len(found.raters)),
        "Invitations used": f"{found.spent} of {found.invitations}",
        "Answers": str(sum(rater.answers for rater in found.raters)),
    }
    for column, (label, figure) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(label, figure)
    st.progress(done / max(1, found.wanted))


def _state(key: str, seen: Sequence[Check]) -> str:
    """What changes when an answer does."""
    newest = max((check.time for check in seen), default="")
    return f"{key} {len(seen)} {newest}"


@st.cache_data(max_entries=4, show_spinner="Analysing …")
def _report(_key: str, _ratings: list[Rating], _seen: list[Check]) -> Report | None:
    try:
        return report(_ratings, _seen)
    except CannotRun:  # no score yet
        return None


def _enough(found: Report | None) -> None:
    st.subheader("Is it enough?")
    if found is None:
        st.markdown("Nobody has rated a video yet.")
        return
    first, *others = sorted(found.notes, key=lambda note: not note.startswith("all criteria"))
    st.markdown(f"**{markdown_cell(first[:1].upper() + first[1:])}.**")
    with st.expander(f"{len(others)} notes, by criterion and on what these ratings cannot say"):
        st.markdown("\n".join(f"- {markdown_cell(note)}" for note in others))


def _votes(found: Progress) -> None:
    rows = pd.DataFrame(cells(found))
    base = alt.Chart(rows).encode(
        x=alt.X("model:N", title=None, axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("case:N", title=None, axis=LABELS),
    )
    color = alt.Color(
        "share:Q", scale=alt.Scale(domain=[0, 1], range=["#f0f4f8", BLUE]), legend=None
    )
    dark = alt.condition("datum.share > 0.55", alt.value("white"), alt.value("black"))
    heat = base.mark_rect(stroke="white", strokeWidth=2).encode(color=color)
    text = base.mark_text(fontSize=15).encode(text="text:N", color=dark)
    st.markdown("Finished votes by case and model:")
    st.altair_chart(heat + text, height=60 + 34 * rows["case"].nunique())
    raters = [
        {
            "rater": one.name,
            "pages": one.pages,
            "answers": one.answers,
            "minutes": round(one.seconds / 60, 1),
            "last seen (UTC)": f"{datetime.fromtimestamp(one.last_seen, UTC):%Y-%m-%d %H:%M}",
        }
        for one in found.raters
    ]
    if raters:
        st.dataframe(raters, hide_index=True)


def _opinions(sheet: Sheet | None) -> None:
    if sheet is None:
        st.markdown("There is nothing to see yet.")
        return
    rows = pd.DataFrame(opinion_rows(sheet))
    shown = [ALL, *(name for name in rows["criterion"].unique() if name != ALL)]
    criterion = st.selectbox("Criterion", shown, format_func=_title)
    base = alt.Chart(rows[rows["criterion"] == criterion]).encode(
        y=alt.Y("model:N", title=None, axis=LABELS)
    )
    axis = alt.X(
        "mean:Q",
        scale=alt.Scale(domain=[1, 5]),
        axis=alt.Axis(values=[1, 2, 3, 4, 5]),
        title="mean opinion score, 95 % interval",
    )
    bars = base.mark_rule(strokeWidth=3, color=BLUE).encode(x=alt.X("low:Q"), x2="high:Q")
    dots = base.mark_point(filled=True, size=140, color=BLUE).encode(
        x=axis, tooltip=["mean", "low", "high"]
    )
    st.altair_chart(bars + dots, height=80 + 34 * rows["model"].nunique())
    _table(sheet)


def _title(criterion: str) -> str:
    design = frame.study().design()
    return "All criteria" if criterion == ALL else design.criterion(criterion).title


def _table(sheet: Sheet | None, first: Sequence[str] = ()) -> None:
    if sheet is None or not sheet.rows:
        return
    rows = shown_rows(sheet)
    st.markdown(f"**{sheet.title}**")
    st.dataframe(rows, hide_index=True, column_order=list(dict.fromkeys([*first, *rows[0]])))


def _export(ratings: Sequence[Rating], seen: Sequence[Check]) -> None:
    files: dict[str, Any] = {
        "ratings.csv": (rating_file.to_csv(ratings), "for `study analyse` and `weights fit`"),
        "raters.csv": (check_file.to_csv(seen), "how each answer came about, checks included"),
    }
    for name, (text, what) in files.items():
        st.markdown(f"{len(text.splitlines()) - 1} answers, {what}:")
        st.download_button(
            f"Download {name}", text, file_name=name, mime="text/csv", on_click="ignore"
        )
