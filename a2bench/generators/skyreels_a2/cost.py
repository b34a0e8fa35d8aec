"""What fits where: offload to the CPU, weights in 8 bits, the VAE in tiles."""

from __future__ import annotations

from typing import Any

import torch

from a2bench.generators.skyreels_a2.weights import Networks


def quantise(transformer: Any, kind: str, device: torch.device) -> None:
    """Holds the weights of the blocks' linear layers in 8 bits, half the memory of bfloat16.

    By torchao, a scale for each output of a layer; they are computed with in the layers' own type.
    Each layer is brought to ``device`` for it and stays there.
    """
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig, quantize_

    kinds = {"int8": Int8WeightOnlyConfig, "float8": Float8WeightOnlyConfig}
    quantize_(transformer.blocks, kinds[kind](), device=device)


def place(networks: Networks, device: torch.device, offload: str) -> None:
    """Brings the networks to where they compute, or has them brought when they are called.

    ``model``: one network at a time is on the device; ``sequential``: one layer at a time, much
    slower, for the smallest memory.
    """
    order = (
        networks.text_encoder,
        networks.image_encoder,
        networks.transformer,
        networks.vae,
    )
    if offload == "none":
        for network in order:
            network.to(device)
        return
    from accelerate import cpu_offload, cpu_offload_with_hook

    hook = None
    for network in order:
        if offload == "model":
            _, hook = cpu_offload_with_hook(network, device, prev_module_hook=hook)
        else:
            cpu_offload(network, device, offload_buffers=bool(network._parameters))
