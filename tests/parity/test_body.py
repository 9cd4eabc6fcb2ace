"""The joints-only path against smplx's whole body."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdstream.kernels.body.kinematics import forward_kinematics, forward_kinematics_np
from crowdstream.kernels.body.model import BodyModel
from crowdstream.kernels.body.soles import sole_positions
from crowdstream.kernels.body.tensors import BodyTensors
from crowdstream.stream.body_files import load_body


def _draw(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    pose = 0.6 * torch.randn(3, 4, 24, 3, generator=draw, dtype=torch.float64)
    betas = 1.5 * torch.randn(3, 1, 10, generator=draw, dtype=torch.float64)
    transl = 3.0 * torch.randn(3, 4, 3, generator=draw, dtype=torch.float64)
    return pose.to(dtype), betas.to(dtype), transl.to(dtype)


# float64: smplx itself adds 1e-8 to every angle; float32: roundings along eight joints of a few metres
@pytest.mark.parametrize(("dtype", "tolerance_m"), [(torch.float64, 1e-6), (torch.float32, 5e-6)])
def test_joints_and_soles_are_those_of_smplx(dtype: torch.dtype, tolerance_m: float) -> None:
    body = load_body()
    tensors = BodyTensors.of(body, dtype)
    pose, betas, transl = _draw(dtype)
    whole = BodyModel(body, dtype)(pose, betas, transl)
    fast = forward_kinematics(pose, betas, transl, tensors.joint_template_m, tensors.joint_shapedirs_m)
    soles = sole_positions(fast, betas, tensors)
    assert (fast.joints_m - whole.joints_m).abs().max() < tolerance_m
    assert (soles - whole.vertices_m[..., body.sole_vertices, :]).abs().max() < tolerance_m


def test_numpy_twin_of_the_kinematics() -> None:
    body = load_body()
    tensors = BodyTensors.of(body, torch.float64)
    pose, betas, transl = _draw(torch.float64)
    fast = forward_kinematics(pose, betas, transl, tensors.joint_template_m, tensors.joint_shapedirs_m)
    joints, world = forward_kinematics_np(
        pose.numpy(), betas.numpy(), transl.numpy(), body.joint_template_m, body.joint_shapedirs_m
    )
    np.testing.assert_allclose(joints, fast.joints_m.numpy(), atol=1e-13)
    np.testing.assert_allclose(world, fast.rotmats_world.numpy(), atol=1e-13)


def test_smplx_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    BodyModel(load_body())
    assert capsys.readouterr().out == ""
