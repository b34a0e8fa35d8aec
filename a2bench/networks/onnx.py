"""Networks in ONNX files, run by onnxruntime. Import this only where a network runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
)

from a2bench.errors import CannotRun
from a2bench.pictures import Floats

_ERRORS_ONLY = 3


class OnnxNetwork:
    """One input, so many outputs. On a GPU only where onnxruntime-gpu is installed; else the CPU.

    A GPU computes in full float32, not TF32: the devices' scores agree. Raises ``CannotRun`` for a
    file that is no such network.
    """

    def __init__(self, path: Path, *, outputs: int, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY  # published files declare a batch of one
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))  # as for torch
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=_providers(device)
            )
        except (OSError, Fail, InvalidArgument, InvalidGraph, InvalidProtobuf) as error:
            raise CannotRun(f"{path} is not a network that onnxruntime can load") from error
        found = len(self._session.get_outputs())
        if len(self._session.get_inputs()) != 1 or found != outputs:
            raise CannotRun(f"{path} is another network: it gives {found} outputs, not {outputs}")
        self._input: str = self._session.get_inputs()[0].name

    def __call__(self, images: Floats) -> list[Floats]:
        """Its outputs for images (n, 3, h, w)."""
        outputs: list[Floats] = self._session.run(None, {self._input: images})
        return outputs


def _providers(device: str) -> list[Any]:
    kind, _, index = device.partition(":")
    if kind == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        onnxruntime.preload_dlls()  # CUDA as pip installs it, for torch too
        gpu = {"device_id": index or "0", "use_tf32": "0"}
        return [("CUDAExecutionProvider", gpu), "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]
