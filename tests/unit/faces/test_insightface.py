"""Detection, alignment and recognition beside insightface's recorded values, and their parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from a2bench.boxes import apart
from a2bench.errors import CannotRun
from a2bench.faces.alignment import TEMPLATE, aligned, similarity_transform
from a2bench.faces.arcface import ArcFace
from a2bench.faces.models import Detection
from a2bench.faces.scrfd import Scrfd, fitted
from a2bench.networks.files import LocalWeights
from tests.golden.make_insightface import DET_SIZES, PATH, STEP, build_pack, picture, square

GOLDEN: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LocalWeights:
    return LocalWeights(path=build_pack(tmp_path_factory.mktemp("pack")), licence="none: random")


@pytest.fixture(scope="module", params=[0, 1], ids=[str(size) for size in DET_SIZES])
def golden(request: pytest.FixtureRequest) -> Any:
    return GOLDEN["sizes"][request.param]


@pytest.fixture(scope="module")
def found(golden: Any, pack: LocalWeights) -> tuple[Detection, ...]:
    return Scrfd(weights=pack, det_size=tuple(golden["det_size"])).detect(picture())


def close(got: Any, expected: Any, tolerance: float = 1e-4) -> bool:
    """Whether all are within the tolerance of the largest."""
    return bool(np.abs(np.array(got) - expected).max() <= tolerance * np.abs(expected).max())


def test_boxes_scores_and_points_are_insightfaces(
    golden: Any, found: tuple[Detection, ...]
) -> None:
    assert len(found) == golden["faces"] >= 5
    kept = found[: len(golden["boxes"])]
    assert close([face.box for face in kept], golden["boxes"])
    assert close([face.score for face in kept], golden["scores"])
    assert close([face.points for face in kept], golden["points"])


def test_aligned_faces_are_insightfaces(golden: Any, found: tuple[Detection, ...]) -> None:
    for face, side_px in enumerate((112, 224)):
        crop = aligned(picture(), found[face].points, side_px)
        expected = np.array(golden[f"crop_{side_px}_of_face_{face}"])
        assert crop.shape == (side_px, side_px, 3)
        apart_by = np.abs(crop[::STEP, ::STEP].astype(int) - expected)
        # The transform's last bits and OpenCV's warp on another instruction set turn the rounding
        # of 14 of a crop's 37,632 numbers at most (measured), never by more than a level.
        assert apart_by.max() <= 1 and np.mean(apart_by > 0) <= 0.01


def test_an_embedding_of_the_same_pixels_is_insightfaces(pack: LocalWeights) -> None:
    """The face is where the crop's would be: what is cut out is the picture, to the last bit."""
    assert np.array_equal(aligned(square(), TEMPLATE), square())
    got = ArcFace(weights=pack).vectors(square(), [TEMPLATE])
    assert close(got[0], GOLDEN["recognised"])


def test_embeddings_are_insightfaces(
    golden: Any, found: tuple[Detection, ...], pack: LocalWeights
) -> None:
    kept = found[: len(golden["boxes"])]
    got = ArcFace(weights=pack).embed(picture(), [face.points for face in kept])
    expected = np.array(golden["embeddings"])
    # Numbers of the crops that are off by a level (see above) move the embeddings of the small
    # network by up to 2.8e-4 and their cosines by up to 1.5e-4 (measured); channels swapped or a
    # shift of one pixel move both by 0.1 and more.
    assert close(got, expected, 1e-3)
    assert close(got @ got.T, expected @ expected.T, 1e-3)
    assert np.linalg.norm(got, axis=1) == pytest.approx(1)


def test_an_alignment_undoes_a_turn_a_scale_and_a_move() -> None:
    angle = np.deg2rad(30)
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    points = TEMPLATE @ turn.T * 3 + (200, -40)
    matrix = similarity_transform(points, TEMPLATE)
    assert points @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(1 / 9)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    matrix = similarity_transform(TEMPLATE * (-1, 1), TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_points_that_fall_together_give_a_finite_crop() -> None:
    assert aligned(picture(), np.full((5, 2), 7.0)).shape == (112, 112, 3)


@pytest.mark.parametrize(
    ("shape", "inside", "scale"),
    [
        ((480, 832), (369, 640), 369 / 480),
        ((900, 300), (640, 213), 640 / 900),
        ((700, 1), (640, 1), 640 / 700),
    ],
)
def test_an_image_keeps_its_shape_in_the_detectors_square(
    shape: tuple[int, int], inside: tuple[int, int], scale: float
) -> None:
    canvas, got = fitted(np.full((*shape, 3), 9, np.uint8), (640, 640))
    assert got == scale
    assert (canvas[: inside[0], : inside[1]] == 9).all()
    assert canvas.sum() == 27 * inside[0] * inside[1]


def test_overlapping_boxes_leave_the_surest() -> None:
    boxes = np.array([(0, 0, 99, 99), (10, 0, 109, 99), (200, 0, 299, 99)], np.float32)
    scores = np.array([0.6, 0.9, 0.7], np.float32)
    assert apart(boxes, scores, 0.4, end_px=1) == [1, 2]
    assert apart(boxes, scores, 0.9, end_px=1) == [1, 2, 0]


def test_a_det_size_that_the_strides_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="steps of 32 px"):
        Scrfd(det_size=(640, 600))


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_files_that_are_no_networks_are_refused_and_named(
    content: bytes | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "det_10g.onnx").write_bytes(content)
    with pytest.raises(CannotRun, match=r"det_10g\.onnx is not a network"):
        Scrfd(weights=LocalWeights(path=tmp_path)).detect(picture())


def test_a_network_of_another_kind_is_refused_and_named(pack: LocalWeights, tmp_path: Path) -> None:
    (tmp_path / "det_10g.onnx").write_bytes((pack.path / "w600k_r50.onnx").read_bytes())
    with pytest.raises(CannotRun, match=r"det_10g\.onnx is another network: it gives 1 outputs"):
        Scrfd(weights=LocalWeights(path=tmp_path)).detect(picture())


@pytest.mark.parametrize(
    ("device", "installed", "expected"),
    [
        ("cpu", "CUDAExecutionProvider", ["CPUExecutionProvider"]),
        ("cuda", "AzureExecutionProvider", ["CPUExecutionProvider"]),
        (
            "cuda:1",
            "CUDAExecutionProvider",
            [
                ("CUDAExecutionProvider", {"device_id": "1", "use_tf32": "0"}),
                "CPUExecutionProvider",
            ],
        ),
    ],
)
def test_a_gpu_is_used_where_onnxruntime_has_one_and_in_full_precision(
    device: str, installed: str, expected: Any, pack: LocalWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    real = onnxruntime.InferenceSession

    def session(model: bytes, options: Any, providers: Any) -> Any:
        asked.extend(providers)
        return real(model, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [installed])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    assert ArcFace(weights=pack, device=device).network is not None
    assert asked == expected
