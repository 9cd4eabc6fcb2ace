"""The refiner's compiled kernels: whether they are there, and compiling them in another process (see `solver`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..kernels.fused.compiled import is_cached
from ..kernels.fused.guide_steps import posterior_of_steps
from ..kernels.fused.soft_dtw import _blocks, soft_dtw
from ..kernels.fused.sspd import sspd_rows
from ..kernels.solve.problem import MODEL_RATE_HZ, WINDOW_FRAMES, Provenance, WindowSolution
from ..stream.body_files import load_body
from ..stream.reconstruct_config import ReconstructConfig
from ..stream.refine.config import RefineConfig
from ..stream.refine.records import RefineInput, Revision
from ..stream.refine.stage import RefineStage
from ..stream.windows import WindowConfig
from .solver import one_at_a_time, run_elsewhere, smallest_problem

_HOP = 16
_SEGMENTS = 4
_PEOPLE = 4


def compile_refiner_in_another_process() -> None:
    """Have them in their cache before this process loads them; at once when they are."""
    if not refiner_is_cached():
        run_elsewhere(f"from {__name__} import compile_refiner; compile_refiner()")


def refiner_is_cached() -> bool:
    """Whether the first segment is refined at once; else somebody compiles first, for some seconds."""
    return all(is_cached(kernel) for kernel in (sspd_rows, posterior_of_steps, _blocks))


def compile_refiner() -> None:
    """Compile everything that refining runs, into the cache; who comes second waits for the first."""
    with one_at_a_time():
        if not refiner_is_cached():
            exercise_refiner()


def exercise_refiner() -> list[Revision]:
    """Four people walk abreast, one unseen for a segment: a gap, a group and a guide; all thrown away."""
    soft_dtw(np.ones((1, 4, 4), np.float32), 1.0)
    config = WindowConfig(hop=_HOP)
    stage = RefineStage(RefineConfig(), ReconstructConfig(), load_body(), config)  # networks are not compiled
    found = [revision for given in _abreast() for revision in stage.step(given)]
    found += stage.finish()
    stage.close()
    return found


def _abreast() -> Iterator[RefineInput]:
    """Windows of four people who walk side by side, 0.8 m apart; nobody sees the first of them in segment 1."""
    small, n, t = smallest_problem(), _PEOPLE, WINDOW_FRAMES
    f = np.float32
    ids = np.arange(n)
    pose = np.zeros((n, t, 24, 3), f)
    pose[:, :, 0, 0] = np.pi / 2  # the y-up body in the z-up world
    for window in range((_SEGMENTS - 1) * t // _HOP + 1):
        slots = window * _HOP + np.arange(t)
        confidence = np.full((1, n, t, 17), 0.9, f)
        confidence[0, 0, slots // t == 1] = 0.0
        seen = confidence[0, :, :, 0] > 0
        ground_m = np.zeros((n, t, 3), f)
        ground_m[..., 0], ground_m[..., 1] = 0.04 * slots, 0.8 * ids[:, None]
        pelvis_m = ground_m + np.array([0.0, 0.0, 0.9], f)
        t0_ns = round(window * _HOP * 1e9 / MODEL_RATE_HZ)
        by_person: dict[str, Any] = {
            name: np.repeat(getattr(small, name), n, axis=1)
            for name in ("keypoints_px", "box_px", "hvip_px", "hvip_sigma_px")
        }
        problem = replace(
            small, window=window, slot0=int(slots[0]), t0_ns=t0_ns, person_ids=ids, present=np.ones((n, t), bool),
            confidence=confidence, track_m=ground_m, **by_person,
        )  # fmt: skip
        solution = WindowSolution(
            window=window, slot0=int(slots[0]), t0_ns=t0_ns, rev=0, person_ids=ids, pose_rotvec=pose,
            betas=np.zeros((n, 10), f), transl_m=pelvis_m, joints_m=np.repeat(pelvis_m[:, :, None], 24, axis=2),
            ground_m=ground_m, confidence=np.where(seen, f(0.9), f(0.1)),
            provenance=np.where(seen, Provenance.OBSERVED, Provenance.INFILLED).astype(np.uint8),
            reprojection_px=np.zeros(n, f), status=np.zeros(n, np.uint8),
        )  # fmt: skip
        yield RefineInput(problem, solution)
