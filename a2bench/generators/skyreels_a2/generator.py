"""SkyReels-A2 as a generator: what the user sets, and what a machine must have for it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from a2bench.errors import CannotRun, GeneratorError, UsageError
from a2bench.generator import GeneratorInfo
from a2bench.parameters import above_zero, within
from a2bench.pictures import Frame
from a2bench.types import Case, Json, Suite
from a2bench.video import encode

if TYPE_CHECKING:
    from a2bench.generators.skyreels_a2.conditioning import Conditions, Reference
    from a2bench.generators.skyreels_a2.parallel import Crew
    from a2bench.generators.skyreels_a2.pipeline import Pipeline
    from a2bench.generators.wan.sampling import Guide

PACKAGES = ("accelerate", "diffusers", "ftfy", "safetensors", "transformers")
CHOICES = {
    "dtype": ("bfloat16", "float16", "float32"),
    "offload": ("none", "model", "sequential"),
    "quantise": ("none", "int8", "float8"),
}
NEGATIVE = (
    "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, "
    "images, static, overall gray, worst quality, low quality, JPEG compression residue, ugly, "
    "incomplete, extra fingers, poorly drawn hands, poorly drawn faces, deformed, disfigured, "
    "misshapen limbs, fused fingers, still picture, messy background, three legs, many people in "
    "the background, walking backwards"
)
"""The terms that the published code guides away from."""
HOW = ("weights", "local_files_only", "device", "one_batch", "offload", "processes", "watch")
"""What decides where and how a video is made, and not which."""
FREE = (
    "free memory of the GPU, or spare it: --param offload=model, --param offload=sequential, "
    "--param quantise=int8, --param tiling=true, or a smaller width, height or frames"
)


def _silent(done: int, total: int) -> None:
    """Watches nothing."""


@dataclass(kw_only=True)
class SkyReelsA2:
    """SkyReels-A2 14B (arXiv 2504.02436): up to four references and a prompt to a video.

    ``weights`` is a folder or a repository of the hub (OWNER/NAME, OWNER/NAME@REVISION) in the
    published layout; nothing is downloaded unless ``local_files_only`` is false. Sides are
    divisible by 16, ``frames`` is 4 n + 1. The frames that show the references themselves, four for
    each, are left out unless ``keep_references``. A prompt over 512 tokens is cut off there. A
    cut-out subject stands on a white page larger than itself by a share ``margin``.

    What it costs: ``offload`` (none, model, sequential) keeps on the GPU all, one network or one
    layer at a time; ``quantise`` (none, int8, float8) halves the transformer's weights; ``tiling``
    bounds the VAE's memory; ``one_batch`` answers prompt and negative prompt at once; ``processes``
    share one video among as many GPUs. ``watch`` is told after each step how many are done.
    """

    name: ClassVar[str] = "skyreels-a2"
    revision: ClassVar[str] = "1"
    licence: ClassVar[str] = "Skywork Community License"
    source: ClassVar[str] = "https://huggingface.co/Skywork/SkyReels-A2"

    weights: str = "Skywork/SkyReels-A2"
    local_files_only: bool = True
    device: str = "cuda"
    dtype: str = "bfloat16"
    width: int = 832
    height: int = 480
    frames: int = 81
    fps: int = 15
    steps: int = 50
    guidance: float = 5.0
    flow_shift: float = 8.0
    negative_prompt: str = NEGATIVE
    keep_references: bool = False
    margin: float = 0.0
    one_batch: bool = False
    offload: str = "none"
    quantise: str = "none"
    tiling: bool = False
    processes: int = 1
    watch: Callable[[int, int], None] = field(default=_silent, repr=False, compare=False)
    _kept: tuple[str, Conditions] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if (given := getattr(self, name)) not in choices:
                raise UsageError(f"{name} {given!r}: use {', '.join(choices)}")
        above_zero(self, "width", "height", "fps", "steps", "flow_shift", "processes")
        within(self, "guidance", 0, 100)
        if self.width % 16 or self.height % 16:
            raise UsageError(f"{self.width}x{self.height}: sides must be divisible by 16")
        if self.frames % 4 != 1 or self.frames < 5:
            raise UsageError(f"frames {self.frames}: use 4 n + 1, for example 81")
        if not 0 <= self.margin <= 10:
            raise UsageError(f"margin {self.margin}: use a share of the subject's size, 0 to 10")

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: another process loads networks of its own and has nobody to tell."""
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**kept, "watch": _silent, "_kept": None}

    @property
    def info(self) -> GeneratorInfo:
        from a2bench.generators.skyreels_a2.weights import hashes

        which = [f.name for f in fields(self) if f.init and f.name not in HOW]
        return GeneratorInfo(
            name=self.name,
            revision=self.revision,
            params={name: getattr(self, name) for name in which},
            weights=hashes(self._folder),
            licence=self.licence,
            source=self.source,
        )

    def prepare(self, suite: Suite) -> tuple[str, ...]:
        """Checks packages, weights and device; warns of cases that cannot be made, or not whole."""
        folder = self._folder
        self._check_device()
        self._check_parts()
        from a2bench.generators.skyreels_a2.conditioning import MAX_REFERENCES
        from a2bench.generators.skyreels_a2.weights import load_tokenizer
        from a2bench.generators.wan.text import TEXT_TOKENS, count_tokens

        tokenizer = load_tokenizer(folder)
        warnings = []
        for case in suite.cases:
            if not 1 <= len(case.elements) <= MAX_REFERENCES:
                told = f"has {len(case.elements)} references; {self.name} takes 1 to"
                warnings.append(f"{case.id} {told} {MAX_REFERENCES} and will fail")
            if (count := count_tokens(tokenizer, case.prompt)) > TEXT_TOKENS:
                warnings.append(f"{case.id}: its prompt has {count} tokens; {TEXT_TOKENS} are read")
        return tuple(warnings)

    def inputs(self, case: Case, *, seed: int) -> Mapping[str, Json]:
        """Nothing else decides a video."""
        del case, seed
        return {}

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        from a2bench.generators.skyreels_a2.conditioning import read_references

        references = read_references(case, frames=self.frames, margin=self.margin)
        try:
            if self.processes > 1:
                self._crew.tell(case, references, seed)
            frames = self._draw(case, references, seed)
        except BaseException as error:
            self._give_up()
            if short := _out_of_memory(error):
                raise GeneratorError(f"out of memory: {short}; {FREE}") from None
            raise
        encode(out, frames, fps=self.fps)

    def _draw(self, case: Case, references: Sequence[Reference], seed: int) -> list[Frame]:
        """The frames of a video; with several processes each of them does this.

        A case's conditions are kept until another case comes: its seeds share them.
        """
        from a2bench.generators.wan.sampling import Sampling

        pipeline, sampling = self._pipeline, Sampling(self.steps, self.guidance, self.flow_shift)
        if self._kept is None or self._kept[0] != case.key:
            texts, size = (case.prompt, self.negative_prompt), (self.width, self.height)
            conditions = pipeline.encode(references, texts, size=size, frames=self.frames)
            self._kept = (case.key, conditions)
        conditions = self._kept[1]
        latents = pipeline.denoise(conditions, sampling, seed=seed, watch=self.watch)
        return pipeline.decode(latents, conditions, drop=not self.keep_references)

    @cached_property
    def _folder(self) -> Path:
        self._check_packages()
        from a2bench.generators.skyreels_a2.weights import find

        return find(self.weights, local_files_only=self.local_files_only)

    @cached_property
    def _pipeline(self) -> Pipeline:
        """The networks in their places; with several processes, as this one's part of the work."""
        import torch

        from a2bench.generators.skyreels_a2 import cost, parallel, weights
        from a2bench.generators.skyreels_a2.pipeline import Pipeline
        from a2bench.generators.wan.sampling import decode_whole, one_batch, two_passes

        device = torch.device(self.device)
        networks = weights.load_networks(self._folder, getattr(torch, self.dtype))
        if self.quantise != "none":
            where = device if self.offload == "none" else torch.device("cpu")
            cost.quantise(networks.transformer, self.quantise, where)
        if self.tiling:
            networks.vae.enable_tiling()
        guide: Guide = one_batch if self.one_batch else two_passes
        if self.processes > 1:
            guide = parallel.share(networks.transformer, self.processes, device, guide)
        cost.place(networks, device, self.offload)
        decode = parallel.decode_tiles if self.tiling and self.processes > 1 else decode_whole
        return Pipeline(networks=networks, device=device, guide=guide, decoder=decode)

    @cached_property
    def _crew(self) -> Crew:
        """The other processes, started with the first video."""
        import torch

        from a2bench.generators.skyreels_a2.parallel import Crew

        self._check_parts()
        return Crew(self._draw, processes=self.processes, device=torch.device(self.device))

    def _give_up(self) -> None:
        """Forgets what a failure left half done; a crew that may have lost one is of no use."""
        self._kept = None
        if "_crew" in self.__dict__:
            self.__dict__.pop("_pipeline", None)  # its groups end with the crew
            self.__dict__.pop("_crew").kill()

    def _check_packages(self) -> None:
        quantised = self.quantise != "none"
        wanted = (*PACKAGES, "torchao") if quantised else PACKAGES
        extra = "quantise" if quantised else "generate"
        if lacking := [name for name in wanted if find_spec(name) is None]:
            raise CannotRun(
                f"{self.name} needs packages that are not installed: {', '.join(lacking)}; "
                f"pip install -e '.[{extra}]'"
            )

    def _check_device(self) -> None:
        import torch

        try:
            kind = torch.device(self.device).type
        except RuntimeError as error:
            raise UsageError(f"device {self.device!r}: use cuda, or cpu") from error
        if kind != "cuda":
            return
        if not torch.cuda.is_available():
            raise CannotRun("torch sees no GPU: --param device=cpu works, at hours a video")
        if self.processes > (count := torch.cuda.device_count()):
            raise CannotRun(f"processes={self.processes}, but there are {count} GPUs")

    def _check_parts(self) -> None:
        from a2bench.generators.skyreels_a2 import parallel, weights

        heads = weights.attention_heads(self._folder / "transformer")
        tokens = (self.frames + 3) // 4 * (self.width // 16) * (self.height // 16)
        parallel.check(self.processes, heads=heads, tokens=tokens)


def _out_of_memory(error: BaseException) -> str:
    """What torch says when memory is out, with all of it given back; empty for another error."""
    import torch

    if not isinstance(error, torch.OutOfMemoryError):
        return ""
    traceback.clear_frames(error.__traceback__)  # they hold the tensors
    torch.cuda.empty_cache()
    return str(error).partition("\n")[0]
