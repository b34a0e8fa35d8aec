"""Faults 20 and 21: weights from untrusted hands, downloads that break."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from a2bench.checkpoints.files import Checkpoints
from a2bench.checkpoints.table import Checkpoint, File
from a2bench.checkpoints.tensors import load_weights
from a2bench.errors import CannotRun
from a2bench.waiting.patience import Patience
from tests.helpers.checkpoints import Payload
from tests.helpers.web import Web, serve

DATA = bytes(range(256)) * 20
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as web:
        web.files["/net.pth"] = DATA
        yield web


@pytest.fixture
def held(web: Web, tmp_path: Path) -> Checkpoints:
    file = File(name="net.pth", url=f"{web.url}/net.pth", bytes=len(DATA), sha256=SHA256)
    table = (Checkpoint(name="net", purpose="a test", licence="MIT", files=(file,)),)
    return Checkpoints(root=tmp_path / "root", table=table)


def fetch(held: Checkpoints, **environ: str) -> str:
    """What the fetch that fails says."""
    with pytest.raises(CannotRun) as told:
        held.fetch("net", environ=environ, patience=Patience(deadline_s=0))
    assert not held.path("net").exists()
    text = str(told.value)
    assert f"expected sha256: {SHA256}" in text
    assert f"net.pth at {held.path('net')}" in text  # what to put where by hand
    return text


def test_fault_20_a_pickle_with_a_payload_is_refused_by_its_sha256_first(
    held: Checkpoints, tmp_path: Path
) -> None:
    trap = tmp_path / "executed"
    held.path("net").parent.mkdir(parents=True)
    torch.save(Payload(trap), held.path("net"))
    with pytest.raises(CannotRun, match="checkpoint net is damaged"):
        held.locate("net")
    assert not trap.exists()


def test_fault_20_a_pickle_with_a_payload_is_never_executed(
    held: Checkpoints, web: Web, tmp_path: Path
) -> None:
    """Even where its sha256 is the published one."""
    trap, evil = tmp_path / "executed", tmp_path / "evil.pth"
    torch.save(Payload(trap), evil)
    web.files["/net.pth"] = evil.read_bytes()
    file = File(name="net.pth", url=f"{web.url}/net.pth")
    table = (Checkpoint(name="net", purpose="a test", licence="MIT", files=(file,)),)
    path = Checkpoints(root=held.root, table=table).fetch("net")
    with pytest.raises(CannotRun, match="not a plain weights file and was not loaded"):
        load_weights(path)
    assert not trap.exists()


def test_fault_21_an_interrupted_download_is_kept_and_goes_on(held: Checkpoints, web: Web) -> None:
    web.cut_after = 1000
    assert "1000 bytes are kept in" in fetch(held)
    assert "2000 bytes are kept in" in fetch(held)
    web.cut_after = None
    assert held.fetch("net").read_bytes() == DATA
    assert [asked for _, asked in web.asked] == ["", "bytes=1000-", "bytes=2000-"]


def test_fault_21_a_wrong_file_is_deleted(held: Checkpoints, web: Web) -> None:
    web.files["/net.pth"] = DATA[:-1] + b"x"
    assert "it was deleted" in fetch(held)
    assert list(held.path("net").parent.iterdir()) == []


def test_fault_21_offline_the_way_by_hand_is_told(held: Checkpoints, web: Web) -> None:
    assert "the network is off" in fetch(held, A2BENCH_OFFLINE="1")
    assert web.asked == []
    held.path("net").parent.mkdir(parents=True)
    held.path("net").write_bytes(DATA)
    assert held.locate("net") == held.path("net")
