"""The documentation as a site: every page is in its navigation, and every metric has one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mkdocs.utils.yaml import yaml_load

import mkdocs_hooks
from a2bench.metrics import profiles
from tests.helpers import ROOT

DOCS = ROOT / "docs"
SETTINGS: dict[str, Any] = yaml_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))

OFFLINE = """
import socket, sys
def refuse(*_, **__):
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from mkdocs.__main__ import cli
cli()
"""
"""``mkdocs`` in a process that reaches nothing."""

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?\b(?:src|data)=["']?([^"'\s>]+)"""
    r"""|<link\b(?![^>]*\brel=["']?(?:canonical|next|prev)\b)[^>]*?\bhref=["']?([^"'\s>]+)"""
)
"""What a page loads by itself; where its links lead is another matter."""


def titles(part: Any) -> Iterator[str]:
    """The pages of a part of the navigation."""
    if isinstance(part, str):
        yield part
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from titles(one)


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(titles(SETTINGS["nav"])) == sorted([*PAGES, *mkdocs_hooks.ADOPTED.values()])


def classes() -> dict[str, str]:
    """Every metric of both profiles, with the name of its class."""
    known = {**profiles.lite().all, **profiles.paper().all}  # paper measures what lite cannot
    return {name: type(metric).__name__ for name, metric in known.items()} | {"face_fid": "FaceFid"}


@pytest.mark.parametrize(("name", "metric"), classes().items())
def test_every_metric_has_a_page_that_shows_its_docstring(name: str, metric: str) -> None:
    """A page of its own, or its name on that of its kin."""
    own = [(DOCS / page).read_text(encoding="utf-8") for page in PAGES if "metrics/" in page]
    told = [text for text in own if re.search(rf"^(#+ .*|.*`){name}\b", text, re.MULTILINE)]
    shows = re.compile(rf"^::: a2bench\.metrics\.\S+\.{metric}$", re.MULTILINE)
    assert [text for text in told if shows.search(text)]


def test_the_eight_have_pages_of_their_own() -> None:
    eight = [m.info.name for m in profiles.lite().metrics if m.info.dimension != "diagnostics"]
    assert len(eight) == 8
    assert {f"metrics/{name}.md" for name in eight} <= set(PAGES)


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("metrics/")])
def test_a_page_of_a_metric_tells_when_it_misleads(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert re.search(
        r"^## When (it|they) misleads?$|\*\*When it misleads\.\*\*", text, re.MULTILINE
    )


def test_pictures_of_metrics_are_small() -> None:
    pictures = [path for path in (DOCS / "metrics").iterdir() if path.suffix in (".jpg", ".png")]
    assert len(pictures) >= 8
    assert [path.name for path in pictures if path.stat().st_size > 120_000] == []


@pytest.mark.slow
def test_the_site_is_built_strictly_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OFFLINE, "build", "--strict", "--site-dir", str(tmp_path)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    pages = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    assert len(pages) > len(PAGES)
    loaded = {found for text in pages.values() for pair in LOADED.findall(text) for found in pair}
    assert {"assets/images/favicon.png", "collage.jpg"} <= loaded  # the pattern finds what there is
    assert [one for one in loaded if one.startswith(("http:", "https:", "//"))] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.css"))
    assert re.findall(r"url\(['\"]?(?:https?:)?//[^)]*|@import[^;]*", styles) == []
    assert "Do the faces in the video belong" in pages[tmp_path / "metrics" / "id_consistency.html"]
    assert "Hungarian method" in pages[tmp_path / "metrics" / "id_consistency.html"]
    assert "GeneratorInfo" in pages[tmp_path / "api.html"]


def test_links_that_leave_docs_lead_to_files() -> None:
    """As they are read in the repository; those of the site, mkdocs looks after."""
    sources = [*mkdocs_hooks.ADOPTED, *(f"docs/{page}" for page in PAGES)]
    dead = []
    for source in sources:
        text = re.sub(r"<!--.*?-->", "", (ROOT / source).read_text(encoding="utf-8"), flags=re.S)
        for link in re.findall(r"\]\(([^)\s#:]+)(?:#[^)\s]*)?\)", text):
            if not ((ROOT / source).parent / link).exists():
                dead.append(f"{source}: {link}")
    assert dead == []
