"""Laws of motion: the same seed the same bodies, everybody for themselves, no matter where in the world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.ground import Ground
from crowdstream.lab.virtualcrowd.motion import MotionLibrary, animate, motion_quality
from crowdstream.lab.virtualcrowd.motion import quaternion as qt
from crowdstream.lab.virtualcrowd.motion.skeleton import mirror_pose, mirror_root, turned
from crowdstream.lab.virtualcrowd.plan import Activity, CrowdPlan
from crowdstream.lab.virtualcrowd.scene import Scene

FRAMES = 120
LIBRARY = MotionLibrary.load([])
SCENE = Scene(
    "flat", np.array([[-99.0, -99.0], [99.0, -99.0], [99.0, 99.0], [-99.0, 99.0]]), Ground(), (), ()
)


def plan(seed: int, speed: list[float], turn: list[float]) -> CrowdPlan:
    n = len(speed)
    t = np.arange(FRAMES) / 30.0
    heading = np.array(turn)[:, None] * t
    pace = np.array(speed)[:, None] * (1.0 - 0.9 * (np.sin(1.3 * t) > 0.6))
    pace = np.stack([np.convolve(np.pad(p, 10, mode="edge"), np.ones(21) / 21, mode="valid") for p in pace])
    step = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * pace[..., None] / 30.0
    return CrowdPlan(
        scene=SCENE, seed=seed, person_ids=np.arange(11, 11 + n), group=np.full(n, -1), role=("walker",) * n,
        stature_m=np.linspace(1.5, 1.9, n), present=np.ones((n, FRAMES), bool), path_m=np.cumsum(step, axis=1),
        heading_rad=heading, activity=np.where(pace > 0.1, Activity.WALK, Activity.STAND).astype(np.uint8),
    )  # fmt: skip


def test_same_seed_same_bytes_other_seed_other_people() -> None:
    given_plan = plan(3, [1.2, 0.8], [0.0, 0.3])
    first, second = animate(given_plan, LIBRARY), animate(given_plan, MotionLibrary.load([]))
    assert first.pose_rotvec.tobytes() == second.pose_rotvec.tobytes()
    assert first.transl_m.tobytes() == second.transl_m.tobytes()
    other = animate(replace(given_plan, seed=4), LIBRARY)
    assert np.abs(other.betas - first.betas).max() > 0.1


def test_a_person_moves_the_same_whoever_else_is_there() -> None:
    both = plan(3, [1.2, 0.8], [0.0, 0.3])
    names = ("person_ids", "group", "stature_m", "present", "path_m", "heading_rad", "activity")
    alone = replace(both, role=both.role[1:], **{name: getattr(both, name)[1:] for name in names})
    np.testing.assert_array_equal(animate(both, LIBRARY).joints_m[1:], animate(alone, LIBRARY).joints_m)


@pytest.mark.parametrize(("angle", "x", "y"), [(1.0, 0.0, 0.0), (-2.3, 8.0, -15.0), (0.0, 20.0, 3.0)])
def test_a_turned_and_shifted_plan_gives_the_turned_and_shifted_motion(
    angle: float, x: float, y: float
) -> None:
    here, shift = plan(7, [1.1], [0.4]), np.array([x, y])
    there = replace(here, path_m=turned(here.path_m, angle) + shift, heading_rad=here.heading_rad + angle)
    a, b = animate(here, LIBRARY).joints_m.astype(float), animate(there, LIBRARY).joints_m.astype(float)
    np.testing.assert_allclose(turned(a[..., :2], angle) + shift, b[..., :2], atol=1e-4)
    np.testing.assert_allclose(a[..., 2], b[..., 2], atol=1e-4)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 99), speed=st.floats(0.0, 2.0), turn=st.floats(-1.0, 1.0))
def test_feet_stay_put_on_the_ground_whatever_the_plan(seed: int, speed: float, turn: float) -> None:
    given_plan = plan(seed, [speed], [turn])
    quality = motion_quality(animate(given_plan, LIBRARY), given_plan)
    assert quality.slide_mm < 3.0 and quality.slide_over_1cm < 0.05
    assert quality.sunk_p95_mm < 20.0 and quality.off_path_max_m < 0.15


rotvecs = st.lists(st.floats(-1.7, 1.7), min_size=3, max_size=3).map(np.array)


@settings(max_examples=50, deadline=None)
@given(a=rotvecs, b=rotvecs)
def test_quaternions_agree_with_matrices(a: np.ndarray, b: np.ndarray) -> None:
    qa, qb = qt.from_rotvec(a), qt.from_rotvec(b)
    np.testing.assert_allclose(
        qt.to_rotmat(qt.multiply(qa, qb)), qt.to_rotmat(qa) @ qt.to_rotmat(qb), atol=1e-9
    )
    np.testing.assert_allclose(qt.to_rotvec(qa), a, atol=1e-6)
    np.testing.assert_allclose(np.abs((qt.from_rotmat(qt.to_rotmat(qa)) * qa).sum()), 1.0, atol=1e-9)
    np.testing.assert_allclose(qt.nlerp(qa, qb, np.float64(0.0)), qa, atol=1e-12)


def test_mirrors_undo_themselves() -> None:
    pose = qt.from_rotvec(np.random.default_rng(0).normal(0, 0.5, (24, 3)))
    np.testing.assert_allclose(mirror_pose(mirror_pose(pose)), pose, atol=1e-12)
    np.testing.assert_allclose(mirror_root(mirror_root(pose)), pose, atol=1e-12)
