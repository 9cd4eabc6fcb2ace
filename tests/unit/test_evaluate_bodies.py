"""Boxes, keypoints and soles of posed bodies against the whole mesh."""

from __future__ import annotations

import numpy as np
import torch

from crowdstream.kernels.body.kinematics import forward_kinematics
from crowdstream.kernels.body.soles import sole_positions
from crowdstream.kernels.body.tensors import BodyTensors
from crowdstream.kernels.camera import CameraModel
from crowdstream.lab.evaluate.bodies import hull_vertices, pose_bodies
from crowdstream.stream.body_files import load_body

K = np.array([[900.0, 0, 480], [0, 900.0, 270], [0, 0, 1]])
R = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
CAMERA = CameraModel(K, R, np.array([0.0, 1.0, 8.0]), (960, 540))
BODY = load_body()


def _standing(count: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    pose = 0.2 * rng.normal(size=(count, 24, 3))
    pose[:, 0] = [np.pi / 2, 0.0, 0.0]
    return pose, rng.normal(size=(count, 10)), rng.normal(size=(count, 3))


def test_box_is_that_of_the_mesh_to_three_centimetres() -> None:
    pose = np.zeros((1, 24, 3))
    pose[:, 0] = [np.pi / 2, 0.0, 0.0]
    posed = pose_bodies(BODY, CAMERA, pose, np.zeros((1, 10)), np.zeros((1, 3)))
    upright = (BODY.v_template - BODY.joint_template_m[0]) @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    px = CAMERA.project(upright + BODY.joint_template_m[0])
    whole = np.concatenate([px.min(axis=0), px.max(axis=0)])
    per_cm = 900.0 / 8.0 / 100.0
    assert np.abs(posed.box_px[0] - whole).max() < 3.0 * per_cm


def test_soles_are_the_kernels_own() -> None:
    pose, betas, transl = _standing()
    posed = pose_bodies(BODY, CAMERA, pose, betas, transl)
    tensors = BodyTensors.of(BODY, torch.float64)
    tree = forward_kinematics(
        torch.tensor(pose),
        torch.tensor(betas),
        torch.tensor(transl),
        tensors.joint_template_m,
        tensors.joint_shapedirs_m,
    )
    soles = sole_positions(tree, torch.tensor(betas), tensors).numpy()
    assert np.abs(posed.soles_m - soles).max() < 2e-3
    assert np.abs(posed.joints_m - tree.joints_m.numpy()).max() < 1e-5


def test_given_joints_carry_everything_along() -> None:
    pose, betas, transl = _standing()
    own = pose_bodies(BODY, CAMERA, pose, betas, transl)
    away = np.array([0.3, -0.2, 0.1], np.float32)
    given = pose_bodies(BODY, CAMERA, pose, betas, transl, own.joints_m + away)
    assert np.abs(given.soles_m - own.soles_m - away).max() < 1e-5
    moved = pose_bodies(BODY, CAMERA, pose, betas, transl + away)
    assert np.abs(given.keypoints_px - moved.keypoints_px).max() < 1e-2
    assert np.abs(given.box_px - moved.box_px).max() < 1e-2


def test_hull_holds_both_ends() -> None:
    height = BODY.v_template[hull_vertices(BODY), 1]
    assert height.max() == BODY.v_template[:, 1].max()
    assert height.min() < BODY.v_template[:, 1].min() + 0.01
    assert len(np.unique(hull_vertices(BODY))) == len(hull_vertices(BODY))


def test_many_are_done_as_few() -> None:
    """Chunks do not show."""
    pose, betas, transl = (np.repeat(x, 1000, axis=0) for x in _standing())
    many = pose_bodies(BODY, CAMERA, pose, betas, transl)
    few = pose_bodies(BODY, CAMERA, *_standing())
    assert np.allclose(many.box_px[::1000], few.box_px, atol=1e-3)
    assert np.allclose(many.box_px[-1], few.box_px[-1], atol=1e-3)
