"""The lifter in the live solve: first bodies of everybody, and a Gaussian about them.

The lifter reads depth off the picture as people do, from how motions look; re-projection cannot tell a limb that comes
forward from one that goes back. Its standard deviations say where it knows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..lifter.lift import Lifted, lift
from ..lifter.lifter import Lifter
from .gauss_newton import Bodies
from .initialise import carry_on
from .lifted_config import LiftedConfig
from .parts import people_of, run_parts
from .problem import WindowProblem
from .target import Target

Array = np.ndarray


def lift_people(problem: WindowProblem, lifter: Lifter, pool: ThreadPoolExecutor | None = None) -> Lifted:
    """`lift` in equal parts: everybody of a window.

    Args:
        problem: of at most 64 slots.
        lifter: in evaluation mode, on the CPU.
        pool: threads to use; None for the caller's alone. The answer does not depend on it.
    """
    n, t = problem.present.shape
    f = np.float32
    out = Lifted(
        np.zeros((n, t, 24, 3), f),
        np.zeros((n, t, 3), f),
        np.zeros((n, 10), f),
        np.ones((n, t, 22), f),
        np.ones((n, t), f),
    )

    def work(rows: Array) -> None:
        part = lift(people_of(problem, rows), lifter)
        for name in ("pose_rotvec", "transl_m", "betas", "sigma_rad", "sigma_root_m"):
            getattr(out, name)[rows] = getattr(part, name)

    run_parts(work, n, pool)
    return out


def lifted_start(problem: WindowProblem, lifted: Lifted, config: LiftedConfig) -> Bodies:
    """First guess of everybody in every slot; what the window before knows is kept and carried on."""
    guess = Bodies(lifted.pose_rotvec, lifted.transl_m, lifted.betas)
    return guess if problem.warm is None else carry_on(problem, guess, config.fade_slots)


def lifter_target(lifted: Lifted, config: LiftedConfig) -> Target:
    """The Gaussian about the lifter's bodies.

    In slots that nobody saw, too: without it there, hidden people came out a quarter worse on a virtual crowd.
    """
    place = config.place_weight * lifted.sigma_root_m.astype(np.float64) ** -2
    return Target(
        lifted.pose_rotvec[:, :, :22],
        config.pose_weight * lifted.sigma_rad.astype(np.float64) ** -2,
        lifted.transl_m,
        np.repeat(place[..., None], 3, -1),
    )
