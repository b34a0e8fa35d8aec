"""facexlib's faces and CurricularFace beside the public networks' recorded values."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from a2bench.errors import CannotRun
from a2bench.faces.alignment import TEMPLATE
from a2bench.faces.arcface import CurricularFace
from a2bench.faces.curricular import CurricularNetwork, load_curricular
from a2bench.faces.detected import DetectedFaces
from a2bench.faces.facexlib import FacexlibArcFace, RetinaFace
from a2bench.networks.files import LocalWeights
from a2bench.networks.torchvision import ensure_torchvision
from tests.golden.make_face_networks import (
    DIMENSIONS,
    PATH,
    STEP,
    THRESHOLD,
    crops,
    ir_se50,
    layout,
    parameters,
    picture,
    random_weights,
    retinaface,
    shapes_of,
)

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))


def stored(folder: Path, state: dict[str, torch.Tensor]) -> LocalWeights:
    path = folder / "weights.pth"
    torch.save(state, path)
    return LocalWeights(path=path)


@pytest.fixture(scope="module")
def curricular(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CurricularFace]:
    with torch.device("meta"):
        shapes = shapes_of(CurricularNetwork())
    weights = stored(tmp_path_factory.mktemp("curricular"), random_weights(shapes))
    recogniser = CurricularFace(weights=weights)
    yield recogniser
    weights.path.unlink()


@pytest.fixture(scope="module")
def facexlib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DetectedFaces]:
    ensure_torchvision()
    detector = {f"module.{k}": v for k, v in retinaface().state_dict().items()}
    one = stored(tmp_path_factory.mktemp("retinaface"), detector)
    two = stored(tmp_path_factory.mktemp("arcface"), ir_se50().state_dict())
    yield DetectedFaces(
        detector=RetinaFace(weights=one, threshold=THRESHOLD),
        recogniser=FacexlibArcFace(weights=two),
    )
    one.path.unlink()
    two.path.unlink()


def close(got: Any, expected: Any, tolerance: float = 1e-4) -> bool:
    """Whether all are within the tolerance of the largest."""
    return bool(np.abs(np.array(got) - expected).max() <= tolerance * np.abs(expected).max())


def test_the_published_layout_of_curricularface() -> None:
    with torch.device("meta"):
        network = CurricularNetwork()
    assert layout(network) == GOLDEN["ir_101"]["layout"]
    assert parameters(network) == GOLDEN["ir_101"]["parameters"] == 65_150_912


def test_curricularface_is_the_public_network(curricular: CurricularFace) -> None:
    with torch.inference_mode():
        got = torch.nn.functional.normalize(curricular.network(crops()))
    assert close(got[:, :DIMENSIONS].numpy(), GOLDEN["curricular"])


def test_curricularface_reads_the_face_at_twice_its_size_and_halved(
    curricular: CurricularFace,
) -> None:
    image = picture(112)
    doubled = image.repeat(2, axis=0).repeat(2, axis=1)
    points = 2 * TEMPLATE
    got = curricular.embed(doubled, [points, points])
    assert close(got[0, :DIMENSIONS], GOLDEN["curricular"][0])
    assert np.array_equal(got[0], got[1])


@pytest.mark.parametrize("fault", ["missing", "unexpected", "shape"])
def test_other_layouts_are_refused(fault: str, tmp_path: Path) -> None:
    key = "output_layer.3.bias"
    state = random_weights({key: (512,)})
    wrong = {
        "missing": {},
        "unexpected": {"more.weight": torch.zeros(1)},
        "shape": {key: torch.zeros(3)},
    }[fault]
    path = stored(tmp_path, {**state, **wrong}).path
    with pytest.raises(CannotRun, match=r"weights\.pth holds other weights .*" + fault):
        load_curricular(path)


def test_detections_are_facexlibs(facexlib: DetectedFaces) -> None:
    found = facexlib.detector.detect(picture())
    assert len(found) == GOLDEN["found"] > 6
    rows = [(*f.box, f.score, *f.points.ravel()) for f in found[: len(GOLDEN["rows"])]]
    assert close(rows, GOLDEN["rows"])


def test_crops_are_facexlibs(facexlib: DetectedFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[torch.Tensor] = []

    def embedding(pixels: torch.Tensor) -> torch.Tensor:
        read.append(pixels)
        return torch.zeros(len(pixels), 512)

    monkeypatch.setitem(vars(facexlib.recogniser), "network", embedding)
    points = [np.array(row[5:], np.float32).reshape(5, 2) for row in GOLDEN["rows"]]
    assert isinstance(facexlib.recogniser, FacexlibArcFace)
    facexlib.recogniser.vectors(picture(), points)
    levels = np.concatenate([(x.numpy() + 1) * 127.5 for x in read]).transpose(0, 2, 3, 1)
    apart_by = np.abs(np.rint(levels[:, ::STEP, ::STEP]) - GOLDEN["crops"])
    # The warp's arithmetic differs by processor, and a number beside a half may be rounded the
    # other way. Measured: none of these crops differs without AVX2 or any SIMD; landmarks moved by
    # 5e-5 px, far more than the transform's last bits, turn 28 of a crop's 37,632, by one level.
    assert apart_by.max() <= 1 and np.mean(apart_by > 0) <= 0.005


def test_embeddings_of_the_same_pixels_are_facexlibs(facexlib: DetectedFaces) -> None:
    """The face is where the crop's would be: what is cut out is the picture, to the last bit."""
    whole = picture(112)
    got = [facexlib.recogniser.embed(x, [TEMPLATE])[0] for x in (whole, whole[:, ::-1].copy())]
    assert close(np.array(got)[:, :DIMENSIONS], GOLDEN["recognised"])


def test_embeddings_are_facexlibs(facexlib: DetectedFaces) -> None:
    faces = [face.points for face in facexlib.detector.detect(picture())]
    got = facexlib.recogniser.embed(picture(), faces[: len(GOLDEN["embeddings"])])
    # The detector's float32 sums in another order move landmarks by up to 5e-5 px, which turns the
    # rounding of some numbers of a crop by a level. Measured, of the largest: 3.1e-4 with AVX2,
    # 4.5e-4 without SIMD; 28 numbers turned, 5.7e-4. Channels swapped move all by 0.2 to 0.4, a
    # shift of one pixel the worst by 0.07.
    assert close(got[:, :DIMENSIONS], GOLDEN["embeddings"], 2e-3)
    assert np.linalg.norm(got, axis=1) == pytest.approx(1)


def test_a_plain_frame_of_any_size_is_searched(facexlib: DetectedFaces) -> None:
    for shape in ((1, 1), (1, 70), (48, 64)):
        for face in facexlib.find(np.full((*shape, 3), 9, np.uint8), embed=True):
            assert np.isfinite(np.asarray(face.embedding)).all()


def test_the_definition_names_facexlibs_parts(facexlib: DetectedFaces) -> None:
    assert facexlib.params == {
        "detector": "facexlib-retinaface-r50",
        "threshold": THRESHOLD,
        "overlap": 0.4,
        "recogniser": "facexlib-arcface-ir-se50",
        "most_faces": 8,
    }
    assert facexlib.detector.requires == facexlib.recogniser.requires == ("facexlib==0.3.0",)


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network is used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setenv("A2BENCH_CHECKPOINTS", str(tmp_path))
    with pytest.raises(CannotRun, match="a2bench checkpoints fetch facexlib-retinaface"):
        RetinaFace().detect(picture())
    with pytest.raises(CannotRun, match="a2bench checkpoints fetch facexlib-arcface"):
        FacexlibArcFace().embed(picture(), [TEMPLATE])
