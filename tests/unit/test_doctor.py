from __future__ import annotations

from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from a2bench import doctor
from a2bench.cli import main

INSTALL = "pip install -e '.[judge]'"


def not_installed(name: str) -> NoReturn:
    raise metadata.PackageNotFoundError(name)


@pytest.mark.parametrize(
    ("python", "remedy"),
    [
        ((3, 12), INSTALL),
        (
            (3, 13),
            f"{INSTALL} && pip install --ignore-requires-python rapidocr-onnxruntime==1.4.4",
        ),
    ],
)
def test_an_ocr_that_is_not_here_is_told_with_what_to_type_and_stops_nobody(
    python: tuple[int, int],
    remedy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(metadata, "version", not_installed)
    monkeypatch.setattr(doctor, "sys", SimpleNamespace(version_info=python))
    (ocr,) = (check for check in doctor.diagnose("lite", tmp_path) if "OCR" in check.name)
    assert (ocr.ok, ocr.needed, ocr.remedy) == (False, False, remedy)
    assert main(["doctor"]) == 0
    assert "not here" in capsys.readouterr().out


def test_an_ocr_that_is_here_is_told_with_its_version(tmp_path: Path) -> None:
    (ocr,) = (check for check in doctor.diagnose("lite", tmp_path) if "OCR" in check.name)
    assert (ocr.ok, ocr.found) == (True, "rapidocr-onnxruntime 1.4.4")


def test_doctor_names_the_release_that_is_declared() -> None:
    declared = Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    assert "rapidocr-onnxruntime==1.4.4; python_version < '3.13'" in declared
