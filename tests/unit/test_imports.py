"""What tests share lies in tests/helpers: no test module imports another one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.helpers import ROOT

TESTS = sorted((ROOT / "tests").rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """Dotted names of what is imported anywhere in a module, of names out of modules too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{a.name}" for a in node.names)


def of_tests(source: str) -> list[str]:
    """The imports out of test modules and of files of fixtures."""
    return [
        name
        for name in imported(source)
        if name.startswith(("tests.", "."))
        and any(part.startswith("test_") or part == "conftest" for part in name.split("."))
    ]


def test_no_test_module_is_imported() -> None:
    assert len(TESTS) > 100
    found = {path.relative_to(ROOT): of_tests(path.read_text(encoding="utf-8")) for path in TESTS}
    assert {str(path): names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from tests.unit.runs.test_loop import do",
        "from tests.unit.runs import test_loop",
        "import tests.unit.runs.test_loop as loop",
        "from .test_loop import do",
        "from tests.app.conftest import Site",
        "def test() -> None:\n    from tests.unit.runs.test_loop import do",
    ],
)
def test_every_way_to_import_one_is_seen(source: str) -> None:
    assert len(of_tests(source)) == 1


def test_helpers_may_be_imported() -> None:
    assert of_tests("from tests.helpers.runs import ask\nfrom tests.golden import make_clip") == []
