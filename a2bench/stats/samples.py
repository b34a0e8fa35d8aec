"""Samples: finite numbers, in pairs where two belong together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[Floats, Floats]:
    """Two samples of the same cases. Raises ``ValueError`` if they are none."""
    if len(a) != len(b) or not a:
        raise ValueError(f"pairs need two samples of one length, not {len(a)} and {len(b)} values")
    return finite(a), finite(b)


def finite(values: Sequence[float]) -> Floats:
    """The values as an array. Raises ``ValueError`` if one is not finite."""
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError("a value is not finite; failed measurements are left out, not averaged")
    return array
