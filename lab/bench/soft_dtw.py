"""Soft-DTW: time of a value and a gradient, beside the public package `pysdtw` and plain torch.

256 pairs of 64 x 64 slots of 63 numbers, gamma 0.1, float32: costs, values, and the gradient by the first sequence. All
run on one thread (torch and numba are told so, and the compiled kernel uses none of its own), in turns, by processor
time, so that a busy machine weighs on all alike. A ratio is the middle one of the rounds.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
import warnings
from collections.abc import Callable, Mapping

import numba
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...kernels.fused.soft_dtw import soft_dtw
from ...kernels.grouping.soft_dtw import soft_dtw_loss, squared_distances
from ...kernels.grouping.soft_dtw_diagonals import soft_dtw_diagonals
from .metric import Direction, Metric

PAIRS, SLOTS, NUMBERS, GAMMA = 256, 64, 63, 0.1
ROUNDS = 9
CHECKED = 8
"""Pairs whose values are compared with float64."""

Loss = Callable[[Float[Tensor, "B n D"], Float[Tensor, "B m D"]], Float[Tensor, "B"]]


def run_soft_dtw(rounds: int = ROUNDS, pairs: int = PAIRS) -> list[Metric]:
    """All figures; some seconds. Without pysdtw its ratio is left out."""
    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pysdtw asks numba for CUDA
            return _figures(rounds, pairs)
    finally:
        numba.set_num_threads(before[1])
        torch.set_num_threads(before[0])  # last: both may set the threads of one OpenMP


def _figures(rounds: int, pairs: int) -> list[Metric]:
    x, y = swings(pairs, 1), swings(pairs, 2)
    seconds = _in_turns({"ours": _ours} | _others(), x, y, rounds)
    figures = [Metric("soft_dtw.ms", 1e3 * float(np.median(seconds["ours"])), "ms")]
    for name in sorted(set(seconds) - {"ours"}):
        ratio = float(np.median(seconds[name] / seconds["ours"]))
        # the rounds of one run differ by a quarter on shared machines
        figures.append(Metric(f"soft_dtw.times_faster_than_{name}", ratio, "", Direction.HIGHER, rel_tol=0.4))
    return [
        *figures,
        Metric("soft_dtw.value_error", _error(x, y), "", Direction.LOWER, rel_tol=1.0, abs_tol=1e-6),
    ]


def swings(pairs: int, seed: int) -> Float[Tensor, "B n D"]:
    """Smooth random motions, about as far from one another as people's 6D rotations are."""
    steps = np.random.default_rng(seed).normal(size=(pairs, SLOTS, NUMBERS))
    return torch.tensor(0.01 * steps.cumsum(1), dtype=torch.float32)


def _ours(x: Float[Tensor, "B n D"], y: Float[Tensor, "B m D"]) -> Float[Tensor, "B"]:
    return soft_dtw_loss(x, y, torch.ones(x.shape[2]), GAMMA)


def _others() -> dict[str, Loss]:
    """What ours is compared with: torch an anti-diagonal at a time, and pysdtw where it is installed."""

    def diagonals(x: Float[Tensor, "B n D"], y: Float[Tensor, "B m D"]) -> Float[Tensor, "B"]:
        ends = torch.full((len(x),), SLOTS)
        cost = squared_distances(x, y)
        value, alignment = soft_dtw_diagonals(cost.detach(), GAMMA, ends, ends)
        return value + (alignment * (cost - cost.detach())).sum((1, 2))  # the closed form's gradient

    others: dict[str, Loss] = {"torch": diagonals}
    if importlib.util.find_spec("pysdtw") is not None:
        others["pysdtw"] = importlib.import_module("pysdtw").SoftDTW(gamma=GAMMA, use_cuda=False)
    return others


def _in_turns(
    losses: Mapping[str, Loss], x: Float[Tensor, "B n D"], y: Float[Tensor, "B m D"], rounds: int
) -> dict[str, Float[np.ndarray, "R"]]:
    """Processor seconds of a value and a gradient, the makes one after the other in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in losses}
    for turn in range(rounds + 1):
        for name, loss in losses.items():
            moved = x.clone().requires_grad_()
            begin_s = time.process_time()
            loss(moved, y).sum().backward()  # type: ignore[no-untyped-call]
            if turn:  # the first one compiles
                seconds[name].append(time.process_time() - begin_s)
    return {name: np.array(each) for name, each in seconds.items()}


def _error(x: Float[Tensor, "B n D"], y: Float[Tensor, "B m D"]) -> float:
    """Largest distance of a value from float64, over gamma."""
    cost = squared_distances(x[:CHECKED].double(), y[:CHECKED].double())
    ends = torch.full((len(cost),), SLOTS)
    want, _ = soft_dtw_diagonals(cost, GAMMA, ends, ends)
    got, _ = soft_dtw(cost.float().numpy(), GAMMA)
    return float(np.abs(got - want.numpy()).max()) / GAMMA
