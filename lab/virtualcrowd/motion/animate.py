"""A crowd's plan into a crowd's motion: person after person, each on their own random numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ....kernels.body.data import BodyData
from ....stream.body_files import load_body
from ..plan import CrowdPlan
from ..scene import surface_height_m
from ..truth import CONTACT_JOINTS, CrowdMotion, MotionSource
from .contacts import contact_labels
from .motion_library import MotionLibrary
from .person import Build, Moved, Track, build_of, move
from .shapes import betas_of_stature
from .skeleton import HIPS, SHOULDERS, TOES
from .stances import runs

Array = np.ndarray

STREAM = 0xB0D1
"""Sets these random numbers apart from those of other parts with the same seed."""


def animate(
    plan: CrowdPlan,
    library: MotionLibrary,
    progress: Callable[[int, int], None] | None = None,
    body: BodyData | None = None,
) -> CrowdMotion:
    """Give everybody of a plan a body that moves along it.

    A person's motion depends on the seed, the person's id and the person's row alone.

    Args:
        plan: who goes where and when.
        library: what bodies can do.
        progress: called with people done and people in all.
        body: with the shape directions of the shipped one, which is the default.
    """
    body = body or load_body()
    out = _empty(plan, library.clips)
    n = len(plan.person_ids)
    for row in range(n):
        person = (plan.seed, STREAM, int(plan.person_ids[row]))
        build = build_of(
            betas_of_stature(float(plan.stature_m[row]), np.random.default_rng((*person, 0)), body), body
        )
        out.betas[row] = build.betas
        for k, (start, end) in enumerate(runs(plan.present[row])):
            part = slice(start, end)
            track = Track(plan.path_m[row, part], plan.heading_rad[row, part], plan.activity[row, part])
            rng = np.random.default_rng((*person, 1 + k))
            _store(out, row, part, build, move(track, build, library, _surface(plan), rng))
        if progress is not None:
            progress(row + 1, n)
    return out


def _surface(plan: CrowdPlan) -> Callable[[Float[Array, "*batch 2"]], Float[Array, "*batch"]]:
    def height(xy_m: Float[Array, "*batch 2"]) -> Float[Array, "*batch"]:
        return surface_height_m(plan.scene.ground, xy_m)

    return height


def _empty(plan: CrowdPlan, clips: tuple[str, ...]) -> CrowdMotion:
    n, t = plan.present.shape
    return CrowdMotion(
        scene=plan.scene,
        seed=plan.seed,
        person_ids=plan.person_ids,
        group=plan.group,
        role=plan.role,
        stature_m=plan.stature_m,
        activity=np.where(plan.present, plan.activity, 0).astype(np.uint8),
        present=plan.present,
        pose_rotvec=np.zeros((n, t, 24, 3), np.float32),
        betas=np.zeros((n, 10), np.float32),
        transl_m=np.zeros((n, t, 3), np.float32),
        joints_m=np.zeros((n, t, 24, 3), np.float32),
        ground_m=np.zeros((n, t, 3), np.float32),
        contact=np.zeros((n, t, len(CONTACT_JOINTS)), bool),
        source=np.full((n, t), MotionSource.ABSENT, np.uint8),
        clip=np.full((n, t), -1, np.int16),
        clips=clips,
    )


def _store(out: CrowdMotion, row: int, part: slice, build: Build, moved: Moved) -> None:
    """One stretch of one person into the arrays of the crowd."""
    joints = moved.joints_m
    out.pose_rotvec[row, part] = moved.pose_rotvec
    out.transl_m[row, part] = moved.pelvis_m - build.rest_m[0]
    out.joints_m[row, part] = joints
    torso = joints[:, [*HIPS, *SHOULDERS], :2].mean(axis=1)
    out.ground_m[row, part, :2] = torso
    out.ground_m[row, part, 2] = surface_height_m(out.scene.ground, torso)
    low = surface_height_m(out.scene.ground, joints[:, list(CONTACT_JOINTS), :2])
    toe = build.feet[0].height_m + float(build.rest_m[TOES[0], 1] - build.rest_m[7, 1])
    out.contact[row, part] = contact_labels(joints, low, toe)
    out.source[row, part] = moved.source
    out.clip[row, part] = moved.clip
