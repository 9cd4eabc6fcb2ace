"""Plain bodies round known keypoints, and a `View` of them: for clips whose people are known only by their joints.

A body is 14 capsules (a sphere for the head). A point P is hidden when the segment from the optical centre C to P
passes one of them:

    min over s, t of |C + s (P - C) - (A + t (B - A))| < r,   s in [0, 1], t in [0, 1]   (Ericson 5.1.9)

Own capsules that end in the joint do not hide it; only people whose boxes touch are tried. `lab.virtualcrowd.view`
does the same with the whole mesh; here the truth is a triangulated or drawn skeleton, and 5 cm do not matter.
O(F pairs points capsules), numpy.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from ...kernels.camera import CameraModel
from ...kernels.ground import Ground
from .truth import View, Visibility

Array = np.ndarray

CAPSULES = (
    (5, 11, 0.10), (6, 12, 0.10), (5, 12, 0.11), (6, 11, 0.11), (5, 6, 0.08), (11, 12, 0.10), (5, 7, 0.05),
    (6, 8, 0.05), (7, 9, 0.045), (8, 10, 0.045), (11, 13, 0.075), (12, 14, 0.075), (13, 15, 0.055), (14, 16, 0.055),
)  # fmt: skip
"""Two keypoints and a radius, metres: trunk, shoulders, hips, arms, legs."""
HEAD_RADIUS_M = 0.075
"""Under the 0.083 m from its middle to an ear, so that a head hides an ear only from the other side."""
CROWN_M = 0.14
"""Top of the head above the middle of the ears."""
TORSO = (5, 6, 11, 12)
SIDES = np.array([-0.75, 0.0, 0.75])
ALONG = np.array([0.1, 0.37, 0.63, 0.9])


def view_of_keypoints(
    points_m: Float[Array, "N F 17 3"],
    present: Bool[Array, "N F"],
    camera: CameraModel,
    t_ns: Int[Array, "F"],
    box_px: Float[Array, "N F 4"] | None = None,
    ground: Ground | None = None,
) -> View:
    """What a camera sees of bodies known by their COCO keypoints.

    Args:
        points_m: world positions; anything where not present.
        present: who is there.
        camera: the eye.
        t_ns: capture times.
        box_px: boxes that are known from elsewhere (annotations); None: round the capsules.
        ground: for the record.
    """
    n, f = present.shape
    keypoints = np.full((n, f, 17, 2), np.nan, np.float32)
    visibility = np.zeros((n, f, 17), np.uint8)
    boxes = np.zeros((n, f, 4), np.float32)
    share = np.zeros((n, f), np.float32)
    for k in range(f):
        rows = np.flatnonzero(present[:, k])
        if len(rows):
            seen = _one_frame(points_m[rows, k].astype(np.float64), camera)
            keypoints[rows, k], visibility[rows, k], boxes[rows, k], share[rows, k] = seen
    if box_px is not None:
        boxes = np.where(present[..., None], box_px, 0.0).astype(np.float32)
    joints = np.zeros((n, f, 24), np.uint8)
    return View(
        name="clip", camera=camera, ground=ground or Ground(), t_ns=t_ns, person_ids=np.arange(1, n + 1),
        present=present, keypoints_px=keypoints, visibility=visibility, joint_visibility=joints,
        box_px=boxes, seen_share=share,
    )  # fmt: skip


def _one_frame(points: Float[Array, "P 17 3"], camera: CameraModel) -> tuple[Array, Array, Array, Array]:
    centre = camera.centre_world_m
    ends, radii = _capsules(points)
    skin, weight = _skin(ends, radii, centre)
    px, skin_px = camera.project(points), camera.project(skin)
    box = np.concatenate([np.nanmin(skin_px, axis=1), np.nanmax(skin_px, axis=1)], axis=1)
    by_self = np.zeros(px.shape[:2], bool)
    by_other, covered = by_self.copy(), np.zeros(skin.shape[:2], bool)
    for p in range(len(points)):
        by_self[p] = ((_clearance(points[p], centre, ends[p]) < radii) & ~_OWN_END).any(axis=1)
        touching = (box[:, :2] < box[p, 2:]).all(axis=1) & (box[:, 2:] > box[p, :2]).all(axis=1)
        for other in np.flatnonzero(touching):
            if other != p:
                by_other[p] |= (_clearance(points[p], centre, ends[other]) < radii).any(axis=1)
                covered[p] |= (_clearance(skin[p], centre, ends[other]) < radii).any(axis=1)
    hidden = np.where(by_self, Visibility.SELF_OCCLUDED, Visibility.VISIBLE)
    hidden = np.where(by_other, Visibility.OCCLUDED, hidden)
    visibility = np.where(_inside(px, camera.size_px), hidden, Visibility.OUTSIDE)
    clear = ~covered & _inside(skin_px, camera.size_px)
    return px, visibility, box, (clear * weight).sum(axis=1) / weight.sum(axis=1)


def _capsules(points: Float[Array, "P 17 3"]) -> tuple[Float[Array, "P K 2 3"], Float[Array, "K"]]:
    pairs = [(a, b) for a, b, _ in CAPSULES]
    ends = points[:, pairs]
    head = points[:, [3, 4]].mean(axis=1)
    radii = [r for _, _, r in CAPSULES] + [HEAD_RADIUS_M]
    return np.concatenate([ends, np.stack([head, head], axis=1)[:, None]], axis=1), np.array(radii)


_OWN_END = np.array([[j in (a, b) for a, b, _ in CAPSULES] + [False] for j in range(17)])
_OWN_END[np.ix_([5, 6, 11, 12], range(6))] = True  # the joints of the trunk are inside its own capsules


def _skin(
    ends: Float[Array, "P K 2 3"], radii: Float[Array, "K"], centre: Float[Array, "3"]
) -> tuple[Float[Array, "P S 3"], Float[Array, "P S"]]:
    """Points spread over the outline of each body with the area each stands for; crown and soles too."""
    axis = ends[:, :, 1] - ends[:, :, 0]
    sight = ends.mean(axis=2) - centre
    across = np.cross(axis, sight)
    length = np.linalg.norm(across, axis=-1, keepdims=True)
    level = np.cross(sight, [0.0, 0.0, 1.0])
    across = np.where(
        length > 1e-6,
        across / np.maximum(length, 1e-6),
        level / np.linalg.norm(level, axis=-1, keepdims=True),
    )
    spots = ends[:, :, None, 0] + axis[:, :, None] * ALONG[:, None]
    spots = spots[:, :, :, None] + (across * radii[:, None])[:, :, None, None] * SIDES[:, None]
    area = (np.linalg.norm(axis, axis=-1) + radii) * radii
    weight = np.broadcast_to(area[:, :, None, None], spots.shape[:4])
    crown = ends[:, -1, 0] + [0.0, 0.0, CROWN_M]
    soles = ends[:, 12:14, 1] - [0.0, 0.0, 0.09]
    extra = np.concatenate([crown[:, None], soles], axis=1)
    p = len(ends)
    points = np.concatenate([spots.reshape(p, -1, 3), extra], axis=1)
    return points, np.concatenate([weight.reshape(p, -1), np.full((p, 3), 1e-3)], axis=1)


def _inside(px: Float[Array, "*batch 2"], size_px: tuple[int, int]) -> Bool[Array, "*batch"]:
    with np.errstate(invalid="ignore"):
        return np.asarray(((px >= -0.5) & (px <= np.array(size_px) - 0.5)).all(axis=-1))


def _clearance(
    points: Float[Array, "M 3"], centre: Float[Array, "3"], ends: Float[Array, "K 2 3"]
) -> Float[Array, "M K"]:
    """Least distance of each line of sight to each capsule's axis (Ericson, Real-Time Collision Detection 5.1.9)."""
    a = ends[:, 0]
    d2 = ends[:, 1] - a
    d1 = points - centre
    r = centre - a
    aa = (d1**2).sum(axis=1)[:, None]
    ee = np.maximum((d2**2).sum(axis=1), 1e-12)[None]
    f = (d2 * r).sum(axis=1)[None]
    c = d1 @ r.T
    b = d1 @ d2.T
    s = np.clip((b * f - c * ee) / np.maximum(aa * ee - b * b, 1e-12), 0.0, 1.0)
    t = np.clip((b * s + f) / ee, 0.0, 1.0)
    s = np.clip((b * t - c) / aa, 0.0, 1.0)
    gap = r[None] + s[..., None] * d1[:, None] - t[..., None] * d2[None]
    return np.asarray(np.linalg.norm(gap, axis=-1))
