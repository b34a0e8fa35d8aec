"""What the documentation needs of mkdocs beside its settings: pages that lie outside ``docs/``."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent
ADOPTED = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "leaderboards/README.md": "recipes.md",
    "references/README.md": "references.md",
    "a2bench/generators/skyreels_a2/tiny/README.md": "skyreels-a2-tiny.md",
}
"""Files of the repository that are pages of the site, too, and what they are called there."""

_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")
_LICENCE = {"LICENSE": "https://www.apache.org/licenses/LICENSE-2.0"}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the adopted pages."""
    for source, page in ADOPTED.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Links as they are in the repository, as they are in the site."""
    uri = page.file.src_uri
    source = next((s for s, p in ADOPTED.items() if p == uri), f"docs/{uri}")
    here = PurePosixPath(source).parent

    def resolved(link: re.Match[str]) -> str:
        target = os.path.normpath(here / link[1])
        if target in _LICENCE:
            return _LICENCE[target]
        if target in ADOPTED:
            inside = ADOPTED[target]
        elif target.startswith("docs/"):
            inside = target.removeprefix("docs/")
        else:
            return link[1]  # mkdocs says that it leads nowhere
        return os.path.relpath(inside, PurePosixPath(uri).parent)

    return _LINK.sub(resolved, markdown)
