"""Records tests/golden/insightface.json with insightface; the tests share its networks and picture.

In an environment of its own, from the root of the repository::

    pip install insightface==2.1 pillow
    python -m tests.golden.make_insightface
"""

from __future__ import annotations

import json
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

PATH = Path(__file__).with_name("insightface.json")
HOW = (
    "insightface 2.1 (FaceAnalysis, prepare(det_thresh=0.5) with the det_size given; norm_crop), "
    "onnxruntime 1.31.1 CPU; networks and picture of tests/golden/make_insightface.py. Boxes, "
    "scores, points and the raw embedding of square(): tolerance 1e-4 of the largest. Crops, on "
    "every STEP-th pixel: at most 1 level in 1 number of 100, since the transform is fitted in "
    "another order of sums; embeddings of such crops and their cosines: 1e-3."
)
DET_SIZES = ((640, 640), (320, 320))  # width, height
PHOTOGRAPHS = ("p005_portrait.jpg", "p009_selfie.jpg")
STEP = 16
FACES = 12
"""The golden file keeps so many faces of each size, the surest."""
DIMENSIONS = 32
TEMPLATE = ((-1.3, -1.2), (1.3, -1.2), (0.0, 0.3), (-1.1, 1.8), (1.1, 1.8))
"""About where a face's points are, for boxes of about six cells."""

Floats = NDArray[np.float32]


def picture() -> NDArray[np.uint8]:
    """Two photographs side by side, RGB, 832x480."""
    folder = Path(__file__).parents[2] / "references" / "characters"
    canvas = Image.new("RGB", (832, 480), (90, 110, 90))
    for index, name in enumerate(PHOTOGRAPHS):
        with Image.open(folder / name) as photograph:
            canvas.paste(photograph.convert("RGB").resize((400, 400)), (416 * index + 8, 40))
    return np.asarray(canvas)


def square() -> NDArray[np.uint8]:
    """A face's part of the first photograph, 112x112 px."""
    return picture()[100:212, 160:272]


def build_pack(folder: Path) -> Path:
    """A folder with a small random SCRFD and ArcFace, named and shaped as in ``buffalo_l``."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_detector(), folder / "det_10g.onnx")
    onnx.save(_recogniser(), folder / "w600k_r50.onnx")
    return folder


def _detector() -> onnx.ModelProto:
    """For each stride one convolution, then scores, boxes and points, two guesses a place."""
    random = np.random.default_rng(3)
    nodes, weights = [], {}
    points = np.array(TEMPLATE, np.float32).ravel()
    for stride in (8, 16, 32):
        kernel = random.normal(0, 0.6 / stride, (8, 3, stride, stride))
        weights[f"k{stride}"] = kernel.astype(np.float32)
        nodes += [
            helper.make_node(
                "Conv", ["input.1", f"k{stride}"], [f"c{stride}"], strides=[stride, stride]
            ),
            helper.make_node("Relu", [f"c{stride}"], [f"f{stride}"]),
        ]
        for kind, numbers, bias in (
            ("score", 1, np.array([-1.0], np.float32)),
            ("bbox", 4, np.full(4, 3.0, np.float32)),
            ("kps", 10, points),
        ):
            name = f"{kind}_{stride}"
            head = random.normal(0, 0.5 if kind == "score" else 0.15, (2 * numbers, 8, 1, 1))
            weights[f"{name}_w"] = head.astype(np.float32)
            weights[f"{name}_b"] = np.tile(bias, 2)
            weights[f"{name}_s"] = np.array([-1, numbers], np.int64)
            last = f"{name}_r" if kind == "score" else name
            nodes += [
                helper.make_node("Conv", [f"f{stride}", f"{name}_w", f"{name}_b"], [f"{name}_c"]),
                helper.make_node("Transpose", [f"{name}_c"], [f"{name}_t"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}_t", f"{name}_s"], [last]),
            ]
            if kind == "score":
                nodes.append(helper.make_node("Sigmoid", [last], [name]))
    kinds = (("score", 1), ("bbox", 4), ("kps", 10))
    outputs = [
        helper.make_tensor_value_info(f"{kind}_{stride}", TensorProto.FLOAT, [None, numbers])
        for kind, numbers in kinds
        for stride in (8, 16, 32)
    ]
    return _model(nodes, [None, 3, "h", "w"], outputs, weights)


def _recogniser() -> onnx.ModelProto:
    random = np.random.default_rng(4)
    weights = {
        "k": random.normal(0, 0.1, (8, 3, 16, 16)).astype(np.float32),
        "w": random.normal(0, 0.1, (8 * 7 * 7, DIMENSIONS)).astype(np.float32),
        "b": np.zeros(DIMENSIONS, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["input.1", "k"], ["c"], strides=[16, 16]),
        helper.make_node("Relu", ["c"], ["f"]),
        helper.make_node("Flatten", ["f"], ["r"]),
        helper.make_node("Gemm", ["r", "w", "b"], ["embedding"]),
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [None, DIMENSIONS])
    return _model(nodes, [None, 3, 112, 112], [output], weights)


def _model(
    nodes: list[Any], shape: list[Any], outputs: list[Any], weights: dict[str, NDArray[Any]]
) -> onnx.ModelProto:
    entry = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, shape)
    stored = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "tiny", [entry], outputs, stored)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="tests"
    )


def main() -> None:
    """Writes the golden file."""
    analysis = import_module("insightface.app").FaceAnalysis
    norm_crop = import_module("insightface.utils.face_align").norm_crop
    image = np.ascontiguousarray(picture()[..., ::-1])
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        app = analysis(name=str(build_pack(Path(folder) / "pack")))
        for det_size in DET_SIZES:
            app.prepare(ctx_id=-1, det_thresh=0.5, det_size=det_size)
            found = app.get(image)
            kept = found[:FACES]
            crop = norm_crop(image, kept[0].kps, 112)[..., ::-1]
            double = norm_crop(image, kept[1].kps, 224)[..., ::-1]
            sizes.append(
                {
                    "det_size": list(det_size),
                    "faces": len(found),
                    "boxes": [_rounded(face.bbox) for face in kept],
                    "scores": [round(float(face.det_score), 6) for face in kept],
                    "points": [_rounded(face.kps) for face in kept],
                    "embeddings": [_rounded(face.normed_embedding) for face in kept],
                    "crop_112_of_face_0": crop[::STEP, ::STEP].tolist(),
                    "crop_224_of_face_1": double[::STEP, ::STEP].tolist(),
                }
            )
        recogniser = app.models["recognition"]
        raw = recogniser.get_feat(np.ascontiguousarray(square()[..., ::-1]))[0]
    golden = {"how": HOW, "sizes": sizes, "recognised": _rounded(raw)}
    PATH.write_text(json.dumps(golden) + "\n", encoding="utf-8")


def _rounded(values: NDArray[Any]) -> Any:
    return np.round(values.astype(np.float64), 6).tolist()


if __name__ == "__main__":
    main()
