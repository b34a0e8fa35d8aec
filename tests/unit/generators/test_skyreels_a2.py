"""SkyReels-A2 on small networks: its conditioning, against the public pipeline, as a generator."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from a2bench.errors import CannotRun, GeneratorError, UsageError
from a2bench.generator import generator_identity
from a2bench.generators.skyreels_a2 import conditioning, generator, weights
from a2bench.generators.skyreels_a2.conditioning import Conditions, Reference, read_references
from a2bench.generators.skyreels_a2.generator import SkyReelsA2
from a2bench.generators.skyreels_a2.pipeline import Pipeline
from a2bench.generators.wan import text as wan_text
from a2bench.generators.wan.sampling import Sampling, one_batch, unipc
from a2bench.keys import file_sha256
from a2bench.pictures import Frame
from a2bench.types import ROLES, Case, Role, Suite
from a2bench.video import probe
from tests.golden import make_skyreels_a2 as public
from tests.helpers.makers import make_case, make_element

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads(public.PATH.read_text(encoding="utf-8"))
SIZE = (public.WIDTH, public.HEIGHT)
SAMPLING = Sampling(steps=public.STEPS, guidance=public.GUIDANCE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return public.write_checkpoint(tmp_path_factory.mktemp("a2") / "a2", GOLDEN["layouts"])


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Pipeline:
    networks = weights.load_networks(folder, torch.float32)
    return Pipeline(networks=networks, device=torch.device("cpu"))


@pytest.fixture
def model(folder: Path) -> SkyReelsA2:
    return small(folder)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return make_case(tmp_path / "elements", prompt="A man holds a teddy")


def small(folder: Path, **params: Any) -> SkyReelsA2:
    """The generator at a size that takes a moment."""
    defaults = {"dtype": "float32", "width": 48, "height": 32, "frames": 17, "steps": 2}
    return SkyReelsA2(weights=str(folder), device="cpu", **{**defaults, **params})


def references(count: int) -> list[Reference]:
    """The pictures of the golden file, in the roles that the public code gives them by position."""
    return [Reference(role=ROLES[i % 3], image=public.picture(i % 3)) for i in range(count)]


def encoded(pipeline: Pipeline, count: int, text: str = public.PROMPT) -> Conditions:
    texts = (text, public.NEGATIVE)
    return pipeline.encode(references(count), texts, size=SIZE, frames=public.FRAMES)


def watched(done: int, total: int) -> None:
    """Watches nothing."""


def drawn(model: SkyReelsA2, case: Case, seed: int = 0) -> list[Frame]:
    return model._draw(case, read_references(case, frames=model.frames), seed)


def same(one: list[Frame], other: list[Frame]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def test_the_timesteps_are_the_published_ones() -> None:
    steps = unipc(Sampling()).timesteps.tolist()
    assert steps == GOLDEN["timesteps"]
    assert steps[:6] == [999, 997, 994, 991, 989, 986]
    assert steps[-6:] == [521, 470, 409, 337, 249, 140]
    assert unipc(Sampling(flow_shift=3)).timesteps.tolist()[-6:] == [290, 249, 206, 160, 111, 57]


@pytest.mark.parametrize("count", [2, 3])
def test_latents_equal_those_of_the_public_pipeline(count: int, pipeline: Pipeline) -> None:
    conditions = encoded(pipeline, count)
    latents = pipeline.denoise(conditions, SAMPLING, seed=public.SEED, watch=watched)
    expected = torch.tensor(GOLDEN["latents"][str(count)]).view(1, 16, 5, 4, 6)
    torch.testing.assert_close(latents, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_any_number_of_references_up_to_four(count: int, pipeline: Pipeline) -> None:
    conditions = encoded(pipeline, count)
    channels = conditions.channels(torch.Generator().manual_seed(0))
    assert channels.shape == (1, 20, 5, 4, 6)
    marked = channels[0, :4].flatten(2).flatten(1).mean(dim=1)
    assert torch.equal(channels[:, :4, :count], torch.ones(1, 4, count, 4, 6))
    assert marked.tolist() == pytest.approx([count / 5] * 4)
    assert conditions.images.shape == (1, 5 * count, 20)
    latents = pipeline.denoise(conditions, SAMPLING, seed=0, watch=watched)
    assert latents.isfinite().all()
    assert len(pipeline.decode(latents, conditions)) == public.FRAMES - 4 * count
    assert len(pipeline.decode(latents, conditions, drop=False)) == public.FRAMES


def test_references_lead_the_video_and_grey_follows() -> None:
    shades = (10, 100, 200)
    given = [
        Reference(role=role, image=Image.new("RGB", SIZE, (shade,) * 3))
        for role, shade in zip(ROLES, shades, strict=True)
    ]
    video = conditioning.reference_video(given, SIZE, 17)
    assert video.shape == (1, 3, 17, 32, 48)
    levels = [2 * shade / 255 - 1 for shade in shades]
    expected = [levels[0]] + [levels[1]] * 4 + [levels[2]] * 4 + [0.0] * 8
    for frame, level in zip(video[0].unbind(1), expected, strict=True):
        torch.testing.assert_close(frame, torch.full_like(frame, level))


def test_letterbox_shows_all_on_white_and_centre_crop_fills() -> None:
    left, right = Image.new("RGB", (10, 20), "red"), Image.new("RGB", (10, 20), "blue")
    both = Image.new("RGB", (20, 20))
    both.paste(left, (0, 0))
    both.paste(right, (10, 0))
    boxed = np.asarray(conditioning.letterbox(both, 40, 20))
    assert boxed[10, 2].tolist() == boxed[10, 37].tolist() == [255, 255, 255]
    assert boxed[10, 14].tolist() == [255, 0, 0]
    tall = np.asarray(conditioning.letterbox(both, 20, 40))
    assert tall[2, 10].tolist() == tall[37, 10].tolist() == [255, 255, 255]
    filled = np.asarray(conditioning.centre_crop(both, 40, 20))
    assert filled[1, 2].tolist() == [255, 0, 0]
    assert filled[18, 37].tolist() == [0, 0, 255]
    thin = np.asarray(conditioning.centre_crop(both, 5, 40))
    assert thin.shape == (40, 5, 3)


def test_roles_count_and_not_places(tmp_path: Path) -> None:
    roles: tuple[Role, ...] = ("background", "object", "character")
    case = make_case(tmp_path, roles=roles)
    Image.new("RGB", (64, 48), "navy").save(case.elements[0].image)
    subject = Image.new("RGBA", (64, 64))
    subject.paste("green", (20, 20, 40, 44))
    subject.save(case.elements[1].image)
    read = read_references(case, frames=81)
    assert [reference.role for reference in read] == list(ROLES)
    assert read[2].image.size == (64, 48)
    assert read[1].image.size == (20, 24)  # what is transparent is cut away
    wide = read_references(case, frames=81, margin=0.5)
    assert [reference.image.size for reference in wide[1:]] == [(30, 36), (64, 48)]
    assert wide[1].image.crop((5, 6, 25, 30)).tobytes() == read[1].image.tobytes()
    subject.putpixel((60, 60), (255, 0, 0, 255))
    subject.save(case.elements[1].image)
    green = read_references(case, frames=81)[1].image
    assert green.getpixel((30, 2)) == (255, 255, 255)  # and else is white


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        ((), "has 0 references; SkyReels-A2 takes 1 to 4"),
        (("object",) * 5, "has 5 references"),
        (("character", "object"), "2 references need more than 8 frames, not 5"),
    ],
)
def test_cases_that_cannot_be_conditioned_on(
    roles: tuple[Role, ...], told: str, folder: Path, tmp_path: Path
) -> None:
    elements = tuple(make_element(tmp_path, f"e{i}", role) for i, role in enumerate(roles))
    case = Case(id="c", prompt="p", elements=elements)
    with pytest.raises(GeneratorError, match=told):
        small(folder, frames=5).generate(case, seed=0, out=tmp_path / "v.mp4")


@pytest.mark.parametrize("role", ROLES)
def test_an_image_of_one_pixel(role: Role, model: SkyReelsA2, tmp_path: Path) -> None:
    element = make_element(tmp_path, "e", role)
    Image.new("RGB", (1, 1)).save(element.image)
    case = Case(id="c", prompt="p", elements=(element,))
    with pytest.raises(GeneratorError, match=r"e\.png: 1x1 pixels are too few"):
        model.generate(case, seed=0, out=tmp_path / "v.mp4")


def test_text_ends_in_zeros_and_is_cut_at_512_tokens(pipeline: Pipeline) -> None:
    nets, cpu = pipeline.networks, torch.device("cpu")

    def states(text: str) -> torch.Tensor:
        with torch.no_grad():
            return wan_text.text_tokens(nets.text_encoder, nets.tokenizer, text, cpu)

    short = states("A man")
    assert short.shape == (1, 512, 24)
    assert short[0, :3].abs().amin(dim=1).gt(0).all()  # two words and the end mark
    assert not short[0, 3:].any()
    cut = states(" ".join(["man"] * 511))
    assert torch.equal(states(" ".join(["man"] * 600 + ["teddy"] * 5)), cut)
    assert wan_text.count_tokens(nets.tokenizer, " ".join(["man"] * 600)) == 601


def test_text_is_cleaned_as_in_training() -> None:
    assert wan_text.clean(" a &amp;amp; b\n c Ã© ") == "a & b c é"


def test_guidance_is_on_the_text_alone(pipeline: Pipeline) -> None:
    conditions = encoded(pipeline, 2)
    sampling = replace(SAMPLING, steps=2)
    seen: list[torch.Tensor] = []
    watch = pipeline.networks.transformer.register_forward_pre_hook(
        lambda _module, _args, given: seen.append(given["encoder_hidden_states_image"]),
        with_kwargs=True,
    )
    two = pipeline.denoise(conditions, sampling, seed=1, watch=watched)
    one = replace(pipeline, guide=one_batch).denoise(conditions, sampling, seed=1, watch=watched)
    unguided = replace(sampling, guidance=1.0)
    alone = pipeline.denoise(conditions, unguided, seed=1, watch=watched)
    watch.remove()
    assert [len(images) for images in seen] == [1, 1, 1, 1, 2, 2, 1, 1]
    assert all(torch.equal(image, conditions.images[0]) for images in seen for image in images)
    torch.testing.assert_close(one, two, rtol=0, atol=1e-4)
    other = pipeline.denoise(
        replace(conditions, negative=conditions.text), sampling, seed=1, watch=watched
    )
    torch.testing.assert_close(other, alone, rtol=0, atol=1e-4)
    assert (two - alone).abs().max() > 0.01


def test_same_seed_same_bytes(model: SkyReelsA2, case: Case, folder: Path, tmp_path: Path) -> None:
    frames = drawn(model, case, seed=3)
    assert same(frames, drawn(small(folder), case, seed=3))
    assert not same(frames, drawn(model, case, seed=4))
    videos = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for video in videos:
        small(folder).generate(case, seed=3, out=video)
    assert file_sha256(videos[0]) == file_sha256(videos[1])
    told = probe(videos[0])
    assert (told.width, told.height, told.frames, told.fps) == (48, 32, 5, 15.0)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_reference_changes_the_video(
    place: int, model: SkyReelsA2, case: Case, tmp_path: Path
) -> None:
    before = drawn(model, case)
    elements = list(case.elements)
    elements[place] = make_element(tmp_path, "another", elements[place].role)
    after = drawn(model, replace(case, elements=tuple(elements)))
    assert not same(before, after)


def test_a_case_is_encoded_once_for_all_its_seeds(model: SkyReelsA2, case: Case) -> None:
    networks = model._pipeline.networks
    calls: list[str] = []
    parts = {
        "text": networks.text_encoder,
        "image": networks.image_encoder,
        "vae": networks.vae.quant_conv,
    }
    for name, module in parts.items():
        module.register_forward_hook(lambda *_, name=name: calls.append(name))
    for seed in range(3):
        drawn(model, case, seed)
    assert calls == ["text", "text", "image", "vae"]
    drawn(model, replace(case, prompt="teddy"))
    assert len(calls) == 8


def test_each_step_is_told(folder: Path, case: Case) -> None:
    told: list[tuple[int, int]] = []
    drawn(small(folder, steps=3, watch=lambda *step: told.append(step)), case)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_leading_frames_are_kept_on_request(folder: Path, case: Case) -> None:
    whole = drawn(small(folder, keep_references=True), case)
    assert len(whole) == 17
    assert same(whole[12:], drawn(small(folder), case))


@pytest.mark.parametrize(
    "params",
    [
        {"offload": "model"},
        {"offload": "sequential"},
        {"tiling": True},
        {"one_batch": True},
    ],
)
def test_what_it_costs_does_not_change_the_video(
    params: dict[str, Any], folder: Path, case: Case
) -> None:
    cheap = np.stack(drawn(small(folder, **params), case)).astype(int)
    assert np.abs(cheap - np.stack(drawn(small(folder), case))).max() <= 1


@pytest.mark.parametrize("kind", ["int8", "float8"])
@pytest.mark.parametrize("offload", ["none", "model", "sequential"])
def test_weights_in_8_bits(kind: str, offload: str, folder: Path, case: Case) -> None:
    exact = np.stack(drawn(small(folder), case)).astype(int)
    model = small(folder, quantise=kind, offload=offload)
    rough = np.stack(drawn(model, case)).astype(int)
    layer = model._pipeline.networks.transformer.blocks[0].ffn.net[2]
    if offload != "sequential":
        assert {"int8": "Int8Tensor", "float8": "Float8Tensor"}[kind] in str(type(layer.weight))
    assert 0 < np.abs(rough - exact).mean() < 4


def test_half_precision_runs(folder: Path, case: Case) -> None:
    assert len(drawn(small(folder, dtype="bfloat16"), case)) == 5


def test_out_of_memory_is_told_with_what_to_do(
    model: SkyReelsA2, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore.")

    transformer = model._pipeline.networks.transformer
    with monkeypatch.context() as patched:
        patched.setattr(transformer, "forward", full)
        with pytest.raises(GeneratorError, match=r"^out of memory: .*2 GiB\.; .*offload=model"):
            model.generate(case, seed=0, out=tmp_path / "v.mp4")
    model.generate(case, seed=0, out=tmp_path / "v.mp4")
    assert probe(tmp_path / "v.mp4").frames == 5


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"width": 850}, "850x480: sides must be divisible by 16"),
        ({"height": 0}, "height is 0: give a number above 0"),
        ({"fps": -1}, "fps is -1"),
        ({"flow_shift": 0.0}, "flow_shift is 0"),
        ({"guidance": -1.0}, "guidance is -1: give a number from 0 to 100"),
        ({"frames": 80}, r"frames 80: use 4 n \+ 1"),
        ({"steps": 0}, "steps is 0"),
        ({"processes": 0}, "processes is 0"),
        ({"margin": -0.5}, "margin -0.5: use a share of the subject"),
        ({"dtype": "int4"}, "dtype 'int4': use bfloat16, float16, float32"),
        ({"offload": "disk"}, "offload 'disk': use none, model, sequential"),
        ({"quantise": "int4"}, "quantise 'int4': use none, int8, float8"),
    ],
)
def test_parameters_that_cannot_be_right(params: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        SkyReelsA2(**params)


def test_missing_weights_are_told_before_anything_runs(tmp_path: Path) -> None:
    model = SkyReelsA2(weights=str(tmp_path), device="cpu")
    suite = Suite(name="s", version="1", cases=())
    with pytest.raises(CannotRun, match="weights are missing in"):
        model.prepare(suite)
    with pytest.raises(CannotRun, match="--param weights=FOLDER"):
        assert model.info


@pytest.mark.parametrize("quantise", ["none", "int8"])
def test_missing_packages_are_told(quantise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, extra = ("torchao", "quantise") if quantise == "int8" else ("diffusers", "generate")
    monkeypatch.setattr(generator, "find_spec", lambda name: None if name == gone else name)
    with pytest.raises(CannotRun, match=rf"not installed: {gone}; pip install -e '\.\[{extra}\]'"):
        SkyReelsA2(quantise=quantise).prepare(Suite(name="s", version="1", cases=()))


def test_a_device_that_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = Suite(name="s", version="1", cases=())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CannotRun, match="torch sees no GPU"):
        SkyReelsA2(weights=str(folder)).prepare(suite)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(CannotRun, match="processes=2, but there are 1 GPUs"):
        SkyReelsA2(weights=str(folder), processes=2).prepare(suite)
    with pytest.raises(UsageError, match="device 'gpu'"):
        SkyReelsA2(weights=str(folder), device="gpu").prepare(suite)


def test_cases_that_will_fail_or_be_cut_are_warned_of(model: SkyReelsA2, tmp_path: Path) -> None:
    good = make_case(tmp_path, "good")
    crowded = make_case(tmp_path, "crowded", roles=("object",) * 5)
    bare = Case(id="bare", prompt="p", elements=())
    long = replace(good, id="long", prompt="man " * 600)
    suite = Suite(name="s", version="1", cases=(good, crowded, bare, long))
    assert model.prepare(suite) == (
        "crowded has 5 references; skyreels-a2 takes 1 to 4 and will fail",
        "bare has 0 references; skyreels-a2 takes 1 to 4 and will fail",
        "long: its prompt has 601 tokens; 512 are read",
    )


def test_what_decides_a_video_is_its_identity(folder: Path, case: Case) -> None:
    def who(**params: Any) -> dict[str, Any]:
        return generator_identity(small(folder, **params), case, seed=0)

    known = who()
    assert known["weights"] == weights.hashes(folder)
    assert known["params"]["negative_prompt"].startswith("Bright tones")
    assert known not in (who(steps=9), who(dtype="bfloat16"), who(quantise="int8"), who(fps=16))
    assert known == who(offload="model", processes=2, one_batch=True, watch=print)
    assert not small(folder).info.parallel


def test_it_travels_to_another_process_without_its_networks(
    model: SkyReelsA2, case: Case, folder: Path
) -> None:
    model = small(folder, watch=lambda *_: None)
    frames = drawn(model, case)
    copy = pickle.loads(pickle.dumps(model))
    assert copy == model
    assert "_pipeline" not in vars(copy)
    assert same(drawn(copy, case), frames)


def test_its_module_loads_nothing_heavy() -> None:
    program = (
        "import sys, a2bench.generators.skyreels_a2.generator;"
        "print(sorted({'torch', 'diffusers', 'transformers', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"
