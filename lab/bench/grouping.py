"""Grouping: the distance between ways against the published algorithm in the same run, and how long groups take.

The yardstick is `sspd_twin`, traj-dist's algorithm in plain loops, compiled to scalar machine code as its Cython
is. Both sides get the same paths and one thread; figures are processor time, the best of some rounds in turns. The
ratio is what is gated; durations belong to the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numba import njit

from ...kernels.fused.sspd import sspd_pairs, sspd_rows
from ...kernels.grouping.bank import GroupBank
from ...kernels.grouping.bank_config import GroupConfig
from ...kernels.solve.problem import MODEL_RATE_HZ, WINDOW_FRAMES
from .metric import Direction, Metric
from .sspd_twin import distances

Array = np.ndarray

POINTS = 64
"""Of a path, as the paper compares them; the bank as shipped takes 12."""
BANK, NEW = 400, 100
TWIN_NEW, TWIN_PAIRS = 25, 100
"""The share of the work that the slow side is given; the fast side is given the same for the ratio."""


def run_grouping(rounds: int = 5) -> list[Metric]:
    """All figures; some seconds."""
    return [*_distances(rounds), *_groups(rounds)]


def walkers(count: int, seed: int = 0) -> Float[Array, "S T 2"]:
    """Ways of people on the move, metres: any direction and bend, 0.6 to 2.5 m/s, a centimetre of noise."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(WINDOW_FRAMES) / MODEL_RATE_HZ
    heading = rng.uniform(-np.pi, np.pi, (count, 1)) + rng.normal(0, 0.3, (count, 1)) * t_s
    speed = rng.uniform(0.6, 2.5, (count, 1, 1))
    steps = speed / MODEL_RATE_HZ * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    return np.asarray(np.cumsum(steps, axis=1) + rng.normal(0, 0.01, (count, WINDOW_FRAMES, 2)))


def _best_s(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Processor seconds of each, the best of some rounds in turns; the first call, which compiles, is left out."""
    best = dict.fromkeys(works, float("inf"))
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            begin_s = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - begin_s)
    return best


def _distances(rounds: int) -> list[Metric]:
    ways = walkers(BANK)
    paths = ways - ways[:, :1]
    few = paths[:TWIN_PAIRS]
    twin = njit(distances)

    def twin_pairs() -> None:
        for row in range(1, len(few)):
            twin(few[row : row + 1], few[:row])

    s = _best_s(
        {
            "twin.rows": lambda: twin(paths[:TWIN_NEW], paths),
            "ours.rows": lambda: sspd_rows(paths[:TWIN_NEW], paths),
            "twin.pairs": twin_pairs,
            "ours.pairs": lambda: sspd_pairs(few),
            "rows": lambda: sspd_rows(paths[:NEW], paths),
            "pairs": lambda: sspd_pairs(paths),
        },
        rounds,
    )
    rows, pairs = s["twin.rows"] / s["ours.rows"], s["twin.pairs"] / s["ours.pairs"]
    faster = "times the published algorithm"
    return [
        Metric("group.sspd.rows.ratio", rows, faster, Direction.HIGHER, rel_tol=0.3),
        Metric("group.sspd.pairs.ratio", pairs, faster, Direction.HIGHER, rel_tol=0.3),
        Metric("group.sspd.rows_100x400.ms", s["rows"] * 1e3, "ms"),
        Metric("group.sspd.pairs_400.ms", s["pairs"] * 1e3, "ms"),
    ]


def _groups(rounds: int) -> list[Metric]:
    """A full bank of people on the move: none stands, which would only make it easier."""
    ways = walkers(BANK + 1, seed=1)
    present = np.ones(WINDOW_FRAMES, bool)

    def filled() -> GroupBank:
        bank = GroupBank(GroupConfig(max_segments=BANK))
        for person in range(BANK):
            bank.add((person, 0), ways[person], present)
        return bank

    held = filled()
    held.groups()

    def next_segment() -> None:
        held.add((BANK, 64), ways[BANK], present)
        held.groups()

    s = _best_s(
        {
            "scratch": lambda: filled().groups(),
            "next": next_segment,
            "form": held.groups,
        },
        rounds,
    )
    groups = held.groups()
    return [
        Metric("group.bank_400.from_scratch_ms", s["scratch"] * 1e3, "ms"),
        Metric("group.bank_400.next_segment_ms", s["next"] * 1e3, "ms"),
        Metric("group.bank_400.form_ms", s["form"] * 1e3, "ms"),
        Metric("group.bank_400.groups", float(groups.labels.max() + 1), ""),
        Metric("group.bank_400.converged", float(groups.converged), "", Direction.HIGHER, rel_tol=0.0),
    ]
