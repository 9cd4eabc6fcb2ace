"""Muon (K. Jordan 2024): momentum of a matrix made orthogonal before it steps, so that no direction is left behind.

    M <- mu M + G,    step = -rate 0.2 sqrt(max(m, n)) NS(G + mu M)

NS is five rounds of the quintic Newton-Schulz iteration X <- a X + (b A + c A^2) X, A = X X^T, which brings all
singular values near 1. torch.optim.Muon does them in bfloat16, which is slow on processors without it; here they are
done in the matrix's own type on the CPU. The factor makes steps as long as AdamW's, so one learning rate serves both.
The kernels of a convolution are taken as one matrix: a row for each output channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

ROUNDS = 5
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonal(matrix: Float[Tensor, "M N"]) -> Float[Tensor, "M N"]:
    """Nearly the nearest matrix with orthonormal rows or columns: singular values between 0.7 and 1.2."""
    x = matrix if matrix.device.type == "cpu" else matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp_min(1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay, for matrices and the kernels of convolutions only."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; weights without a gradient stay."""
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._turn(weight, weight.grad, group)

    def _turn(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        moving = state["momentum_buffer"]
        moving.lerp_(gradient, 1 - group["momentum"])
        aim = torch.lerp(gradient, moving, group["momentum"])
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        rows = aim.flatten(1)
        turned = orthogonal(rows).view_as(weight)
        weight.add_(turned, alpha=-group["lr"] * 0.2 * math.sqrt(max(rows.shape)))
