"""The InceptionV3 of the Fréchet inception distance (Heusel et al., NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import CheckpointWeights, Weights
from a2bench.networks.inference import in_batches
from a2bench.networks.torchvision import ensure_torchvision
from a2bench.pictures import Frame
from a2bench.types import Json

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]

SIDE_PX, FEATURES = 299, 2048


@dataclass(frozen=True, kw_only=True)
class Inception(LoadsAnew):
    """Pictures of 299x299 as 2048 features, by the published ``pt_inception-2015-12-05``.

    torchvision's InceptionV3 with the pooling of the TensorFlow graph that FID was defined with:
    averages leave the padding out, and the last block takes the maximum.
    """

    weights: Weights = CheckpointWeights(name="inception-fid")
    device: str = "cpu"
    batch: int = 16

    @property
    def params(self) -> Mapping[str, Json]:
        """What its features depend on besides the weights."""
        return {"features": "inception-2015-12-05", "side_px": SIDE_PX}

    def embed(self, pictures: Sequence[Frame]) -> Floats:
        """(n, 2048) of RGB pictures, each (299, 299, 3)."""
        import torch

        if not pictures:
            return np.zeros((0, FEATURES), np.float32)
        bytes_ = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        rows = in_batches(
            lambda part: self.network(part.to(self.device).float() / 127.5 - 1).cpu(),
            bytes_,
            self.batch,
        )
        features: Floats = rows.numpy()
        return features

    @cached_property
    def network(self) -> nn.Module:
        ensure_torchvision()
        import torch
        from torchvision.models.inception import Inception3

        from a2bench.checkpoints.tensors import load_weights
        from a2bench.networks.strict import load_strictly

        path = self.weights.locate()
        with torch.device("meta"):
            network: Any = Inception3(num_classes=1008, aux_logits=False, init_weights=False)
        counters = [key for key in network.state_dict() if key.endswith("num_batches_tracked")]
        unused = {key: torch.zeros((), dtype=torch.long) for key in counters}
        load_strictly(network, {**unused, **load_weights(path)}, path)  # old files have no counters
        network.fc = torch.nn.Identity()
        for name, block in network.named_children():
            if hasattr(block, "branch_pool"):
                pool = _maximum if name == "Mixed_7c" else _average
                block.register_forward_hook(partial(_pool_anew, pool))
        placed: nn.Module = network.to(self.device)
        return placed


def _pool_anew(
    pool: Callable[[Tensor], Tensor], block: Any, inputs: tuple[Tensor], output: Tensor
) -> Tensor:
    """The block's output with another pooling in the branch that pools, which comes last."""
    import torch

    pooled = block.branch_pool(pool(inputs[0]))
    return torch.cat([output[:, : -pooled.shape[1]], pooled], dim=1)


def _average(x: Tensor) -> Tensor:
    from torch.nn.functional import avg_pool2d

    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    from torch.nn.functional import max_pool2d

    return max_pool2d(x, 3, stride=1, padding=1)
