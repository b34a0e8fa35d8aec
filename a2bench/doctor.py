"""What this machine can run, what is missing, and what to type."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

from a2bench.errors import A2BenchError
from a2bench.metric import missing_files
from a2bench.registry import GENERATORS, METRICS, build_profile


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the report: what was looked at, whether it is in order, and what to do if not.

    What is not ``needed`` may be missing.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True


def diagnose(profile: str, folder: Path) -> list[Check]:
    """All checks for running ``profile`` with a store in ``folder``."""
    return [
        _python(),
        _machine(folder),
        *(_module(*row) for row in _MODULES),
        _torch(),
        _encoder(),
        _suite(),
        *_metrics(profile),
        _ocr(),
        _plugins(),
    ]


_INSTALL = "pip install -r requirements-cpu.txt"
_MODULES = (
    ("numpy", "numpy", _INSTALL),
    ("PyAV", "av", _INSTALL),
    ("OpenCV", "cv2", f"{_INSTALL}; on Debian also: apt-get install libgl1 libglib2.0-0"),
    ("dlib", "dlib", f"{_INSTALL} (the package is dlib-bin)"),
    ("pandas", "pandas", _INSTALL),
    ("pypiqe", "pypiqe", _INSTALL),
)


def _python() -> Check:
    version = platform.python_version()
    return Check(
        name="Python",
        ok=sys.version_info >= (3, 11),
        found=version,
        remedy="use Python 3.11 or newer",
    )


def _machine(folder: Path) -> Check:
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free / 2**30
    return Check(
        name="machine",
        ok=free > 1,
        found=f"{os.cpu_count()} cores, {free:.0f} GiB free for the store",
        remedy="free disk space, or give another --store",
    )


def _module(name: str, module: str, remedy: str) -> Check:
    try:
        found = import_module(module)
    except ImportError as error:
        return Check(name=name, ok=False, found=str(error), remedy=remedy)
    return Check(name=name, ok=True, found=str(getattr(found, "__version__", "present")))


def _torch() -> Check:
    try:
        import torch
    except ImportError as error:
        return Check(name="torch", ok=False, found=str(error), remedy=_INSTALL)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return Check(name="torch", ok=True, found=f"{torch.__version__} on {device}")


def _encoder() -> Check:
    import av

    ok = "libx264" in av.codecs_available
    return Check(name="H.264 encoder", ok=ok, found="libx264" if ok else "none", remedy=_INSTALL)


def _suite() -> Check:
    from a2bench.suites.suite import load_suite

    try:
        found = f"{len(load_suite('a2bench-open').cases)} cases"
    except A2BenchError as error:
        return Check(name="suite a2bench-open", ok=False, found=str(error), remedy=_INSTALL)
    return Check(name="suite a2bench-open", ok=True, found=found)


def _metrics(profile: str) -> list[Check]:
    """One line for each thing that is missing, or one for all that is there."""
    name = f"profile {profile}"
    try:
        metrics = build_profile(profile).metrics
    except A2BenchError as error:
        found, _, remedy = str(error).partition("; ")
        return [Check(name=name, ok=False, found=found, remedy=remedy)]
    lacking = [text.partition("; ") for text in missing_files(metrics)]
    if not lacking:
        return [Check(name=name, ok=True, found=f"{len(metrics)} metrics, weights verified")]
    return [Check(name=name, ok=False, found=found, remedy=remedy) for found, _, remedy in lacking]


def _ocr() -> Check:
    """Reads text in videos that speaks to a judge; the package says that it is not for 3.13."""
    package, version = "rapidocr-onnxruntime", "1.4.4"
    remedy = "pip install -e '.[judge]'"
    if sys.version_info >= (3, 13):
        remedy += f" && pip install --ignore-requires-python {package}=={version}"
    try:
        found = f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        found = f"{package} is not installed: no metrics of a judge"
        return Check(name="OCR for judges", ok=False, found=found, remedy=remedy, needed=False)
    return Check(name="OCR for judges", ok=True, found=found)


def _plugins() -> Check:
    """Counts what can be named; ``a2bench list`` loads each and warns of a broken one."""
    count = len([*GENERATORS.targets(), *METRICS.targets()])
    return Check(name="models and plug-ins", ok=True, found=f"{count}: a2bench list models")
