"""Face FID: Inception and distance against pytorch-fid, faces of real photographs, the command."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer

from a2bench.cli import main
from a2bench.cli.reports import fid
from a2bench.errors import CannotRun, NotApplicable, UsageError
from a2bench.faces.dlib_faces import DlibFaces
from a2bench.faces.finder import Found
from a2bench.metric import MetricInfo, Profile
from a2bench.metrics.extractors.embeddings.inception import Inception
from a2bench.metrics.extractors.faces import FaceExtractor
from a2bench.metrics.face_fid import FaceFid, frechet_distance, square
from a2bench.networks.files import LocalWeights
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Frame, over_white, read_rgba
from a2bench.suites.suite import load_suite
from a2bench.types import Case, Measurement, Video
from a2bench.video import encode, probe
from tests.golden import make_fid as public
from tests.golden.make_viclip import layout, shapes_of
from tests.helpers.fakes import Level
from tests.helpers.makers import write_video
from tests.helpers.runs import command
from tests.helpers.suites import write_suite

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the format of ``pt_inception-2015-12-05-6726825d.pth``."""
    ensure_torchvision()
    from torchvision.models.inception import Inception3

    with torch.device("meta"):
        shapes = shapes_of(Inception3(num_classes=1008, aux_logits=False, init_weights=False))
    whole = layout(shapes)
    assert {name: whole[name] for name in GOLDEN["layout"]} == GOLDEN["layout"]
    path = tmp_path_factory.mktemp("fid") / "pt_inception-2015-12-05-6726825d.pth"
    torch.save(public.random_weights(shapes), path)
    return path


@pytest.fixture(scope="module")
def inception(weights: Path) -> Inception:
    return Inception(weights=LocalWeights(path=weights, licence="L"), batch=4)


def test_features_are_those_of_pytorch_fid(inception: Inception) -> None:
    found = inception.embed(list(public.pictures()))
    assert found.shape == (2, 2048) and found.dtype == np.float32
    np.testing.assert_allclose(found[:, : public.SHOWN], GOLDEN["features"], rtol=1e-4, atol=1e-5)
    assert inception.embed([]).shape == (0, 2048)


def test_other_layouts_are_refused_but_counters_may_lack(
    inception: Inception, weights: Path, tmp_path: Path
) -> None:
    state = torch.load(weights, weights_only=True)
    for name, changed in (("old", state), ("wrong", {**state, "fc.bias": torch.zeros(1000)})):
        kept = {key: value for key, value in changed.items() if "num_batches" not in key}
        torch.save(kept, tmp_path / f"{name}.pth")
    pictures = list(public.pictures())[:1]
    old = Inception(weights=LocalWeights(path=tmp_path / "old.pth"))
    np.testing.assert_array_equal(old.embed(pictures), inception.embed(pictures))
    with pytest.raises(CannotRun, match=r"of another shape: fc\.bias$"):
        Inception(weights=LocalWeights(path=tmp_path / "wrong.pth")).embed(pictures)


@pytest.mark.parametrize(
    ("shape", "golden"), list(zip(public.SETS, GOLDEN["distances"], strict=True)), ids=str
)
def test_distances_are_those_of_pytorch_fid(shape: tuple[int, int, int], golden: float) -> None:
    assert frechet_distance(*public.features(shape)) == pytest.approx(golden, rel=1e-6)


def test_distances_of_fewer_rows_than_features() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(20, 50))
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(rows, rows + 2) == pytest.approx(4 * 50)
    apart = np.zeros((20, 50)), np.zeros((30, 50))  # no feature varies in both
    apart[0][:, :9], apart[1][:, 9:] = random.normal(size=(20, 9)), random.normal(size=(30, 41))
    variances = sum(side.var(axis=0, ddof=1).sum() for side in apart)
    means = np.square(apart[0].mean(axis=0) - apart[1].mean(axis=0)).sum()
    assert frechet_distance(*apart) == pytest.approx(variances + means)


@pytest.mark.parametrize(
    ("box", "found"),
    [
        ((10, 20, 30, 60), (0, 20, 40, 60)),  # moved in from the left
        ((50, 30, 70, 40), (50, 25, 70, 45)),
        ((90, 70, 120, 90), (70, 50, 100, 80)),  # beyond the corner
        ((-50, -50, 150, 150), (10, 0, 90, 80)),  # larger than the picture
        ((5, 5, 5, 5), (4.5, 4.5, 5.5, 5.5)),
    ],
)
def test_a_face_is_a_square_inside_the_picture(box: Any, found: Any) -> None:
    assert square(box, 100, 80) == pytest.approx(found)


@pytest.fixture(scope="module")
def people() -> list[Case]:
    """Three cases with a photograph each, the last two with the same one."""
    portraits = [e for e in load_suite("a2bench-open").references if e.view == "portrait"]
    pairs = list(zip("abc", (portraits[0], portraits[1], portraits[1]), strict=True))
    return [Case(id=name, prompt="p", elements=(element,)) for name, element in pairs]


@dataclass(frozen=True, kw_only=True)
class Counting(DlibFaces):
    """``DlibFaces``, which counts the pictures that it sees."""

    seen: tuple[list[tuple[int, ...]], ...] = ([],)

    def find(self, image: Frame, *, embed: bool, least: int = 1) -> list[Found]:
        assert not embed
        self.seen[0].append(image.shape)
        return super().find(image, embed=embed)


def show(case: Case, path: Path) -> Video:
    """A video of four frames of a case's photograph, at half size."""
    photograph = over_white(read_rgba(case.elements[0]))[::2, ::2]
    height, width = (side // 2 * 2 for side in photograph.shape[:2])
    encode(path, [photograph[:height, :width]] * 4, fps=8)
    return probe(path)


def test_faces_are_counted_and_each_reference_is_seen_once(
    people: list[Case], inception: Inception, tmp_path: Path
) -> None:
    faces = Counting(seen=([],))
    metric = FaceFid(faces=FaceExtractor(finder=faces, sampling="linspace-2"), inception=inception)
    videos = [(case, show(case, tmp_path / f"{case.id}.mp4")) for case in people[:2]]
    with pytest.warns(UserWarning, match="2 in the references, 6 in the videos"):
        found = metric.measure([*videos, (people[2], videos[1][1])])
    assert found.detail == {"faces_references": 2, "faces_videos": 6}
    assert len(faces.seen[0]) == 2 + 6
    assert 0 < found.value < np.inf


def test_a_side_with_one_face_is_refused(
    people: list[Case], inception: Inception, tmp_path: Path
) -> None:
    faces = FaceExtractor(finder=Counting(seen=([],)), sampling="linspace-2")
    metric = FaceFid(faces=faces, inception=inception)
    same = [(case, show(people[1], tmp_path / f"{case.id}.mp4")) for case in people[1:]]
    with pytest.raises(NotApplicable, match="1 in the references, 4 in the videos"):
        metric.measure(same)
    blank = probe(write_video(tmp_path / "blank.mp4"))
    with pytest.raises(NotApplicable, match="2 in the references, 0 in the videos"):
        metric.measure([(case, blank) for case in people])


def test_its_definition_holds_faces_and_weights(inception: Inception, tmp_path: Path) -> None:
    metric = FaceFid(faces=FaceExtractor(finder=DlibFaces()), inception=inception)
    params = metric.info.params
    assert params["faces"]["name"] == "dlib_faces"
    assert list(params["weights"]) == ["pt_inception-2015-12-05-6726825d.pth"]
    assert metric.licence == "Apache-2.0; CC0-1.0; L"
    json.dumps(dict(params))
    absent = Inception(weights=LocalWeights(path=tmp_path / "no.pth"))
    lacks = FaceFid(faces=FaceExtractor(finder=DlibFaces()), inception=absent).missing()
    assert lacks == (f"weights are missing: {tmp_path}/no.pth",)
    assert len(pickle.dumps(inception)) < 1000


@dataclass(frozen=True, kw_only=True)
class Counts:
    """A set metric: how many videos of how many cases it was given."""

    lacks: tuple[str, ...] = ()
    licence: str = "Apache-2.0; =L"

    @property
    def info(self) -> MetricInfo:
        return MetricInfo(
            name="face_fid", version="3", dimension="test", low=0.0, high=np.inf,
            higher_is_better=False, needs=("video",), licence="Apache-2.0", source="tests",
        )  # fmt: skip

    def missing(self) -> tuple[str, ...]:
        return self.lacks

    def measure(self, videos: Sequence[tuple[Case, Video]]) -> Measurement:
        if len(videos) < 2:
            raise NotApplicable("face FID needs more")
        sizes = {"faces_references": len({c.id for c, _ in videos}), "faces_videos": len(videos)}
        return Measurement(value=float(len(videos)), detail=sizes)


def counts() -> Profile:
    return Profile(metrics=(Level(),), over_videos=(Counts(),))


def lacking() -> Profile:
    return Profile(metrics=(Level(),), over_videos=(Counts(lacks=("fetch it",)),))


def run(suite: Path, store: Path, *more: str) -> None:
    assert main([*command(suite, store, "--in-process", *more)[3:]]) in (0, 2)


def ask(suite: Path | str, *words: str, profile: str = "counts") -> None:
    app = typer.Typer()
    app.command()(fid)
    named = ("--suite", str(suite), "--profile", f"tests.unit.metrics.test_face_fid:{profile}")
    app(args=[*words, *named], standalone_mode=False)


def test_the_command_counts_and_writes_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, store, out = write_suite(tmp_path / "suite", 3), tmp_path / "store", tmp_path / "f.csv"
    run(suite, store, "--seeds", "0,1", "--limit", "2")
    run(
        suite,
        store,
        "--seeds",
        "0",
        "--limit",
        "2",
        "--profile",
        "tests.unit.metrics.test_face_fid:counts",
    )
    next((store / "videos").rglob("*.mp4")).unlink()
    capsys.readouterr()
    ask(suite, str(store), "--out", str(out))
    told = capsys.readouterr().out
    assert told.startswith("my-generator (1): face_fid 3.00 (lower is better): 3 faces in 3 videos")
    assert "1 videos missing" in told
    (line,) = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    assert (line["face_fid"], line["faces_references"], line["faces_videos"]) == ("3.0", "2", "3")
    assert (line["videos"], line["videos_missing"], line["metric_version"]) == ("3", "1", "3")
    assert line["profile"].endswith(":counts") and line["model"] == "my-generator (1)"


def test_the_command_says_what_it_cannot_do(tmp_path: Path) -> None:
    suite, store = write_suite(tmp_path / "suite", 2), tmp_path / "store"
    with pytest.raises(CannotRun, match="is no run store"):
        ask(suite, str(store))
    run(suite, store, "--limit", "1")
    with pytest.raises(CannotRun, match="face FID needs more"):
        ask(suite, str(store))
    with pytest.raises(CannotRun, match="fetch it"):
        ask(suite, str(store), profile="lacking")
    with pytest.raises(CannotRun, match="holds no run of another"):
        ask(suite, str(store), "--model", "another")
    with pytest.raises(CannotRun, match="holds no video of my-generator"):
        ask("a2bench-open:mini", str(store))
    with pytest.raises(UsageError, match=r"ends in \.csv"):
        ask(suite, str(store), "--out", "fid.pdf")
    run(suite, store, "--param", "name=second")
    with pytest.raises(UsageError, match=r"several models: my-generator \(1\), second \(1\)"):
        ask(suite, str(store))
    ask(suite, str(store), "--model", "second")


def test_a_video_that_does_not_decode_is_named(tmp_path: Path) -> None:
    suite, store = write_suite(tmp_path / "suite", 2), tmp_path / "store"
    run(suite, store)
    next((store / "videos").rglob("*.mp4")).write_bytes(b"none")
    with pytest.raises(CannotRun, match="is not the video that was recorded"):
        ask(suite, str(store))
