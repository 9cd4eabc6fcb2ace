"""First bodies of a window from the lifter: `lift(problem, lifter)`.

Each person is lifted from the camera that sees them best over the window (most confidence, small pictures counting
less); slots in which that camera has nothing are filled by the network from the others. One forward pass serves
everybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import ShapeError
from ..rotation import rotmat_to_rotvec
from ..solve.problem import WindowProblem
from .lifter import LIFTER_FRAMES, Lifter
from .rays import (
    FEATURES,
    PLACE,
    STEEPEST,
    PersonFrames,
    assemble_features,
    directions_world,
    person_frames,
    plane_points,
    track_speed,
)

Array = np.ndarray

PEOPLE_AT_ONCE = 128
"""Windows a forward pass: some 60 MB."""
FULL_SIZE_PX = 60.0
"""A taller box does not make a view better."""


@dataclass(frozen=True)
class Lifted:
    """First bodies, float32. Slots in which a person is absent hold finite numbers without meaning."""

    pose_rotvec: Float[Array, "N T 24 3"]
    """Axis-angle, radians; joint 0 in the world (z up), the rest relative to the parent; hands zero."""
    transl_m: Float[Array, "N T 3"]
    """smplx's convention: joints = FK(pose, J(betas)) + transl, metres."""
    betas: Float[Array, "N 10"]
    """Of the shipped body."""
    sigma_rad: Float[Array, "N T 22"]
    """Standard deviation per axis of the angles of joints 0..21."""
    sigma_root_m: Float[Array, "N T"]
    """The same of the pelvis's position."""

    def __repr__(self) -> str:
        return f"Lifted(N={self.pose_rotvec.shape[0]}, T={self.pose_rotvec.shape[1]})"


def lift(problem: WindowProblem, lifter: Lifter) -> Lifted:
    """Bodies of everybody in every slot, seen or not.

    Args:
        problem: of at most 64 slots.
        lifter: in evaluation mode, on the CPU.

    Raises:
        ShapeError: a window longer than the network's.
    """
    n, t = problem.present.shape
    if t > LIFTER_FRAMES:
        raise ShapeError(f"window of {t} slots, the lifter takes at most {LIFTER_FRAMES}; cut it")
    track = fill_track(problem.track_m, problem.present)
    camera = best_camera(problem)
    features = torch.zeros(n, LIFTER_FRAMES, FEATURES)
    reference, turn = torch.zeros(n, t, 3), torch.zeros(n, t, 3, 3)
    for c in range(len(problem.cameras)):
        mine = np.flatnonzero(camera == c)
        if not len(mine):
            continue
        place = torch.from_numpy(track[mine])
        frames = person_frames(torch.from_numpy(problem.cameras[c].centre_world_m), place)
        reference[mine], turn[mine] = frames.reference_m.float(), frames.R_world_upright.float()
        rows = _features(problem, c, mine, place, frames)
        # a shorter window ends in slots without a sighting, where the last place is kept
        rows = torch.cat([rows, blind(rows[:, -1:]).expand(-1, LIFTER_FRAMES - t, -1)], 1)
        features[torch.from_numpy(mine)] = rows
    return _run(lifter, features, reference, turn)


def _run(
    lifter: Lifter,
    features: Float[Tensor, "N 64 61"],
    place: Float[Tensor, "N T 3"],
    turn: Float[Tensor, "N T 3 3"],
) -> Lifted:
    n, t = place.shape[:2]
    pose, transl = torch.zeros(n, t, 24, 3), torch.zeros(n, t, 3)
    betas, sigma = torch.zeros(n, 10), torch.zeros(n, t, 23)
    with torch.inference_mode():
        for start in range(0, n, PEOPLE_AT_ONCE):
            part = slice(start, start + PEOPLE_AT_ONCE)
            out = lifter(features[part])
            rotmats = out.rotmats[:, :t]
            rotmats = torch.cat([(turn[part] @ rotmats[:, :, 0])[:, :, None], rotmats[:, :, 1:]], 2)
            pose[part, :, :22] = rotmat_to_rotvec(rotmats)
            root = place[part] + (turn[part] @ out.root_m[:, :t, :, None]).squeeze(-1)
            transl[part] = root - lifter.rest_joints(out.betas)[:, None, 0]
            betas[part], sigma[part] = out.betas, out.log_sigma[:, :t].exp()
    return Lifted(
        pose.numpy(),
        transl.numpy(),
        betas.numpy(),
        sigma[..., :22].contiguous().numpy(),
        sigma[..., 22].numpy(),
    )


def blind(features: Float[Tensor, "*batch 61"]) -> Float[Tensor, "*batch 61"]:
    """The same frames with nothing seen in them: only where the camera stands is kept."""
    out = torch.zeros_like(features)
    out[..., PLACE] = features[..., PLACE]
    return out


def best_camera(problem: WindowProblem) -> Int[Array, "N"]:
    """The camera with most confidence, times size up to `FULL_SIZE_PX`, over the window; 0 where none saw anything."""
    box = np.nan_to_num(problem.box_px)
    tall = np.clip((box[..., 3] - box[..., 1]) / FULL_SIZE_PX, 0.1, 1.0)
    confidence = np.nan_to_num(problem.confidence).sum(-1)
    return np.asarray((confidence * tall * problem.present).sum(-1).argmax(0))


def fill_track(track_m: Float[Array, "N T 3"], present: Bool[Array, "N T"]) -> Float[Array, "N T 3"]:
    """The track with absent slots put where the nearest present one is; the origin for people never present."""
    good = present & np.isfinite(track_m).all(-1)
    index = np.arange(present.shape[1])
    gap = np.abs(index[:, None] - index[None])  # (slot, candidate)
    nearest = np.where(good[:, None, :], gap, 10 * len(index)).argmin(-1)
    filled = np.take_along_axis(np.asarray(track_m, np.float64), nearest[..., None], axis=1)
    return np.where(good.any(1)[:, None, None], filled, 0.0)


def _features(
    problem: WindowProblem,
    camera: int,
    people: Int[Array, "M"],
    track_m: Float[Tensor, "M T 3"],
    frames: PersonFrames,
) -> Float[Tensor, "M T 61"]:
    """What one camera tells of some people."""
    view = problem.cameras[camera]
    present = torch.from_numpy(problem.present[people])
    px = np.nan_to_num(problem.keypoints_px[camera, people])
    points, ahead = plane_points(torch.from_numpy(directions_world(view, px)), frames)
    known = np.isfinite(problem.keypoints_px[camera, people]).all(-1) & problem.present[people][..., None]
    confidence = np.where(known, np.nan_to_num(problem.confidence[camera, people]), 0.0)
    told = torch.from_numpy(confidence) * (ahead > STEEPEST)
    edges = _edge_middles(np.nan_to_num(problem.box_px[camera, people]))
    box, _ = plane_points(torch.from_numpy(directions_world(view, edges, distorted=True)), frames)
    sides = torch.stack([box[..., 0, 0], box[..., 3, 1], box[..., 2, 0], box[..., 1, 1]], -1)
    speed = track_speed(track_m, present, frames)
    parts = (points, told, sides, frames.sin_elevation, frames.distance_m, speed)
    return assemble_features(*(part.float() for part in parts))


def _edge_middles(box: Float[Array, "*batch 4"]) -> Float[Array, "*batch 4 2"]:
    """Middles of a box's left, top, right and bottom edges."""
    x, y = 0.5 * (box[..., 0] + box[..., 2]), 0.5 * (box[..., 1] + box[..., 3])
    rows = [(box[..., 0], y), (x, box[..., 1]), (box[..., 2], y), (x, box[..., 3])]
    return np.stack([np.stack(row, -1) for row in rows], -2).astype(np.float64)
