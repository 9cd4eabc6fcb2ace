"""Bodies on planned paths: feet that stay put, on the ground, along the plan, as tall as asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.lab.mocap import MocapClip, MocapError
from crowdstream.lab.virtualcrowd.motion import MotionLibrary, animate, motion_quality
from crowdstream.lab.virtualcrowd.motion import quaternion as qt
from crowdstream.lab.virtualcrowd.motion.contacts import contact_labels
from crowdstream.lab.virtualcrowd.motion.legs import lowering_m, reach
from crowdstream.lab.virtualcrowd.motion.shapes import betas_of_stature
from crowdstream.lab.virtualcrowd.motion.skeleton import BODY_TO_WALK, UPRIGHT
from crowdstream.lab.virtualcrowd.plan import Activity, CrowdPlan
from crowdstream.lab.virtualcrowd.scene import Scene
from crowdstream.lab.virtualcrowd.truth import CONTACT_JOINTS, CrowdMotion, MotionSource
from crowdstream.stream.body_files import load_body

FRAMES = 240
CORNERS = np.array([[-30.0, -30.0], [30.0, -30.0], [30.0, 30.0], [-30.0, 30.0]])


def scene(slope: float = 0.0) -> Scene:
    normal = np.array([-slope, 0.0, 1.0])
    return Scene("test", CORNERS, Ground((GroundPlane(normal / np.linalg.norm(normal)),)), (), ())


def speeds() -> dict[str, tuple[np.ndarray, np.ndarray, Activity]]:
    """Name -> speed and turning of each frame, and what one does while moving."""
    t = np.arange(FRAMES) / 30.0
    still = np.zeros(FRAMES)
    ramp = np.clip((t - 1.5) / 0.6, 0, 1) * np.clip((6.0 - t) / 0.6, 0, 1)
    return {
        "walk": (still + 1.3, still, Activity.WALK),
        "curve": (still + 1.2, 0.6 * np.sin(t), Activity.WALK),
        "stop_and_go": (1.3 * ramp, still, Activity.WALK),
        "stand": (still, still, Activity.STAND),
        "talk": (still, still, Activity.TALK),
        "turn": (still, np.where((t > 2) & (t < 4), np.pi / 2, 0.0), Activity.STAND),
        "jog": (still + 2.6, still, Activity.JOG),
    }


def plan(names: list[str], slope: float = 0.0, statures: list[float] | None = None) -> CrowdPlan:
    known, n = speeds(), len(names)
    heading = np.stack([np.cumsum(known[name][1]) / 30.0 for name in names])
    speed = np.stack([known[name][0] for name in names])
    step = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * speed[..., None] / 30.0
    activity = np.stack(
        [
            np.where(known[name][0] > 0.05, known[name][2], min(known[name][2], Activity.TALK))
            for name in names
        ]
    )
    activity = np.where((speed <= 0.05) & (activity == Activity.WALK), Activity.STAND, activity)
    return CrowdPlan(
        scene=scene(slope), seed=4, person_ids=np.arange(1, n + 1), group=np.full(n, -1),
        role=tuple(names), stature_m=np.array(statures or [1.7] * n), present=np.ones((n, FRAMES), bool),
        path_m=np.cumsum(step, axis=1), heading_rad=heading, activity=activity.astype(np.uint8),
    )  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> MotionLibrary:
    return MotionLibrary.load([])


@pytest.fixture(scope="module")
def crowd(drawn: MotionLibrary) -> tuple[CrowdPlan, CrowdMotion]:
    given = plan(list(speeds()))
    return given, animate(given, drawn)


def test_feet_do_not_slide_sink_or_float(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    quality = motion_quality(crowd[1], crowd[0])
    assert quality.slide_mm < 3.0 and quality.slide_over_1cm <= 0.02
    assert quality.sunk_p95_mm < 20.0 and quality.floating < 0.01


def test_feet_keep_to_a_slope(drawn: MotionLibrary) -> None:
    given = plan(["walk", "stop_and_go"], slope=0.1)
    quality = motion_quality(animate(given, drawn), given)
    assert quality.slide_mm < 3.0 and quality.sunk_p95_mm < 20.0 and quality.floating < 0.01


def test_bodies_keep_to_the_path(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    off = np.linalg.norm(crowd[1].joints_m[:, :, 0, :2] - crowd[0].path_m, axis=-1)
    assert off.max() < 0.15 and off.mean() < 0.05


def test_bodies_face_the_heading(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    hips = crowd[1].joints_m[:, :, 1, :2] - crowd[1].joints_m[:, :, 2, :2]
    facing = np.arctan2(-hips[..., 0], hips[..., 1])
    off = np.angle(np.exp(1j * (facing - crowd[0].heading_rad)))
    assert np.abs(off).max() < 0.8 and np.abs(off.mean(axis=1)).max() < 0.15


def test_nobody_jumps(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    quality = motion_quality(crowd[1])
    assert quality.fast_joints == 0.0 and quality.acceleration_p999 < 150.0


def test_standing_feet_do_not_move_at_all(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    feet = crowd[1].joints_m[crowd[1].role.index("stand")][:, [7, 8, 10, 11]]
    assert np.ptp(feet, axis=0).max() < 1e-3


def test_feet_follow_a_body_that_turns_on_the_spot(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    motion = crowd[1]
    row = motion.role.index("turn")
    foot = motion.joints_m[row, :, 10, :2] - motion.joints_m[row, :, 7, :2]
    yaw = np.unwrap(np.arctan2(foot[:, 1], foot[:, 0]))
    assert abs(yaw[-1] - yaw[0] - np.pi) < 0.6


def test_walkers_stand_on_one_foot_after_the_other(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    toes = crowd[1].contact[crowd[1].role.index("walk")][:, 2:4]
    assert (toes[:, 0] & ~toes[:, 1]).mean() > 0.15 and (toes[:, 1] & ~toes[:, 0]).mean() > 0.15
    assert toes.any(axis=1).mean() > 0.8


def test_runners_fly(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    toes = crowd[1].contact[crowd[1].role.index("jog")][:, 2:4]
    assert not (toes[:, 0] & toes[:, 1]).any()
    assert (~toes.any(axis=1)).mean() > 0.1


def test_arrays_agree_with_one_another(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    given, motion = crowd
    body = load_body()
    joints, _ = forward_kinematics_np(
        motion.pose_rotvec,
        motion.betas[:, None],
        motion.transl_m,
        body.joint_template_m,
        body.joint_shapedirs_m,
    )
    np.testing.assert_allclose(motion.joints_m, joints, atol=2e-5)
    torso = motion.joints_m[:, :, [1, 2, 16, 17], :2].mean(axis=2)
    np.testing.assert_allclose(motion.ground_m[..., :2], torso, atol=1e-5)
    assert (motion.source == MotionSource.PROCEDURAL).all() and (motion.clip == -1).all()
    np.testing.assert_array_equal(motion.activity, given.activity)


def test_absent_people_are_zeros(drawn: MotionLibrary) -> None:
    given = plan(["walk", "stand"])
    present = given.present.copy()
    present[0, :40] = present[0, 100:130] = present[1, 60:61] = False
    motion = animate(replace(given, present=present), drawn)
    for values in (motion.pose_rotvec, motion.transl_m, motion.joints_m, motion.ground_m, motion.contact):
        assert not values[~present].any()
    assert (motion.source[~present] == MotionSource.ABSENT).all()
    assert (motion.source[present] != MotionSource.ABSENT).all()
    assert (motion.joints_m[present][:, 15, 2] > 1.2).all()


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_people_who_are_there_for_a_moment(drawn: MotionLibrary, frames: int) -> None:
    given = plan(["walk", "stop_and_go", "jog"])
    present = np.zeros_like(given.present)
    present[:, 50 : 50 + frames] = True
    motion = animate(replace(given, present=present), drawn)
    assert np.isfinite(motion.joints_m).all() and (motion.joints_m[present][:, 15, 2] > 1.2).all()


@pytest.mark.parametrize("stature", [0.95, 1.2, 1.5, 1.7, 1.98])
def test_bodies_are_as_tall_as_asked_for(stature: float) -> None:
    body = load_body()
    for seed in range(3):
        betas = betas_of_stature(stature, np.random.default_rng(seed), body)
        assert abs(body.stature_m(betas) - stature) < 1e-3


def test_two_people_on_the_same_way_do_not_move_in_lockstep(drawn: MotionLibrary) -> None:
    motion = animate(plan(["walk", "walk", "stand", "stand"]), drawn)
    apart = np.abs(motion.pose_rotvec[::2] - motion.pose_rotvec[1::2]).max(axis=(1, 2, 3))
    assert (apart > 0.1).all()


def test_quality_sees_sliding_and_sinking(drawn: MotionLibrary) -> None:
    given = plan(["stand"])
    motion = animate(given, drawn)
    drift = np.arange(FRAMES)[:, None] * np.array([0.02, 0.0, 0.0])
    moved = replace(motion, transl_m=(motion.transl_m + drift).astype(np.float32))
    quality = motion_quality(moved)
    assert abs(quality.slide_mm - 20.0) < 0.5 and quality.slide_over_1cm == 1.0
    lower = replace(motion, transl_m=(motion.transl_m - np.float32([0, 0, 0.05])).astype(np.float32))
    assert abs(motion_quality(lower).sunk_p95_mm - 50.0) < 3.0
    higher = replace(motion, transl_m=(motion.transl_m + np.float32([0, 0, 0.05])).astype(np.float32))
    assert motion_quality(higher).floating == 1.0


def test_contact_wants_low_and_still() -> None:
    joints = np.zeros((4, 24, 3))
    picked = list(CONTACT_JOINTS)
    joints[:, picked, 2] = 0.03
    joints[2:, picked[0], 0] = 0.02  # the left ankle jumps 2 cm between frames 1 and 2
    joints[:, picked[2], 2] = 0.08  # a toe 8 cm up
    joints[:, picked[4], 2] = 0.5  # a knee
    got = contact_labels(joints, np.zeros((4, 8)), toe_rest_m=0.026)
    assert got[:, 0].tolist() == [True, True, False, True]
    assert not got[:, 2].any() and not got[:, 4].any() and got[:, [1, 3, 5, 6, 7]].all()


def test_legs_keep_their_lengths_and_bend_forwards() -> None:
    rng = np.random.default_rng(0)
    thigh, shin = np.array([0.04, -0.38, 0.0]), np.array([-0.01, -0.40, -0.04])
    hip = rng.normal(0, 1, (50, 3))
    way = rng.normal(0, 1, (50, 3)) * (0.3, 0.3, 0.1) - (0, 0, 1)
    ankle = hip + way / np.linalg.norm(way, axis=1, keepdims=True) * rng.uniform(0.3, 0.77, (50, 1))
    left = np.tile([0.0, 1.0, 0.0], (50, 1))
    leg = reach(hip, ankle, left, thigh, shin)
    np.testing.assert_allclose(leg.ankle_m, ankle, atol=1e-12)
    np.testing.assert_allclose(hip + leg.thigh @ thigh, leg.knee_m, atol=1e-12)
    np.testing.assert_allclose(leg.knee_m + leg.shin @ shin, leg.ankle_m, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(leg.thigh), 1.0, atol=1e-9)
    assert ((leg.knee_m - 0.5 * (hip + ankle))[:, 0] > 0).all()


def test_the_pelvis_comes_down_for_a_leg_that_is_too_short() -> None:
    hips = np.tile([[[0.0, 0.1, 0.9], [0.0, -0.1, 0.9]]], (40, 1, 1))
    ankles = hips * (1, 1, 0) + (0, 0, 0.08)
    ankles[15:25, 0, 0] += 0.3
    down = lowering_m(hips, ankles, np.ones((40, 2), bool), 0.84)
    hips[..., 2] -= down[:, None]
    assert down[20] > 0.02 and down[0] < 1e-3
    assert np.linalg.norm(hips[20, 0] - ankles[20, 0]) < 0.84


def recorded(motion: CrowdMotion, row: int, category: str) -> MocapClip:
    """A person's motion as a recording: y up, on the recordings' skeleton (that of the mean body)."""
    pose = motion.pose_rotvec[row].astype(np.float64)
    root = qt.multiply(qt.conjugate(UPRIGHT), qt.from_rotvec(pose[:, 0]))
    pose[:, 0] = qt.to_rotvec(root)
    pelvis = motion.joints_m[row, :, 0].astype(np.float64) @ BODY_TO_WALK
    return MocapClip("take", category, pose.astype(np.float32), pelvis.astype(np.float32), True, subject="s")


def test_recordings_are_cut_into_cycles_and_stances(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    motion = crowd[1]
    clips = [
        recorded(motion, motion.role.index(name), kind)
        for name, kind in (("walk", "walk"), ("stand", "idle_stand"))
    ]
    library = MotionLibrary.from_clips(clips)
    captured = library.cycles.clip >= 0
    assert captured.sum() >= 4 and not library.cycles.running[captured].any()
    np.testing.assert_allclose(library.cycles.speed_m_s[captured], 1.3, rtol=0.12)
    assert any(stance.clip == 1 for stance in library.stances)
    given = plan(["walk"])
    again = animate(given, library)
    assert (again.source == MotionSource.CAPTURED).mean() > 0.9
    assert motion_quality(again, given).slide_mm < 3.0


def test_cycles_close(drawn: MotionLibrary) -> None:
    ends = np.abs(drawn.cycles.quats[:, 0] - drawn.cycles.quats[:, -1])
    assert ends.max() < 1e-5
    assert np.abs(drawn.cycles.pelvis_m[:, 0] - drawn.cycles.pelvis_m[:, -1]).max() < 1e-5


def test_acrobats_and_uneven_ground_are_left_out(crowd: tuple[CrowdPlan, CrowdMotion]) -> None:
    clip = recorded(crowd[1], crowd[1].role.index("walk"), "walk")
    for odd in (
        replace(clip, category="floor"),
        replace(clip, flat_ground=False),
        replace(clip, description="being pushed"),
    ):
        assert MotionLibrary.from_clips([odd]).clips == ()


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    with pytest.raises(MocapError, match="nowhere"):
        MotionLibrary.load([tmp_path / "nowhere"])
    with pytest.raises(MocapError, match=r"index\.csv"):
        MotionLibrary.load([tmp_path])


@pytest.mark.data
def test_captured_motion_meets_the_same_measures(data_dir: Path) -> None:
    if not (data_dir / "mocap").is_dir():
        pytest.skip("no motion capture")
    library = MotionLibrary.load([data_dir / "mocap"])
    assert (library.cycles.clip >= 0).sum() > 500
    given = plan(
        ["walk", "curve", "stop_and_go", "talk", "walk", "jog"], statures=[1.5, 1.7, 1.85, 1.6, 1.0, 1.75]
    )
    motion = animate(given, library)
    quality = motion_quality(motion, given)
    assert quality.captured > 0.8
    assert quality.slide_mm < 3.0 and quality.slide_over_1cm <= 0.02
    assert quality.sunk_p95_mm < 20.0 and quality.off_path_p95_m < 0.12
    assert quality.acceleration_p999 < 160.0
