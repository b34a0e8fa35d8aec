"""Records tests/golden/skyreels_a2.json with the public pipeline; the tests share its inputs.

In an environment of its own, from the root of the repository, with a copy of SkyReels-A2
(github.com/SkyworkAI/SkyReels-A2) at SOURCE::

    pip install torch==2.13.0 diffusers==0.33.1 transformers==4.51.3 "numpy<2"
    pip install accelerate ftfy regex moviepy safetensors pillow
    PYTHONPATH=SOURCE:. python -m tests.golden.make_skyreels_a2
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

PATH = Path(__file__).with_name("skyreels_a2.json")
HOW = (
    "SkyReels-A2 7c14e2e (A2Pipeline, A2Model, models/utils.py) with diffusers 0.33.1 and "
    "transformers 4.51.3, torch 2.13.0 CPU float32; small networks with the weights of "
    "tests/golden/make_skyreels_a2.py; latents (16, 5, 4, 6) in order. Tolerance 1e-4."
)
WIDTH, HEIGHT, FRAMES, STEPS, GUIDANCE, SEED = 48, 32, 17, 6, 5.0, 42
PROMPT = "A man  holds a teddy &amp;amp; a cup\nin the forest"
NEGATIVE = "overexposed , static"
PICTURES = ((60, 40), (30, 50), (70, 50))  # height, width
WORDS = ("<pad>", "</s>", "<unk>", *PROMPT.replace("&amp;amp;", "&").split(), *NEGATIVE.split())
CONFIGS: Mapping[str, dict[str, Any]] = {
    "transformer": {
        "_class_name": "A2Model",
        "patch_size": [1, 2, 2],
        "num_attention_heads": 2,
        "attention_head_dim": 32,
        "in_channels": 36,
        "out_channels": 16,
        "text_dim": 24,
        "freq_dim": 32,
        "ffn_dim": 96,
        "num_layers": 2,
        "cross_attn_norm": True,
        "qk_norm": "rms_norm_across_heads",
        "eps": 1e-6,
        "image_dim": 20,
        "added_kv_proj_dim": 64,
        "rope_max_seq_len": 64,
    },
    "vae": {
        "_class_name": "AutoencoderKLWan",
        "base_dim": 8,
        "z_dim": 16,
        "dim_mult": [1, 1, 2, 2],
        "num_res_blocks": 1,
        "temperal_downsample": [False, True, True],
    },
    "text_encoder": {
        "model_type": "umt5",
        "architectures": ["UMT5EncoderModel"],
        "vocab_size": 32,
        "d_model": 24,
        "d_kv": 8,
        "d_ff": 32,
        "num_layers": 2,
        "num_heads": 2,
    },
    "image_encoder": {
        "model_type": "clip_vision_model",
        "architectures": ["CLIPVisionModel"],
        "hidden_size": 20,
        "intermediate_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    },
}
PROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 28},
    "crop_size": {"height": 28, "width": 28},
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
}
TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
}
Layout = Mapping[str, Sequence[int]]


def random_weights(layout: Layout) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but each key's name and shape."""
    weights = {}
    for key, shape in layout.items():
        name = key.replace("encoder.embed_tokens", "shared")  # one tensor, two keys
        random = torch.Generator().manual_seed(crc32(name.encode()))
        values = torch.randn(tuple(shape), generator=random)
        if "gamma" in name or ("norm" in name and name.endswith("weight")):
            values = 0.5 + 0.2 * values.abs()
        elif len(shape) > 1 and not name.endswith(("table", "shared.weight")):
            values *= (shape[0] / values.numel()) ** 0.5
        else:
            values *= 0.2
        weights[key] = values
    return weights


def write_checkpoint(folder: Path, layouts: Mapping[str, Layout]) -> Path:
    """A checkpoint of the small networks in the published layout."""
    for part, config in CONFIGS.items():
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text(json.dumps(config))
        if part in layouts:
            weights = random_weights(layouts[part])
            save_file(weights, folder / part / "model.safetensors", metadata={"format": "pt"})
    diffusers = "diffusion_pytorch_model.safetensors"
    for part in ("transformer", "vae"):
        if part in layouts:
            (folder / part / "model.safetensors").rename(folder / part / diffusers)
    write_preparation(folder)
    return folder


def write_preparation(folder: Path) -> None:
    """The tokenizer, of one word a token, and the image processor."""
    for part in ("tokenizer", "image_processor"):
        (folder / part).mkdir()
    processor = folder / "image_processor" / "preprocessor_config.json"
    processor.write_text(json.dumps(PROCESSOR))
    model = {
        "type": "WordLevel",
        "vocab": {word: index for index, word in enumerate(dict.fromkeys(WORDS))},
        "unk_token": "<unk>",
    }
    special = [
        {
            "id": index,
            "content": word,
            "special": True,
            **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
        }
        for index, word in enumerate(WORDS[:3])
    ]
    ends = [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": ends,
            "pair": ends,
            "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}},
        },
        "decoder": None,
        "model": model,
    }
    (folder / "tokenizer" / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(TOKENIZER))


def picture(index: int) -> Image.Image:
    """RGB blocks of 5 px with fine noise."""
    height, width = PICTURES[index]
    random = np.random.default_rng(index)
    blocks = random.integers(0, 200, (-(-height // 5), -(-width // 5), 3)).repeat(5, 0)
    noisy = blocks.repeat(5, 1)[:height, :width] + random.integers(0, 56, (height, width, 3))
    return Image.fromarray(noisy.astype(np.uint8))


def public_networks() -> dict[str, Any]:
    """The small networks as the public code has them, with their weights."""
    transformers, diffusers = import_module("transformers"), import_module("diffusers")
    a2 = import_module("models.transformer_a2")
    text = transformers.UMT5Config(**CONFIGS["text_encoder"])
    image = transformers.CLIPVisionConfig(**CONFIGS["image_encoder"])
    networks = {
        "transformer": a2.A2Model.from_config(CONFIGS["transformer"]),
        "vae": diffusers.AutoencoderKLWan.from_config(CONFIGS["vae"]),
        "text_encoder": transformers.UMT5EncoderModel(text),
        "image_encoder": transformers.CLIPVisionModel(image),
    }
    for network in networks.values():
        state = network.state_dict()
        learned = {key: value for key, value in state.items() if value.is_floating_point()}
        network.load_state_dict(random_weights(shapes(learned)), strict=False)
        network.eval()
    return networks


def shapes(state: Mapping[str, torch.Tensor]) -> dict[str, list[int]]:
    """The layout of a file: of two names of one tensor the first."""
    return {key: list(value.shape) for key, value in state.items()}


def public_latents(networks: Mapping[str, Any], references: int) -> list[float]:
    """The latents that the public pipeline draws from the first pictures."""
    transformers, diffusers = import_module("transformers"), import_module("diffusers")
    utils = import_module("models.utils")
    with tempfile.TemporaryDirectory() as folder:
        write_preparation(Path(folder))
        tokenizer = transformers.AutoTokenizer.from_pretrained(f"{folder}/tokenizer")
        processor = transformers.CLIPImageProcessor.from_pretrained(f"{folder}/image_processor")
    pipeline = import_module("models.pipeline_a2").A2Pipeline(
        tokenizer=tokenizer,
        image_processor=processor,
        scheduler=public_scheduler(),
        **networks,
    )
    video_processor = import_module("diffusers.video_processor").VideoProcessor(vae_scale_factor=8)
    seen, placed = [], []
    for index in range(references):
        image = picture(index)
        seen.append(utils._crop_and_resize_pad(image, height=512, width=512))
        fit = utils._crop_and_resize_pad if index < 2 else utils._crop_and_resize
        image = fit(image, height=HEIGHT, width=WIDTH)
        pixels = video_processor.preprocess(image, height=HEIGHT, width=WIDTH)
        placed.append(pixels.unsqueeze(2).float())
    assert diffusers.__version__ == "0.33.1"
    latents = pipeline(
        image_clip=seen,
        image_vae=placed,
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        height=HEIGHT,
        width=WIDTH,
        num_frames=FRAMES,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        generator=torch.Generator("cpu").manual_seed(SEED),
        output_type="latent",
        vae_combine="before",
    ).frames
    return [round(value, 6) for value in latents.flatten().tolist()]


def public_scheduler() -> Any:
    return import_module("diffusers").UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        num_train_timesteps=1000,
        flow_shift=8,
    )


def main() -> None:
    """Writes the golden file."""
    networks = public_networks()
    scheduler = public_scheduler()
    scheduler.set_timesteps(50)
    layouts = {part: shapes(network.state_dict()) for part, network in networks.items()}
    del layouts["text_encoder"]["encoder.embed_tokens.weight"]
    layouts["image_encoder"].pop("vision_model.embeddings.position_ids", None)
    told = {
        "how": HOW,
        "timesteps": scheduler.timesteps.tolist(),
        "latents": {str(n): public_latents(networks, n) for n in (2, 3)},
        "layouts": layouts,
    }
    PATH.write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
