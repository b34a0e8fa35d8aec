"""The networks of SkyReels-A2, from a folder or the hub: safetensors only, each key accounted for.

A folder holds ``transformer``, ``vae``, ``text_encoder``, ``tokenizer``, ``image_encoder`` and
``image_processor``, as diffusers writes them. The transformer may have the key names of Wan itself.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from a2bench.checkpoints.tensors import load_weights
from a2bench.errors import CannotRun
from a2bench.keys import file_sha256
from a2bench.networks.torchvision import ensure_torchvision

NETWORKS = ("transformer", "vae", "text_encoder", "image_encoder")
OTHERS = {"tokenizer": "tokenizer.json", "image_processor": "preprocessor_config.json"}
PATTERNS = ("*.json", "*.safetensors", "*.model", "*.txt")
SHOWN = 3

_TOP = {
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "img_emb.proj.0": "condition_embedder.image_embedder.norm1",
    "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": "condition_embedder.image_embedder.ff.net.2",
    "img_emb.proj.4": "condition_embedder.image_embedder.norm2",
    "head.head": "proj_out",
    "head.modulation": "scale_shift_table",
}
_PARTS = {
    "self_attn": "attn1",
    "cross_attn": "attn2",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "o": "to_out.0",
    "k_img": "add_k_proj",
    "v_img": "add_v_proj",
    "norm_k_img": "norm_added_k",
    "modulation": "scale_shift_table",
    "norm2": "norm3",
    "norm3": "norm2",
}


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The networks and what prepares their inputs, as diffusers and transformers have them."""

    tokenizer: Any
    text_encoder: Any
    image_processor: Any
    image_encoder: Any
    transformer: Any
    vae: Any


def find(weights: str, *, local_files_only: bool) -> Path:
    """The folder of ``weights``: a folder, or a repository of the hub (OWNER/NAME or …@REVISION).

    Raises ``CannotRun`` for what is missing, with what to type.
    """
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        folder = _from_hub(weights, local_files_only)
    if lacking := list(_lacking(folder)):
        raise CannotRun(f"weights are missing in {folder}: {', '.join(lacking)}\n{_fetch(weights)}")
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """The sha256 of every file that the networks are made from, by its path in the folder."""
    files = (p for part in (*NETWORKS, *OTHERS) for p in sorted((folder / part).iterdir()))
    found = [path for path in files if any(path.match(pattern) for pattern in PATTERNS)]
    return {p.relative_to(folder).as_posix(): _sha256(p, p.stat().st_mtime_ns) for p in found}


def load_networks(folder: Path, dtype: torch.dtype) -> Networks:
    """All networks on the CPU, the transformer and the text encoder in ``dtype``.

    VAE and CLIP stay in float32, as in the published code. Raises ``CannotRun`` for weights that
    do not fit.
    """
    with _quiet():
        from diffusers import AutoencoderKLWan
        from transformers import CLIPImageProcessorPil, CLIPVisionModel, UMT5EncoderModel

        return Networks(
            tokenizer=load_tokenizer(folder),
            text_encoder=_strictly(UMT5EncoderModel, folder / "text_encoder", dtype=dtype),
            image_processor=CLIPImageProcessorPil.from_pretrained(
                folder / "image_processor", local_files_only=True
            ),
            image_encoder=_strictly(CLIPVisionModel, folder / "image_encoder", dtype=torch.float32),
            transformer=load_transformer(folder / "transformer", dtype),
            vae=_strictly(AutoencoderKLWan, folder / "vae", torch_dtype=torch.float32),
        )


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of the text encoder, as its ``tokenizer.json`` says.

    Not by ``AutoTokenizer``: T5's class in transformers 5 leaves the file's normalizer out.
    """
    with _quiet():
        from transformers import PreTrainedTokenizerFast
    return PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer", local_files_only=True)


def load_transformer(folder: Path, dtype: torch.dtype) -> Any:
    """The ``WanTransformer3DModel`` of a folder: of diffusers, or of Wan with its own key names.

    What diffusers keeps in float32 (norms, modulation, time) is kept so.
    """
    with _quiet():
        from diffusers import WanTransformer3DModel
    config, exact = read_config(folder), set(WanTransformer3DModel._keep_in_fp32_modules)
    state = {}
    for file in sorted(folder.glob("*.safetensors")):
        for key, value in load_weights(file).items():
            name = diffusers_name(key) if _is_wan(config) else key
            if "norm_added_q" not in name:  # of an early version of diffusers; nothing reads it
                kind = torch.float32 if exact & set(name.split(".")) else dtype
                state[name] = value.to(kind)
    network = empty_transformer(_config_of_wan(config, state) if _is_wan(config) else config)
    _check(folder, network.state_dict(), state)
    network.load_state_dict(state, assign=True)
    return network.eval()


def read_config(folder: Path) -> dict[str, Any]:
    """A network's ``config.json``."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def attention_heads(folder: Path) -> int:
    """How many heads a transformer has."""
    config = read_config(folder)
    return int(config["num_heads" if _is_wan(config) else "num_attention_heads"])


def empty_transformer(config: Mapping[str, Any]) -> Any:
    """The network of a configuration, without memory for its weights."""
    with _quiet():
        from accelerate import init_empty_weights
        from diffusers import WanTransformer3DModel
    known = {name: value for name, value in config.items() if not name.startswith("_")}
    with init_empty_weights(include_buffers=False):
        return WanTransformer3DModel.from_config(known)


def diffusers_name(name: str) -> str:
    """A key of Wan in the names of diffusers, where the second and the third norm are swapped."""
    if name.startswith("blocks."):
        name = name.replace(".ffn.0.", ".ffn.net.0.proj.").replace(".ffn.2.", ".ffn.net.2.")
        return ".".join(_PARTS.get(part, part) for part in name.split("."))
    for old, new in _TOP.items():
        if name == old or name.startswith(f"{old}."):
            return new + name.removeprefix(old)
    return name


def _is_wan(config: Mapping[str, Any]) -> bool:
    return "num_heads" in config


def _config_of_wan(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Wan's own ``config.json`` in diffusers' names; two widths are told by the weights alone."""
    text = state.get("condition_embedder.text_embedder.linear_1.weight")
    image = state.get("condition_embedder.image_embedder.norm1.weight")
    return {
        "num_attention_heads": config["num_heads"],
        "attention_head_dim": config["dim"] // config["num_heads"],
        "in_channels": config["in_dim"],
        "out_channels": config["out_dim"],
        "text_dim": 4096 if text is None else text.shape[1],
        "freq_dim": config["freq_dim"],
        "ffn_dim": config["ffn_dim"],
        "num_layers": config["num_layers"],
        "eps": config["eps"],
        "image_dim": 1280 if image is None else image.shape[0],
        "added_kv_proj_dim": config["dim"],
    }


def _check(folder: Path, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raises ``CannotRun`` with the keys that are missing, unexpected or of another shape."""
    shared = wanted.keys() & found.keys()
    faults = {
        "missing": wanted.keys() - shared,
        "unexpected": found.keys() - shared,
        "of another shape": {name for name in shared if wanted[name].shape != found[name].shape},
    }
    told = [f"{fault}: {_some(names)}" for fault, names in faults.items() if names]
    if told:
        raise CannotRun(f"{folder} does not hold the weights that it should; {'; '.join(told)}")


def _some(names: set[str]) -> str:
    shown, more = sorted(names)[:SHOWN], len(names) - SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _strictly(kind: Any, folder: Path, **dtype: torch.dtype) -> Any:
    """A network of the libraries; they fill in at random what a file lacks, which is refused."""
    try:
        network, told = kind.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **dtype,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise CannotRun(f"{folder} does not load: {error}") from error
    for fault in ("missing_keys", "mismatched_keys"):
        if names := {str(name) for name in told[fault]}:
            what = fault.replace("_", " ")
            raise CannotRun(
                f"{folder} does not hold the weights that it should; {what}: {_some(names)}"
            )
    return network.eval()


def _from_hub(weights: str, local_files_only: bool) -> Path:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", weights):
        raise CannotRun(f"there is no folder {weights}\n{_fetch(weights)}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    repository, _, revision = weights.partition("@")
    try:
        snapshot = snapshot_download(
            repository,
            revision=revision or None,
            allow_patterns=[f"{part}/{p}" for part in (*NETWORKS, *OTHERS) for p in PATTERNS],
            local_files_only=local_files_only,
        )
    except (OSError, ValueError, HfHubHTTPError) as error:
        told = "not in the hub's cache here" if local_files_only else str(error).partition("\n")[0]
        raise CannotRun(f"weights {weights} are missing: {told}\n{_fetch(weights)}") from error
    return Path(snapshot)


def _fetch(weights: str) -> str:
    repository = weights.partition("@")[0] if weights.count("/") == 1 else "Skywork/SkyReels-A2"
    return (
        f"fetch them (about 50 GB): --param local_files_only=false, or\n"
        f"hf download {repository} --local-dir FOLDER and then --param weights=FOLDER"
    )


def _lacking(folder: Path) -> Iterator[str]:
    """What a folder lacks, shards of an index too: an interrupted download leaves such gaps."""
    for part, file in {**dict.fromkeys(NETWORKS, "config.json"), **OTHERS}.items():
        if not (folder / part / file).is_file():
            yield f"{part}/{file}"
    for part in NETWORKS:
        shards = set()
        for index in (folder / part).glob("*.safetensors.index.json"):
            shards |= set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if gone := sorted(name for name in shards if not (folder / part / name).is_file()):
            yield from (f"{part}/{name}" for name in gone)
        elif not any((folder / part).glob("*.safetensors")):
            yield f"{part}/*.safetensors"


@lru_cache(maxsize=256)
def _sha256(path: Path, mtime_ns: int) -> str:  # noqa: ARG001 - a changed file is hashed anew
    """Hashed once; the hub's cache names a large file by its sha256, which spares it that."""
    name = path.resolve().name
    return name if re.fullmatch("[0-9a-f]{64}", name) else file_sha256(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Imports without their advice: which optional libraries do not load here, and the like."""
    ensure_torchvision()
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
