"""The rater's page: the door with its consent, the code to keep, then one page of videos at a time.

All state is in the database. The session only remembers what the server last said to the browser,
and when the rater last took a break; a reload loses neither an answer nor the place.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import monotonic

import streamlit as st

from a2bench.app import frame
from a2bench.app.board import Reply, take, view
from a2bench.app.routes import RATER_COOKIE
from a2bench.errors import StoreError
from a2bench.ratings.answers import Kind
from a2bench.study.votes import Forbidden, Page, Rater

BREAK_AFTER_S = 25 * 60
CONSENT = "consent.md"
"""A file of this name in the study's folder replaces the text that comes with a2bench."""
PROBLEMS = {
    "invite": "This invitation is unknown, or it was used before. If it was you who used it, enter "
    "your personal code below; otherwise ask those who invited you for a new link.",
    "code": "This personal code is unknown. Check that all 32 letters and digits are there. Codes "
    "of people who withdrew are gone.",
    "database": "The study's database does not answer. Nothing is lost: please wait a minute and "
    "try again. If it stays like this, tell those who invited you.",
}
LEFT = {
    "1": "You have signed out on this computer. Your answers are kept; your personal code leads "
    "back to them.",
    "withdrawn": "You have withdrawn: all your answers are deleted. Thank you for your time.",
}


def page() -> None:
    """Draws the page."""
    query = st.query_params
    if problem := PROBLEMS.get(query.get("problem", "")):
        st.error(problem)
    if words := LEFT.get(query.get("left", "")):
        st.success(words)
    try:
        code = st.context.cookies.get(RATER_COOKIE, "")
        rater = _known(code)
        if rater is None:
            _door(query.get("invite", ""))
        elif "welcome" in query:
            _welcome(code)
        else:
            query.clear()
            _rate(rater, code)
    except StoreError:
        st.error(PROBLEMS["database"])
        st.button("Try again")


def _known(code: str) -> Rater | None:
    try:
        return frame.study().rater(code) if code else None
    except Forbidden:
        return None


def _door(invite: str) -> None:
    """Consent for those with an invitation; a way back for those with a code."""
    with st.container(width=760, key="text"):
        if invite:
            st.markdown(_consent())
            frame.form("/enter", "I have read this and take part", hidden={"invite": invite})
            st.divider()
            st.markdown("**You have taken part before?** Your personal code leads back.")
        else:
            st.title("Rating videos")
            st.markdown(
                "Welcome. To start, open the link of your invitation. If you have started before, "
                "here or on another computer, enter your personal code."
            )
        frame.form("/enter", "Go on", secret=("code", "Personal code"))


def _consent() -> str:
    folder = frame.what().study
    own = (folder or Path()) / CONSENT
    if own.is_file():
        return own.read_text(encoding="utf-8")
    design = frame.study().design()
    training = len(design.of(Kind.TRAIN))
    words = {0: "", 1: "The first page is an exercise."}
    exercises = words.get(training, f"The first {training} pages are exercises.")
    return frame.asset(CONSENT).format(pages=design.pages, exercises=exercises)


def _welcome(code: str) -> None:
    with st.container(width=760, key="text"):
        st.title("Please keep your personal code")
        st.markdown(
            "It is your way back on another computer or after cookies were deleted, and your way "
            "to withdraw later. Nobody can tell it to you again: it is kept nowhere."
        )
        st.code(code, language=None)
        st.markdown(
            "Write it down, or copy it with the button at its right end. "
            "On this computer you need not enter it."
        )
        if st.button("I have kept it – start", type="primary"):
            st.query_params.clear()
            st.rerun()


def _rate(rater: Rater, code: str) -> None:
    found = frame.study().page(rater)
    _top(found, code)
    if found is None:
        with st.container(width=760, key="text"):
            st.title("That was all – thank you!")
            st.markdown(
                "There is no page left for you. Every answer is saved; you can close this window. "
                "Until the study ends, you can still withdraw with the button above."
            )
    elif _wants_break(found):
        _break()
    else:
        _board(rater, found.assignment)


def _top(found: Page | None, code: str) -> None:
    left, right = st.columns([5, 1], vertical_alignment="center")
    if found is not None:
        text = f"Page {found.done + 1} of about {found.total}"
        if found.item.kind is Kind.TRAIN:
            text += " – **an exercise:** after each question you see what is plainly right"
        left.progress(found.done / max(1, found.total), text=text)
    with right.popover("My code · withdraw", width="stretch"):
        st.markdown("Your personal code:")
        st.code(code, language=None)
        st.markdown("**Somebody else's turn at this computer?** Your answers are kept.")
        frame.form("/leave", "Sign out", quiet=True)
        st.markdown("**Withdraw:** deletes all your answers, at once and for good.")
        if st.checkbox("Yes, delete all my answers"):
            frame.form("/leave", "Withdraw", hidden={"withdraw": "1"})


def _wants_break(found: Page) -> bool:
    """Between two pages, when the last break was long ago."""
    state = st.session_state
    state.setdefault("rested_at", monotonic())
    state.setdefault("page", found.assignment)
    if state["page"] == found.assignment:
        return False
    if monotonic() - state["rested_at"] > BREAK_AFTER_S:
        return True
    state["page"] = found.assignment
    return False


def _break() -> None:
    with st.container(width=760, key="text"):
        st.title("Time for a break?")
        st.markdown(
            f"You have rated for {BREAK_AFTER_S // 60} minutes. Eyes and judgement tire: rest a "
            "little, or go on another day. Everything is saved, and this page will be here."
        )
        if st.button("I go on", type="primary"):
            del st.session_state["rested_at"], st.session_state["page"]
            st.rerun()


@st.fragment
def _board(rater: Rater, assignment: int) -> None:
    """The videos and questions. An answer reruns this fragment only, so no video loads again."""
    state, name = st.session_state, f"page-{assignment}"

    def heard() -> None:
        reply = take(frame.study(), rater, assignment, state[name].get("said"))
        # what was kept before stays kept when this message failed
        kept = state.get("reply", Reply()).heard
        state["reply"] = replace(reply, heard=max(reply.heard, kept))

    reply = state.get("reply", Reply())
    if reply.finished:
        state["reply"] = replace(reply, finished=False)
        st.rerun()
    board = frame.component("board", js=("player.js", "board.js"), css=("player.css", "board.css"))
    board(key=name, data=_view(rater, assignment, reply), on_said_change=heard)


def _view(rater: Rater, assignment: int, reply: Reply) -> object:
    """What the browser sees; while the database fails, what it saw before."""
    state = st.session_state
    try:
        page = frame.study().page(rater)
    except StoreError:
        seen = state.get("view", {})
        if seen.get("page") != assignment:
            raise
        return {**seen, "problem": reply.problem or PROBLEMS["database"]}
    if page is None or page.assignment != assignment:  # finished in another window
        st.rerun()
    state["view"] = view(frame.study().design(), page, reply)
    return state["view"]
