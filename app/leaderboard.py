"""The leaderboard's page: tables that ``a2bench leaderboard`` wrote, charts, and the videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from a2bench.app import frame
from a2bench.app.board import MEDIA_PATH
from a2bench.errors import A2BenchError
from a2bench.redaction import redact
from a2bench.results.charts import (
    axes,
    means,
    net,
    other_cases,
    parts,
    radar,
    ranked,
    shown_table,
)
from a2bench.results.leaderboard import collect, with_values
from a2bench.results.ranks import scored
from a2bench.results.recipe import load_recipe, recipes
from a2bench.results.score_table import remarks
from a2bench.results.table import Line, joined, lines_of, read_table
from a2bench.results.videos import StoredVideo, case_of, gallery, opened
from a2bench.runs.store import probed
from a2bench.text import markdown_cell

MOST_MODELS = 10
SIDE_BY_SIDE = 4
SIDE_PX = 500
FIRST_RECIPE = "table1"


def page() -> None:
    """Draws the page."""
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    left.title("Leaderboard")
    try:
        lines = _lines()
    except A2BenchError as error:
        st.error(_told(error))
        return
    groups = sorted({line.group for line in lines})
    group = right.selectbox("Suite and profile", groups)
    lines = [line for line in lines if line.group == group]
    tabs = st.tabs(["Metrics", "Comprehensive score", "Videos"])
    with tabs[0]:
        _metrics(lines)
    with tabs[1]:
        _comprehensive(lines)
    with tabs[2]:
        _videos()


def _told(error: A2BenchError) -> str:
    """An error, which may quote any table, as Markdown that shows it as it is."""
    return "\n\n".join(map(markdown_cell, redact(str(error)).splitlines()))


@st.cache_data
def _lines() -> list[Line]:
    tables = {str(path): read_table(path) for path in frame.what().tables}
    return with_values(lines_of(joined(tables)), collect(opened(frame.what().runs)))


@st.cache_data
def _gallery() -> list[StoredVideo]:
    return gallery(frame.what().runs)


@st.cache_data
def _ratio(path: Path, sha256: str) -> float:
    video = probed(path, sha256)
    return video.width / video.height


def _metrics(lines: list[Line]) -> None:
    if unlike := other_cases(lines):
        st.warning(
            "Not of the same cases in every row, or not measured alike, so that their means cannot "
            f"be compared: {', '.join(unlike)}. The comprehensive score ranks what can."
        )
    st.dataframe(shown_table(lines), hide_index=True)
    st.caption(
        "Means over cases with 95 % intervals; in brackets what was not measured, and why. The "
        "radar shows models with a value for every metric: 0 in the centre, 1 at the rim."
    )
    shown = means(lines)
    models = list(dict.fromkeys(line.name for line in lines))
    if len(models) > MOST_MODELS:
        models = st.multiselect("Models in the charts", models, models[:MOST_MODELS])
        shown = shown[shown["model"].isin(models)]
    if shown.empty:
        return
    left, right = st.columns([1, 1], gap="large")
    left.altair_chart(_radar(shown, models), height=SIDE_PX)
    right.altair_chart(_bars(shown, models), height=SIDE_PX)


def _bars(lines: pd.DataFrame, models: list[str]) -> Any:
    """Bars with their intervals, both of a given size: by default Vega does not centre both."""
    order = list(dict.fromkeys(lines["metric"]))
    base = alt.Chart(lines).encode(
        y=alt.Y("metric:N", sort=order, title=None, axis=alt.Axis(labelLimit=220)),
        yOffset=alt.YOffset("model:N", sort=models),
    )
    thick = max(2.0, 0.6 * SIDE_PX / len(order) / len(models))
    bars = base.mark_bar(size=thick).encode(
        x=alt.X("mean:Q", title="mean, 95 % interval"),
        color=alt.Color("model:N", sort=models, legend=None),
        tooltip=_tips("mean", "low", "high"),
    )
    thin = base.mark_bar(size=min(2.0, thick / 2), color="#1a1a1a")
    return bars + thin.encode(x="low:Q", x2="high:Q")


def _radar(lines: pd.DataFrame, models: list[str]) -> Any:
    """A net of rings and spokes, and a closed line for each model that has every metric."""
    rings, spokes, corners = net(lines), axes(lines), radar(lines)
    wide, high = (alt.Scale(domain=[-span, span], nice=False) for span in (1.75, 1.35))
    x, y = alt.X("x:Q", axis=None, scale=wide), alt.Y("y:Q", axis=None, scale=high)
    grey = "#c8c8c8"
    web = alt.Chart(rings).mark_line(color=grey, strokeWidth=1)
    web = web.encode(x=x, y=y, detail="ring:N", order="corner:Q")
    rays = alt.Chart(spokes).mark_rule(color=grey)
    rays = rays.encode(x=x, y=y, x2=alt.datum(0), y2=alt.datum(0))
    words = alt.Chart(spokes).mark_text(fontSize=13, lineBreak="\n")
    words = words.encode(
        x=alt.X("label_x:Q", axis=None, scale=wide),
        y=alt.Y("label_y:Q", axis=None, scale=high),
        text="label:N",
    )
    lined = alt.Chart(corners).mark_line(strokeWidth=2.5, point=True)
    legend = alt.Legend(title=None, orient="top", columns=4, labelLimit=260)
    color = alt.Color("model:N", sort=models, legend=legend)
    lined = lined.encode(x=x, y=y, order="corner:Q", color=color, tooltip=_tips("mean"))
    return (web + rays + words + lined).configure_view(strokeWidth=0)


def _tips(*numbers: str) -> list[Any]:
    return ["model", "metric", *(alt.Tooltip(name, format=".3f") for name in numbers)]


def _comprehensive(lines: list[Line]) -> None:
    names = recipes()
    recipe = load_recipe(st.selectbox("Recipe", names, names.index(FIRST_RECIPE)))
    st.markdown(f"**{recipe.label}**: {recipe.title}. {recipe.note}")
    found = scored(lines, recipe)
    rows = ranked(found, recipe)
    st.dataframe(rows, hide_index=True)
    st.caption(markdown_cell(" ".join(remarks(found, recipe))))
    shares = parts(found, recipe)
    if shares.empty:
        st.info("No row has every metric of this recipe, so none is scored: “lacks” says what.")
        return
    legend = alt.Legend(title=None, labelLimit=260)
    chart = alt.Chart(shares).mark_bar(stroke="white")
    chart = chart.encode(
        x=alt.X("part:Q", title="what each metric adds to the score"),
        y=alt.Y("model:N", sort=[row["model"] for row in rows], title=None),
        color=alt.Color("metric:N", sort=list(recipe.weights), legend=legend),
        order="order:Q",
        tooltip=_tips("value", "weight", "part"),
    )
    st.altair_chart(chart, height=110 + 42 * shares["model"].nunique())


def _videos() -> None:
    try:
        videos = _gallery()
    except A2BenchError as error:
        st.error(_told(error))
        return
    if not videos:
        st.info("To see videos here, start with `--run STORE`: the run store that made the table.")
        return
    left, right = st.columns([1, 2])
    cases = list(dict.fromkeys((e.suite, e.video.case) for e in videos))
    chosen = left.selectbox("Case", cases, format_func=lambda one: f"{one[1]} of {one[0]}")
    shown = {e.label: e for e in videos if (e.suite, e.video.case) == chosen}
    picked = right.multiselect(
        f"Models, up to {SIDE_BY_SIDE}",
        list(shown),
        list(shown)[:SIDE_BY_SIDE],
        max_selections=SIDE_BY_SIDE,
    )
    if case := case_of(next(iter(shown.values()))):
        st.text(case.prompt)
        images = ((str(e.image), markdown_cell(e.name)) for e in case.elements)
        pictures, names = zip(*images, strict=True)
        st.image(list(pictures), list(names), width=110)
    here = [shown[label] for label in picked]
    if not here:
        return
    try:
        ratios = [_ratio(e.path, e.sha256) for e in here]
    except A2BenchError as error:  # it was replaced since it was made
        st.error(_told(error))
        return
    player = frame.component("gallery", js=("player.js", "gallery.js"), css=("player.css",))
    clips, labels = [f"{MEDIA_PATH}/{e.media}" for e in here], [e.label for e in here]
    player(key="gallery", data={"clips": clips, "labels": labels, "ratio": ratios[0]})
    scores = [{"model": e.label, **{m: f"{v:.3f}" for m, v in e.scores.items()}} for e in here]
    st.dataframe(scores, hide_index=True)
