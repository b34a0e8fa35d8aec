from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from a2bench.checkpoints.tensors import PUBLISHED, load_weights
from a2bench.errors import CannotRun
from a2bench.keys import file_sha256
from tests.helpers.checkpoints import Payload

STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.ones(2)}


def same(found: dict[str, Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[k], STATE[k]) for k in STATE)


@pytest.mark.parametrize("key", ["", "state_dict", "model", "params"])
@pytest.mark.parametrize("new_format", [True, False])
def test_a_state_dict_is_found_bare_or_wrapped(tmp_path: Path, key: str, new_format: bool) -> None:
    path = tmp_path / "weights.pth"
    whole: Any = {key: OrderedDict(STATE), "epoch": 3} if key else STATE
    torch.save(whole, path, _use_new_zipfile_serialization=new_format)
    assert same(load_weights(path))


def test_safetensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(STATE, path)
    assert same(load_weights(path))


class Linear(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layer(x)
        return found


def scripted(path: Path) -> Path:
    network = Linear()
    network.load_state_dict(STATE)
    with pytest.warns(DeprecationWarning):
        script: Any = torch.jit.script(network)
    script.save(path)
    return path


def test_a_torchscript_archive_is_opened_only_if_its_sha256_is_known(tmp_path: Path) -> None:
    path = scripted(tmp_path / "ViT.pt")
    assert same(load_weights(path, trusted={file_sha256(path)}))
    with pytest.raises(CannotRun, match=f"sha256 {file_sha256(path)} is none that is published"):
        load_weights(path)


def test_only_whole_sha256_are_trusted() -> None:
    assert "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836" in PUBLISHED
    assert {len(sha256) for sha256 in PUBLISHED} == {64}


@pytest.mark.parametrize("kind", ["torch", "legacy", "pickle", "state", "module"])
def test_code_in_a_file_is_never_executed(tmp_path: Path, kind: str) -> None:
    path, trap = tmp_path / "weights.pth", tmp_path / "executed"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Payload(trap), protocol=2))
    elif kind == "module":
        torch.save(torch.nn.Linear(2, 2), path)
    else:
        whole = {"state_dict": STATE, "more": Payload(trap)} if kind == "state" else Payload(trap)
        torch.save(whole, path, _use_new_zipfile_serialization=kind != "legacy")
    with pytest.raises(CannotRun, match=f"{path} is not a plain weights file and was not loaded"):
        load_weights(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"PK\x03\x04", b"version https://git-lfs", b"\x80"]
)
@pytest.mark.parametrize("name", ["weights.pth", "model.safetensors"])
def test_what_is_no_weights_file_is_told(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(CannotRun, match=f"{name} is not a plain weights file"):
        load_weights(path)


def test_an_archive_with_a_broken_directory_is_told(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes().replace(b"PK\x01\x02", b"PK\x00\x00"))
    with pytest.raises(CannotRun, match=r"weights\.pth is not a plain weights file"):
        load_weights(path)


@pytest.mark.parametrize("whole", [[1], {}, {"state_dict": {}}, {"a": 1}, {1: torch.ones(1)}])
def test_a_file_without_tensors_by_name_is_told(tmp_path: Path, whole: Any) -> None:
    path = tmp_path / "weights.pth"
    torch.save(whole, path)
    with pytest.raises(CannotRun, match="it holds no tensors by name"):
        load_weights(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=r"cannot read .*absent\.pth"):
        load_weights(tmp_path / "absent.pth")
