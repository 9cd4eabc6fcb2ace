"""One person: from a path to a moving body."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.ndimage import gaussian_filter1d

from ....kernels.body.data import BodyData
from ..plan import Activity
from ..truth import MotionSource
from . import quaternion as qt
from .feet import FootPath, FootShape, Hip, Surface, foot_shape, tread
from .layers import Layer, blended, choose_strides, footprint_at, gait_layer, stand_layer
from .legs import EASY_REACH, lowering_m, reach, within_reach
from .motion_library import MotionLibrary
from .skeleton import ANKLES, HIPS, KNEES, TOES, bone_offsets, place, turned
from .steps import StepPlan, clock, plant_feet
from .style import draw_style, dress, talk
from .takes import REFERENCE_LEG_M

Array = np.ndarray

PAD = 60
"""Frames before the first and after the last: who comes in walking has walked before."""
MOVING_M_S = 0.25
REFERENCE_HEIGHT_M = 0.946
"""Pelvis over the sole, recordings' skeleton, legs straight."""
WEIGHT_SIGMA = 4.5
SPARE_M = 0.012
"""A pelvis comes down this far before a heel has to rise for it."""


@dataclass(frozen=True)
class Build:
    """A body's measures."""

    betas: Float[Array, "10"]
    rest_m: Float[Array, "24 3"]
    leg_m: float
    """Hip to ankle along the bones."""
    height_m: float
    """Pelvis over the sole, legs straight."""
    feet: tuple[FootShape, FootShape]

    @property
    def size(self) -> float:
        """Over the recordings' skeleton."""
        return self.leg_m / REFERENCE_LEG_M


@dataclass(frozen=True)
class Track:
    """T frames of a person's plan without gaps."""

    path_m: Float[Array, "T 2"]
    heading_rad: Float[Array, "T"]
    activity: UInt8[Array, "T"]


@dataclass(frozen=True)
class Moved:
    """T frames of a body."""

    pose_rotvec: Float[Array, "T 24 3"]
    pelvis_m: Float[Array, "T 3"]
    joints_m: Float[Array, "T 24 3"]
    source: UInt8[Array, "T"]
    clip: Int[Array, "T"]


def build_of(betas: Float[Array, "10"], body: BodyData) -> Build:
    """The measures of a shape."""
    rest = body.joints_m(betas)
    soles = body.vertices_m(betas)[body.sole_vertices].astype(np.float64)
    half = len(soles) // 2
    leg = float(np.linalg.norm(rest[4] - rest[1]) + np.linalg.norm(rest[7] - rest[4]))
    feet = (foot_shape(rest, soles[:half], 0), foot_shape(rest, soles[half:], 1))
    return Build(betas, rest, leg, float(rest[0, 1] - soles[:, 1].min()), feet)


def move(
    track: Track, build: Build, library: MotionLibrary, surface: Surface, rng: np.random.Generator
) -> Moved:
    """A body along one person's track.

    Args:
        track: where the person is, from in to out.
        build: the body.
        library: what it can do.
        surface: height of the ground, world metres.
        rng: of this person.
    """
    wide = _padded(track)
    running = wide.activity == Activity.JOG
    style = draw_style(rng, float(build.height_m * 1.8), bool(running.any()))
    first_phase, coin = float(rng.random()), rng.integers(0, 2, 64)
    turn = np.gradient(gaussian_filter1d(wide.heading_rad, 6.0, mode="nearest")) * 30.0

    def begins(frame: int) -> int:
        """The foot on the side one turns or steps to; either, straight ahead."""
        ahead = min(frame + 20, len(wide.path_m) - 1)
        way = turned(wide.path_m[ahead] - wide.path_m[frame], -wide.heading_rad[frame])
        aside = way[1] + 0.3 * (wide.heading_rad[ahead] - wide.heading_rad[frame])
        return int(coin[frame % 64]) if abs(aside) < 0.15 else int(aside < 0)

    plan = clock(wide.path_m, running, build.leg_m, style.tempo, first_phase, begins)
    pace = np.sqrt(1.0 / build.size)
    strides = choose_strides(
        library.cycles, plan.phase, plan.speed_m_s * pace, turn / pace, plan.running, rng
    )
    weight = _gait_weight(plan, pace)
    talking = wide.activity == Activity.TALK
    stand = stand_layer(library, weight < 0.999, talking, rng)
    if talking.any():
        hands = [s for s in library.stances if s.gesturing and s.clip < 0]
        stand = Layer(
            talk(stand.quats, talking, hands[int(rng.integers(len(hands)))], rng), stand.pelvis_m, stand.clip
        )
    layer = blended(stand, gait_layer(library.cycles, strides, plan.phase), weight)

    def footprint(side: int, frame: int) -> Float[Array, "3"]:
        inside = min(max(frame, 0), len(plan.phase) - 1)
        at = footprint_at(library.cycles, strides, side, float(plan.phase[inside]))
        w = weight[inside]
        return np.asarray((w * at + (1.0 - w) * feet_m[side] / scale) * scale)

    scale = np.array([build.size, build.size, 1.0])
    feet_m = _own_stance(library, rng) * scale
    plant_feet(plan, wide.path_m, wide.heading_rad, feet_m, footprint)
    layer = Layer(dress(layer.quats, style), layer.pelvis_m, layer.clip)
    moved = _assemble(wide, build, layer, plan, weight, surface)
    return _cut(moved, slice(PAD, PAD + len(track.path_m)))


def _padded(track: Track) -> Track:
    """The track with some time before and after, going on as it began and ended."""
    path = track.path_m.astype(np.float64)
    count = min(6, len(path) - 1)
    steps = np.arange(1, PAD + 1)[:, None]
    begin = (path[count] - path[0]) / max(count, 1)
    end = (path[-1] - path[-1 - count]) / max(count, 1)
    begin = begin * (np.linalg.norm(begin) * 30 > MOVING_M_S)
    end = end * (np.linalg.norm(end) * 30 > MOVING_M_S)
    wide = np.concatenate([path[0] - steps[::-1] * begin, path, path[-1] + steps * end])
    wide = gaussian_filter1d(wide, 1.5, axis=0, mode="nearest")
    heading = np.pad(track.heading_rad.astype(np.float64), PAD, mode="edge")
    heading = gaussian_filter1d(heading, 3.0, mode="nearest")
    return Track(wide, heading, np.pad(track.activity, PAD, mode="edge"))


def _gait_weight(plan: StepPlan, pace: float) -> Float[Array, "T"]:
    """How much of the gait shows: all of it while walking, less of it at a shuffle."""
    going = plan.walking.copy()
    for stretch in plan.stretches:
        if stretch.from_rest:
            going[stretch.start : stretch.start + 5] = False
        if stretch.to_rest:
            going[max(stretch.end - 5, stretch.start) : stretch.end] = False
    lively = np.clip(plan.speed_m_s * pace / 0.55, 0.2, 1.0)
    return np.asarray(gaussian_filter1d(going * lively, WEIGHT_SIGMA, mode="nearest", truncate=3.0))


def _own_stance(library: MotionLibrary, rng: np.random.Generator) -> Float[Array, "2 3"]:
    """How a person places the feet at rest, reference legs: those of a stance, within decent bounds."""
    captured = [s for s in library.stances if s.clip >= 0 and not s.gesturing] or list(library.stances)
    feet = captured[int(rng.integers(len(captured)))].feet.copy()
    wide = feet[0, 1] - feet[1, 1]
    feet[:, 1] += np.array([0.5, -0.5]) * (np.clip(wide, 0.14, 0.30) - wide)
    feet[:, 0] = np.clip(feet[:, 0], feet[:, 0].mean() - 0.06, feet[:, 0].mean() + 0.06)
    feet[:, 2] = np.clip(feet[:, 2], [-0.1, -0.45], [0.45, 0.1])
    return np.asarray(feet)


def _assemble(
    track: Track,
    build: Build,
    layer: Layer,
    plan: StepPlan,
    weight: Float[Array, "T"],
    surface: Surface,
) -> Moved:
    """Pelvis on its path, feet on the ground, legs between them."""
    quats = layer.quats.copy()
    quats[:, 0] = qt.multiply(qt.about(2, track.heading_rad), quats[:, 0])
    rotmats = qt.to_rotmat(quats)
    xy = track.path_m + turned(layer.pelvis_m[:, :2] * build.size, track.heading_rad)
    level = gaussian_filter1d(surface(track.path_m), 4.0, mode="nearest")
    z = level + build.height_m - build.size * (REFERENCE_HEIGHT_M - layer.pelvis_m[:, 2])
    offsets = bone_offsets(build.rest_m)
    joints, world = place(rotmats, offsets, np.concatenate([xy, z[:, None]], axis=1))
    feet = []
    for side in (0, 1):
        gait = joints[:, ANKLES[side]].copy()
        hip = Hip(joints[:, HIPS[side]] - (0.0, 0.0, SPARE_M * build.size), EASY_REACH * build.leg_m)
        axes = world[:, ANKLES[side]]
        feet.append(tread(plan.plants[side], gait, axes, weight, hip, build.feet[side], surface))
    ankles = np.stack([foot.ankle_m for foot in feet], axis=1)
    resting = np.stack([foot.resting for foot in feet], axis=1)
    joints[..., 2] -= lowering_m(joints[:, list(HIPS)], ankles, resting, build.leg_m)[:, None]
    for side in (0, 1):
        _fit_leg(side, joints, world, quats, offsets, feet[side])
    shuffled = _shuffling(plan, len(quats))
    drawn = (layer.clip < 0) | shuffled
    return Moved(
        pose_rotvec=qt.to_rotvec(quats),
        pelvis_m=joints[:, 0].copy(),
        joints_m=joints,
        source=np.where(drawn, MotionSource.PROCEDURAL, MotionSource.CAPTURED).astype(np.uint8),
        clip=np.where(drawn, -1, layer.clip),
    )


def _fit_leg(
    side: int,
    joints: Float[Array, "T 24 3"],
    world: Float[Array, "T 24 3 3"],
    quats: Float[Array, "T 24 4"],
    offsets: Float[Array, "24 3"],
    foot: FootPath,
) -> None:
    """Bend one leg so that its ankle is where the foot is; joints and local rotations in place."""
    hip, knee, ankle, toe = HIPS[side], KNEES[side], ANKLES[side], TOES[side]
    length = float(np.linalg.norm(offsets[knee]) + np.linalg.norm(offsets[ankle]))
    target = np.where(foot.resting[:, None], foot.ankle_m, within_reach(joints[:, hip], foot.ankle_m, length))
    leg = reach(joints[:, hip], target, world[:, hip, :, 0], offsets[knee], offsets[ankle])
    chain = (world[:, 0], leg.thigh, leg.shin, foot.axes)
    for joint, above, own in zip((hip, knee, ankle), chain[:-1], chain[1:], strict=True):
        quats[:, joint] = qt.from_rotmat(above.transpose(0, 2, 1) @ own)
    quats[:, toe] = qt.about(0, foot.toe_bend_rad)
    joints[:, knee], joints[:, ankle] = leg.knee_m, leg.ankle_m
    joints[:, toe] = leg.ankle_m + foot.axes @ offsets[toe]


def _shuffling(plan: StepPlan, frames: int) -> Bool[Array, "T"]:
    """Frames in which a foot is on its way by a drawn step."""
    mask = np.zeros(frames, bool)
    for plants in plan.plants:
        for before, after in pairwise(plants):
            if after.drawn:
                mask[max(before.end, 0) : max(after.start, 0)] = True
    return mask


def _cut(moved: Moved, part: slice) -> Moved:
    return Moved(
        moved.pose_rotvec[part],
        moved.pelvis_m[part],
        moved.joints_m[part],
        moved.source[part],
        moved.clip[part],
    )
