"""Parameters that were typed: text stays text, numbers are numbers, and none is infinite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest

from a2bench.cli import main
from a2bench.errors import UsageError
from a2bench.generator import GeneratorInfo
from a2bench.parameters import typed
from a2bench.registry import GENERATORS
from a2bench.runs.store import RunStore
from tests.helpers.generators import MyGenerator
from tests.helpers.runs import command
from tests.helpers.suites import write_suite

if TYPE_CHECKING:
    from fractions import Fraction as Elsewhere


@dataclass(kw_only=True)
class Model:
    """A parameter of each kind; annotations are text here, as in most modules."""

    name: str = ""
    revision: str | None = None
    weights: Path = Path()
    kind: Literal["a", "b"] = "a"
    tag: Annotated[str, "shown"] = ""
    words: str | Sequence[str] = ""
    mixed: str | int = ""
    steps: int = 1
    scale: float = 1.0
    fast: bool = False
    limit: float | None = None
    sizes: list[int] = field(default_factory=list)
    odd: Elsewhere | None = None
    odd_text: Elsewhere | str = ""
    any_: Any = None


class Inherits(Model):
    """Its annotations are those of its base."""


def build(revision, level, *, name: str = "", **more):  # type: ignore[no-untyped-def]
    """A factory that says little of its parameters."""


@pytest.mark.parametrize("factory", [Model, Inherits])
@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("revision", "1.10", "1.10"),
        ("revision", "1.1", "1.1"),
        ("revision", "12e4567", "12e4567"),
        ("revision", "007", "007"),
        ("revision", "true", "true"),
        ("revision", '"quoted"', '"quoted"'),
        ("revision", "null", None),
        ("name", "NaN", "NaN"),
        ("name", "null", "null"),
        ("name", "", ""),
        ("weights", "2024", "2024"),
        ("kind", "1", "1"),
        ("tag", "1e3", "1e3"),
        ("words", "[1", "[1"),
        ("words", '["a", "b"]', ["a", "b"]),
        ("words", "3", "3"),
        ("mixed", "3", 3),
        ("mixed", "3.0", "3.0"),
        ("steps", "50", 50),
        ("scale", "5", 5),
        ("scale", "1e-3", 0.001),
        ("fast", "true", True),
        ("limit", "null", None),
        ("sizes", "[1, 2]", [1, 2]),
        ("odd", "0.5", 0.5),
        ("odd_text", "0.50", "0.50"),
        ("any_", "12e4567", "12e4567"),
        ("any_", "1.10", 1.1),
        ("unknown", "3", 3),
    ],
)
def test_a_text_becomes_what_the_parameter_is_annotated_as(
    factory: Any, name: str, text: str, value: object
) -> None:
    (found,) = typed(factory, {name: text}).values()
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("scale", "12e4567", "scale is '12e4567', which is no finite number"),
        ("scale", "NaN", "scale is 'NaN', which is no finite number"),
        ("limit", "-Infinity", "limit is '-Infinity', which is no finite number"),
        ("sizes", "[1, 1e999]", "no finite number"),
        ("steps", "2.5", "steps is '2.5', but it takes int"),
        ("steps", "ten", "but it takes int"),
        ("steps", "true", "but it takes int"),
        ("fast", "1", "but it takes bool"),
        ("limit", "none", "but it takes float or null"),
    ],
)
def test_what_is_no_value_of_the_kind_is_refused_by_name(name: str, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("[", r"\[")):
        typed(Model, {name: text})


def test_without_annotations_names_and_revisions_are_text_and_the_rest_json() -> None:
    texts = {"revision": "1.10", "level": "1.10", "name": "1", "more": "[1]", "last": "1e999"}
    found = typed(build, texts)
    assert found == {"revision": "1.10", "level": 1.1, "name": "1", "more": [1], "last": "1e999"}


def test_every_shipped_model_can_be_named_and_numbered() -> None:
    for name in GENERATORS.targets():
        assert GENERATORS.typed(name, {"revision": "1.10"}) == {"revision": "1.10"}, name


@pytest.mark.parametrize("params", [{"x": math.nan}, {"x": [1, math.inf]}, {"x": object()}])
def test_a_model_whose_parameters_are_no_json_is_refused_in_words(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"model m: its params hold .* at '?[x1]'?"):
        GeneratorInfo(name="m", revision="1", params=params)


@dataclass(frozen=True, kw_only=True)
class Scaled(MyGenerator):
    """A model with a number that nobody checks."""

    scale: Any = 1.0

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(name="s", revision=self.revision, params={"scale": float(self.scale)})


def test_two_revisions_are_two_models_and_infinity_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, store = write_suite(tmp_path / "suite", 1), tmp_path / "store"
    words = [*command(suite, store, "--in-process")[3:], "--model", f"{__name__}:Scaled"]
    for revision in ("1.1", "1.10", "12e4567"):
        assert main([*words, "--param", f"revision={revision}"]) == 0
    videos = [r for r in RunStore(store).records().values() if r.kind == "video"]
    assert len(videos) == 3
    capsys.readouterr()
    assert main([*words, "--param", "scale=12e4567"]) == 1
    assert "model s: its params hold inf at 'scale'" in capsys.readouterr().err
    assert main([*words, "--param", "revision=1", "--param", "revision=2"]) == 1
    assert "revision is given twice" in capsys.readouterr().err
