"""Bodies to learn on: adults and children of all statures, drawn once as the virtual crowds draw them.

A recorded motion is put on another body by keeping its angles and multiplying its path by the ratio of leg lengths, so
that feet that stood still go on standing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...kernels.body.data import BodyData
from ...kernels.body.keypoints import coco_keypoints
from ...kernels.body.kinematics import kinematics_of_rotmats
from ..motion.reference import REST_JOINTS_M
from ..motion.windows import MotionWindows
from ..virtualcrowd.motion.shapes import betas_of_stature

CHILD_SHARE = 0.12
"""One in eight is a child: rarer in most crowds, but what is never seen is never learned."""
CHILD_STATURE_M = (0.95, 1.45)
ADULT_STATURE_M = (1.705, 0.10)
"""Mean and spread; the mean of algorithms 2.6."""
ADULT_RANGE_M = (1.42, 2.05)
LEG = (1, 4, 7)


@dataclass(frozen=True)
class BodyPool:
    """P bodies to draw from, float32."""

    betas: Float[Tensor, "P 10"]
    rest_m: Float[Tensor, "P 24 3"]
    """Rest joints."""
    leg_ratio: Float[Tensor, "P"]
    """Hip to ankle over that of the reference skeleton."""

    def __len__(self) -> int:
        return len(self.betas)


def body_pool(body: BodyData, count: int, seed: int) -> BodyPool:
    """Random bodies of the shipped model.

    Args:
        body: the model.
        count: how many; a millisecond or two each.
        seed: everything follows from it.
    """
    random = np.random.default_rng([seed, 0xB0D1E5])
    child = random.random(count) < CHILD_SHARE
    adult_m = np.clip(random.normal(*ADULT_STATURE_M, count), *ADULT_RANGE_M)
    stature = np.where(child, random.uniform(*CHILD_STATURE_M, count), adult_m)
    betas = np.stack([betas_of_stature(float(m), random, body) for m in stature])
    rest = body.joints_m(betas)
    ratio = _leg_m(rest) / _leg_m(REST_JOINTS_M[None])
    return BodyPool(*(torch.from_numpy(np.asarray(a, np.float32)) for a in (betas, rest, ratio)))


def _leg_m(rest: Float[np.ndarray, "P 24 3"]) -> Float[np.ndarray, "P"]:
    hip, knee, ankle = (rest[:, joint] for joint in LEG)
    return np.asarray(np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1))


@dataclass(frozen=True)
class PosedPeople:
    """B people in motion over T slots, floor at z = 0, metres."""

    rotmats: Float[Tensor, "B T 22 3 3"]
    """Joint 0 in the world, the rest relative to their parents."""
    joints_m: Float[Tensor, "B T 24 3"]
    keypoints_m: Float[Tensor, "B T 17 3"]
    """COCO."""
    betas: Float[Tensor, "B 10"]

    def __len__(self) -> int:
        return len(self.betas)


def pose_people(windows: MotionWindows, pool: BodyPool, which: Int[Tensor, "B"]) -> PosedPeople:
    """Recorded motion on bodies of the pool, the middle of each path over the origin."""
    rest = pool.rest_m[which][:, None]
    root = windows.root_m * pool.leg_ratio[which][:, None, None]
    middle = root[:, root.shape[1] // 2, None] * torch.tensor([1.0, 1.0, 0.0])
    hands = torch.eye(3).expand(*windows.rotmats.shape[:2], 2, 3, 3)
    posed = kinematics_of_rotmats(
        torch.cat([windows.rotmats, hands], 2), rest, root - middle - rest[..., 0, :]
    )
    points = coco_keypoints(posed.joints_m, posed.rotmats_world)
    return PosedPeople(windows.rotmats, posed.joints_m, points, pool.betas[which])
