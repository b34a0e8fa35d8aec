"""Lynx's resampler and adapters on diffusers' plain transformer, held to the public code.

The numbers were computed with the public code (bytedance/lynx 3a6a91a on diffusers 0.33.1, torch
2.13.0, CPU, float32) on small networks whose weights depend on the names of their keys alone
(``random_weights``; keys of the base as they are, others with ``resampler.``, ``ip.N.``,
``ref.N.`` before them). Tolerance 1e-4 for the mean, deviation and first values.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from a2bench.errors import CannotRun
from a2bench.generators.lynx.adapters import Adapters, Identity, Reference, Subject
from a2bench.generators.lynx.resampler import Resampler
from a2bench.generators.lynx.weights import load
from tests.helpers.wan import Told, check, filled, transformer

pytestmark = pytest.mark.slow


class Small:
    """The small networks and their inputs."""

    def __init__(self) -> None:
        self.transformer = transformer()
        self.resampler = filled(
            Resampler(dim=40, depth=2, head_dim=8, queries=4, embedding_dim=16, output_dim=64),
            "resampler.",
        )
        self.adapters = Adapters(
            transformer=self.transformer,
            identity={i: filled(Identity(64, 64, 4), f"ip.{i}.") for i in range(2)},
            reference={i: filled(Reference(64), f"ref.{i}.") for i in range(2)},
        )
        random = torch.Generator().manual_seed(0)
        shapes = (1, 16, 3, 4, 6), (1, 7, 24), (1, 5, 24), (1, 16, 1, 4, 4), (1, 1, 16)
        drawn = (torch.randn(shape, generator=random) for shape in shapes)
        self.latents, self.text, ref_text, ref_latent, self.face = drawn
        self.tokens = self.resampler(self.face)
        with self.adapters.recording() as features:
            self.transformer(
                hidden_states=ref_latent, timestep=torch.tensor([0]), encoder_hidden_states=ref_text
            )
        self.features = features

    def answer(self, subject: Subject | None = None) -> Tensor:
        with self.adapters.showing(subject or Subject()):
            answer: Tensor = self.transformer(
                hidden_states=self.latents, timestep=torch.tensor([700]),
                encoder_hidden_states=self.text, return_dict=False,
            )[0]  # fmt: skip
        return answer


@pytest.fixture(scope="module")
def small() -> Small:
    with torch.no_grad():
        return Small()


def test_the_base_is_as_small_as_it_was(small: Small) -> None:
    assert sum(value.numel() for value in small.transformer.parameters()) == 138_432


def test_tokens_of_a_face_are_the_public_code_s(small: Small) -> None:
    check(small.tokens, (0.004208, 0.72016, (-0.38974, -0.10573, -0.38102, -0.16329), 145.6877))
    nobody = small.resampler(0 * small.face)  # the tokens of nobody are not zero
    assert nobody.flatten()[:4].tolist() == pytest.approx(
        (0.04228, -0.05948, -0.64204, 0.75486), abs=1e-4
    )
    assert nobody.abs().sum().item() == pytest.approx(142.6245, abs=0.02)


def test_features_of_a_reference_are_the_public_code_s(small: Small) -> None:
    assert len(small.features) == 2
    told = (-0.056439, 1.034029, (0.46943, 0.41353, -0.33956, -0.669), 207.6743)
    check(small.features[1], told)


@pytest.mark.parametrize(
    ("ip_scale", "ref_scale", "told"),
    [
        (0.0, 0.0, (0.156292, 1.367188, (-0.20992, -2.34323, -0.65732, 0.40188), 1265.7333)),
        (1.0, 0.0, (0.150211, 1.300683, (-0.93829, -0.7956, -1.1385, 1.36248), 1217.3972)),
        (0.0, 1.0, (0.21626, 1.352391, (-0.71129, -1.90187, -0.99232, 0.60433), 1258.9009)),
        (1.0, 1.0, (0.19941, 1.30152, (-1.33095, -0.53436, -1.38082, 1.51138), 1225.4353)),
        (0.5, 0.25, (0.174508, 1.308368, (-0.76882, -1.45903, -1.04532, 1.03044), 1224.0873)),
    ],
    ids=["base", "id", "ref", "both", "scaled"],
)
def test_adapters_are_the_public_code_s(
    small: Small, ip_scale: float, ref_scale: float, told: Told
) -> None:
    subject = Subject(
        tokens=small.tokens, features=small.features, ip_scale=ip_scale, ref_scale=ref_scale
    )
    check(small.answer(subject), told)


def test_without_a_subject_the_base_is_untouched(small: Small) -> None:
    base = small.answer()
    off = Subject(tokens=small.tokens, features=small.features, ip_scale=0.0, ref_scale=0.0)
    assert torch.equal(small.answer(off), base)
    small.answer(Subject(tokens=small.tokens, features=small.features))
    assert torch.equal(small.answer(), base)
    modules = small.transformer.modules()
    assert not any(module._forward_pre_hooks for module in modules)


def test_hooks_go_when_a_forward_fails(small: Small) -> None:
    subject = Subject(tokens=small.tokens[..., :3])
    with pytest.raises(RuntimeError):
        small.answer(subject)
    assert not any(module._forward_pre_hooks for module in small.transformer.modules())


def test_lite_takes_keys_without_weights_of_their_own(small: Small) -> None:
    """Every second block, tokens of another size, no registers and no biases."""
    lite = Identity(64, 32, 0)
    assert set(lite.state_dict()) == {"to_k_ip.weight", "to_v_ip.weight"}
    adapters = Adapters(transformer=small.transformer, identity={0: filled(lite, "ip.0.")})
    tokens = torch.ones(1, 4, 32)
    with adapters.showing(Subject(tokens=tokens)):
        found = small.transformer(
            hidden_states=small.latents, timestep=torch.tensor([700]),
            encoder_hidden_states=small.text, return_dict=False,
        )[0]  # fmt: skip
    assert not torch.allclose(found, small.answer())


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        resampler, identity, reference = Resampler(), Identity(5120, 5120, 16), Reference(5120)
    count = [
        sum(v.numel() for v in network.parameters()) for network in (resampler, identity, reference)
    ]
    assert count[0] == pytest.approx(85.92e6, rel=1e-4)
    assert 40 * count[1] == pytest.approx(2.10e9, rel=1e-3)
    assert 40 * count[2] == pytest.approx(2.098e9, rel=1e-3)
    names = {name: tuple(value.shape) for name, value in resampler.state_dict().items()}
    assert names["latents"] == (1, 16, 1280)
    assert names["layers.3.0.to_kv.weight"] == (2560, 1280)
    assert names["layers.0.1.1.weight"] == (5120, 1280)
    assert names["layers.0.1.3.weight"] == (1280, 5120)
    assert "layers.0.1.1.bias" not in names


def published(folder: Path, *, lite: bool = False) -> Path:
    """Files of small networks in the published layout, for the small transformer."""
    resampler = Resampler(
        dim=64, depth=2, queries=4, embedding_dim=16, output_dim=32 if lite else 64
    )
    count = 1 if lite else 2
    sizes = (64, 32, 0) if lite else (64, 64, 4)
    identity = nn.ModuleDict({str(at): Identity(*sizes) for at in range(count)})
    parts = {"resampler": resampler, "ip_layers": identity}
    if not lite:
        parts["ref_layers"] = nn.ModuleDict({str(at): Reference(64) for at in range(2)})
    folder.mkdir()
    for name, part in parts.items():
        save_file(filled(part, f"{name}.").state_dict(), folder / f"{name}.safetensors")
    return folder


def test_the_published_files_are_read(small: Small, tmp_path: Path) -> None:
    full = load(published(tmp_path / "full"), small.transformer, dtype=torch.float32)
    assert (full.lite, list(full.adapters.identity), list(full.adapters.reference)) == (
        False, [0, 1], [0, 1],
    )  # fmt: skip
    assert full.resampler is not None
    tokens = full.resampler(small.face)
    with full.adapters.showing(Subject(tokens=tokens, features=small.features)):
        found = small.answer()
    assert not torch.allclose(found, small.answer())
    lite = load(published(tmp_path / "lite", lite=True), small.transformer, dtype=torch.float32)
    assert (lite.lite, list(lite.adapters.identity), lite.adapters.reference) == (True, [0], {})


def test_an_adapter_that_is_off_needs_no_file(small: Small, tmp_path: Path) -> None:
    folder = published(tmp_path / "full")
    (folder / "ref_layers.safetensors").unlink()
    found = load(folder, small.transformer, dtype=torch.bfloat16, reference=False)
    assert found.adapters.reference == {}
    assert found.adapters.identity[0].to_k_ip.weight.dtype == torch.bfloat16
    with pytest.raises(CannotRun, match=r"ref_layers\.safetensors is missing"):
        load(folder, small.transformer, dtype=torch.float32)


@pytest.mark.parametrize(
    ("name", "key", "shape", "reason"),
    [
        ("ip_layers", "1.to_v_ip.bias", None, r"missing: 1\.to_v_ip\.bias"),
        ("ip_layers", "2.x", (3,), r"unexpected: 2\.x"),
        ("ref_layers", "0.to_k_ref.bias", (3,), r"of another shape: 0\.to_k_ref\.bias"),
        ("resampler", "latents", None, "is no resampler of Lynx: 'latents'"),
        ("resampler", "norm_out.bias", None, r"missing: norm_out\.bias"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(
    small: Small, tmp_path: Path, name: str, key: str, shape: tuple[int] | None, reason: str
) -> None:
    folder = published(tmp_path / "full")
    state = load_file(folder / f"{name}.safetensors")
    if shape is None:
        del state[key]
    else:
        state[key] = torch.ones(shape)
    save_file(state, folder / f"{name}.safetensors")
    with pytest.raises(CannotRun, match=rf"{name}\.safetensors .*{reason}"):
        load(folder, small.transformer, dtype=torch.float32)
