"""Muon (Jordan et al. 2024): matrices are moved by the nearest orthogonal matrix of their momentum.

All directions of a matrix learn equally fast, those that little of the data's variance shows too:
colour beside brightness, for instance. What is no matrix, and embeddings, are moved by Adam.

Not ``torch.optim.Muon``, which has the same momentum, scale and decay: it refuses parameters of
more than two axes (all of the small autoencoder's matrices are convolutions), leaves Adam's part to
a second optimiser, and rounds its iteration otherwise: a checkpoint would not go on as it began.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import Tensor

TABLES = re.compile(r"shared|embed_tokens|position_embedding")
SMALLEST_SIDE = 16
MOMENTUM = 0.95
BETAS = (0.9, 0.99)
ADAM_SHARE = 0.1
"""The learning rate of Adam, as a share of that of the matrices."""
ROUNDS = 5
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration: brings singular values from (0, 1] near one in five rounds."""


class Muon(torch.optim.Optimizer):
    """Moves named parameters; convolutions are matrices of outputs by everything else.

    ``lr`` is the largest singular value of a step on a wide matrix; 0.02 is usual. Weights decay by
    ``lr * weight_decay``.
    """

    def __init__(
        self, named: Iterable[tuple[str, torch.nn.Parameter]], lr: float, weight_decay: float
    ) -> None:
        groups: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
        for name, parameter in named:
            groups[_is_matrix(name, parameter)].append(parameter)
        super().__init__(
            [{"params": found, "matrix": matrix} for matrix, found in groups.items() if found],
            {"lr": lr, "weight_decay": weight_decay},
        )

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        """One step, from the gradients that are there."""
        del closure
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                move = self._matrix if group["matrix"] else self._adam
                move(parameter, parameter.grad, group["lr"])

    def _matrix(self, parameter: Tensor, gradient: Tensor, rate: float) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(momentum, MOMENTUM).flatten(1)
        larger = max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5
        parameter.add_(orthogonal(ahead).view_as(parameter), alpha=-rate * larger)

    def _adam(self, parameter: Tensor, gradient: Tensor, rate: float) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = (torch.zeros_like(parameter) for _ in range(2))
        state["step"] += 1
        state["mean"].lerp_(gradient, 1 - BETAS[0])
        state["square"].lerp_(gradient**2, 1 - BETAS[1])
        mean, square = (
            state[key] / (1 - beta ** state["step"])
            for key, beta in zip(("mean", "square"), BETAS, strict=True)
        )
        parameter.sub_(ADAM_SHARE * rate * mean / (square.sqrt() + 1e-8))


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with all singular values near one, in the type of the matrix; by bfloat16."""
    a, b, c = NEWTON_SCHULZ
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    found: Tensor = (x.T if tall else x).to(matrix.dtype)
    return found


def _is_matrix(name: str, parameter: Tensor) -> bool:
    if parameter.ndim < 2 or TABLES.search(name):
        return False
    return min(parameter.shape[0], parameter[0].numel()) >= SMALLEST_SIDE
