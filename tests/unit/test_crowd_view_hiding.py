"""What a camera can see of people: hidden by things, by others, by themselves; shares; times between slots."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.kernels.skeleton import COCO_KEYPOINTS, SMPL_JOINTS
from crowdstream.lab.virtualcrowd.scene import Obstacle
from crowdstream.lab.virtualcrowd.truth import CrowdMotion, View, Visibility
from crowdstream.lab.virtualcrowd.view import look

sys.path.insert(0, str(Path(__file__).parents[1]))
from crowd_scenes import camera_at, crowd_of, place, standing, turned_pose

sys.path.pop(0)

HEAD_ON = camera_at((0.0, -10.0, 1.0), (0.0, 0.0, 0.9))


def seen(motion: CrowdMotion, camera: CameraModel = HEAD_ON, t_ns: tuple[int, ...] = (0,)) -> View:
    return look(motion, camera, "test", np.array(t_ns, np.int64), threads=1)


def coco(view: View, name: str, person: int = 0) -> Visibility:
    return Visibility(int(view.visibility[person, 0, COCO_KEYPOINTS.index(name)]))


def wall(y: float, x: tuple[float, float] = (-3.0, 3.0), top: float = 3.0) -> Obstacle:
    outline = np.array([[x[0], y], [x[1], y], [x[1], y + 0.2], [x[0], y + 0.2]])
    return Obstacle("wall", "wall", outline, 0.0, top)


def test_alone_facing_the_camera() -> None:
    view = seen(crowd_of(standing((0.0, 0.0), yaw=-np.pi / 2)))
    assert view.seen_share[0, 0] == 1.0
    for name in ("nose", "left_eye", "left_shoulder", "right_hip", "left_knee", "right_ankle", "left_wrist"):
        assert coco(view, name) is Visibility.VISIBLE, name
    x1, y1, x2, y2 = view.box_px[0, 0]
    inside = (view.keypoints_px[0, 0] > (x1, y1)) & (view.keypoints_px[0, 0] < (x2, y2))
    assert inside.all()


def test_from_behind_the_face_is_hidden_by_the_own_head() -> None:
    view = seen(crowd_of(standing((0.0, 0.0), yaw=np.pi / 2)))
    for name in ("nose", "left_eye", "right_eye"):
        assert coco(view, name) is Visibility.SELF_OCCLUDED, name
    for name in ("left_shoulder", "right_shoulder", "left_hip", "right_knee"):
        assert coco(view, name) is Visibility.VISIBLE, name
    assert view.seen_share[0, 0] == 1.0


@pytest.mark.parametrize(("yaw", "near", "far"), [(0.0, "right", "left"), (np.pi, "left", "right")])
def test_from_the_side_the_far_arm_is_behind_the_body(yaw: float, near: str, far: str) -> None:
    view = seen(crowd_of(standing((0.0, 0.0), yaw=yaw)))
    for part in ("shoulder", "elbow", "wrist", "hip", "eye", "ear"):
        assert coco(view, f"{far}_{part}") is Visibility.SELF_OCCLUDED, part
    for part in ("shoulder", "elbow", "wrist", "ear"):
        assert coco(view, f"{near}_{part}") is Visibility.VISIBLE, part


def test_hand_before_the_belly_hides_it() -> None:
    pose = turned_pose(-np.pi / 2)
    pose[SMPL_JOINTS.index("left_shoulder")] = (-0.08, -0.13, -1.22)
    pose[SMPL_JOINTS.index("left_elbow")] = (
        -1.18,
        0.33,
        -1.62,
    )  # the hand is 4 cm from spine1 in the picture
    free = seen(crowd_of(standing((0.0, 0.0), yaw=-np.pi / 2)))
    covered = seen(crowd_of(place(pose, (0.0, 0.0))))
    trunk = [SMPL_JOINTS.index(name) for name in ("pelvis", "spine1", "spine2")]
    assert (free.joint_visibility[0, 0, trunk] == Visibility.VISIBLE).all()
    assert (covered.joint_visibility[0, 0, trunk] == Visibility.SELF_OCCLUDED).any()
    assert coco(covered, "left_wrist") is Visibility.VISIBLE


def test_wall_hides_all_that_is_behind_it_and_nothing_before_it() -> None:
    people = (standing((-1.0, 0.0)), standing((1.0, -4.0)))
    view = seen(crowd_of(*people, obstacles=(wall(-2.0),)))
    assert view.seen_share[0, 0] == 0.0
    assert (view.visibility[0] == Visibility.OCCLUDED).all()
    assert view.seen_share[1, 0] == 1.0
    assert not (view.visibility[1] == Visibility.OCCLUDED).any()


def test_low_wall_hides_the_legs() -> None:
    view = seen(crowd_of(standing((0.0, 0.0), yaw=-np.pi / 2), obstacles=(wall(-1.0, top=0.7),)))
    for side in ("left", "right"):
        assert coco(view, f"{side}_ankle") is Visibility.OCCLUDED
        assert coco(view, f"{side}_knee") is Visibility.OCCLUDED
        assert coco(view, f"{side}_shoulder") is Visibility.VISIBLE
    assert 0.3 < view.seen_share[0, 0] < 0.9


def test_somebody_close_in_front_hides_somebody() -> None:
    view = seen(crowd_of(standing((0.0, 0.0)), standing((0.0, -0.6))))
    assert view.seen_share[0, 0] < 0.25
    assert view.seen_share[1, 0] == 1.0
    assert (view.visibility[0] == Visibility.OCCLUDED).sum() >= 12
    assert not (view.visibility[1] == Visibility.OCCLUDED).any()


def test_terrace_hides_people_on_the_lower_level_behind_it() -> None:
    square = np.array([[-4.0, -3.0], [4.0, -3.0], [4.0, -1.0], [-4.0, -1.0]])
    terrace = GroundPlane(offset_m=1.2, outline_m=square)
    motion = crowd_of(standing((0.0, 0.0)), standing((0.0, -5.0)), standing((1.0, -2.0), floor=1.2))
    low = camera_at((0.0, -12.0, 0.9), (0.0, 0.0, 0.9))
    flat, stepped = (
        seen(replace(motion, scene=replace(motion.scene, ground=ground)), low)
        for ground in (Ground(), Ground((GroundPlane(), terrace)))
    )
    assert flat.seen_share[2, 0] == stepped.seen_share[2, 0] == 1.0
    assert stepped.seen_share[1, 0] == 1.0
    assert (stepped.visibility[0, 0, -4:] == Visibility.OCCLUDED).all()
    assert (flat.visibility[0, 0, -4:] != stepped.visibility[0, 0, -4:]).any()
    sunk = Ground((GroundPlane(), GroundPlane(offset_m=-2.0, outline_m=square + np.array([0.0, 2.0]))))
    pit = crowd_of(standing((0.0, 0.0), floor=-2.0))
    assert seen(replace(pit, scene=replace(pit.scene, ground=sunk)), low).seen_share[0, 0] == 0.0


def test_across_the_border_the_share_counts_what_is_cut_off() -> None:
    edge = camera_at(
        (0.0, -10.0, 1.0), (0.0, 0.0, 0.9), shift_px=(-480.0, 0.0)
    )  # the optical axis on the left border
    view = seen(crowd_of(standing((0.0, 0.0), yaw=-np.pi / 2)), edge)
    assert view.seen_share[0, 0] == pytest.approx(0.5, abs=0.03)
    right = [COCO_KEYPOINTS.index(f"right_{part}") for part in ("shoulder", "hip", "knee")]
    assert (view.visibility[0, 0, right] == Visibility.OUTSIDE).all()
    gone = seen(crowd_of(standing((-8.0, 0.0))))
    assert gone.seen_share[0, 0] == 0.0
    assert (gone.visibility == Visibility.OUTSIDE).all()
    assert gone.present.all() and gone.box_px[0, 0, 2] < 0.0


def test_behind_the_camera_there_is_nothing() -> None:
    view = seen(crowd_of(standing((0.0, -20.0))))
    assert np.isnan(view.keypoints_px).all()
    assert (view.visibility == Visibility.OUTSIDE).all()
    assert not view.box_px.any() and not view.seen_share.any()


def test_times_between_slots_and_beyond_the_end() -> None:
    start, end = standing((0.0, 0.0), yaw=0.3), standing((0.4, 0.0), yaw=0.5)
    motion = crowd_of(start, frames=(start, end))
    slot = 1_000_000_000 / 30
    view = seen(motion, t_ns=(0, round(slot / 2), round(slot), round(2.2 * slot)))
    assert view.present.tolist() == [[True, True, True, False]]
    assert not view.box_px[0, 3].any()
    body = slice(5, 17)
    middle = view.keypoints_px[0, [0, 2]].mean(axis=0)
    np.testing.assert_allclose(view.keypoints_px[0, 1][body], middle[body], atol=0.3)
    want = motion.joints_m[0, 1, [16, 17, 18]].astype(np.float64)
    np.testing.assert_allclose(view.keypoints_px[0, 2, [5, 6, 7]], HEAD_ON.project(want), atol=1e-3)


def test_absent_people_leave_nothing_behind() -> None:
    motion = crowd_of(standing((0.0, 0.0)), standing((0.0, -0.6)))
    gone = replace(motion, present=np.array([[True], [False]]))
    view = seen(gone)
    assert view.seen_share[:, 0].tolist() == [1.0, 0.0]
    assert not view.visibility[1].any() and not view.keypoints_px[1].any() and not view.box_px[1].any()


def test_times_must_rise() -> None:
    with pytest.raises(ShapeError, match="rising"):
        seen(crowd_of(standing((0.0, 0.0))), t_ns=(5, 5))
