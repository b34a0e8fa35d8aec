from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch

from a2bench.networks.inference import OutOfMemory, in_batches, inference
from a2bench.networks.torchvision import nms


class Small:
    """A network with room for so many items, on a device that has no more memory than that."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.batches: list[int] = []
        self.held: list[weakref.ref[torch.Tensor]] = []

    def __call__(self, items: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(items))
        activations = items * 2
        self.held.append(weakref.ref(activations))
        if len(items) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore text")
        return activations


def test_batches_cover_the_items_in_order() -> None:
    network, items = Small(room=4), torch.arange(10.0)[:, None]
    assert torch.equal(in_batches(network, items, 4), items * 2)
    assert network.batches == [4, 4, 2]


def test_half_a_batch_is_tried_once_when_memory_runs_out() -> None:
    network, items = Small(room=4), torch.arange(10.0)[:, None]
    assert torch.equal(in_batches(network, items, 8), items * 2)
    assert network.batches == [8, 4, 4, 2]


@pytest.mark.parametrize(("size", "tried"), [(8, [8, 4]), (1, [1])])
def test_then_it_fails_and_gives_the_memory_back(
    size: int, tried: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[int] = []
    network = Small(room=0)
    batches = network.batches
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(len(batches)))
    message = r"out of memory: CUDA .* 2 GiB\.; .*--device cpu"
    with pytest.raises(OutOfMemory, match=message) as told:
        in_batches(network, torch.arange(10.0)[:, None], size)
    assert "More text" not in str(told.value)
    assert network.batches == tried
    assert emptied == list(range(1, len(tried) + 1))
    assert [held() for held in network.held] == [None] * len(tried)


def test_no_gradients_and_no_tf32() -> None:
    before = torch.backends.cudnn.allow_tf32
    with inference():
        assert torch.is_inference_mode_enabled()
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
    assert not torch.is_inference_mode_enabled()


def test_other_errors_are_not_touched() -> None:
    with pytest.raises(ZeroDivisionError), inference():
        _ = 1 / 0


def test_nms_keeps_the_surest_of_boxes_that_overlap() -> None:
    random = np.random.default_rng(0)
    corners = random.uniform(0, 50, (60, 2))
    boxes = np.concatenate([corners, corners + random.uniform(5, 30, (60, 2))], axis=1)
    scores = random.uniform(size=60)
    kept: list[int] = []
    for i in np.argsort(-scores):
        if all(overlap(boxes[i], boxes[j]) <= 0.4 for j in kept):
            kept.append(int(i))
    assert 5 < len(kept) < 50
    assert nms(torch.tensor(boxes), torch.tensor(scores), 0.4).tolist() == kept
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.4).tolist() == []


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other))
    return float(shared / (areas - shared))
