"""What the pages share: what is served, the study's database, styles and forms."""

from __future__ import annotations

import html
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import streamlit as st

from a2bench.app.serving import Served, served
from a2bench.study.database import Database
from a2bench.study.folder import open_study


def asset(*names: str) -> str:
    """The text of files of this package, one after the other."""
    return "\n".join((files("a2bench.app") / name).read_text(encoding="utf-8") for name in names)


@st.cache_resource
def what() -> Served:
    """What this process serves."""
    return served()


@st.cache_resource
def study() -> Database:
    """The one database of this process; raises ``CannotRun`` when it cannot be opened."""
    folder = what().study
    assert folder is not None, "pages of a study are offered only where there is one"
    return open_study(folder)


@st.cache_resource
def component(name: str, *, js: tuple[str, ...], css: tuple[str, ...]) -> Any:
    """A component of this package, made once."""
    return st.components.v2.component(f"a2bench_{name}", js=asset(*js), css=asset(*css))


def style() -> None:
    """The looks that a theme cannot set."""
    st.html(f"<style>{asset('page.css')}</style>")


def form(
    action: str,
    button: str,
    *,
    hidden: Mapping[str, str] | None = None,
    secret: tuple[str, str] | None = None,
    quiet: bool = False,
) -> None:
    """An ordinary form, which ``routes`` answers. ``secret`` is a name and its label."""
    fields = [
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in (hidden or {}).items()
    ]
    if secret is not None:
        name, label = map(html.escape, secret)
        fields.append(
            f'<label>{label}<input type="password" name="{name}" required maxlength="64" '
            f'autocomplete="current-password" spellcheck="false"></label>'
        )
    st.html(
        f'<form class="a2-form{" a2-quiet" if quiet else ""}" method="post" '
        f'action="{html.escape(action)}">{"".join(fields)}'
        f'<button type="submit">{html.escape(button)}</button></form>'
    )
