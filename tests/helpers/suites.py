"""Suites as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.helpers.makers import make_suite


def write_suite(folder: Path, cases: int) -> Path:
    """A suite file with references, as a user would write it."""
    suite = make_suite(folder, cases)
    rows = ["id,file,role,name,sha256"]
    rows += [f"{e.id},{e.image.name},{e.role},{e.name},{e.sha256}" for e in suite.references]
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    lines: list[dict[str, Any]] = [{"suite": "tiny", "version": "1", "references": "manifest.csv"}]
    lines += [
        {"id": c.id, "prompt": c.prompt, "elements": [e.id for e in c.elements], "category": "test"}
        for c in suite.cases
    ]
    path = folder / "suite.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
