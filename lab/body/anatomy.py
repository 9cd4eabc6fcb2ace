"""The mean adult as a distance field: sweeps, cones and ellipsoids along the reference skeleton, blended.

Own geometry, in metres, T-pose, y up, facing +z, left = +x, pelvis joint at the origin. Every radius below
is an adult's (stature 1.71 m, neither man nor woman); the joints are those of the motion-capture skeleton.
Distances are exact enough near the surface to blend and to project on; far away they are only bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from ...kernels.skeleton import PARENTS, SMPL_JOINTS

Array = np.ndarray
Field = Callable[[Array], Array]

BONES_M = {
    "hip": (0.068, -0.090, -0.005),
    "knee": (0.036, -0.378, -0.005),
    "ankle": (-0.014, -0.396, -0.042),
    "foot": (0.026, -0.056, 0.120),
    "spine1": (0.0, 0.110, -0.028),
    "spine2": (0.0, 0.136, 0.002),
    "spine3": (0.0, 0.054, 0.024),
    "neck": (0.0, 0.214, -0.042),
    "head": (0.0, 0.066, 0.052),
    "collar": (0.080, 0.120, -0.035),
    "shoulder": (0.092, 0.032, -0.010),
    "elbow": (0.258, -0.013, -0.026),
    "wrist": (0.252, 0.008, -0.002),
    "hand": (0.084, -0.008, -0.015),
}
"""Joint minus parent joint on the left side; the right side mirrors x."""

SOLE_Y_M = -0.946
"""2.6 cm below the foot joints."""
HEAD_TOP_Y_M = 0.764


def mean_joints() -> Float[Array, "24 3"]:
    """The 24 joints of the mean body."""
    joints = np.zeros((len(SMPL_JOINTS), 3))
    for joint, name in enumerate(SMPL_JOINTS[1:], start=1):
        side, _, part = name.rpartition("_")
        mirror = (-1.0 if side == "right" else 1.0, 1.0, 1.0)
        joints[joint] = joints[PARENTS[joint]] + np.array(BONES_M[part]) * mirror
    return joints


@dataclass(frozen=True)
class Sweep:
    """A tube along one axis of the world whose section changes from station to station."""

    axis: int
    """0 along x, 1 along y, 2 along z."""
    stations: Float[Array, "S 7"]
    """Position on the axis, centre (u, v), radii (u-, u+, v-, v+), metres; u, v: the other axes in order."""
    power: float = 2.0
    """2 for ellipses, more for boxier sections."""
    dome: float = 1.0
    """Height of the rounded ends over half the end section's smaller width."""

    def __call__(self, points: Float[Array, "N 3"]) -> Float[Array, "N"]:
        table = self.stations[np.argsort(self.stations[:, 0])]
        t = points[:, self.axis]
        s = np.clip(t, table[0, 0], table[-1, 0])
        cu, cv, u0, u1, v0, v1 = PchipInterpolator(table[:, 0], table[:, 1:])(s).T
        u_axis, v_axis = (a for a in range(3) if a != self.axis)
        u, v = points[:, u_axis] - cu, points[:, v_axis] - cv
        ru, rv = np.where(u < 0, u0, u1), np.where(v < 0, v0, v1)
        over = t - s  # beyond the ends
        dome = self.dome * np.minimum(u0 + u1, v0 + v1) / 2
        scaled = (
            np.abs(u / ru) ** self.power + np.abs(v / rv) ** self.power + np.abs(over / dome) ** self.power
        )
        return _radial(np.stack([u, v, over], -1), scaled ** (1 / self.power))


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Field:
    def distance(points: Float[Array, "N 3"]) -> Float[Array, "N"]:
        arm = points - np.array(centre)
        return _radial(arm, np.linalg.norm(arm / np.array(radii), axis=1))

    return distance


def cone(
    a: tuple[float, float, float], b: tuple[float, float, float], radius_a: float, radius_b: float
) -> Field:
    """A capsule from a to b whose radius changes evenly."""
    start, axis = np.array(a), np.array(b) - np.array(a)

    def distance(points: Float[Array, "N 3"]) -> Float[Array, "N"]:
        s = np.clip((points - start) @ axis / (axis @ axis), 0.0, 1.0)
        away = np.linalg.norm(points - start - s[:, None] * axis, axis=1)
        out: Array = away - (radius_a + s * (radius_b - radius_a))
        return out

    return distance


def _radial(arm: Float[Array, "N 3"], scaled: Float[Array, "N"]) -> Float[Array, "N"]:
    """Distance to the surface `scaled` = 1 along the ray from the centre."""
    length = np.linalg.norm(arm, axis=1)
    distance: Array = length - length / np.maximum(scaled, 1e-9)
    return distance


def join(a: Float[Array, "N"], b: Float[Array, "N"], width_m: float) -> Float[Array, "N"]:
    """Smooth union: where the distances differ by less than the width, the crease is filled."""
    h = np.maximum(width_m - np.abs(a - b), 0.0) / width_m
    union: Array = np.minimum(a, b) - h * h * h * width_m / 6.0
    return union


def carve(a: Float[Array, "N"], b: Float[Array, "N"], width_m: float) -> Float[Array, "N"]:
    """Smooth difference a minus b."""
    return -join(-a, b, width_m)


def both_sides(field: Field, points: Float[Array, "N 3"], width_m: float) -> Float[Array, "N"]:
    """A left-hand part and its mirror image, joined."""
    return join(field(points), field(points * (-1.0, 1.0, 1.0)), width_m)


# Stations of a torso section: y, half width, front z, back z.
_TORSO = [
    (-0.120, 0.118, 0.052, -0.098),
    (-0.060, 0.162, 0.084, -0.124),
    (0.000, 0.167, 0.093, -0.127),
    (0.060, 0.154, 0.093, -0.116),
    (0.120, 0.141, 0.090, -0.108),
    (0.170, 0.137, 0.090, -0.108),
    (0.230, 0.143, 0.095, -0.117),
    (0.300, 0.152, 0.102, -0.131),
    (0.360, 0.154, 0.099, -0.137),
    (0.410, 0.146, 0.082, -0.131),
    (0.450, 0.114, 0.055, -0.117),
    (0.490, 0.060, 0.018, -0.096),
]
# y, centre x, centre z, radii: inside, outside, back, front.
_LEG = [
    (0.010, 0.084, -0.018, 0.056, 0.062, 0.066, 0.062),
    (-0.050, 0.088, -0.015, 0.070, 0.072, 0.076, 0.074),
    (-0.120, 0.090, -0.012, 0.077, 0.081, 0.085, 0.083),
    (-0.200, 0.093, -0.008, 0.076, 0.078, 0.081, 0.083),
    (-0.300, 0.098, -0.005, 0.067, 0.068, 0.071, 0.074),
    (-0.400, 0.102, -0.007, 0.054, 0.055, 0.057, 0.059),
    (-0.468, 0.104, -0.009, 0.050, 0.050, 0.051, 0.054),
    (-0.520, 0.103, -0.015, 0.047, 0.049, 0.055, 0.047),
    (-0.585, 0.101, -0.023, 0.048, 0.051, 0.062, 0.043),
    (-0.660, 0.098, -0.033, 0.040, 0.044, 0.053, 0.038),
    (-0.750, 0.094, -0.043, 0.031, 0.034, 0.040, 0.034),
    (-0.830, 0.091, -0.050, 0.028, 0.029, 0.034, 0.031),
    (-0.875, 0.090, -0.053, 0.031, 0.032, 0.038, 0.034),
    (-0.912, 0.089, -0.056, 0.028, 0.029, 0.036, 0.030),
]
# z, centre x, centre y, radii: inside, outside, below, above.
_FOOT = [
    (-0.096, 0.087, -0.925, 0.024, 0.024, 0.045, 0.026),
    (-0.070, 0.088, -0.925, 0.031, 0.031, 0.045, 0.040),
    (-0.030, 0.092, -0.925, 0.033, 0.033, 0.045, 0.052),
    (0.010, 0.099, -0.928, 0.036, 0.036, 0.045, 0.050),
    (0.050, 0.107, -0.930, 0.043, 0.042, 0.045, 0.038),
    (0.085, 0.111, -0.932, 0.046, 0.044, 0.045, 0.026),
    (0.120, 0.109, -0.934, 0.042, 0.040, 0.045, 0.017),
    (0.138, 0.106, -0.936, 0.032, 0.030, 0.040, 0.013),
]
# x, centre y, centre z, radii: below, above, back, front.
_ARM = [
    (0.110, 0.446, -0.046, 0.044, 0.042, 0.046, 0.046),
    (0.160, 0.450, -0.047, 0.054, 0.050, 0.053, 0.053),
    (0.215, 0.451, -0.051, 0.053, 0.049, 0.052, 0.052),
    (0.300, 0.447, -0.060, 0.047, 0.043, 0.045, 0.046),
    (0.380, 0.443, -0.068, 0.041, 0.039, 0.040, 0.041),
    (0.430, 0.440, -0.073, 0.037, 0.036, 0.039, 0.038),
    (0.480, 0.441, -0.073, 0.039, 0.036, 0.042, 0.042),
    (0.530, 0.443, -0.073, 0.037, 0.033, 0.041, 0.040),
    (0.600, 0.446, -0.074, 0.029, 0.027, 0.033, 0.033),
    (0.660, 0.447, -0.075, 0.022, 0.021, 0.027, 0.027),
    (0.690, 0.447, -0.076, 0.020, 0.019, 0.026, 0.027),
]
_PALM = [
    (0.682, 0.446, -0.077, 0.018, 0.017, 0.024, 0.025),
    (0.715, 0.444, -0.080, 0.017, 0.016, 0.034, 0.034),
    (0.755, 0.441, -0.086, 0.015, 0.013, 0.039, 0.038),
    (0.785, 0.439, -0.088, 0.012, 0.010, 0.038, 0.037),
]
# Fingertip x, z at root and tip: little finger to index.
_FINGERS = [
    (0.842, -0.118, -0.122), (0.864, -0.098, -0.100), (0.871, -0.077, -0.077), (0.858, -0.057, -0.054),
]  # fmt: skip
# y, half width, front z, back z.
_FACE = [
    (0.557, 0.037, 0.091, 0.014),
    (0.585, 0.056, 0.096, -0.014),
    (0.620, 0.063, 0.098, -0.028),
    (0.655, 0.067, 0.100, -0.040),
    (0.685, 0.066, 0.099, -0.040),
    (0.712, 0.061, 0.092, -0.040),
]
_NECK = [
    (0.460, 0.060, 0.014, -0.098),
    (0.500, 0.057, 0.014, -0.094),
    (0.535, 0.053, 0.032, -0.085),
    (0.570, 0.053, 0.052, -0.078),
    (0.620, 0.052, 0.050, -0.070),
]


def _upright(rows: list[tuple[float, float, float, float]], power: float = 2.0, dome: float = 1.0) -> Sweep:
    """A sweep along y, mirror symmetric, from half width, front and back."""
    y, half, front, back = np.array(rows).T
    centre = (front + back) / 2
    depth = (front - back) / 2
    return Sweep(1, np.stack([y, 0 * y, centre, half, half, depth, depth], axis=1), power, dome)


def torso(points: Float[Array, "N 3"]) -> Float[Array, "N"]:
    """Trunk with chest and seat, shoulder girdle and neck."""
    out = _upright(_TORSO, 2.3, 0.4)(points)
    girdle = cone((0.0, 0.462, -0.050), (0.165, 0.456, -0.048), 0.056, 0.044)
    out = join(out, both_sides(girdle, points, 0.02), 0.055)
    out = join(out, both_sides(ellipsoid((0.062, 0.350, 0.050), (0.076, 0.066, 0.044)), points, 0.05), 0.05)
    out = join(out, both_sides(ellipsoid((0.076, -0.080, -0.064), (0.074, 0.084, 0.068)), points, 0.03), 0.05)
    # trapezius: from the neck down to the shoulders
    slope = cone((0.018, 0.528, -0.052), (0.115, 0.476, -0.050), 0.027, 0.024)
    out = join(out, both_sides(slope, points, 0.02), 0.05)
    return join(out, _upright(_NECK)(points), 0.035)


def head(points: Float[Array, "N 3"]) -> Float[Array, "N"]:
    """Skull, face, ears: enough of a face to see where someone looks."""
    out = ellipsoid((0.0, 0.672, 0.002), (0.076, 0.092, 0.096))(points)
    out = join(out, _upright(_FACE, 2.4, 0.35)(points), 0.035)
    out = join(out, ellipsoid((0.0, 0.558, 0.070), (0.029, 0.018, 0.026))(points), 0.02)
    out = join(out, ellipsoid((0.0, 0.690, 0.034), (0.064, 0.064, 0.066))(points), 0.03)  # forehead
    sockets = both_sides(ellipsoid((0.033, 0.651, 0.108), (0.019, 0.011, 0.014)), points, 0.004)
    out = carve(out, sockets, 0.022)
    out = join(out, cone((0.0, 0.660, 0.094), (0.0, 0.624, 0.109), 0.007, 0.0115)(points), 0.016)
    out = join(out, ellipsoid((0.0, 0.585, 0.0885), (0.021, 0.007, 0.008))(points), 0.014)
    ears = both_sides(ellipsoid((0.074, 0.638, -0.012), (0.009, 0.031, 0.018)), points, 0.004)
    return join(out, ears, 0.010)


def arm(points: Float[Array, "N 3"]) -> Float[Array, "N"]:
    """The left arm with its hand: palm down, fingers together, thumb forward."""
    out = Sweep(0, np.array(_ARM))(points)
    hand = Sweep(0, np.array(_PALM), 2.4)(points)
    for tip_x, root_z, tip_z in _FINGERS:
        finger = cone((0.770, 0.440, root_z), (tip_x, 0.434, tip_z), 0.0105, 0.0085)
        hand = join(hand, finger(points), 0.014)
    thumb = np.minimum(
        cone((0.712, 0.440, -0.058), (0.752, 0.432, -0.030), 0.016, 0.0125)(points),
        cone((0.752, 0.432, -0.030), (0.783, 0.429, -0.017), 0.0125, 0.0095)(points),
    )
    return join(out, join(hand, thumb, 0.014), 0.022)


def leg(points: Float[Array, "N 3"]) -> Float[Array, "N"]:
    """The left leg with its foot, cut flat at the sole."""
    out = join(Sweep(1, np.array(_LEG))(points), Sweep(2, np.array(_FOOT), 2.3)(points), 0.035)
    return carve(out, points[:, 1] - SOLE_Y_M, 0.008)


PARTS: dict[str, Field] = {"torso": torso, "head": head, "arm": arm, "leg": leg}
"""What a surface point can belong to; arm and leg are the left ones."""


def body_distance(points: Float[Array, "N 3"]) -> Float[Array, "N"]:
    """Signed distance to the skin, negative inside, metres."""
    out = join(torso(points), both_sides(leg, points, 0.012), 0.068)
    out = join(out, both_sides(arm, points, 0.01), 0.045)
    return join(out, head(points), 0.030)
