"""Gait and standing drawn from textbook curves: what moves where no recording fits, and all there is without one.

Hip, knee and ankle angles over the cycle are those of healthy adults (walking: Winter 1991, Perry 1992; running:
Novacheck 1998), read off at twelve phases, closed by periodic splines and scaled with speed; arms swing against the
legs, pelvis and shoulders turn against each other, the trunk rides on the supporting leg. Standing is a relaxed
upright body under slow sums of sines (sway of some centimetres, looks to the sides), talking adds forearm beats.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from ...pose_prior import REFERENCE_OFFSETS_M
from . import quaternion as qt
from .cycles import PHASES, RUN_TOE_OFF, WALK_TOE_OFF, GaitCycles, join
from .skeleton import ANKLES, TOES, UPRIGHT, place
from .stances import Stance

Array = np.ndarray

WALK_SPEEDS_M_S, RUN_SPEEDS_M_S = (0.5, 0.8, 1.1, 1.4, 1.7), (2.1, 2.6, 3.2)
VARIANTS = 3
"""Drawn walkers, each with swings and leans of their own."""
STANCE_FRAMES = 600
SOLE_BELOW_TOE_M, HEEL_BEHIND_M = 0.026, 0.06

_AT = np.array([0, 0.07, 0.15, 0.23, 0.31, 0.40, 0.50, 0.60, 0.72, 0.80, 0.88, 0.95])
_WALK_DEG = np.array([
    [27, 26, 20, 13, 5, -4, -10, -3, 17, 26, 29, 28],  # hip flexion
    [5, 14, 17, 12, 7, 5, 10, 36, 60, 50, 25, 8],  # knee flexion
    [0, -4, 2, 6, 9, 11, 7, -15, -5, 0, 1, 0],  # ankle dorsiflexion
])  # fmt: skip
_RUN_DEG = np.array([
    [32, 31, 24, 13, 2, -8, -4, 12, 38, 47, 45, 38],
    [20, 34, 40, 33, 22, 25, 52, 82, 92, 68, 36, 20],
    [6, 12, 18, 12, -6, -18, -12, -4, 2, 4, 5, 6],
])  # fmt: skip


def drawn_cycles() -> GaitCycles:
    """Walking and running at several speeds, three variants each."""
    rng = np.random.default_rng(20260)
    parts = []
    for speed in (*WALK_SPEEDS_M_S, *RUN_SPEEDS_M_S):
        for _ in range(VARIANTS):
            parts.append(_cycle(speed, speed > 1.9, rng))
    return join(parts)


def drawn_stances() -> tuple[Stance, ...]:
    """Standing bodies, the last two with talking hands."""
    return tuple(_stance(np.random.default_rng((20261, k)), k >= 3) for k in range(5))


def _cycle(speed_m_s: float, running: bool, rng: np.random.Generator) -> GaitCycles:
    phase = np.arange(PHASES + 1) / PHASES
    curves = CubicSpline(
        np.r_[_AT, 1.0], np.deg2rad(np.c_[_RUN_DEG, _RUN_DEG[:, :1]] if running else _wrap_walk(speed_m_s)).T,
        bc_type="periodic",
    )  # fmt: skip
    swing = rng.uniform(0.85, 1.15) * (0.55 if running else 0.12 + 0.22 * speed_m_s)
    lean = np.deg2rad(rng.uniform(2, 5) + (5.0 if running else 0.0))
    rotvec = np.zeros((PHASES + 1, 24, 3))
    twist = np.deg2rad(6.0 if running else 2.0 + 3.0 * speed_m_s) * np.cos(2 * np.pi * phase)
    for side in (0, 1):
        hip, knee, ankle = curves((phase + 0.5 * side) % 1.0).T
        rotvec[:, 1 + side, 0] = -hip - lean
        rotvec[:, 4 + side, 0] = np.maximum(knee, 0.02)
        rotvec[:, 7 + side, 0] = -ankle
    elbow = 1.30 if running else 0.32
    for side in (0, 1):
        forward = -np.cos(2 * np.pi * (phase + 0.5 * side - 0.02))
        _hang(
            rotvec, side, swing * forward - 0.06, elbow + 0.25 * swing * (1 + forward), rng.uniform(1.22, 1.3)
        )
    rotvec[:, 3, 1] = 0.6 * twist
    rotvec[:, 6, 1] = 0.6 * twist
    rotvec[:, 9, 1] = 0.4 * twist
    rotvec[:, 12, 1] = -0.6 * twist
    rotvec[:, [12, 15], 0] = -0.35 * lean
    quats = qt.from_rotvec(rotvec)
    roll = np.deg2rad(3.0) * np.sin(2 * np.pi * (phase - 0.05))
    root = qt.multiply(
        qt.about(2, -twist), qt.multiply(qt.about(1, np.full_like(phase, lean)), qt.about(0, roll))
    )
    quats[:, 0] = qt.multiply(root, UPRIGHT)
    return _ride(quats, speed_m_s, running)


def _wrap_walk(speed_m_s: float) -> Float[Array, "3 13"]:
    """Walking angles at a speed: strides, and with them hip and knee, shrink as one slows down."""
    gain = np.clip(0.55 + 0.34 * speed_m_s, 0.6, 1.15)
    scaled = _WALK_DEG * np.array([[gain], [0.35 + 0.65 * gain], [gain]])
    return np.asarray(np.c_[scaled, scaled[:, :1]])


def _hang(
    rotvec: Float[Array, "T 24 3"],
    side: int,
    flexion_rad: Float[Array, "T"],
    elbow_rad: Float[Array, "T"],
    drop_rad: float,
) -> None:
    """An arm let down from the T-pose, swung forward and bent."""
    sign = 1.0 - 2.0 * side
    down = qt.about(2, np.full(len(rotvec), -sign * drop_rad))
    rotvec[:, 16 + side] = qt.to_rotvec(qt.multiply(qt.about(0, -flexion_rad), down))
    rotvec[:, 18 + side, 1] = -sign * elbow_rad
    rotvec[:, 20 + side, 0] = 0.0


def _ride(quats: Float[Array, "P 24 4"], speed_m_s: float, running: bool) -> GaitCycles:
    """Put the pelvis where the legs carry it."""
    phase = np.arange(PHASES + 1) / PHASES
    joints, world = place(qt.to_rotmat(quats), REFERENCE_OFFSETS_M, np.zeros((PHASES + 1, 3)))
    lowest = np.min([joints[:, list(TOES), 2].min(1), _heels(joints, world)], axis=0) - SOLE_BELOW_TOE_M
    if running:
        low = -lowest[np.argmin(np.abs(phase - 0.18))]
        height = low + 0.035 * (1.0 - np.cos(4 * np.pi * (phase - 0.18)))
    else:
        spectrum = np.fft.rfft(-lowest[:-1])
        spectrum[5:] = 0
        height = np.fft.irfft(spectrum, PHASES)[np.arange(PHASES + 1) % PHASES]
    middle = 0.5 * (RUN_TOE_OFF if running else WALK_TOE_OFF)
    sway = 0.020 * np.sin(2 * np.pi * (phase - middle + 0.25))
    surge = (0.006 + 0.006 * speed_m_s) * np.sin(4 * np.pi * (phase - 0.02))
    pelvis = np.stack([surge, sway, height], axis=1)
    prints = np.zeros((2, 3))
    for side in (0, 1):
        k = round((middle + 0.5 * side) * PHASES) % PHASES
        prints[side] = (
            joints[k, ANKLES[side], 0] + surge[k],
            *((0.045, 0.12) if side == 0 else (-0.045, -0.12)),
        )
    return GaitCycles(
        quats=qt.continuous(quats)[None].astype(np.float32), pelvis_m=pelvis[None].astype(np.float32),
        footprints=prints[None], speed_m_s=np.array([speed_m_s]), turn_rad_s=np.zeros(1),
        running=np.array([running]), clip=np.array([-1]), subject=np.array([-1]), after=np.array([-1]),
    )  # fmt: skip


def _heels(joints: Float[Array, "P 24 3"], world: Float[Array, "P 24 3 3"]) -> Float[Array, "P"]:
    """Height of the lower heel, 2.6 cm above its sole like the toe joint."""
    below = REFERENCE_OFFSETS_M[TOES[0], 1]
    heels = [joints[:, a, 2] + (world[:, a] @ np.array([0.0, below, -HEEL_BEHIND_M]))[:, 2] for a in ANKLES]
    return np.asarray(np.min(heels, axis=0))


def _stance(rng: np.random.Generator, gesturing: bool) -> Stance:
    t = np.arange(STANCE_FRAMES) / 30.0
    rotvec = np.zeros((STANCE_FRAMES, 24, 3))
    for side in (0, 1):
        beat = _drift(rng, t, 0.25, (1.2, 3.0)) if gesturing else _drift(rng, t, 0.02, (3.0, 9.0))
        raised = np.clip(_drift(rng, t, 0.8, (6.0, 14.0)), 0, 1) if gesturing else np.zeros_like(t)
        flexion = 0.03 + 0.35 * raised + 0.35 * beat * raised + _drift(rng, t, 0.02, (4.0, 9.0))
        elbow = 0.22 + 1.25 * raised + beat * (0.2 + raised)
        _hang(rotvec, side, flexion, np.maximum(elbow, 0.05), 1.34 + rng.uniform(-0.05, 0.05))
        rotvec[:, 4 + side, 0] = 0.06
    gaze = _drift(rng, t, 0.30, (4.0, 13.0))
    rotvec[:, 15, 1], rotvec[:, 12, 1], rotvec[:, 9, 1] = 0.55 * gaze, 0.35 * gaze, 0.1 * gaze
    rotvec[:, 15, 0] = 0.05 + _drift(rng, t, 0.06, (3.0, 9.0))
    bend = _drift(rng, t, 0.015, (4.0, 11.0))
    for joint in (3, 6, 9):
        rotvec[:, joint, 0] = 0.01 + bend
    quats = qt.from_rotvec(rotvec)
    turn = qt.multiply(
        qt.about(2, _drift(rng, t, 0.04, (5.0, 15.0))), qt.about(0, _drift(rng, t, 0.02, (5.0, 9.0)))
    )
    quats[:, 0] = qt.multiply(turn, UPRIGHT)
    sway = np.stack([_drift(rng, t, 0.012, (3.0, 8.0)), _drift(rng, t, 0.018, (5.0, 14.0))], axis=1)
    height = np.full((STANCE_FRAMES, 1), 0.938)
    wide = rng.uniform(0.07, 0.11)
    feet = np.array([[-0.05, wide, rng.uniform(0.08, 0.25)], [-0.05, -wide, -rng.uniform(0.08, 0.25)]])
    return Stance(
        quats=quats.astype(np.float32),
        pelvis_m=np.concatenate([sway, height], axis=1).astype(np.float32),
        feet=feet,
        gesturing=gesturing,
        clip=-1,
    )


def _drift(
    rng: np.random.Generator, t_s: Float[Array, "T"], size: float, periods_s: tuple[float, float]
) -> Float[Array, "T"]:
    """A slow wandering of given standard deviation: five sines of random period and phase."""
    periods, phases = rng.uniform(*periods_s, 5), rng.uniform(0, 2 * np.pi, 5)
    waves = np.sin(2 * np.pi * t_s[:, None] / periods + phases)
    return np.asarray(size * waves.sum(1) * np.sqrt(2 / 5))
