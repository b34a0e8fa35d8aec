"""The training of a small SkyReels-A2, on networks that take a moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from a2bench.checkpoints.tensors import load_weights
from a2bench.errors import CannotRun, UsageError
from a2bench.generators.skyreels_a2 import train, weights
from a2bench.generators.skyreels_a2.conditioning import image_tokens
from a2bench.generators.skyreels_a2.training import autoencoder, encoded, muon, small
from a2bench.generators.skyreels_a2.training.clips_composed import Composer
from a2bench.generators.skyreels_a2.training.flow import Clip, FlowMatching
from a2bench.generators.skyreels_a2.training.loop import (
    CHECKPOINT,
    CURVE,
    Schedule,
    Training,
)
from a2bench.generators.skyreels_a2.training.pictures import Picture
from a2bench.generators.wan.text import text_tokens

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
CONFIG = Path(train.__file__).parent / "configs" / "tiny.toml"
PAPER = ("attn2", "patch_embedding", "image_embedder")
SIZES = small.Sizes(
    vae={
        "base_dim": 4,
        "z_dim": 4,
        "dim_mult": [1, 2, 4],
        "num_res_blocks": 1,
        "temperal_downsample": [True, True],
        "in_channels": 48,
        "out_channels": 48,
        "patch_size": 4,
        "scale_factor_spatial": 16,
    },
    transformer={
        "patch_size": (1, 1, 1),
        "num_attention_heads": 2,
        "attention_head_dim": 12,
        "freq_dim": 16,
        "ffn_dim": 32,
        "num_layers": 1,
        "cross_attn_norm": True,
        "qk_norm": "rms_norm_across_heads",
    },
    text_encoder={"d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2, "num_layers": 1},
    image_encoder={
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
    },
    vocabulary=300,
    looks=((0, 0),),
)
TRAINED = ("transformer", "text_encoder", "image_encoder")


@pytest.fixture
def composer(tmp_path: Path) -> Composer:
    subject = np.zeros((80, 80, 4), np.uint8)
    subject[10:70, 10:70] = (200, 30, 30, 255)
    scene = np.tile(np.linspace(0, 255, 128, dtype=np.uint8)[None, :, None], (64, 1, 3))
    files = {"character": subject, "object": subject, "background": scene}
    found = []
    for role, pixels in files.items():
        Image.fromarray(pixels).save(tmp_path / f"{role}.png")
        found.append(Picture(path=tmp_path / f"{role}.png", role=role, name=role))  # type: ignore[arg-type]
    return Composer(pictures=found, size=(64, 32), frames=5)


def networks() -> weights.Networks:
    torch.manual_seed(0)
    tokenizer = small.train_tokenizer(["a man moves to the left"], SIZES.vocabulary)
    return small.build(SIZES, tokenizer, small.build_vae(SIZES).eval())


def flow(**params: Any) -> FlowMatching:
    """On four random clips, with two or three references each."""
    made, random = networks(), torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    found = [
        Clip(
            latents=draw(4, 4, 2, 3),
            references=draw(4, 4, 2, 3),
            pixels=draw(2 + number % 2, 3, 16, 16),
            tokens=encoded.tokens(made.tokenizer, "a man moves" + " to the left" * number),
        )
        for number in range(4)
    ]
    defaults = {"frames": 4, "text_drop": 0.0, "reference_drop": 0.0}
    return FlowMatching(
        networks=nn.ModuleDict({name: getattr(made, name) for name in TRAINED}),
        clips=found,
        empty=encoded.tokens(made.tokenizer, ""),
        **{**defaults, **params},
    )


def schedule(**params: Any) -> Schedule:
    return Schedule(**{"steps": 4, "batch": 4, "learning_rate": 1e-2, "warmup": 1, **params})


def training(folder: Path, objective: Any, **params: Any) -> Training:
    return Training(objective=objective, schedule=schedule(**params), folder=folder, device=CPU)


def state(trained: Training) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trained.networks.state_dict().items()}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_steps_lower_the_loss_on_one_batch(tmp_path: Path, optimizer: str) -> None:
    objective = flow()
    examples = [objective.example(number) for number in range(4)]
    trained = training(tmp_path, _Fixed(objective, examples), optimizer=optimizer)
    losses = [trained.advance()["loss"] for _ in range(6)]
    assert losses[-1] < losses[0] - 0.02


class _Fixed:
    """The same examples at each step."""

    def __init__(self, objective: FlowMatching, examples: list[Any]) -> None:
        self.networks, self.losses, self.examples = objective.networks, objective.losses, examples

    def example(self, number: int) -> Any:
        return self.examples[number % len(self.examples)]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_resumed_is_bit_for_bit_uninterrupted(tmp_path: Path, optimizer: str) -> None:
    whole = training(tmp_path / "whole", flow(text_drop=0.3), optimizer=optimizer)
    whole.run()
    begun = training(tmp_path / "parts", flow(text_drop=0.3), optimizer=optimizer)
    begun.advance(), begun.advance()
    begun.save()
    resumed = training(tmp_path / "parts", flow(text_drop=0.3), optimizer=optimizer)
    assert resumed.step == 2
    resumed.run()
    for name, value in state(whole).items():
        assert torch.equal(value, state(resumed)[name]), name


def test_a_batch_in_parts_is_the_batch(tmp_path: Path) -> None:
    whole = training(tmp_path / "whole", flow(text_drop=0.3, reference_drop=0.3), steps=2)
    parts = training(tmp_path / "parts", flow(text_drop=0.3, reference_drop=0.3), steps=2, parts=4)
    told = [whole.advance(), parts.advance()]
    assert told[0]["loss"] == pytest.approx(told[1]["loss"], rel=1e-5)
    assert told[0]["gradient_norm"] == pytest.approx(told[1]["gradient_norm"], rel=1e-4)


def test_what_the_paper_freezes_stays(tmp_path: Path) -> None:
    trained = training(tmp_path, flow(), trainable=PAPER, weight_decay=0.1)
    before = state(trained)
    trained.run()
    moved = {name for name, value in state(trained).items() if not value.equal(before[name])}
    assert moved
    assert all(any(part in name for part in PAPER) for name in moved)
    assert any("attn2.add_k_proj" in name for name in moved)


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
def test_bfloat16_keeps_weights_in_float32(tmp_path: Path) -> None:
    trained = training(tmp_path, flow(), precision="bfloat16", steps=1)
    trained.run()
    assert {value.dtype for value in state(trained).values()} == {torch.float32}


def test_conditions_are_dropped_as_often_as_told() -> None:
    objective = flow(text_drop=0.3, reference_drop=0.1)
    drawn = [objective.example(number) for number in range(1000)]
    assert sum(not one.told for one in drawn) / 1000 == pytest.approx(0.3, abs=0.05)
    assert sum(not one.shown for one in drawn) / 1000 == pytest.approx(0.1, abs=0.03)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FlowMatching, list[dict[str, Tensor]]]]:
    """An objective, and what its transformer is given."""
    objective, calls = flow(), []
    forward = objective.networks["transformer"].forward

    def watched(**given: Any) -> Any:
        calls.append(given)
        return forward(**given)

    monkeypatch.setattr(objective.networks["transformer"], "forward", watched)
    yield objective, calls


def test_without_references_the_network_sees_none(
    seen: tuple[FlowMatching, list[dict[str, Tensor]]],
) -> None:
    objective, calls = seen
    objective.losses([replace(objective.example(0), shown=False)])
    assert not calls[0]["hidden_states"][:, 4:].any()
    assert not calls[0]["encoder_hidden_states_image"].any()


def test_without_text_all_texts_are_the_empty_one(
    seen: tuple[FlowMatching, list[dict[str, Tensor]]],
) -> None:
    objective, calls = seen
    for number in (0, 1):
        objective.losses([replace(objective.example(number), told=False)])
    assert torch.equal(calls[0]["encoder_hidden_states"], calls[1]["encoder_hidden_states"])


def test_conditions_in_training_are_those_of_generation(
    composer: Composer, seen: tuple[FlowMatching, list[dict[str, Tensor]]]
) -> None:
    objective, calls = seen
    made, triplet = networks(), composer.draw(0)
    clip = encoded.encode(triplet, made, torch.Generator().manual_seed(0))
    clip = replace(clip, pixels=clip.pixels.float())
    objective.losses(
        [
            replace(
                objective.example(0),
                clip=clip,
                noise=torch.zeros_like(clip.latents, dtype=torch.float),
            )
        ]
    )
    text = text_tokens(made.text_encoder, made.tokenizer, triplet.prompt, CPU)
    images = image_tokens(made.image_encoder, made.image_processor, triplet.references, CPU)
    assert torch.allclose(calls[0]["encoder_hidden_states"], text, atol=1e-5)
    assert torch.allclose(calls[0]["encoder_hidden_states_image"], images, atol=2e-2)
    count = len(triplet.references)
    assert (calls[0]["hidden_states"][0, 4:8, :count] == 1).all()
    assert not calls[0]["hidden_states"][0, 4:8, count:].any()


def test_the_vae_learns_and_its_latents_are_standardised(
    tmp_path: Path, composer: Composer
) -> None:
    torch.manual_seed(0)
    vae = small.build_vae(SIZES)
    objective = autoencoder.Reconstruction(vae=vae, composer=composer, side_px=32)
    examples = [objective.example(number) for number in range(2)]
    before = float(objective.losses(examples)["loss"].mean().detach())
    training(tmp_path, objective, steps=12, batch=2, optimizer="muon").run()
    assert float(objective.losses(examples)["loss"].mean().detach()) < before
    videos = [autoencoder.to_tensor(composer.draw(number).video) for number in range(3)]
    autoencoder.standardise(vae, videos)
    latents = torch.cat([encoded._latents(vae, v[None], torch.Generator()) for v in videos], dim=1)
    assert latents.float().mean() == pytest.approx(0, abs=0.05)
    assert latents.float().std() == pytest.approx(1, abs=0.15)


def test_a_decoder_can_learn_alone_on_latents_that_are_not_quite_right(
    composer: Composer, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    vae = small.build_vae(SIZES)
    exact = autoencoder.Reconstruction(vae=vae, composer=composer, side_px=32)
    noisy = replace(exact, latent_noise=0.5)
    examples = [exact.example(number) for number in range(2)]
    errors = [float(o.losses(examples)["loss"].mean().detach()) for o in (exact, noisy)]
    assert errors[0] < errors[1]
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    training(tmp_path, noisy, steps=2, batch=2, trainable=("decoder", "post_quant")).run()
    changed = {name for name, value in vae.state_dict().items() if not value.equal(before[name])}
    assert changed
    assert all(name.startswith(("decoder.", "post_quant_conv.")) for name in changed)


@pytest.mark.parametrize("sizes", [{}, {"is_residual": True, "dim_mult": [2, 4, 4]}])
def test_what_the_vae_learns_is_what_it_decodes(sizes: dict[str, Any]) -> None:
    vae = small.build_vae(replace(SIZES, vae={**SIZES.vae, **sizes}))
    latents = 0.1 * torch.randn(1, 4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    decoded = autoencoder.decode(vae, latents).clamp(-1, 1)
    assert torch.allclose(decoded, vae.decode(latents, return_dict=False)[0])


@torch.no_grad()
def test_a_vae_begins_with_videos_as_stills() -> None:
    torch.manual_seed(0)
    vae = small.build_vae(SIZES).eval()
    still = torch.rand(1, 3, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    once, often = (
        vae.encode(video).latent_dist.mean for video in (still, still.expand(1, 3, 9, 32, 32))
    )
    assert torch.allclose(often, once.expand_as(often), atol=1e-4)
    drawn = autoencoder.decode(vae, often)
    assert torch.allclose(drawn, autoencoder.decode(vae, once).expand_as(drawn), atol=1e-4)


def test_encoded_clips_are_kept(tmp_path: Path, composer: Composer, monkeypatch: Any) -> None:
    monkeypatch.setattr(encoded, "CLIPS_A_FILE", 2)
    made = networks()
    first = encoded.clips(composer, made, 3, tmp_path / "clips")
    monkeypatch.setattr(encoded, "encode", None)
    again = encoded.clips(composer, made, 3, tmp_path / "clips")
    assert len(first) == len(again) == 3
    assert all(torch.equal(a.latents, b.latents) for a, b in zip(first, again, strict=True))


def test_small_networks_are_saved_in_the_published_layout(tmp_path: Path) -> None:
    made = networks()
    small.save(made, tmp_path, torch.bfloat16)
    files = tmp_path.rglob("*.safetensors")
    assert {v.dtype for file in files for v in load_weights(file).values()} == {torch.bfloat16}
    loaded = weights.load_networks(
        weights.find(str(tmp_path), local_files_only=True), torch.float32
    )
    for name in ("transformer", "vae", "text_encoder", "image_encoder"):
        kept, other = getattr(made, name).state_dict(), getattr(loaded, name).state_dict()
        assert all(torch.equal(v.bfloat16(), other[k].bfloat16()) for k, v in kept.items()), name
    assert loaded.tokenizer("a man")["input_ids"] == made.tokenizer("a man")["input_ids"]


def test_a_head_that_looks_aside_looks_there() -> None:
    from diffusers.models.transformers.transformer_wan import WanRotaryPosEmbed

    made = networks().transformer
    attention, tokens = made.blocks[0].attn1, torch.zeros(1, 2 * 6 * 6, 24)
    small.look(attention, 0, 12, (1, -2))
    rotary = WanRotaryPosEmbed(12, (1, 1, 1), 16)
    cosine, sine = rotary(torch.zeros(1, 4, 2, 6, 6))
    turned = []
    for layer, norm in ((attention.to_q, attention.norm_q), (attention.to_k, attention.norm_k)):
        heads = norm(layer(tokens)).unflatten(2, (2, 12))
        even, odd = heads.unflatten(-1, (-1, 2)).unbind(-1)
        c, s = cosine[..., 0::2], sine[..., 1::2]
        turned.append(torch.stack([even * c - odd * s, even * s + odd * c], -1).flatten(3))
    scores = torch.einsum("bqhd,bkhd->bhqk", *turned)[0, 0].reshape(2, 6, 6, 2, 6, 6)
    best = scores[0, 2, 3, 1].flatten().argmax()
    assert divmod(int(best), 6) == (3, 1)


def test_orthogonal_steps_have_singular_values_near_one() -> None:
    matrix = torch.randn(24, 40, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(muon.orthogonal(matrix))
    assert 0.6 < values.min() < values.max() < 1.3


def test_the_rate_rises_and_falls() -> None:
    rates = [schedule(steps=10, warmup=2, cooldown=4, learning_rate=1.0).rate(n) for n in range(10)]
    assert rates == [0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_a_curve_goes_on_where_the_checkpoint_is(tmp_path: Path) -> None:
    training(tmp_path, flow(), steps=2, plot_every=1, save_every=2).run()
    with (tmp_path / CURVE).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"step": 3, "loss": 9.0}) + "\n")
    training(tmp_path, flow(), steps=3, plot_every=1).run()
    points = [json.loads(line) for line in (tmp_path / CURVE).read_text().splitlines()]
    assert [point["step"] for point in points] == [1, 2, 3]
    assert points[2]["loss"] != 9


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    training(tmp_path, flow(), steps=1).run()
    other = flow()
    other.networks["more"] = nn.Linear(2, 2)
    with pytest.raises(CannotRun, match=CHECKPOINT):
        training(tmp_path, other)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"batch": 5, "parts": 2}, "divides"),
        ({"steps": 0}, "1 or more"),
        ({"precision": "float8"}, "float32 or bfloat16"),
        ({"optimizer": "sgd"}, "adamw or muon"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(params: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        schedule(**params)


def test_nothing_to_train_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no parameter"):
        training(tmp_path, flow(), trainable=("attn9",))


def test_pictures_to_networks_and_again_from_what_is_done(
    tmp_path: Path, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, few in ((train, "TEXTS", 9), (train, "STATISTICS_CLIPS", 2)):
        monkeypatch.setattr(module, name, few)
    monkeypatch.setattr(encoded, "CLIPS_A_FILE", 2)
    monkeypatch.setattr(train, "_composer", lambda _: composer)
    steps = {"steps": 2, "batch": 2}
    flow = {"text_drop": 0.3, "reference_drop": 0.1}
    config = train.Config(
        folder=str(tmp_path / "made"),
        size=(64, 32),
        networks=vars(SIZES),
        autoencoder=[{"frames": n, "side_px": 32, "schedule": steps} for n in (1, 5)],
        stages=[train.Stage(name="short", frames=13, clips=2, schedule=steps, flow=flow)],
        samples=1,
        sampling={"steps": 1, "guidance": 1.0, "flow_shift": 3.0},
    )
    folder = train.train(config)
    assert (folder.parent / "short" / "sample-000002.png").is_file()
    files = {path: path.read_bytes() for path in folder.rglob("*.safetensors")}
    assert len(files) == 4
    torch.manual_seed(1)  # nothing of the second call is drawn, so this must not matter
    assert train.train(config) == folder
    assert {path: path.read_bytes() for path in folder.rglob("*.safetensors")} == files


def test_the_shipped_configuration_is_read(tmp_path: Path) -> None:
    config = train.read(CONFIG)
    assert tuple(config.size) == (224, 128)
    assert [stage.flow["reference_drop"] for stage in config.stages] == [0.1, 0.1]
    for schedule in (s["schedule"] for s in (*map(vars, config.stages), *config.autoencoder)):
        Schedule(**schedule)
    (tmp_path / "bad.toml").write_text("steps = 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"bad\.toml"):
        train.read(tmp_path / "bad.toml")
