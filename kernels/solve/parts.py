"""People in equal parts, each part through a network by one thread.

Matrix products round differently for another number of rows and for another number of threads. So the parts depend on
nothing but how many people there are, the last one is filled up, and each is computed by a single thread: the answer
depends neither on threads nor on the order of people.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int

from .problem import WindowProblem

Array = np.ndarray

PEOPLE_AT_ONCE = 8
"""More gain little: a person's 64 slots are 16 tokens, and 128 rows fill a matrix product."""


def equal_parts(people: int) -> list[Int[Array, "P"]]:
    """Rows of every part, all of one size, the last filled up with its last row; mostly an even number of parts."""
    if people == 0:
        return []
    count = 1 if people < 4 else 2 * -(-people // (2 * PEOPLE_AT_ONCE))
    size = -(-people // count)
    rows = np.minimum(np.arange(count * size), people - 1).reshape(count, size)
    return [part for part in rows if part[0] < people - 1 or people == 1 or part is rows[0]]


def run_parts(work: Callable[[Array], None], people: int, pool: ThreadPoolExecutor | None) -> None:
    """Call `work` with the rows of every part, one thread of torch's a part; rows may repeat."""

    def alone(rows: Array) -> None:
        torch.set_num_threads(1)  # of this thread; a new thread starts with the process's number
        with torch.inference_mode():
            work(rows)

    before = torch.get_num_threads()
    try:
        for _ in (map if pool is None else pool.map)(alone, equal_parts(people)):
            pass
    finally:
        torch.set_num_threads(before)


def people_of(problem: WindowProblem, rows: Int[Array, "P"]) -> WindowProblem:
    """Some people of a window, without its warm start."""
    return replace(
        problem,
        person_ids=problem.person_ids[rows],
        present=problem.present[rows],
        keypoints_px=problem.keypoints_px[:, rows],
        confidence=problem.confidence[:, rows],
        box_px=problem.box_px[:, rows],
        hvip_px=problem.hvip_px[:, rows],
        hvip_sigma_px=problem.hvip_sigma_px[:, rows],
        track_m=problem.track_m[rows],
        warm=None,
    )
