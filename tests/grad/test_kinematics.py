"""Derivatives of joints, keypoints and soles against finite differences."""

from __future__ import annotations

import torch

from crowdstream.kernels.body.keypoints import coco_keypoints
from crowdstream.kernels.body.kinematics import forward_kinematics
from crowdstream.kernels.body.soles import sole_positions
from crowdstream.kernels.body.tensors import BodyTensors
from crowdstream.stream.body_files import load_body


def test_everything_a_solver_reads_of_a_body() -> None:
    body = BodyTensors.of(load_body(), torch.float64)
    draw = torch.Generator().manual_seed(3)
    pose = 0.5 * torch.randn(2, 24, 3, dtype=torch.float64, generator=draw)
    pose[1, 5:9] = 0.0  # joints at rest, where the exponential map runs on its series
    betas = torch.randn(2, 10, dtype=torch.float64, generator=draw)
    transl = torch.randn(2, 3, dtype=torch.float64, generator=draw)
    mix = torch.randn(24 + 17 + body.sole_template_m.shape[0], 3, dtype=torch.float64, generator=draw)

    def weighted_points(pose: torch.Tensor, betas: torch.Tensor, transl: torch.Tensor) -> torch.Tensor:
        k = forward_kinematics(pose, betas, transl, body.joint_template_m, body.joint_shapedirs_m)
        points = [k.joints_m, coco_keypoints(k.joints_m, k.rotmats_world), sole_positions(k, betas, body)]
        return torch.einsum("bpc,pc->b", torch.cat(points, dim=-2), mix)

    inputs = tuple(each.requires_grad_() for each in (pose, betas, transl))
    assert torch.autograd.gradcheck(weighted_points, inputs)
