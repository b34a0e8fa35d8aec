"""The networks of SkyReels-A2: the published table of keys, strict loading, where weights lie."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from a2bench.errors import CannotRun
from a2bench.generators.skyreels_a2 import weights
from a2bench.generators.skyreels_a2.generator import SkyReelsA2
from a2bench.keys import file_sha256
from a2bench.types import Suite
from tests.golden import make_skyreels_a2 as public
from tests.helpers.makers import make_case

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))
FULL = {"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120}
TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors"
WAN_CONFIG = {
    "_class_name": "WanModel",
    "dim": 64,
    "eps": 1e-6,
    "ffn_dim": 96,
    "freq_dim": 32,
    "in_dim": 36,
    "model_type": "i2v",
    "num_heads": 2,
    "num_layers": 2,
    "out_dim": 16,
    "text_len": 512,
}
WAN_NAMES = {
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.text_embedder.linear_2": "text_embedding.2",
    "condition_embedder.image_embedder.norm1": "img_emb.proj.0",
    "condition_embedder.image_embedder.ff.net.0.proj": "img_emb.proj.1",
    "condition_embedder.image_embedder.ff.net.2": "img_emb.proj.3",
    "condition_embedder.image_embedder.norm2": "img_emb.proj.4",
    "proj_out": "head.head",
    "patch_embedding": "patch_embedding",
    **{
        f"blocks.{i}.{new}.{theirs}": f"blocks.{i}.{old}.{ours}"
        for i in range(2)
        for new, old in (("attn1", "self_attn"), ("attn2", "cross_attn"))
        for theirs, ours in (
            ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "o"),
            ("norm_q", "norm_q"), ("norm_k", "norm_k"), ("norm_added_k", "norm_k_img"),
            ("add_k_proj", "k_img"), ("add_v_proj", "v_img"),
        )
    },
    **{
        f"blocks.{i}.{new}": f"blocks.{i}.{old}"
        for i in range(2)
        for new, old in (("norm2", "norm3"), ("ffn.net.0.proj", "ffn.0"), ("ffn.net.2", "ffn.2"))
    },
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return public.write_checkpoint(tmp_path / "checkpoint", GOLDEN["layouts"])


def published_table() -> dict[str, tuple[int, ...]]:
    """The keys and shapes of the published transformer."""
    d, text, image, ffn = 5120, 4096, 1280, 13824
    attention = {
        **{f"{name}.weight": (d, d) for name in ("to_q", "to_k", "to_v", "to_out.0")},
        **{f"{name}.bias": (d,) for name in ("to_q", "to_k", "to_v", "to_out.0")},
        **{f"{name}.weight": (d,) for name in ("norm_q", "norm_k")},
    }
    added = {
        **{f"{name}.weight": (d, d) for name in ("add_k_proj", "add_v_proj")},
        **{f"{name}.bias": (d,) for name in ("add_k_proj", "add_v_proj")},
        "norm_added_k.weight": (d,),
    }
    block = {
        "scale_shift_table": (1, 6, d),
        **{f"attn1.{name}": shape for name, shape in attention.items()},
        **{f"attn2.{name}": shape for name, shape in {**attention, **added}.items()},
        "norm2.weight": (d,),
        "norm2.bias": (d,),
        "ffn.net.0.proj.weight": (ffn, d),
        "ffn.net.0.proj.bias": (ffn,),
        "ffn.net.2.weight": (d, ffn),
        "ffn.net.2.bias": (d,),
    }
    linear = {
        "time_embedder.linear_1": (d, 256),
        "time_embedder.linear_2": (d, d),
        "time_proj": (6 * d, d),
        "text_embedder.linear_1": (d, text),
        "text_embedder.linear_2": (d, d),
        "image_embedder.norm1": (image,),
        "image_embedder.ff.net.0.proj": (image, image),
        "image_embedder.ff.net.2": (d, image),
        "image_embedder.norm2": (d,),
    }
    return {
        "patch_embedding.weight": (d, 36, 1, 2, 2),
        "patch_embedding.bias": (d,),
        **{f"condition_embedder.{name}.weight": shape for name, shape in linear.items()},
        **{f"condition_embedder.{name}.bias": shape[:1] for name, shape in linear.items()},
        **{f"blocks.{i}.{name}": shape for i in range(40) for name, shape in block.items()},
        "scale_shift_table": (1, 2, d),
        "proj_out.weight": (64, d),
        "proj_out.bias": (64,),
    }


def test_the_full_transformer_is_the_published_one() -> None:
    network = weights.empty_transformer(FULL)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes == published_table()
    assert sum(p.numel() for p in network.parameters()) == 16_394_878_784
    assert sum(p.numel() for p in network.blocks[0].parameters()) == 403_838_464
    trained = ("attn2", "patch_embedding", "image_embedder")
    parts = [p for name, p in network.named_parameters() if any(t in name for t in trained)]
    assert sum(p.numel() for p in parts) == 6_302_252_800


def test_the_table_of_a_published_checkpoint_loads_strictly(folder: Path) -> None:
    networks = weights.load_networks(
        weights.find(str(folder), local_files_only=True), torch.float32
    )
    stored = load_file(folder / TRANSFORMER)
    assert all(torch.equal(stored[k], v) for k, v in networks.transformer.state_dict().items())
    images = load_file(folder / "image_encoder" / "model.safetensors")
    position = images["vision_model.embeddings.position_embedding.weight"]
    found = networks.image_encoder.state_dict()
    assert torch.equal(found["embeddings.position_embedding.weight"], position)
    assert not networks.vae.training


def in_wan_names(folder: Path) -> dict[str, torch.Tensor]:
    """Rewrites a checkpoint's transformer in Wan's own names; returns it in those of diffusers."""
    state = load_file(folder / TRANSFORMER)
    renamed = {}
    for name, value in state.items():
        path, _, kind = name.rpartition(".")
        if kind == "scale_shift_table":
            renamed[f"{path}.modulation" if path else "head.modulation"] = value
        else:
            renamed[f"{WAN_NAMES[path]}.{kind}"] = value
    save_file(renamed, folder / TRANSFORMER)
    (folder / "transformer" / "config.json").write_text(json.dumps(WAN_CONFIG))
    return state


def test_wan_s_own_names_load(folder: Path) -> None:
    state = in_wan_names(folder)
    found = weights.load_transformer(folder / "transformer", torch.float32).state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())
    assert weights.attention_heads(folder / "transformer") == 2


def test_names_are_those_of_diffusers_own_converter(folder: Path) -> None:
    in_wan_names(folder)
    original = load_file(folder / TRANSFORMER)
    convert = import_module("diffusers.loaders.single_file_utils")
    theirs = convert.convert_wan_transformer_to_diffusers(dict(original))
    ours = {weights.diffusers_name(name): value for name, value in original.items()}
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_in_wan_s_names_generates(folder: Path, tmp_path: Path) -> None:
    case, videos = make_case(tmp_path), [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for video in videos:
        model = SkyReelsA2(
            weights=str(folder), device="cpu", width=48, height=32, frames=17, steps=2
        )
        model.prepare(Suite(name="s", version="1", cases=(case,)))
        model.generate(case, seed=0, out=video)
        if video == videos[0]:
            in_wan_names(folder)
    assert file_sha256(videos[0]) == file_sha256(videos[1])


def test_the_tokenizer_s_own_file_counts_and_not_its_class(folder: Path) -> None:
    config = {**public.TOKENIZER, "tokenizer_class": "T5TokenizerFast"}
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(config))
    file = folder / "tokenizer" / "tokenizer.json"
    told = json.loads(file.read_text())
    told["normalizer"] = {"type": "Replace", "pattern": {"String": "cup"}, "content": "teddy"}
    file.write_text(json.dumps(told))
    ids = told["model"]["vocab"]
    found = weights.load_tokenizer(folder)("a cup")["input_ids"]
    assert found == [ids["a"], ids["teddy"], ids["</s>"]]


def test_what_is_sensitive_stays_in_full_precision(folder: Path) -> None:
    network = weights.load_transformer(folder / "transformer", torch.bfloat16)
    kinds = {name: value.dtype for name, value in network.state_dict().items()}
    assert network.dtype == torch.bfloat16
    assert kinds["blocks.0.attn1.to_q.weight"] == torch.bfloat16
    assert kinds["blocks.1.norm2.weight"] == torch.float32
    assert kinds["scale_shift_table"] == torch.float32
    assert network.rope.freqs_cos.dtype == torch.float32


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("missing", "missing: proj_out.bias$"),
        ("unexpected", "unexpected: a, b, c and 1 more$"),
        ("shape", "of another shape: proj_out.bias$"),
    ],
)
def test_a_transformer_that_does_not_fit_is_refused(fault: str, told: str, folder: Path) -> None:
    state = load_file(folder / TRANSFORMER)
    bias = state.pop("proj_out.bias")
    if fault == "unexpected":
        state |= {"proj_out.bias": bias, **{name: torch.zeros(1) for name in "dcba"}}
    elif fault == "shape":
        state["proj_out.bias"] = bias[:1].clone()
    save_file(state, folder / TRANSFORMER)
    with pytest.raises(CannotRun, match=told):
        weights.load_transformer(folder / "transformer", torch.float32)


def test_an_early_key_that_nothing_reads_is_passed_over(folder: Path) -> None:
    state = load_file(folder / TRANSFORMER)
    save_file({**state, "blocks.0.attn2.norm_added_q.weight": torch.ones(64)}, folder / TRANSFORMER)
    assert weights.load_transformer(folder / "transformer", torch.float32) is not None


@pytest.mark.parametrize(
    ("file", "key", "told"),
    [
        ("vae/diffusion_pytorch_model.safetensors", "quant_conv.bias", "missing keys: quant_conv"),
        ("text_encoder/model.safetensors", "encoder.final_layer_norm.weight", "missing keys: enc"),
        ("image_encoder/model.safetensors", "vision_model.pre_layrnorm.bias", "missing keys: pre"),
    ],
)
def test_the_other_networks_are_loaded_strictly_too(
    file: str, key: str, told: str, folder: Path
) -> None:
    state = load_file(folder / file)
    del state[key]
    save_file(state, folder / file, metadata={"format": "pt"})
    with pytest.raises(CannotRun, match=told):
        weights.load_networks(folder, torch.float32)


def test_a_folder_tells_what_it_lacks(folder: Path) -> None:
    (folder / "vae" / "config.json").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model.safetensors"}}
    text = folder / "text_encoder" / "model.safetensors.index.json"
    text.write_text(json.dumps(index))
    (folder / TRANSFORMER).rename(folder / "transformer" / "model.bin")  # no pickle is ever read
    with pytest.raises(CannotRun) as caught:
        weights.find(str(folder), local_files_only=True)
    told = str(caught.value)
    assert "vae/config.json, transformer/*.safetensors, text_encoder/model-00001-of" in told
    assert "hf download Skywork/SkyReels-A2 --local-dir FOLDER" in told


@pytest.mark.parametrize("name", ["nobody/nothing", "nobody/nothing@main"])
def test_a_repository_that_is_not_here_is_not_downloaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        CannotRun,
        match=r"not in the hub's cache here\nfetch(.|\n)*hf download nobody/nothing --local-dir",
    ):
        weights.find(name, local_files_only=True)


def test_what_is_neither_folder_nor_repository() -> None:
    with pytest.raises(CannotRun, match="there is no folder no/such/folder"):
        weights.find("no/such/folder", local_files_only=True)


def test_the_hub_s_cache_is_read_and_its_names_spare_hashing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache" / "models--some--model"
    snapshot = cache / "snapshots" / "abc"
    (cache / "blobs").mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    named: dict[str, str] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder)
        blob = cache / "blobs" / f"{len(named):064x}"
        path.rename(blob)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(blob)
        named[name.as_posix()] = blob.name
    constants = import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    assert weights.find("some/model", local_files_only=True) == snapshot
    assert weights.hashes(snapshot) == named


def test_identity_is_the_bytes_of_all_files(folder: Path) -> None:
    before = weights.hashes(folder)
    assert before[TRANSFORMER] == file_sha256(folder / TRANSFORMER)
    assert {name.partition("/")[0] for name in before} == {*weights.NETWORKS, *weights.OTHERS}
    save_file({"a": torch.zeros(1)}, folder / TRANSFORMER)
    assert weights.hashes(folder)[TRANSFORMER] != before[TRANSFORMER]
