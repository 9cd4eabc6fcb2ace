"""Noise with a memory for many windows at once: the chains of `virtualcrowd.sighting_noise` as one matrix product.

A stationary first-order chain is a fixed lower triangular matrix times white noise: with a = exp(-dt / tau)

    x = L w,   L[k, 0] = a^k,   L[k, i] = sqrt(1 - a^2) a^(k - i)  for 1 <= i <= k

so T steps of all windows cost T^2 multiplications a column instead of T passes over memory.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

INSTANT_S = 1e-9


@lru_cache(maxsize=64)
def chain_matrix(frames: int, rate_hz: float, tau_s: float) -> Float[Tensor, "T T"]:
    """L for evenly spaced frames."""
    if tau_s <= INSTANT_S:
        return torch.eye(frames)
    index = torch.arange(frames, dtype=torch.float64)
    keep = torch.exp(torch.tensor(-1.0 / (rate_hz * tau_s), dtype=torch.float64))
    lag = index[:, None] - index[None]
    matrix = torch.where(lag >= 0, keep ** lag.clamp_min(0), 0.0)
    matrix[:, 1:] *= (1 - keep**2).sqrt()
    return matrix.float()


def chain(
    generator: torch.Generator, batch: int, frames: int, columns: int, rate_hz: float, tau_s: float
) -> Float[Tensor, "B T columns"]:
    """Gaussian values of unit variance with correlation exp(-dt / tau_s)."""
    white = torch.randn(batch, frames, columns, generator=generator)
    if tau_s <= INSTANT_S:
        return white
    coloured: Tensor = chain_matrix(frames, rate_hz, tau_s) @ white
    return coloured


def mixed(
    generator: torch.Generator,
    batch: int,
    frames: int,
    columns: int,
    rate_hz: float,
    tau_s: float,
    fast: float,
) -> Float[Tensor, "B T columns"]:
    """Unit variance: a share `fast` of it new in each frame, the rest a chain."""
    slow = chain(generator, batch, frames, columns, rate_hz, tau_s)
    if fast <= 0.0:
        return slow
    new = torch.randn(slow.shape, generator=generator)
    both: Tensor = float((1.0 - fast) ** 0.5) * slow + float(fast**0.5) * new
    return both


def switches(
    generator: torch.Generator, on_share: Float[Tensor, "B T *rest"], rate_hz: float, stay_s: float
) -> Bool[Tensor, "B T *rest"]:
    """Two-state chains that are on with probability `on_share` and stay on `stay_s` on average."""
    draw = torch.rand(on_share.shape, generator=generator)
    share = on_share.clamp(0.0, 0.999)
    if stay_s > INSTANT_S:
        leave = torch.full_like(share, 1.0 - float(torch.exp(torch.tensor(-1.0 / (rate_hz * stay_s)))))
    else:
        leave = 1.0 - share
    leave = torch.minimum(leave, (1.0 - share) / share.clamp_min(1e-6))  # else the way in would pass 1
    enter = leave * share / (1.0 - share)
    on = draw[:, 0] < share[:, 0]
    out = [on]
    for k in range(1, on_share.shape[1]):
        on = torch.where(on, draw[:, k] >= leave[:, k], draw[:, k] < enter[:, k])
        out.append(on)
    return torch.stack(out, 1)
