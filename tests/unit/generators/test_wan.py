"""What models on Wan share, held to numbers of the public code and of the plain class.

Trailing references: diffusers' plain class (torch 2.13.0, CPU, float32) on the small weights of
``tests.helpers.wan``; the public pipelines do the same by reading. Schedules: diffusers 0.33.1,
which are native Wan's. Tolerance 1e-4.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from a2bench.generators.wan.guidance import guided
from a2bench.generators.wan.sampling import Sampling, unipc
from a2bench.generators.wan.trailing import behind, predict
from a2bench.networks.torchvision import ensure_torchvision
from tests.helpers.wan import Told, check, transformer

pytestmark = pytest.mark.slow


class Trailing:
    """The small transformer and its inputs."""

    def __init__(self) -> None:
        self.transformer = transformer()
        random = torch.Generator().manual_seed(1)
        shapes = (1, 16, 3, 4, 6), (1, 16, 2, 4, 6), (1, 7, 24), (1, 7, 24)
        drawn = (torch.randn(shape, generator=random) for shape in shapes)
        self.latents, self.references, self.text, self.negative = drawn

    def answer(self, text: Tensor, references: Tensor, slots: int = 0) -> Tensor:
        time = torch.tensor([600])
        with torch.no_grad():
            return predict(self.transformer, self.latents, references, text, time, slots=slots)


@pytest.fixture(scope="module")
def small() -> Trailing:
    return Trailing()


def answers(small: Trailing) -> dict[str, Tensor]:
    refs = small.references
    found = {
        "text": small.answer(small.text, refs),
        "negative": small.answer(small.negative, refs),
        "neither": small.answer(small.negative, torch.zeros_like(refs)),
        "padded": small.answer(small.text, refs, slots=4),
    }
    found["guided"] = guided(
        found["neither"], found["negative"], found["text"], by_image=5.0, by_text=7.5
    )
    return found


TOLD: dict[str, Told] = {
    "text": (0.148554, 1.346251, (1.04435, -0.39332, 2.64853, -1.8272), 1258.7378),
    "negative": (0.092545, 1.410892, (1.64148, -0.65026, 2.97794, -2.00575), 1323.9358),
    "neither": (0.093077, 1.418937, (1.79511, -0.83049, 3.09298, -2.14504), 1328.8614),
    "guided": (0.510486, 2.56592, (-3.45154, 1.9977, 0.0472, -0.10944), 2389.6883),
    "padded": (0.153187, 1.351893, (1.05078, -0.49071, 2.67859, -1.92458), 1263.1565),
}


@pytest.mark.parametrize("name", list(TOLD))
def test_trailing_references_are_the_plain_class_s(small: Trailing, name: str) -> None:
    check(answers(small)[name], TOLD[name])


def test_the_order_of_references_counts(small: Trailing) -> None:
    turned = small.answer(small.text, small.references.flip(2))
    assert not torch.allclose(turned, small.answer(small.text, small.references), atol=1e-3)
    assert behind(small.latents, small.references, slots=4).shape == (1, 16, 7, 4, 6)


@pytest.mark.parametrize(
    ("shift", "steps", "first", "last"),
    [
        (3.0, 50, [999, 992, 985, 978, 971], [160, 111, 57]),
        (5.0, 50, [999], [241, 172, 92]),
        (5.0, 8, [999, 972, 937, 892, 833, 749, 624, 416], [416]),
        (8.0, 50, [999], [337, 249, 140]),
        (16.0, 50, [999, 998, 997, 995, 994], [504, 399, 245]),
    ],
)
def test_schedules_are_native_wan_s(
    shift: float, steps: int, first: list[int], last: list[int]
) -> None:
    times = unipc(Sampling(steps=steps, flow_shift=shift)).timesteps.tolist()
    assert len(times) == steps
    assert times[: len(first)] == first
    assert times[-len(last) :] == last


SMALL = {"num_attention_heads": 12, "num_layers": 30, "ffn_dim": 8960}


@pytest.mark.parametrize(
    ("name", "config", "count"),
    [
        ("WanTransformer3DModel", SMALL, 1_418_996_800),
        ("WanTransformer3DModel", {}, 14_288_491_584),
        ("WanVACETransformer3DModel", SMALL | {"vace_layers": [*range(0, 30, 2)]}, 2_153_972_032),
        ("WanVACETransformer3DModel", {"vace_layers": [*range(0, 40, 5)]}, 17_337_592_896),
    ],
    ids=["1.3B", "14B", "VACE-1.3B", "VACE-14B"],
)
def test_the_published_sizes(name: str, config: dict[str, Any], count: int) -> None:
    ensure_torchvision()
    import diffusers

    with torch.device("meta"):
        network = getattr(diffusers, name)(**config)
    assert sum(value.numel() for value in network.parameters()) == count


def test_guidance_of_two_conditions() -> None:
    u, i, c = (torch.randn(3, generator=torch.Generator().manual_seed(n)) for n in range(3))
    told = guided(u, i, c, by_image=2.0, by_text=5.0)
    assert torch.allclose(told, u + 2 * (i - u) + 5 * (c - i))
    assert torch.allclose(guided(u, u, c, by_image=2.0, by_text=5.0), u + 5 * (c - u))
    assert torch.allclose(guided(u, c, c, by_image=2.0, by_text=5.0), u + 2 * (c - u))
