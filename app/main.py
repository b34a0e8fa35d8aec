"""The entry point of the pages: ``a2bench study serve`` starts it, in its own process."""

from __future__ import annotations

import streamlit as st

from a2bench.app import admin, frame, leaderboard, rater

st.set_page_config(page_title="a2bench", page_icon="▦", layout="wide")
frame.style()

if frame.what().study is None:
    pages = [st.Page(leaderboard.page, title="Leaderboard", default=True)]
else:
    pages = [
        st.Page(rater.page, title="Rate videos", default=True),
        st.Page(admin.page, title="Study", url_path="admin"),
    ]
    if frame.what().tables:
        pages.append(st.Page(admin.leaderboard, title="Leaderboard", url_path="leaderboard"))
st.navigation(pages, position="hidden").run()
