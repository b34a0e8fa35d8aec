"""The examples in Python that the documents give run as they stand."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT


def examples(page: str) -> list[str]:
    """The indented blocks of a page that begin with an import."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^    .*\n|^\n)+", text, flags=re.MULTILINE)
    found = [textwrap.dedent(block).strip("\n") + "\n" for block in blocks]
    return [block for block in found if block.startswith(("from ", "import "))]


def run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    lines = block.partition("\na2bench ")[0]  # a command may follow the code that it names
    exec(compile(lines, "example", "exec"), names)
    return names


@pytest.mark.slow
def test_evaluate_gives_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [b for b in examples("docs/quickstart.md") if "evaluate" in b]
    (row,) = run(block)["rows"]
    assert row.model["name"] == "collage"
    assert row.cell("id_consistency").counts == {"ok": 1}
    told = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    assert 0.9 < float(told["id_consistency"]) <= 1
    assert told["text_similarity"] == "– (1 not applicable)"
    (again,) = run(block)["rows"]
    assert again == row  # nothing was done again


def test_a_model_is_an_object_with_info_and_generate() -> None:
    (block,) = [b for b in examples("docs/your-model.md") if "class MyModel" in b]
    model = run(block)["MyModel"]()
    assert (model.info.name, model.info.revision) == ("my-model", "step-10000")


def test_a_profile_of_one_s_own_is_a_function() -> None:
    (block,) = examples("docs/metrics.md")
    (metric,) = run(block)["mine"]().metrics
    assert metric.info.name == "dynamic_degree"
