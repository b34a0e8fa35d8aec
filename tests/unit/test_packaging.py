from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers import ROOT

FOLDERS = ("metrics", "app", "prompts", "references", "leaderboards")


@pytest.mark.slow
def test_the_wheel_holds_what_the_tree_holds(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    config = tmp_path / "setup.cfg"
    config.write_text(f"[build]\nbuild_base = {tmp_path}/build\n")  # not what was built before
    environ = {**os.environ, "DIST_EXTRA_CONFIG": str(config)}
    subprocess.run([*build, str(tmp_path), str(ROOT)], check=True, capture_output=True, env=environ)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == expected()


def expected() -> set[str]:
    """Every file of the package that git does not ignore, as it is called when installed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard", "a2bench", *FOLDERS],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    files = set()
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_symlink():
            continue
        files.add(name if name.startswith("a2bench/") else f"a2bench/{name}")
    return files


def test_links_in_the_package_lead_to_the_top_folders() -> None:
    for name in FOLDERS:
        assert (ROOT / "a2bench" / name).resolve() == (ROOT / name).resolve()


@pytest.mark.slow
def test_help_answers_without_the_heavy_libraries() -> None:
    code = (
        "import sys; from a2bench.cli.entry import main; main(['run', '--help']);"
        "heavy = {'torch', 'pandas', 'cv2', 'dlib', 'scipy', 'av'} & set(sys.modules);"
        "sys.exit(f'{heavy} loaded' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_cpu_install_brings_no_cuda_package() -> None:
    from importlib.metadata import distributions

    import torch

    names = {d.metadata["Name"].lower() for d in distributions()}
    assert torch.version.cuda is None
    assert not [name for name in names if name.startswith(("nvidia-", "triton"))]
