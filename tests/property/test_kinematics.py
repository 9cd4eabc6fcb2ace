"""Laws of a kinematic tree that hold for every body and pose."""

from __future__ import annotations

import pytest
import torch

from crowdstream.kernels.body.keypoints import coco_keypoints, coco_keypoints_np
from crowdstream.kernels.body.kinematics import Kinematics, forward_kinematics
from crowdstream.kernels.body.tensors import BodyTensors
from crowdstream.kernels.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from crowdstream.kernels.skeleton import COCO_KEYPOINTS, PARENTS, SMPL_JOINTS
from crowdstream.stream.body_files import load_body


@pytest.fixture(scope="module")
def body() -> BodyTensors:
    return BodyTensors.of(load_body(), torch.float64)


@pytest.fixture
def draw() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def _pose(draw: torch.Generator, *batch: int) -> torch.Tensor:
    return 0.5 * torch.randn(*batch, 24, 3, dtype=torch.float64, generator=draw)


def _run(body: BodyTensors, pose: torch.Tensor, betas: torch.Tensor, transl: torch.Tensor) -> Kinematics:
    return forward_kinematics(pose, betas, transl, body.joint_template_m, body.joint_shapedirs_m)


def test_bones_keep_their_length(body: BodyTensors, draw: torch.Generator) -> None:
    k = _run(body, _pose(draw, 5), torch.zeros(10).double(), torch.zeros(3).double())
    bones = (k.joints_m[:, 1:] - k.joints_m[:, PARENTS[1:].tolist()]).norm(dim=-1)
    rest = (body.joint_template_m[1:] - body.joint_template_m[PARENTS[1:].tolist()]).norm(dim=-1)
    assert torch.allclose(bones, rest.expand_as(bones), atol=1e-12)


def test_turning_the_world_turns_everything_about_the_root(body: BodyTensors, draw: torch.Generator) -> None:
    pose, betas = _pose(draw), torch.randn(10, dtype=torch.float64, generator=draw)
    turn = rotvec_to_rotmat(torch.tensor([0.3, -1.1, 0.8], dtype=torch.float64))
    turned = pose.clone()
    turned[0] = rotmat_to_rotvec(turn @ rotvec_to_rotmat(pose[0]))
    here = _run(body, pose, betas, torch.zeros(3).double())
    there = _run(body, turned, betas, torch.zeros(3).double())
    root = here.joints_m[0]
    assert torch.allclose(there.joints_m, (here.joints_m - root) @ turn.T + root, atol=1e-12)
    assert torch.allclose(there.rotmats_world, turn @ here.rotmats_world, atol=1e-12)


def test_a_joint_moves_only_what_hangs_on_it(body: BodyTensors, draw: torch.Generator) -> None:
    pose = _pose(draw)
    bent = pose.clone()
    bent[SMPL_JOINTS.index("left_knee")] += 0.4
    zeros = torch.zeros(10).double(), torch.zeros(3).double()
    moved = (_run(body, bent, *zeros).joints_m - _run(body, pose, *zeros).joints_m).norm(dim=-1) > 1e-9
    assert [SMPL_JOINTS[j] for j in torch.nonzero(moved).flatten()] == ["left_ankle", "left_foot"]


def test_batches_broadcast_and_people_do_not_mix(body: BodyTensors, draw: torch.Generator) -> None:
    pose, transl = _pose(draw, 3, 4), torch.randn(3, 4, 3, dtype=torch.float64, generator=draw)
    betas = torch.randn(3, 1, 10, dtype=torch.float64, generator=draw)
    together = _run(body, pose, betas, transl).joints_m
    alone = _run(body, pose[1, 2], betas[1, 0], transl[1, 2]).joints_m
    assert torch.allclose(together[1, 2], alone, atol=1e-13)
    order = [2, 0, 1]
    assert torch.equal(_run(body, pose[order], betas[order], transl[order]).joints_m, together[order])


def test_keypoints_carry_the_face_with_the_head(body: BodyTensors, draw: torch.Generator) -> None:
    pose = _pose(draw, 2)
    k = _run(body, pose, torch.zeros(10).double(), torch.zeros(3).double())
    points = coco_keypoints(k.joints_m, k.rotmats_world)
    twin = coco_keypoints_np(k.joints_m.numpy(), k.rotmats_world.numpy())
    assert torch.allclose(points, torch.from_numpy(twin), atol=1e-14)
    knee = points[:, COCO_KEYPOINTS.index("right_knee")]
    assert torch.equal(knee, k.joints_m[:, SMPL_JOINTS.index("right_knee")])
    head = SMPL_JOINTS.index("head")
    local = (points[:, :5] - k.joints_m[:, head, None]) @ k.rotmats_world[:, head]
    assert torch.allclose(local[0], local[1], atol=1e-13)
    nose, left_eye, right_eye = local[0, :3]
    assert nose[2] > left_eye[2] > 0 and left_eye[0] > 0 > right_eye[0] and left_eye[1] > nose[1]
