"""Drawn bodies: who hides whom, and that they stand where their joints project to."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.rotation import rotvec_to_rotmat_np
from crowdstream.stream.body_files import load_body
from crowdstream.stream.overlay.crowd_layer import CrowdLayer, one_to_one_radius
from crowdstream.stream.overlay.moments import Bodies
from crowdstream.stream.overlay.skins import Skins

SIZE = (192, 160)
CAMERA = CameraModel(
    K=np.array([[200.0, 0, 96], [0, 200, 80], [0, 0, 1]]),
    R_cam_world=np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    t_cam_world_m=np.array([0.0, 1.2, 6.0]),
    size_px=SIZE,
    dist=np.array([-0.2, 0.05, 0.0, 0.0, 0.0]),
)
RED, BLUE = (30.0, 30.0, 220.0), (220.0, 60.0, 30.0)


def standing(places: list[tuple[float, float]], guessed: bool = False) -> Bodies:
    """People who stand on the ground at x, y, arms down, facing the camera."""
    n = len(places)
    rotvec = np.zeros((n, 24, 3))
    rotvec[:, 0] = [np.pi / 2, 0.0, 0.0]
    rotvec[:, 16, 2], rotvec[:, 17, 2] = -1.1, 1.1
    ground = np.array([[x, y, 0.0] for x, y in places])
    return Bodies(
        np.arange(n), rotvec_to_rotmat_np(rotvec), np.zeros((n, 10)), ground + np.array([0.0, 0.0, 0.9]), ground,
        np.full(n, guessed), np.zeros(n, np.int64),
    )  # fmt: skip


def picture(bodies: Bodies, colours: list[tuple[float, float, float]], opacity: float = 1.0) -> np.ndarray:
    frame = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    layer = CrowdLayer(load_body(), CAMERA, SIZE, 2)
    layer.draw(frame, bodies, np.array(colours, np.float32), opacity)
    return frame


def reddish(frame: np.ndarray) -> np.ndarray:
    return frame[..., 2].astype(int) > frame[..., 0].astype(int) + 40


def test_a_body_covers_the_pixels_its_joints_project_to() -> None:
    bodies = standing([(0.4, 0.5)])
    frame = picture(bodies, [RED])
    body = load_body()
    joints, _ = Skins(body).pose(bodies.rotmats, bodies.betas, bodies.transl_m).joints_m, None
    px = np.round(CAMERA.project(joints[0, :22])).astype(int)  # without the hands
    changed = (frame != 128).any(axis=2)
    assert changed[px[:, 1], px[:, 0]].all()
    rows, columns = np.nonzero(reddish(frame))
    assert abs(columns.mean() - px[:, 0].mean()) < 3 and rows.max() - rows.min() > 40


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_body_hides_the_farther_whatever_their_order(order: tuple[int, int]) -> None:
    places, colours = [(0.0, -2.0), (0.0, 2.0)], [RED, BLUE]
    both = picture(standing([places[i] for i in order]), [colours[i] for i in order])
    near = picture(standing(places[:1]), [RED])
    # within its border: there the two share pixels
    shown = cv2.erode(reddish(near).astype(np.uint8), np.ones((3, 3))).astype(bool)
    assert shown.sum() > 300
    # nothing of the farther one lies over the nearer, whose pixels are the same as alone
    np.testing.assert_array_equal(both[shown], near[shown])


def test_what_is_far_from_everybody_stays_as_it_was() -> None:
    frame = picture(standing([(-1.0, 0.0)]), [RED])
    assert (frame[:, SIZE[0] * 3 // 4 :] == 128).all()


def test_the_video_shines_through_as_told() -> None:
    thin, thick = (picture(standing([(0.0, 0.0)]), [RED], opacity).astype(int) for opacity in (0.3, 0.9))
    middle = (82, 96)
    assert abs(thin[middle] - 128).max() * 2 < abs(thick[middle] - 128).max()


def test_a_guessed_body_is_paler_and_has_gaps() -> None:
    sure, guess = (picture(standing([(0.0, 0.0)], g), [RED]).astype(int) for g in (False, True))
    inside = (sure[..., 2] - sure[..., 0]) > 60
    saturation = [frame[..., 2][inside] - frame[..., 0][inside] for frame in (sure, guess)]
    assert saturation[1].mean() < 0.5 * saturation[0].mean()
    assert saturation[1].std() > 10  # stripes


def test_nobody_is_drawn_behind_the_camera_or_beside_the_picture() -> None:
    bodies = standing([(0.0, -9.0), (30.0, 0.0), (0.0, -6.0)])
    assert (picture(bodies, [RED] * 3) == 128).all()


def test_every_level_of_detail_is_the_same_body() -> None:
    body = load_body()
    skins = Skins(body)
    bodies = standing([(0.0, 0.0)])
    pose = skins.pose(bodies.rotmats, bodies.betas, bodies.transl_m)
    layer = CrowdLayer(body, CAMERA, SIZE, 2)
    whole, *coarse = (
        skins.in_camera(skins.level_of(tall), layer._lens, pose, 0, bodies.rotmats[0], bodies.betas[0])
        for tall in (1000.0, 150.0, 40.0)
    )
    assert len(whole) == body.num_vertices > len(coarse[0]) > len(coarse[1])
    for points in coarse:
        gap = np.linalg.norm(whole[None] - points[:, None], axis=2).min(axis=1)
        assert gap.max() < 1e-5  # vertices of the body itself
        assert np.abs(points.min(0) - whole.min(0)).max() < 0.03
        assert np.abs(points.max(0) - whole.max(0)).max() < 0.03


def test_joints_are_those_of_the_solver() -> None:
    rng = np.random.default_rng(0)
    rotvec, betas, transl = (
        rng.normal(0, 0.5, (2, 24, 3)),
        rng.normal(0, 1, (2, 10)),
        rng.normal(0, 1, (2, 3)),
    )
    body = load_body()
    pose = Skins(body).pose(rotvec_to_rotmat_np(rotvec), betas, transl)
    joints, world = forward_kinematics_np(
        rotvec, betas, transl, body.joint_template_m, body.joint_shapedirs_m
    )
    np.testing.assert_allclose(pose.joints_m, joints, atol=1e-9)
    np.testing.assert_allclose(pose.R_world, world, atol=1e-9)


def test_distortion_is_trusted_only_while_it_grows() -> None:
    r = one_to_one_radius(np.array([-0.3, 0.0, 0.0, 0.0, 0.0]))
    assert abs(r - 1 / np.sqrt(0.9)) < 0.01  # d/dr (r - 0.3 r^3) = 0
    assert one_to_one_radius(np.zeros(5)) == 10.0


def test_a_newcomer_fades_in() -> None:
    layer = CrowdLayer(load_body(), CAMERA, SIZE, 2)
    bodies = standing([(0.0, 0.0)])
    shown = []
    layer.draw(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), standing([(1.5, 0.0)]), np.array([RED]), 1.0)
    for _ in range(8):
        frame = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
        layer.draw(frame, replace(bodies, person_ids=np.array([7])), np.array([RED], np.float32), 1.0)
        shown.append(int(np.abs(frame[70:90, 90:102].astype(int) - 128).sum()))
    assert 0 < shown[0] < shown[1] < shown[2] < shown[4] == shown[7]
