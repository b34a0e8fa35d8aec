"""Reads the tensors of a weights file, and nothing that the file could execute."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2bench.checkpoints.table import TABLE
from a2bench.errors import CannotRun
from a2bench.keys import file_sha256

if TYPE_CHECKING:
    from torch import Tensor

PUBLISHED = frozenset(f.sha256 for c in TABLE for f in c.files if len(f.sha256) == 64)
"""The sha256 of every checkpoint file for which the table has a whole one."""

_WRAPPERS = ("state_dict", "model", "params")
_NOT_PLAIN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)


def load_weights(path: Path, *, trusted: Collection[str] = PUBLISHED) -> dict[str, Tensor]:
    """The tensors of a weights file by name, on the CPU: the one way in which weights are read.

    Safetensors hold nothing else. A pickle is read as plain data and never executed. A TorchScript
    archive brings code of its own: it is opened only if its sha256 is among ``trusted``. A state
    dict that lies under ``state_dict``, ``model`` or ``params`` is taken out of it.

    Raises ``CannotRun`` for anything else, with the file's name.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if _is_torchscript(path):
            return _torchscript(path, trusted)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CannotRun(f"cannot read {path}: {error}") from error
    except (SafetensorError, *_NOT_PLAIN) as error:
        raise CannotRun(
            f"{path} is not a plain weights file and was not loaded: delete it and fetch it again"
        ) from error
    whole = loaded if isinstance(loaded, Mapping) else {}
    for state in (whole, *(whole.get(key) for key in _WRAPPERS)):
        if isinstance(state, Mapping) and state and _all_tensors(state):
            return dict(state)
    raise CannotRun(f"{path} is not a plain weights file: it holds no tensors by name")


def _all_tensors(state: Mapping[Any, Any]) -> bool:
    from torch import Tensor

    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _torchscript(path: Path, trusted: Collection[str]) -> dict[str, Tensor]:
    import torch

    if (found := file_sha256(path)) not in trusted:
        raise CannotRun(
            f"{path} is not a plain weights file but a TorchScript archive, which brings code of "
            f"its own, and its sha256 {found} is none that is published: it was not loaded"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # OpenAI's CLIP comes in no other form
        module: Any = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    return dict(module.state_dict())
