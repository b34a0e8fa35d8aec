"""Records tests/golden/grounded.json with the public networks; the tests share its inputs.

In an environment of its own, from the root of the repository::

    pip install torch==2.13.0 torchvision==0.28.0 transformers==4.57.6 numpy pillow
    pip install addict yapf timm matplotlib pycocotools opencv-python-headless
    pip install --no-deps groundingdino-py==0.4.0 segment-anything==1.0 supervision==0.6.0
    python -m tests.golden.make_grounded
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from a2bench.networks.torchvision import ensure_torchvision

PATH = Path(__file__).with_name("grounded.json")
HOW = (
    "groundingdino-py 0.4.0 (build_model, load_image's transform, predict) with transformers "
    "4.57.6, and segment-anything 1.0 (SamPredictor), torch 2.13.0 CPU float32; small networks "
    "with the weights of tests/golden/make_grounded.py. layout: the keys of their own files; "
    "folder: those of transformers 4.57.6. Tolerance 1e-4."
)
SIZES = ((90, 160), (120, 150))  # height, width: the long side of the first is over LONG_PX
SHORT_PX, LONG_PX = 128, 200
PHRASES = ("person", "teddy bear", "man")
THRESHOLDS = ((0.715, 0.64), (0.72, 0.513))  # of the box, of the text
QUERIES, LAYERS, HIDDEN, INNER, WORDS, TEXT = 30, 2, 256, 64, 1100, 48
SAM_SIDE, SAM_WIDTH, SAM_OUTPUT, SAM_INNER = 64, 32, 32, 64
BOXES = ((10.0, 5.0, 80.0, 70.5), (60.0, 20.0, 150.0, 88.0), (0.0, 0.0, 159.0, 40.0))
STEP = 7
Shapes = Mapping[str, tuple[int, ...]]


def vocabulary() -> list[str]:
    """A vocabulary whose marks have the numbers that GroundingDINO takes for granted."""
    marks = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    words = {200: "person", 201: "teddy", 202: "bear", 203: "man", 204: "cup", 205: "##s"}
    known = {**marks, **words, 1012: ".", 1029: "?"}
    return [known.get(number, f"[unused{number}]") for number in range(WORDS)]


def random_weights(shapes: Shapes) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but each key's name and shape."""
    weights = {}
    for key, shape in shapes.items():
        name = key.replace("transformer.decoder.bbox_embed", "bbox_embed")  # one tensor, more keys
        name = name.replace("bbox_embed.1.", "bbox_embed.0.")
        values = torch.randn(shape, generator=torch.Generator().manual_seed(crc32(name.encode())))
        if name.endswith("index"):
            values = torch.zeros(shape, dtype=torch.int64)
        elif len(shape) > 1 and "embeddings" not in name:
            gain = 3.0 if name.startswith("mask_decoder") else 1.0  # or all masks are alike
            values *= gain * (shape[0] / values.numel()) ** 0.5
        elif "norm" in name.lower() and name.endswith("weight"):
            values = 0.5 + 0.2 * values.abs()
        else:
            values *= 0.2
        if name.startswith("transformer.decoder.norm"):
            values *= 0.1  # or all probabilities are 1
        weights[key] = values
    return weights


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """RGB blocks of 10 px with fine noise."""
    random = np.random.default_rng((height, width))
    blocks = random.integers(0, 200, (-(-height // 10), -(-width // 10), 3)).repeat(10, 0)
    noisy = blocks.repeat(10, 1)[:height, :width] + random.integers(0, 56, (height, width, 3))
    return noisy.astype(np.uint8)


def detector_config() -> dict[str, Any]:
    """The small Grounding DINO as its ``config.json`` in a folder of the hub."""
    text = {"num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": WORDS}
    return {
        "model_type": "grounding-dino",
        "backbone_config": {"model_type": "swin", "out_indices": [2, 3, 4]},
        "text_config": {
            "model_type": "bert", "hidden_size": TEXT, "intermediate_size": INNER, **text
        },
        "d_model": HIDDEN,
        "num_queries": QUERIES,
        "encoder_layers": 1,
        "decoder_layers": LAYERS,
        "encoder_ffn_dim": INNER,
        "decoder_ffn_dim": INNER,
    }  # fmt: skip


def public_detector(folder: Path) -> Any:
    """The small network of groundingdino-py; ``folder`` is where its BERT comes from."""
    transformers = import_module("transformers")
    (folder / "vocab.txt").write_text("\n".join(vocabulary()))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    text = transformers.BertConfig(**detector_config()["text_config"])
    transformers.BertModel(text).save_pretrained(folder)
    models = import_module("groundingdino.models")
    config = import_module("groundingdino.util.slconfig").SLConfig.fromfile(
        str(Path(str(models.__file__)).parents[1] / "config" / "GroundingDINO_SwinT_OGC.py")
    )
    config.device, config.text_encoder_type = "cpu", str(folder)
    config.enc_layers, config.dec_layers, config.num_queries = 1, LAYERS, QUERIES
    config.hidden_dim, config.dim_feedforward = HIDDEN, INNER
    return models.build_model(config).eval()


def public_segmenter() -> Any:
    """The small network of segment-anything: one layer with windows, one without."""
    modeling = import_module("segment_anything.modeling")
    cells = SAM_SIDE // 16
    return modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            img_size=SAM_SIDE, embed_dim=SAM_WIDTH, depth=2, num_heads=2, out_chans=SAM_OUTPUT,
            norm_layer=lambda size: torch.nn.LayerNorm(size, eps=1e-6), use_rel_pos=True,
            window_size=3, global_attn_indexes=(1,),
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=SAM_OUTPUT, image_embedding_size=(cells, cells),
            input_image_size=(SAM_SIDE, SAM_SIDE), mask_in_chans=16,
        ),
        mask_decoder=modeling.MaskDecoder(
            transformer_dim=SAM_OUTPUT, iou_head_hidden_dim=24,
            transformer=modeling.TwoWayTransformer(
                depth=2, embedding_dim=SAM_OUTPUT, num_heads=8, mlp_dim=SAM_INNER
            ),
        ),
    ).eval()  # fmt: skip


def shapes_of(network: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(values.shape) for name, values in network.state_dict().items()}


def load(network: Any) -> None:
    """Random weights for all but what is counted, not learned."""
    weights = random_weights(shapes_of(network))
    learned = {name: values for name, values in weights.items() if not name.endswith("index")}
    told = network.load_state_dict(learned, strict=False)
    assert all(name.endswith("index") for name in told.missing_keys)


def detections(network: Any) -> list[dict[str, Any]]:
    """What groundingdino-py makes of each picture."""
    inference = import_module("groundingdino.util.inference")
    transforms = import_module("groundingdino.datasets.transforms")
    prepare = transforms.Compose(
        [
            transforms.RandomResize([SHORT_PX], max_size=LONG_PX),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    caption = " . ".join(PHRASES)
    told = []
    for size in SIZES:
        pixels, _ = prepare(Image.fromarray(picture(*size)), None)
        with torch.no_grad():
            outputs = network(pixels[None], captions=[caption + "."])
        probabilities = outputs["pred_logits"][0].sigmoid()
        tokens = network.tokenizer(caption + ".")["input_ids"]
        selected = []
        for thresholds in THRESHOLDS:
            boxes, _, phrases = inference.predict(
                network, pixels, caption, *thresholds, device="cpu"
            )
            selected.append({"boxes": rounded(boxes), "phrases": phrases})
        told.append(
            {
                "pixels": list(pixels.shape),
                "tokens": tokens,
                "probabilities": rounded(probabilities[:, : len(tokens)]),
                "boxes": rounded(outputs["pred_boxes"][0]),
                "selected": selected,
            }
        )
    return told


def segments(network: Any) -> dict[str, Any]:
    """What segment-anything makes of the boxes in the first picture."""
    predictor = import_module("segment_anything").SamPredictor(network)
    frame = picture(*SIZES[0])
    predictor.set_image(frame)
    boxes = torch.tensor(predictor.transform.apply_boxes(np.array(BOXES), frame.shape[:2])).float()
    logits, _, coarse = predictor.predict_torch(
        None, None, boxes, multimask_output=False, return_logits=True
    )
    return {
        "coarse": rounded(coarse[:, 0]),
        "fine": rounded(logits[:, 0, ::STEP, ::STEP]),
        "areas": (logits[:, 0] > 0).sum(dim=(1, 2)).tolist(),
    }


def rounded(values: torch.Tensor) -> Any:
    return np.round(values.double().numpy(), 6).tolist()


def main() -> None:
    """Writes the golden file."""
    ensure_torchvision()
    with tempfile.TemporaryDirectory() as folder:
        detector = public_detector(Path(folder))
    segmenter = public_segmenter()
    transformers = import_module("transformers")
    config = transformers.GroundingDinoConfig(**detector_config())
    with torch.device("meta"):
        ported = transformers.GroundingDinoForObjectDetection(config)
    for network in (detector, segmenter):
        load(network)
    golden = {
        "how": HOW,
        "layout": {"detector": shapes_of(detector), "segmenter": shapes_of(segmenter)},
        "folder": shapes_of(ported),
        "detections": detections(detector),
        "segments": segments(segmenter),
    }
    PATH.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
