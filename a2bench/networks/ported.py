"""Networks as transformers builds them, from files on this machine. Import only where they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedConfig
from transformers.utils import logging

from a2bench.errors import CannotRun
from a2bench.networks.strict import first


def load_ported(
    kind: Any, path: Path, config: PreTrainedConfig, state: Mapping[str, Tensor] | None = None
) -> Any:
    """The network of class ``kind``, ready to run, with the weights of a folder of the hub.

    Of it ``model.safetensors`` is read. Where ``path`` is a file, ``state`` is what it holds, with
    the keys of a folder. Raises ``CannotRun`` with the path and the first keys that are missing,
    unexpected or of another shape.
    """
    try:
        with _quiet():
            network, told = kind.from_pretrained(
                None if state else path,
                config=config,
                state_dict=state,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # they are told, and refused below
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise CannotRun(f"{path} does not load: {error}") from error
    faults = {
        "missing": told["missing_keys"],
        "unexpected": told["unexpected_keys"],
        "of another shape": {key for key, *_ in told["mismatched_keys"]},
    }
    wrong = [f"{what}: {first(sorted(keys))}" for what, keys in faults.items() if keys]
    if wrong:
        raise CannotRun(f"{path} holds other weights than this network's; " + "; ".join(wrong))
    return network.float().eval().requires_grad_(False)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar, and no advice to train what is missing: it is refused."""
    log: Any = logging
    verbosity, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bar:
            log.enable_progress_bar()
