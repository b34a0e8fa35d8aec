"""RAFT on a row of frames beside torchvision's, on the same weights: seconds a pair, one thread."""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from a2bench.metrics.extractors.motion.flow import RaftFlow
from a2bench.metrics.extractors.motion.raft import raft_pixels
from a2bench.networks.files import LocalWeights
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.runs.executors import single_thread

FRAMES, HEIGHT, WIDTH, ITERATIONS = 4, 480, 832, 20


def main() -> None:
    single_thread()
    ensure_torchvision()
    from torchvision.models.optical_flow import raft_large

    torch.manual_seed(0)
    theirs = raft_large().eval()
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (HEIGHT + 99, WIDTH + 99, 3), np.uint8)
    frames = [picture[5 * i : 5 * i + HEIGHT, 7 * i : 7 * i + WIDTH] for i in range(FRAMES)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raft_large.pth"
        torch.save(theirs.state_dict(), path)
        ours = RaftFlow(weights=LocalWeights(path=path), iterations=ITERATIONS)
        ours.between(frames[1], frames[0])  # loads the network
        start = time.perf_counter()
        flows = [ours.between(a, b) for a, b in pairwise(frames)]
        here = (time.perf_counter() - start) / (FRAMES - 1)
        start = time.perf_counter()
        with torch.inference_mode():
            expected = [
                theirs(raft_pixels(a), raft_pixels(b), num_flow_updates=ITERATIONS)[-1][0]
                for a, b in pairwise(frames)
            ]
        there = (time.perf_counter() - start) / (FRAMES - 1)
    off = max(
        float(np.abs(flow - e.permute(1, 2, 0).numpy()).max())
        for flow, e in zip(flows, expected, strict=True)
    )
    print(f"RAFT, {WIDTH}x{HEIGHT}, {ITERATIONS} iterations, seconds a pair:")
    print(f"  a2bench      {here:.2f}")
    print(f"  torchvision  {there:.2f}   (flows differ by at most {off:.1e} px)")


if __name__ == "__main__":
    main()
