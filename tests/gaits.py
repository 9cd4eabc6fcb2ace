"""People who walk like clockwork, for tests of guides and of the refiner: windows as the engine would cut them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crowdstream.kernels.body.data import BodyData
from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.grouping.guide import about_z
from crowdstream.kernels.rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np
from crowdstream.kernels.solve.finish import provenance_of
from crowdstream.kernels.solve.problem import WindowProblem, WindowSolution
from crowdstream.stream.refine.records import RefineInput
from tests.walking import camera

PERIOD = 32
"""Slots of a cycle."""
UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) @ np.diag([1.0, 1.0, 1.0])
"""Takes the y-up body into the z-up world; it faces -y."""


def gait(slots: int, phase: float = 0.0, period: float = PERIOD, swing: float = 0.5) -> np.ndarray:
    """(T, 24, 3) axis-angle: legs and arms swing about x, a left one against a right one; joint 0 is zero."""
    pose = np.zeros((slots, 24, 3))
    angle = 2 * np.pi * (np.arange(slots) / period + phase)
    pose[:, 1, 0], pose[:, 2, 0] = swing * np.sin(angle), -swing * np.sin(angle)
    pose[:, 4, 0] = swing * (1 + np.sin(angle + 1.0))
    pose[:, 5, 0] = swing * (1 - np.sin(angle + 1.0))
    pose[:, 16, 0], pose[:, 17, 0] = -0.6 * swing * np.sin(angle), 0.6 * swing * np.sin(angle)
    return pose


def rotations(pose: np.ndarray, heading: float | np.ndarray = 0.0) -> np.ndarray:
    """(T, 22, 3, 3) with the body upright and facing along the heading."""
    out = rotvec_to_rotmat_np(pose[:, :22])
    # the upright body faces -y: a quarter turn from +x
    turn = np.broadcast_to(np.asarray(heading, np.float64) + np.pi / 2, (len(pose),))
    out[:, 0] = about_z(turn) @ UPRIGHT
    return out


@dataclass(frozen=True)
class Walker:
    """One track."""

    track: int
    start: tuple[float, float]
    velocity: tuple[float, float]
    first: int
    """Slots [first, last) in which the track exists."""
    last: int
    hidden: Callable[[np.ndarray], np.ndarray] = lambda slots: np.zeros(len(slots), bool)
    legs_hidden: Callable[[np.ndarray], np.ndarray] = lambda slots: np.zeros(len(slots), bool)
    phase: float = 0.0
    answer: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda pose, slots: pose
    """What the windows made of the true pose (T, 24, 3)."""

    def truth(self, slots: np.ndarray, body: BodyData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pose, translation and joints."""
        pose = gait(len(slots), self.phase + slots[0] / PERIOD)
        heading = float(np.arctan2(self.velocity[1], self.velocity[0])) if any(self.velocity) else 0.0
        pose[:, 0] = rotmat_to_rotvec_np(rotations(pose, heading)[:, 0])
        transl = np.zeros((len(slots), 3))
        transl[:, :2] = np.array(self.start) + slots[:, None] / 30.0 * np.array(self.velocity)
        transl[:, 2] = 0.95 - body.joint_template_m[0, 2]
        return pose, transl, self.joints(pose, transl, body)

    @staticmethod
    def joints(pose: np.ndarray, transl: np.ndarray, body: BodyData) -> np.ndarray:
        return forward_kinematics_np(
            pose, np.zeros((len(pose), 10)), transl, body.joint_template_m, body.joint_shapedirs_m
        )[0]


def windows(
    walkers: Sequence[Walker], slots: int, body: BodyData, frames: int = 64, hop: int = 16
) -> Iterator[RefineInput]:
    """What tracking and solver would give; nobody coasts: a track is present between its sightings in a window."""
    for window in range(-(-(slots - frames) // hop) + 1):
        slot0 = window * hop
        rows = [row for walker in walkers if (row := _row(walker, slot0, frames, body)) is not None]
        yield RefineInput(*_pair(window, slot0, frames, rows))


def _row(walker: Walker, slot0: int, frames: int, body: BodyData) -> dict[str, np.ndarray] | None:
    at = np.arange(slot0, slot0 + frames)
    seen = (at >= walker.first) & (at < walker.last) & ~walker.hidden(at)
    if seen.sum() < 3:
        return None
    index = np.flatnonzero(seen)
    present = (at >= at[index[0]]) & (at <= at[index[-1]])
    pose, transl, _ = walker.truth(at, body)
    pose = walker.answer(pose, at)
    joints = walker.joints(pose, transl, body)
    confidence = np.where(seen[:, None], 0.8, 0.0) * np.ones(17)
    confidence[walker.legs_hidden(at), 11:] = 0.0
    ground = np.concatenate([joints[:, [1, 2, 16, 17], :2].mean(1), np.zeros((frames, 1))], 1)
    row = {"pose_rotvec": pose, "transl_m": transl, "joints_m": joints, "ground_m": ground}
    row = {name: np.where(present.reshape(-1, *[1] * (v.ndim - 1)), v, 0.0) for name, v in row.items()}
    return row | {
        "present": present, "keypoints": confidence, "track": np.array(walker.track),
        "confidence": np.where(present, 0.7, 0.0),
        "provenance": provenance_of(seen[None], present[None], 0.4)[0],
    }  # fmt: skip


def _pair(
    window: int, slot0: int, frames: int, rows: list[dict[str, np.ndarray]]
) -> tuple[WindowProblem, WindowSolution]:
    n, f = len(rows), np.float32

    def stack(name: str, *shape: int, dtype: type = np.float32) -> np.ndarray:
        return np.stack([r[name] for r in rows]).astype(dtype) if rows else np.zeros((0, *shape), dtype)

    ids = np.array([int(r["track"]) for r in rows], np.int64)
    t0_ns = round(slot0 * 1e9 / 30.0)
    problem = WindowProblem(
        window=window, slot0=slot0, t0_ns=t0_ns, person_ids=ids, cameras=(camera(),), ground=Ground(),
        present=stack("present", frames, dtype=bool), keypoints_px=np.zeros((1, n, frames, 17, 2), f),
        confidence=stack("keypoints", frames, 17)[None], box_px=np.zeros((1, n, frames, 4), f),
        hvip_px=np.zeros((1, n, frames, 2), f), hvip_sigma_px=np.zeros((1, n, frames), f),
        track_m=stack("ground_m", frames, 3),
    )  # fmt: skip
    solution = WindowSolution(
        window=window, slot0=slot0, t0_ns=t0_ns, rev=0, person_ids=ids,
        pose_rotvec=stack("pose_rotvec", frames, 24, 3), betas=np.zeros((n, 10), f),
        transl_m=stack("transl_m", frames, 3), joints_m=stack("joints_m", frames, 24, 3),
        ground_m=stack("ground_m", frames, 3), confidence=stack("confidence", frames),
        provenance=stack("provenance", frames, dtype=np.uint8), reprojection_px=np.zeros(n, f),
        status=np.zeros(n, np.uint8),
    )  # fmt: skip
    return problem, solution
