"""The coarse skin against the whole mesh of smplx, and the paper's layout against the world it was made from."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.body.model import BodyModel
from crowdstream.kernels.fused.zbuffer import Lens, Probes, draw, pose_skin
from crowdstream.lab.virtualcrowd.canvas import new_sheet
from crowdstream.lab.virtualcrowd.paper_layout import export_paper_layout
from crowdstream.lab.virtualcrowd.silhouette import NUM_FACES, coarse_skin, skins_of, thickness_m
from crowdstream.lab.virtualcrowd.store import load_crowd, save_crowd, save_view
from crowdstream.lab.virtualcrowd.view import look
from crowdstream.stream.body_files import load_body

sys.path.insert(0, str(Path(__file__).parents[1]))
from crowd_scenes import camera_at, crowd_of, standing, turned_pose

sys.path.pop(0)

SIZE = (300, 300)
CAMERA = camera_at((0.0, -6.0, 1.2), (0.0, 0.0, 0.0), focal_px=700.0, size_px=SIZE)
LENS = Lens(CAMERA.R_cam_world.copy(), CAMERA.t_cam_world_m.copy(), CAMERA.K.copy(), 0.1)


def bodies(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    poses = np.stack([turned_pose(yaw) for yaw in rng.uniform(-3, 3, count)])
    poses[:, 1:] += rng.normal(0.0, 0.25, (count, 23, 3))
    return poses.astype(np.float32), rng.normal(size=(count, 10)).astype(np.float32)


def mask(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    sheet = new_sheet(*SIZE, 1)
    none = Probes(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, np.int64))
    draw(points.astype(np.float32), faces, np.zeros(len(faces), np.int64), LENS, 0, 1, sheet, none)
    return np.asarray(sheet.ids == 0)


def test_silhouette_and_box_are_those_of_the_whole_mesh() -> None:
    poses, betas = bodies(12)
    data = load_body()
    with torch.no_grad():
        whole = BodyModel(data)(
            torch.from_numpy(poses), torch.from_numpy(betas), torch.zeros(12, 3)
        ).vertices_m.numpy()
    rest = (data.joint_template_m, data.joint_shapedirs_m)
    joints, R = forward_kinematics_np(poses.astype(float), betas.astype(float), np.zeros((12, 3)), *rest)
    skin = skins_of(betas)
    overlap, sizes = [], []
    for n in range(12):
        points = np.empty((skin.rest.shape[1], 3), np.float32)
        pose_skin(skin, n, LENS, R[n], joints[n], points)
        ours, theirs = mask(points, skin.faces), mask(CAMERA.to_camera(whole[n]), data.faces)
        overlap.append((ours & theirs).sum() / (ours | theirs).sum())
        sizes.append(ours.sum() / theirs.sum())
    assert np.mean(overlap) > 0.95 and min(overlap) > 0.91
    assert np.mean(sizes) == pytest.approx(1.0, abs=0.025)


def test_coarse_skin_is_closed_and_keeps_joints_covered() -> None:
    skin = coarse_skin()
    edges = np.sort(
        np.concatenate([skin.faces[:, [0, 1]], skin.faces[:, [1, 2]], skin.faces[:, [2, 0]]]), axis=1
    )
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all()
    assert abs(len(skin.faces) - NUM_FACES) <= 0.1 * NUM_FACES
    assert set(skin.part) >= {1, 2, 4, 5, 7, 8, 15, 16, 17, 18, 19, 20, 21}
    np.testing.assert_allclose(skin.shares.sum(1), 1.0, atol=1e-12)
    tall = np.zeros((2, 10), np.float32)
    tall[1, 1] = 2.0  # heavier
    limits = thickness_m(skins_of(tall))
    assert (limits[1, :24] > limits[0, :24]).mean() > 0.9


def test_paper_layout_stands_in_the_cameras_axes(tmp_path: Path) -> None:
    motion = crowd_of(standing((0.5, 0.0), yaw=0.4), standing((-1.0, 2.0), yaw=2.0))
    camera = camera_at((0.0, -8.0, 2.0), (0.0, 0.0, 1.0))
    save_crowd(tmp_path / "c", motion, {})
    save_view(tmp_path / "c", look(motion, camera, "high", np.array([0])))
    crowd = load_crowd(tmp_path / "c")
    export_paper_layout(crowd, "high", tmp_path / "paper.npz")
    with np.load(tmp_path / "paper.npz") as file:
        paper = dict(file)
    assert paper["track_flag"].shape == (1, 2) and paper["thetas"].shape == (1, 2, 72)
    data = load_body()
    rest = (data.joint_template_m, data.joint_shapedirs_m)
    joints, _ = forward_kinematics_np(
        paper["thetas"][0].reshape(2, 24, 3), paper["betas"], paper["trans"][0], *rest
    )
    np.testing.assert_allclose(joints, camera.to_camera(motion.joints_m[:, 0].astype(float)), atol=2e-5)
    px = joints @ paper["K"].T
    body = [5, 6, 11, 12]
    np.testing.assert_allclose(
        (px[..., :2] / px[..., 2:])[:, [16, 17, 1, 2]], paper["det_j2ds"][0][:, body, :2], atol=0.02
    )
    feet = camera.to_camera(motion.ground_m[:, 0].astype(float))
    np.testing.assert_allclose(feet @ paper["ground_plane"][:3] + paper["ground_plane"][3], 0.0, atol=1e-5)
    roots = np.einsum("nij,nj->ni", paper["cam2prior_R"], joints[:, 0]) + paper["cam2prior_t"]
    np.testing.assert_allclose(roots[:, :2], 0.0, atol=1e-5)
    np.testing.assert_allclose(roots[:, 2], motion.joints_m[:, 0, 0, 2], atol=1e-5)
    toes = np.einsum("nij,nj->ni", paper["cam2prior_R"], joints[:, 10] - joints[:, 7])
    assert (toes[:, 1] > 0.05).all()  # facing +y
