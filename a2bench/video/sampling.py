"""Which frames of a video are looked at, by named policies."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from a2bench.errors import UsageError
from a2bench.types import Video


def sampled(policy: str, video: Video) -> tuple[int, ...]:
    """The frame indices that a policy of ``sample_indices`` takes from a video."""
    return sample_indices(policy, video.frames, video.fps, video.times_s)


def sample_indices(
    policy: str, frames: int, fps: float, times_s: Sequence[float] = ()
) -> tuple[int, ...]:
    """The frame indices that a named sampling policy takes from ``frames`` frames.

    ``times_s`` is when each frame is shown, for a video whose rate varies; else it may be empty.

    - ``all``: every frame
    - ``linspace-N``: N frames evenly from the first to the last, ``trunc(linspace(0, n-1, N))``
      (OpenS2V-Eval); all frames when there are fewer than N
    - ``middle-N``: the middle of each of N equal segments, padded with the last (VBench, ViCLIP)
    - ``fps-R``: every ``max(1, round(fps / R))``-th frame, about R a second (VBench, RAFT); where
      the rate varies, the frame nearest in time to each ``1 / R`` of a second, each once
    - ``even-odd``: up to the last even index, so that each odd frame has two neighbours (VBench)
    - ``none``: no frame

    Raises ``UsageError`` for another name.
    """
    match = re.fullmatch(r"(all|none|even-odd)|(linspace|middle|fps)-([1-9]\d*)", policy)
    if match is None:
        raise UsageError(
            f"no sampling policy {policy!r}: use all, none, even-odd, linspace-N, middle-N or fps-R"
        )
    if frames < 1 or policy == "none":
        return ()
    if policy == "all":
        return tuple(range(frames))
    if policy == "even-odd":
        return tuple(range(frames - (frames + 1) % 2))
    kind, number = match[2], int(match[3])
    if kind == "fps" and times_s:
        return _by_time(np.asarray(times_s), 1 / number)
    if kind == "fps":
        return tuple(range(0, frames, max(1, round(fps / number))))
    if kind == "linspace":
        return tuple(dict.fromkeys(np.linspace(0, frames - 1, number).astype(int).tolist()))
    edges = np.linspace(0, frames, min(number, frames) + 1).astype(int)
    middles = ((edges[:-1] + edges[1:] - 1) // 2).tolist()
    return tuple(middles + [middles[-1]] * (number - len(middles)))


def _by_time(times_s: NDArray[np.float64], step_s: float) -> tuple[int, ...]:
    """The frame nearest to each step from the first frame to the last; of two as near the first."""
    due = np.arange(times_s[0], times_s[-1] + step_s / 2, step_s)
    after = np.searchsorted(times_s, due).clip(1, max(1, len(times_s) - 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    nearer = np.where(due - times_s[before] <= times_s[after] - due, before, after)
    return tuple(dict.fromkeys(nearer.tolist()))
