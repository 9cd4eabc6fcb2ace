"""HVIP: the point of the ground under a person, with its covariance (DyCrowd sec. III-A; Crowd3D).

The ray through pixel u is  X(s) = C + s r,  r = R^T K^-1 (u, 1). Where the body part seen at u is
known to be h above the plane n . x = d, the ground point under it is

    P = C + s r - h n,    s = (d + h - n.C) / (n.r)

    dP/du = s (I - r n^T / n.r) R^T K^-1[:, :2],    dP/dh = r / n.r - n

so pixel noise S and a height spread sigma_h give  cov P = J S J^T + sigma_h^2 g g^T.  Along the ray that is
the familiar  sigma ~ Z^2 / (f * camera height) * sigma_px  and, for the height, distance / camera height.

Three such points are read off a person: ankles (h = ankle joint), torso centre (h = torso height, which
a track learns) and the bottom of the box (h = 0, a lead nearer to the camera). They are fused by inverse
covariance: on PETS09 0.132 m median and 0.262 m p90, against 0.138 and 0.273 for the box, 0.16 and 0.32
for the ankles and 0.21 and 0.54 for the torso alone. A point that the others contradict (a hallucinated
ankle, a box cut by a bench) is left out; milder contradiction widens the covariance.
O(N planes), numpy float64, no iteration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, UInt8

from .camera import CameraModel
from .errors import ShapeError
from .ground import Ground

Array = np.ndarray

STATURE_M = 1.70
"""Mean stature of adults of both sexes (algorithms 2.6: 1.647 and 1.784)."""
ANKLE_HEIGHT_M = 0.14
"""Middle of a walker's two ankles over the ground: 0.09 m standing, more with one foot in the air."""
BOX_LEAD_M = 0.20
"""How much nearer to the camera than the body's vertical the bottom of a box meets the ground: half a stride
and the toes of the nearer foot. Measured on PETS09 from ankles and torso together."""
SHOULDER_RATIO = 0.795
"""Height of walkers' shoulder keypoints / stature (measured; standing, bone to bone: 0.818)."""
HIP_RATIO = 0.500
"""The same of the hip keypoints (standing: 0.530)."""
TORSO_RATIO = 0.5 * (SHOULDER_RATIO + HIP_RATIO)
"""Height of the middle of shoulders and hips / stature. (The 0.53-0.56 one reads of is the hip alone; it puts
a person seen at 16 degrees of pitch 0.7 m too far away.)"""
TORSO_HEIGHT_M = TORSO_RATIO * STATURE_M

_SHOULDERS, _HIPS, _ANKLES = [5, 6], [11, 12], [15, 16]


class HvipKind(IntEnum):
    """The best thing a ground point rests on (the others are fused in with their own weight)."""

    ANKLES = 0
    TORSO = 1
    BOX = 2
    NONE = 3
    """Every ray misses the ground: position and covariance are NaN."""


@dataclass(frozen=True)
class HvipNoise:
    """How far a body part is from where the networks draw it; pixel sigma = fixed + share * box height."""

    ankle_share: tuple[float, float] = (0.06, 0.02)
    """Of the box height, along image x and y; a stride's middle is not under the body to the centimetre."""
    torso_share: tuple[float, float] = (0.06, 0.03)
    box_share: tuple[float, float] = (0.04, 0.015)
    """The middle of the box moves with swinging arms and legs, sideways."""
    fixed_px: float = 0.5
    """Floor: no network is better than this."""
    ankle_height_sigma_m: float = 0.05
    """A walker lifts one foot."""
    torso_height_sigma_m: float = 0.07
    """Spread of torso heights among adults; give the smaller one of a learnt height instead."""
    correlation: float = 0.6
    """Of the three points' errors (one body, one picture): three of them are worth less than three. Measured
    on PETS09: 0.66 and 0.74 between ankles and box along and across the view."""
    gate: float = 9.21
    """A point further than this (chi2 of 2, 99 %) from the other two is left out."""
    min_confidence: float = 0.3
    """Keypoints below are not used."""


@dataclass(frozen=True)
class Hvip:
    """Ground points of N people. NaN where no ray meets the ground."""

    position_m: Float[Array, "N 3"]
    """World, on the surface."""
    covariance_m2: Float[Array, "N 2 2"]
    """Of world x, y; measurement only, without the uncertainty of the calibration (shared by all)."""
    px: Float[Array, "N 2"]
    """Undistorted pixel of the point."""
    sigma_px: Float[Array, "N"]
    """Root mean square of the pixel error that the covariance stands for."""
    kind: UInt8[Array, "N"]
    """`HvipKind`."""
    torso_height_m: Float[Array, "N"]
    """Height of the torso centre that the feet (ankles, else box) imply: what a track takes its median
    of. NaN where the torso or the feet are not seen."""

    def __repr__(self) -> str:
        count = np.bincount(self.kind, minlength=4)
        return (
            f"Hvip(N={len(self.kind)}, ankles={count[0]}, torso={count[1]}, box={count[2]}, none={count[3]})"
        )


@dataclass(frozen=True)
class _Points:
    """One candidate ground point a person, with its information (inverse covariance) matrix."""

    position_m: Float[Array, "N 3"]
    covariance_m2: Float[Array, "N 2 2"]
    seen: Bool[Array, "N"]


def hvip_from_keypoints(
    camera: CameraModel,
    ground: Ground,
    keypoints_px: Float[Array, "N 17 2"],
    confidence: Float[Array, "N 17"],
    boxes_px: Float[Array, "N 4"],
    torso_height_m: Float[Array, "N"] | float = TORSO_HEIGHT_M,
    torso_height_sigma_m: Float[Array, "N"] | float | None = None,
    noise: HvipNoise | None = None,
    lead_m: float = 0.0,
) -> Hvip:
    """The ground point of each person in one picture.

    Args:
        keypoints_px: COCO-17, as seen (distorted).
        confidence: 0..1; zero for people without a pose.
        boxes_px: x1, y1, x2, y2.
        torso_height_m: height of the middle of shoulders and hips over the ground, per person where learnt.
        torso_height_sigma_m: its spread; None: the population's.
        lead_m: how far in front of the body's vertical, towards the camera, the returned point lies. 0 is the
            HVIP proper, under the torso; `BOX_LEAD_M` the foot point of a box, as annotated data has it.

    Raises:
        ShapeError: the rows disagree.
    """
    n = len(boxes_px)
    if not len(keypoints_px) == len(confidence) == n:
        raise ShapeError(
            f"HVIP rows disagree: {keypoints_px.shape = }, {confidence.shape = }, {boxes_px.shape = }"
        )
    noise = noise or HvipNoise()
    boxes = np.asarray(boxes_px, np.float64)
    parts = np.where(np.isfinite(confidence), confidence, 0.0) >= noise.min_confidence
    keypoints = camera.undistort_px(np.where(np.isfinite(keypoints_px), keypoints_px, 0.0))
    size = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
    torso_m = np.broadcast_to(np.asarray(torso_height_m, np.float64), (n,))
    torso_sigma = np.broadcast_to(
        np.asarray(noise.torso_height_sigma_m if torso_height_sigma_m is None else torso_height_sigma_m), (n,)
    )

    floor = noise.fixed_px
    ankle_px, ankle_count = _middle(keypoints, parts, _ANKLES)
    # one ankle alone is half a stride away from the body's vertical
    ankle_sigma = (floor + size[:, None] * np.array(noise.ankle_share)) * (3.0 - ankle_count[:, None])
    torso_px, torso_ratio, torso_seen = torso_pixels(keypoints, confidence, noise.min_confidence)
    torso_px_sigma = floor + size[:, None] * np.array(noise.torso_share)
    foot_px = camera.undistort_px(np.stack([0.5 * (boxes[:, 0] + boxes[:, 2]), boxes[:, 3]], axis=-1))
    box_sigma = floor + size[:, None] * np.array(noise.box_share)
    # a box that ends at the picture's border does not end at the feet
    cut = boxes[:, 3] >= camera.size_px[1] - 2.0
    box_sigma[cut] += 0.5 * size[cut, None]

    zero, ones = np.zeros(n), np.ones(n)
    ankles = _points(
        camera, ground, ankle_px, ankle_sigma, ANKLE_HEIGHT_M * ones, noise.ankle_height_sigma_m * ones,
        ankle_count > 0,
    )  # fmt: skip
    torso = _points(camera, ground, torso_px, torso_px_sigma, torso_m * torso_ratio, torso_sigma, torso_seen)
    box = _points(camera, ground, foot_px, box_sigma, zero, zero, np.ones(n, bool))
    box = replace(box, position_m=shift_from_camera(camera, ground, box.position_m, BOX_LEAD_M))

    position, covariance = _fuse(ground, (ankles, torso, box), noise)
    kind = np.select(
        [ankles.seen, torso.seen, box.seen], [HvipKind.ANKLES, HvipKind.TORSO, HvipKind.BOX], HvipKind.NONE
    )
    feet = np.where(ankles.seen[:, None], ankles.position_m, box.position_m)
    height = np.where(torso_seen, _height_over(camera, ground, feet, torso_px) / torso_ratio, np.nan)
    position = shift_from_camera(camera, ground, position, -lead_m)
    px = camera.undistort_px(camera.project(position))
    return Hvip(
        position_m=position,
        covariance_m2=covariance,
        px=px,
        sigma_px=_sigma_px(camera, ground, position, covariance),
        kind=kind.astype(np.uint8),
        torso_height_m=height,
    )


def foot_point_of_boxes(
    camera: CameraModel, ground: Ground, boxes_px: Float[Array, "N 4"]
) -> Float[Array, "N 3"]:
    """Where the rays through the bottom centres of boxes meet the ground, metres; NaN where they do not."""
    boxes = np.asarray(boxes_px, np.float64)
    foot = np.stack([0.5 * (boxes[:, 0] + boxes[:, 2]), boxes[:, 3]], axis=-1)
    return ground_points(camera, ground, camera.undistort_px(foot))


def shift_from_camera(
    camera: CameraModel, ground: Ground, position_m: Float[Array, "N 3"], away_m: float
) -> Float[Array, "N 3"]:
    """Ground points moved horizontally away from the camera, kept on the surface.

    `shift_from_camera(camera, ground, foot_point, BOX_LEAD_M)` is the point under the torso.
    """
    out = position_m[:, :2] - camera.centre_world_m[:2]
    distance = np.linalg.norm(out, axis=1, keepdims=True)
    # straight under the camera there is no way "away"
    direction = out / np.maximum(distance, abs(away_m) + 1e-6)
    shifted = _on_surface(ground, position_m[:, :2] + away_m * direction)
    return np.where(np.isfinite(position_m), shifted, np.nan)


def ground_points(
    camera: CameraModel,
    ground: Ground,
    ideal_px: Float[Array, "N 2"],
    height_m: Float[Array, "N"] | float = 0.0,
) -> Float[Array, "N 3"]:
    """Ground points under what is seen `height_m` above the ground at undistorted pixels; NaN where none."""
    height = np.broadcast_to(np.asarray(height_m, np.float64), (len(ideal_px),))
    return _cast(camera, ground, _rays(camera, ideal_px), height)[0]


def torso_pixels(
    keypoints_px: Float[Array, "N 17 2"], confidence: Float[Array, "N 17"], min_confidence: float = 0.3
) -> tuple[Float[Array, "N 2"], Float[Array, "N"], Bool[Array, "N"]]:
    """Torso centres: pixel, its height / torso height (1 if shoulders and hips are both seen), and seen."""
    parts = np.asarray(confidence) >= min_confidence
    shoulder, shoulders = _middle(keypoints_px, parts, _SHOULDERS)
    hip, hips = _middle(keypoints_px, parts, _HIPS)
    w_s, w_h = (shoulders > 0).astype(np.float64), (hips > 0).astype(np.float64)
    total = np.maximum(w_s + w_h, 1.0)
    px = (w_s[:, None] * shoulder + w_h[:, None] * hip) / total[:, None]
    ratio = (w_s * SHOULDER_RATIO + w_h * HIP_RATIO) / (total * TORSO_RATIO)
    seen = (w_s + w_h) > 0
    return px, np.where(seen, ratio, 1.0), seen


def torso_height(
    camera: CameraModel,
    ground: Ground,
    position_m: Float[Array, "N 3"],
    torso_px: Float[Array, "N 2"],
) -> Float[Array, "N"]:
    """Heights above known ground points at which the vertical passes closest to (distorted) torso pixels.

    With N the normal and X the point in camera axes,  r x (X + h N) = 0  in the least squares sense gives
    h = -((r x X) . (r x N)) / |r x N|^2  (the row form of algorithms 2.2 with both rows used).
    """
    return _height_over(camera, ground, position_m, camera.undistort_px(torso_px))


def _middle(
    keypoints_px: Float[Array, "N 17 2"], visible: Bool[Array, "N 17"], pair: list[int]
) -> tuple[Float[Array, "N 2"], Float[Array, "N"]]:
    """Mean of the visible ones of a pair, and how many they are."""
    seen = visible[:, pair].astype(np.float64)
    count = seen.sum(axis=1)
    total = np.einsum("np,npc->nc", seen, np.asarray(keypoints_px, np.float64)[:, pair])
    return total / np.maximum(count, 1.0)[:, None], count


def _rays(camera: CameraModel, ideal_px: Float[Array, "N 2"]) -> Float[Array, "N 3"]:
    """Directions in the world with unit depth along the optical axis."""
    homogeneous = np.concatenate([ideal_px, np.ones((len(ideal_px), 1))], axis=-1)
    return np.asarray(homogeneous @ np.linalg.inv(camera.K).T @ camera.R_cam_world)


def _cast(
    camera: CameraModel, ground: Ground, rays: Float[Array, "N 3"], height_m: Float[Array, "N"]
) -> tuple[Float[Array, "N 3"], Float[Array, "N 3"], Float[Array, "N"]]:
    """Ground point, normal of the piece it lies on, and depth along each ray; NaN where it misses."""
    n = len(rays)
    point, normal, depth = np.full((n, 3), np.nan), np.full((n, 3), np.nan), np.full(n, np.nan)
    centre = camera.centre_world_m
    for order, plane in enumerate(ground.planes):
        slope = rays @ plane.normal
        with np.errstate(divide="ignore", invalid="ignore"):
            s = (plane.offset_m + height_m - centre @ plane.normal) / slope
        hit = np.isfinite(s) & (s > 1e-3)
        p = centre + np.where(hit, s, 0.0)[:, None] * rays - height_m[:, None] * plane.normal
        if order > 0:  # the first piece is the rest of the world
            hit &= plane.contains(p[:, :2])
        point[hit], normal[hit], depth[hit] = p[hit], plane.normal, s[hit]
    return point, normal, depth


def _points(
    camera: CameraModel,
    ground: Ground,
    ideal_px: Float[Array, "N 2"],
    sigma_px: Float[Array, "N 2"],
    height_m: Float[Array, "N"],
    height_sigma_m: Float[Array, "N"],
    seen: Bool[Array, "N"],
) -> _Points:
    rays = _rays(camera, ideal_px)
    point, normal, depth = _cast(camera, ground, rays, height_m)
    jacobian, lift = _jacobians(camera, rays, normal, depth)
    scaled = jacobian * sigma_px[:, None, :]
    covariance = np.einsum("nip,njp->nij", scaled, scaled)
    covariance = covariance + np.einsum("n,ni,nj->nij", height_sigma_m**2, lift, lift)
    return _Points(point, covariance[:, :2, :2], seen & np.isfinite(depth))


def _jacobians(
    camera: CameraModel, rays: Float[Array, "N 3"], normal: Float[Array, "N 3"], depth: Float[Array, "N"]
) -> tuple[Float[Array, "N 3 2"], Float[Array, "N 3"]]:
    """dP/du and dP/dh of the module's head."""
    along = rays / np.einsum("nc,nc->n", rays, normal)[:, None]
    project = np.eye(3) - np.einsum("ni,nj->nij", along, normal)
    to_world = camera.R_cam_world.T @ np.linalg.inv(camera.K)[:, :2]
    return depth[:, None, None] * (project @ to_world), along - normal


def _fuse(
    ground: Ground, candidates: tuple[_Points, ...], noise: HvipNoise
) -> tuple[Float[Array, "N 3"], Float[Array, "N 2 2"]]:
    """Inverse covariance mean over the candidates that agree, inflated by what contradiction is left."""
    seen = np.stack([each.seen for each in candidates])
    xy = np.where(seen[..., None], np.stack([each.position_m[:, :2] for each in candidates]), 0.0)
    cov = np.where(seen[..., None, None], np.stack([each.covariance_m2 for each in candidates]), np.eye(2))
    weight = _inverse2(cov) * seen[..., None, None]
    keep = seen & ~_outliers(xy, cov, weight, seen, noise.gate)
    weight = weight * keep[..., None, None]

    count = keep.sum(axis=0)
    information = weight.sum(axis=0) + np.where(count == 0, 1.0, 0.0)[:, None, None] * np.eye(2)
    covariance = _inverse2(information)
    mean = np.einsum("nij,knjl,knl->ni", covariance, weight, xy)
    off = np.where(keep[..., None], xy - mean, 0.0)
    chi2 = np.einsum("kni,knij,knj->n", off, weight, off)
    # k points of 2 numbers around their own mean: 2 (k - 1) degrees of freedom (Birge ratio)
    spread = np.maximum(chi2 / np.maximum(2.0 * (count - 1.0), 1.0), 1.0)
    # points of correlation c are worth 1 + (k - 1) (1 - c) independent ones
    worth = count / np.maximum(1.0 + (count - 1.0) * (1.0 - noise.correlation), 1.0)
    covariance = covariance * (np.maximum(worth, 1.0) * spread)[:, None, None]
    position = _on_surface(ground, mean)
    position[count == 0] = np.nan
    covariance[count == 0] = np.nan
    return position, covariance


def _outliers(
    xy_m: Float[Array, "K N 2"],
    cov: Float[Array, "K N 2 2"],
    weight: Float[Array, "K N 2 2"],
    seen: Bool[Array, "K N"],
    gate: float,
) -> Bool[Array, "K N"]:
    """The one of three points that the other two contradict; of two that disagree, the last (the box,
    which a bench or a neighbour cuts off far more often than a skeleton is wrong)."""
    pull = np.einsum("knij,knj->kni", weight, xy_m)
    count = seen.sum(axis=0)
    some = seen & (count > 1)
    rest = np.where(some[..., None, None], weight.sum(axis=0) - weight, np.eye(2))
    rest_cov = _inverse2(rest)
    rest_xy = np.einsum("knij,knj->kni", rest_cov, pull.sum(axis=0) - pull)
    off = np.where(some[..., None], xy_m - rest_xy, 0.0)
    chi2 = np.einsum("kni,knij,knj->kn", off, _inverse2(cov + rest_cov), off)
    worst = np.where(count == 2, np.where(seen[-1], len(xy_m) - 1, -1), np.argmax(chi2, axis=0))
    chosen = np.arange(len(xy_m))[:, None] == worst
    return np.asarray(chosen & (chi2 > gate))


def _inverse2(m: Float[Array, "*batch 2 2"]) -> Float[Array, "*batch 2 2"]:
    """Inverse of 2x2 matrices in closed form (LAPACK's batch call costs more than the arithmetic)."""
    a, b, c, d = m[..., 0, 0], m[..., 0, 1], m[..., 1, 0], m[..., 1, 1]
    flat = np.stack([d, -b, -c, a], axis=-1) / (a * d - b * c)[..., None]
    return np.asarray(flat.reshape(m.shape))


def _on_surface(ground: Ground, xy_m: Float[Array, "N 2"]) -> Float[Array, "N 3"]:
    z = np.zeros(len(xy_m))
    for order, plane in enumerate(ground.planes):
        inside = np.ones(len(xy_m), bool) if order == 0 else plane.contains(xy_m)
        z = np.where(inside, (plane.offset_m - xy_m @ plane.normal[:2]) / plane.normal[2], z)
    return np.concatenate([xy_m, z[:, None]], axis=-1)


def _normals_at(ground: Ground, xy_m: Float[Array, "N 2"]) -> Float[Array, "N 3"]:
    normal = np.tile(ground.planes[0].normal, (len(xy_m), 1))
    for plane in ground.planes[1:]:
        normal[plane.contains(xy_m)] = plane.normal
    return normal


def _height_over(
    camera: CameraModel, ground: Ground, position_m: Float[Array, "N 3"], ideal_px: Float[Array, "N 2"]
) -> Float[Array, "N"]:
    ray = _rays(camera, ideal_px)
    r_x = np.cross(ray, position_m - camera.centre_world_m)
    r_n = np.cross(ray, _normals_at(ground, np.asarray(position_m, np.float64)[:, :2]))
    return np.asarray(-np.einsum("nc,nc->n", r_x, r_n) / np.einsum("nc,nc->n", r_n, r_n))


def _sigma_px(
    camera: CameraModel,
    ground: Ground,
    position_m: Float[Array, "N 3"],
    covariance_m2: Float[Array, "N 2 2"],
) -> Float[Array, "N"]:
    """sqrt(trace(J^-1 cov J^-T) / 2) with J = d(x, y)/d(pixel)."""
    relative = position_m - camera.centre_world_m
    depth = relative @ camera.R_cam_world[2]
    jacobian, _ = _jacobians(camera, relative / depth[:, None], _normals_at(ground, position_m[:, :2]), depth)
    known = np.isfinite(depth) & (np.abs(np.linalg.det(np.nan_to_num(jacobian[:, :2]))) > 1e-12)
    inverse = np.linalg.inv(np.where(known[:, None, None], jacobian[:, :2], np.eye(2)))
    px_cov = np.einsum("nij,njk,nlk->nil", inverse, covariance_m2, inverse)
    return np.where(known, np.sqrt(0.5 * np.trace(px_cov, axis1=1, axis2=2)), np.nan)
