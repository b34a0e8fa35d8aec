"""DINO (Caron et al., ICCV 2021): what the frames of a video show, without any text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from a2bench.features import ExtractorInfo
from a2bench.metrics.extractors.batches import Batches
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import CheckpointWeights, Weights, lacking
from a2bench.networks.inference import in_batches
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Frame
from a2bench.types import Case, Video

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer
    from torch import Tensor

Floats = NDArray[np.float32]

SHORT_PX, PATCH_PX, GRID = 224, 16, 14
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class DinoSizes:
    """The transformer's sizes; as given, those of ViT-B/16."""

    width: int = 768
    layers: int = 12
    heads: int = 12


@dataclass(frozen=True, kw_only=True)
class DinoVideo:
    """The sampled frames in order: ``embeddings`` (n, d), rows of length 1."""

    embeddings: Floats


@dataclass(frozen=True, kw_only=True)
class DinoFrames(LoadsAnew):
    """DINO's class token of each sampled frame, as VBench has it; one forward a frame.

    The short side is brought to 224 px, bilinear and not smoothed (a large frame aliases), and
    nothing is cut off. Positions are learnt for 14x14 patches and interpolated for other shapes as
    DINO's own code does, whose scale factors are a little over those of the sides.
    """

    weights: Weights = CheckpointWeights(name="dino-vitb16")
    device: str = "cpu"
    sampling: str = "all"
    batch: int = 16
    sizes: DinoSizes = DinoSizes()

    @property
    def info(self) -> ExtractorInfo:
        return ExtractorInfo(
            name="dino_frames",
            version="1",
            sampling=self.sampling,
            params={"short_px": SHORT_PX},
            weights=self.weights.hashes(),
            licence=self.weights.licence,
        )

    def start(self, case: Case, video: Video) -> Batches[Floats, DinoVideo]:
        return Batches(
            prepare=dino_pixels,
            run=self.embed,
            conclude=lambda rows: DinoVideo(embeddings=np.stack(rows)),
            size=self.batch,
        )

    def missing(self) -> tuple[str, ...]:
        return lacking(self.weights)

    @cached_property
    def network(self) -> VisionTransformer:
        ensure_torchvision()
        import torch
        from timm.models.vision_transformer import VisionTransformer

        from a2bench.checkpoints.tensors import load_weights
        from a2bench.networks.strict import load_strictly

        path = self.weights.locate()
        with torch.device("meta"):
            network = VisionTransformer(
                img_size=SHORT_PX,
                patch_size=PATCH_PX,
                embed_dim=self.sizes.width,
                depth=self.sizes.layers,
                num_heads=self.sizes.heads,
                num_classes=0,
            )
        load_strictly(network, load_weights(path), path)
        return network.to(self.device)

    def embed(self, pixels: Sequence[Tensor]) -> list[Floats]:
        """A row (d,) of length 1 for each frame of one size, as ``dino_pixels`` makes them."""
        import torch

        rows = in_batches(
            lambda part: self._forward(part.to(self.device)).cpu(),
            torch.stack(list(pixels)),
            self.batch,
        )
        return list(rows.numpy())

    def _forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) to (n, d). timm's own forward interpolates the positions another way."""
        import torch
        from torch.nn.functional import normalize

        network: Any = self.network
        patches: Tensor = network.patch_embed.proj(pixels)
        places = positions(network.pos_embed[:, 1:], patches.shape[2], patches.shape[3])
        first = (network.cls_token + network.pos_embed[:, :1]).expand(len(pixels), -1, -1)
        tokens = torch.cat([first, patches.flatten(2).transpose(1, 2) + places], dim=1)
        unit: Tensor = normalize(network.norm(network.blocks(tokens))[:, 0])
        return unit


def dino_pixels(frame: Frame) -> Tensor:
    """An RGB frame as DINO takes it: (3, h, w), short side 224 px, of ImageNet's mean and spread.

    What VBench's ``Resize(antialias=False)`` does to a tensor of floats.
    """
    import torch
    from torch.nn.functional import interpolate

    height, width = frame.shape[:2]
    short = min(height, width)
    size = (int(SHORT_PX * height / short), int(SHORT_PX * width / short))
    image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()
    if size != (height, width):
        image = interpolate(image, size, mode="bilinear", align_corners=False)
    spread = torch.tensor(DEVIATION)[:, None, None]
    return (image[0] / 255 - torch.tensor(MEAN)[:, None, None]) / spread


def positions(learnt: Tensor, rows: int, columns: int) -> Tensor:
    """The embeddings (1, 196, d) of 14x14 positions for another grid: (1, rows * columns, d)."""
    from torch.nn.functional import interpolate

    if rows == columns == GRID:
        return learnt
    grid = learnt.reshape(1, GRID, GRID, -1).permute(0, 3, 1, 2)
    factors = ((rows + 0.1) / GRID, (columns + 0.1) / GRID)  # DINO's guard against rounding down
    return interpolate(grid, scale_factor=factors, mode="bicubic").flatten(2).transpose(1, 2)
