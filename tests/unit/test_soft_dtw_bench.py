"""The bench of soft-DTW: its figures hold for a few pairs, and it leaves thread counts as they were."""

from __future__ import annotations

import importlib.util

import numba
import torch

from crowdstream.lab.bench.metric import Direction
from crowdstream.lab.bench.soft_dtw import GAMMA, run_soft_dtw, swings


def test_figures_of_a_few_pairs() -> None:
    numba.get_num_threads()  # numba's first start may itself set the count of an OpenMP both share
    threads = torch.get_num_threads(), numba.get_num_threads()
    figures = {figure.key: figure for figure in run_soft_dtw(rounds=1, pairs=3)}
    assert (torch.get_num_threads(), numba.get_num_threads()) == threads
    others = {"torch"} | ({"pysdtw"} if importlib.util.find_spec("pysdtw") else set())
    assert {key.rsplit("_", 1)[1] for key in figures if "faster" in key} == others
    assert all(figures[f"soft_dtw.times_faster_than_{name}"].value > 0 for name in others)
    assert 0 <= figures["soft_dtw.value_error"].value < 1e-4
    gated = {key for key, figure in figures.items() if figure.direction is not Direction.NEITHER}
    assert gated == set(figures) - {"soft_dtw.ms"}  # plain durations are of the machine


def test_motions_are_the_same_each_time_and_none_is_another() -> None:
    assert torch.equal(swings(3, 1), swings(3, 1)) and not torch.equal(swings(3, 1), swings(3, 2))
    step = (swings(3, 1).diff(dim=1) ** 2).sum(-1).mean()
    assert 0.01 * GAMMA < float(step) < GAMMA  # a slot's change is small beside gamma, not beside nothing
