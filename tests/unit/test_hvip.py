"""The ground point under a person: exact without noise, honest with it, unmoved by one bad part."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.kernels.hvip import (
    ANKLE_HEIGHT_M,
    BOX_LEAD_M,
    HIP_RATIO,
    SHOULDER_RATIO,
    STATURE_M,
    HvipKind,
    HvipNoise,
    foot_point_of_boxes,
    hvip_from_keypoints,
    shift_from_camera,
    torso_height,
    torso_pixels,
)

PEOPLE = np.array([[0.0, 12.0, 0.0], [3.0, 18.0, 0.0], [-4.0, 25.0, 0.0]])


def camera_at(
    height_m: float = 6.0, pitch_deg: float = 20.0, yaw_deg: float = 0.0, k1: float = 0.0
) -> CameraModel:
    pitch, yaw = np.deg2rad([pitch_deg, yaw_deg])
    forward = np.array([-np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[1000.0, 0, 640], [0, 1000.0, 360], [0, 0, 1]])
    return CameraModel(K, R, -R @ np.array([0.0, 0.0, height_m]), (1280, 720), np.array([k1, 0, 0, 0]))


def drawn(
    camera: CameraModel, ground: Ground, feet_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints, confidences and boxes of people who stand exactly as the constants say."""
    n = len(feet_m)
    heights = np.full(17, STATURE_M)
    heights[[5, 6]], heights[[11, 12]], heights[[15, 16]] = (
        SHOULDER_RATIO * STATURE_M,
        HIP_RATIO * STATURE_M,
        ANKLE_HEIGHT_M,
    )
    points = feet_m[:, None] + heights[:, None] * np.array([0.0, 0.0, 1.0])
    keypoints = camera.project(points)
    front = camera.project(shift_from_camera(camera, ground, feet_m, -BOX_LEAD_M))
    head = camera.project(feet_m + np.array([0, 0, STATURE_M]))
    boxes = np.stack([front[:, 0] - 10, head[:, 1], front[:, 0] + 10, front[:, 1]], axis=-1)
    return keypoints, np.ones((n, 17)), boxes


@pytest.mark.parametrize("k1", [0.0, -0.15])
def test_exact_without_noise(k1: float) -> None:
    camera, ground = camera_at(k1=k1), Ground()
    got = hvip_from_keypoints(camera, ground, *drawn(camera, ground, PEOPLE), lead_m=0.0)
    # the middle of a foreshortened torso is not the picture of its middle: millimetres
    np.testing.assert_allclose(got.position_m, PEOPLE, atol=0.02)
    assert (got.kind == HvipKind.ANKLES).all()
    ideal = camera.undistort_px(camera.project(got.position_m))
    np.testing.assert_allclose(got.px, ideal, atol=1e-6)


def test_a_lone_box_gives_its_foot_point() -> None:
    camera, ground = camera_at(), Ground()
    keypoints, confidence, boxes = drawn(camera, ground, PEOPLE)
    got = hvip_from_keypoints(camera, ground, keypoints, 0 * confidence, boxes, lead_m=BOX_LEAD_M)
    np.testing.assert_allclose(got.position_m, foot_point_of_boxes(camera, ground, boxes), atol=1e-6)
    assert (got.kind == HvipKind.BOX).all()


def test_torso_height_inverts_projection() -> None:
    camera, ground = camera_at(k1=-0.1), Ground()
    px = camera.project(PEOPLE + np.array([0, 0, 1.234]))
    np.testing.assert_allclose(torso_height(camera, ground, PEOPLE, px), 1.234, atol=1e-4)


def test_covariance_is_that_of_the_noise() -> None:
    """Monte Carlo over pixel noise of one part at a time."""
    rng = np.random.default_rng(3)
    camera, ground, n = camera_at(), Ground(), 4000
    noise = HvipNoise(fixed_px=2.0, box_share=(0.0, 0.0))
    keypoints, confidence, boxes = drawn(camera, ground, np.repeat(PEOPLE[1:2], n, axis=0))
    shift = rng.normal(0, 2.0, (n, 2))
    boxes = boxes + np.concatenate([shift, shift], axis=1)
    got = hvip_from_keypoints(
        camera, ground, keypoints, 0 * confidence, boxes, noise=noise, lead_m=BOX_LEAD_M
    )
    np.testing.assert_allclose(
        np.cov(got.position_m[:, :2].T), got.covariance_m2.mean(axis=0), rtol=0.1, atol=2e-4
    )
    np.testing.assert_allclose(got.sigma_px, 2.0, rtol=1e-6)


def test_depth_noise_grows_with_the_square_of_the_distance() -> None:
    camera, ground = camera_at(pitch_deg=8.0), Ground()
    feet = np.array([[0.0, 20.0, 0.0], [0.0, 40.0, 0.0]])
    noise = HvipNoise(fixed_px=1.0, box_share=(0.0, 0.0))
    keypoints, confidence, boxes = drawn(camera, ground, feet)
    got = hvip_from_keypoints(camera, ground, keypoints, 0 * confidence, boxes, noise=noise)
    depth, side = np.sqrt(got.covariance_m2[:, 1, 1]), np.sqrt(got.covariance_m2[:, 0, 0])
    assert depth[1] / depth[0] == pytest.approx(4.0, rel=0.1)
    assert side[1] / side[0] == pytest.approx(2.0, rel=0.1)


def test_a_box_cut_by_a_bench_is_left_out() -> None:
    camera, ground = camera_at(), Ground()
    keypoints, confidence, boxes = drawn(camera, ground, PEOPLE)
    confidence[:, 13:] = 0.0
    cut = boxes.copy()
    cut[:, 3] -= 0.5 * (boxes[:, 3] - boxes[:, 1])
    got = hvip_from_keypoints(camera, ground, keypoints, confidence, cut, lead_m=0.0)
    assert (got.kind == HvipKind.TORSO).all()
    assert np.linalg.norm(got.position_m - PEOPLE, axis=1).max() < 0.05


def test_hallucinated_ankles_are_left_out() -> None:
    camera, ground = camera_at(), Ground()
    keypoints, confidence, boxes = drawn(camera, ground, PEOPLE)
    keypoints[:, [15, 16], 1] -= 0.4 * (boxes[:, 3] - boxes[:, 1])[:, None]
    got = hvip_from_keypoints(camera, ground, keypoints, confidence, boxes, lead_m=0.0)
    assert np.linalg.norm(got.position_m - PEOPLE, axis=1).max() < 0.05


def test_contradiction_widens_the_covariance() -> None:
    camera, ground = camera_at(), Ground()
    keypoints, confidence, boxes = drawn(camera, ground, PEOPLE)
    calm = hvip_from_keypoints(camera, ground, keypoints, confidence, boxes)
    moved = keypoints.copy()
    moved[:, [15, 16], 0] += 0.18 * (boxes[:, 3] - boxes[:, 1])[:, None]
    torn = hvip_from_keypoints(camera, ground, moved, confidence, boxes)
    assert (np.linalg.det(torn.covariance_m2) > 1.2 * np.linalg.det(calm.covariance_m2)).all()


def test_people_on_a_platform_stand_on_the_platform() -> None:
    camera = camera_at()
    outline = np.array([[-1.0, 10.0], [1.0, 10.0], [1.0, 14.0], [-1.0, 14.0]])
    ground = Ground((GroundPlane(), GroundPlane(offset_m=0.8, outline_m=outline)))
    feet = PEOPLE + np.array([[0, 0, 0.8], [0, 0, 0], [0, 0, 0]])
    got = hvip_from_keypoints(camera, ground, *drawn(camera, ground, feet), lead_m=0.0)
    np.testing.assert_allclose(got.position_m, feet, atol=0.02)


def test_above_the_horizon_there_is_no_ground() -> None:
    camera, ground = camera_at(pitch_deg=2.0), Ground()
    boxes = np.array([[600.0, 10.0, 640.0, 60.0]])
    got = hvip_from_keypoints(camera, ground, np.zeros((1, 17, 2)), np.zeros((1, 17)), boxes)
    assert got.kind[0] == HvipKind.NONE
    assert (
        np.isnan(got.position_m).all() and np.isnan(got.covariance_m2).all() and np.isnan(got.sigma_px).all()
    )


def test_half_a_torso_is_lifted_by_its_own_height() -> None:
    camera, ground = camera_at(), Ground()
    keypoints, confidence, boxes = drawn(camera, ground, PEOPLE)
    boxes[:, 3] = boxes[:, 1] + 5.0
    for hidden in ([5, 6], [11, 12]):
        part = confidence.copy()
        part[:, 13:] = 0.0
        part[:, hidden] = 0.0
        got = hvip_from_keypoints(camera, ground, keypoints, part, boxes, lead_m=0.0)
        np.testing.assert_allclose(got.position_m, PEOPLE, atol=1e-6)


def test_turning_the_world_turns_the_answer() -> None:
    ground, turned = Ground(), camera_at(yaw_deg=50.0)
    straight = camera_at()
    keypoints, confidence, boxes = drawn(straight, ground, PEOPLE)
    a = hvip_from_keypoints(straight, ground, keypoints, confidence, boxes)
    b = hvip_from_keypoints(turned, ground, keypoints, confidence, boxes)
    c, s = np.cos(np.deg2rad(50.0)), np.sin(np.deg2rad(50.0))
    R = np.array([[c, -s], [s, c]])
    np.testing.assert_allclose(b.position_m[:, :2], a.position_m[:, :2] @ R.T, atol=1e-9)
    np.testing.assert_allclose(b.covariance_m2, R @ a.covariance_m2 @ R.T, atol=1e-12)
    np.testing.assert_allclose(b.sigma_px, a.sigma_px, rtol=1e-9)


def test_torso_height_seen_from_the_feet_is_what_a_track_learns() -> None:
    camera, ground = camera_at(), Ground()
    keypoints, confidence, boxes = drawn(camera, ground, PEOPLE)
    got = hvip_from_keypoints(camera, ground, keypoints, confidence, boxes)
    np.testing.assert_allclose(got.torso_height_m, 0.5 * (SHOULDER_RATIO + HIP_RATIO) * STATURE_M, atol=0.01)
    _, ratio, seen = torso_pixels(keypoints, confidence)
    assert seen.all() and ratio == pytest.approx(1.0)


def test_nobody_is_a_normal_crowd() -> None:
    camera, ground = camera_at(), Ground()
    empty = hvip_from_keypoints(camera, ground, np.zeros((0, 17, 2)), np.zeros((0, 17)), np.zeros((0, 4)))
    assert len(empty.kind) == 0


def test_one_picture_of_a_tilted_world_is_consistent() -> None:
    """A slope of 5 degrees: points lie on the slope, not on z = 0."""
    slope = np.deg2rad(5.0)
    plane = GroundPlane(normal=np.array([0.0, -np.sin(slope), np.cos(slope)]))
    camera, ground = camera_at(), Ground((plane,))
    boxes = np.array([[600.0, 300.0, 640.0, 420.0]])
    got = hvip_from_keypoints(camera, ground, np.zeros((1, 17, 2)), np.zeros((1, 17)), boxes)
    assert abs(plane.height_m(got.position_m)[0]) < 1e-9
    assert abs(got.position_m[0, 2]) > 0.1
