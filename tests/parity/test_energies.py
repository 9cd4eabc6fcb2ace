"""Every energy against its equation written as plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.solve.energies.contact import contact
from crowdstream.kernels.solve.energies.hvip import hvip
from crowdstream.kernels.solve.energies.mesh import MeshTensors, mesh_vertices
from crowdstream.kernels.solve.energies.pose_prior import pose_prior
from crowdstream.kernels.solve.energies.pose_smoothness import pose_smoothness
from crowdstream.kernels.solve.energies.projection import CameraTensors
from crowdstream.kernels.solve.energies.reprojection import reprojection
from crowdstream.kernels.solve.energies.shape import shape
from crowdstream.kernels.solve.energies.translation_smoothness import translation_smoothness
from crowdstream.stream.body_files import load_body

C, N, T, J = 2, 2, 5, 24
RNG = np.random.default_rng(5)
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4}
"""Relative: float64 differs by the order of sums only; float32 loses digits in pixels of some thousand."""


def make_cameras() -> tuple[CameraModel, ...]:
    K = np.array([[900.0, 0, 640], [0, 950, 360], [0, 0, 1]])
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    c, s = math.cos(0.6), math.sin(0.6)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    t = np.array([0.1, 1.2, 12.0])
    return (CameraModel(K, level, t, (1280, 720)), CameraModel(K, level @ turn, t, (1280, 720)))


CAMERAS = make_cameras()
PRESENT = np.array([[1, 1, 1, 1, 0], [0, 1, 1, 1, 1]], bool)
NORMAL = np.broadcast_to(np.array([0.1, -0.05, 1.0]) / np.sqrt(0.01 + 0.0025 + 1), (N, T, 3)).copy()
OFFSET = np.full((N, T), 0.2)
DELTA = np.abs(RNG.normal(size=(C, N, T))) / 100
TORSO = (16, 17, 1, 2)


def put(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor(array, dtype=dtype)


def agree(ours: torch.Tensor, theirs: list[float], dtype: torch.dtype) -> None:
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=TOLERANCE[dtype], atol=1e-9)


def kernel(squared: float, scale: float | None) -> float:
    return squared if scale is None else squared * scale**2 / (squared + scale**2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("robust", [None, 20.0])
def test_reprojection(dtype: torch.dtype, robust: float | None) -> None:
    points = RNG.normal(size=(N, T, J, 3))
    observed = RNG.normal(size=(C, N, T, J, 2)) * 80 + (640, 360)
    sigma = (RNG.random((C, N, T, J)) > 0.3).astype(float)
    want = [0.0] * N
    for c, camera in enumerate(CAMERAS):
        for n in range(N):
            for t in range(T):
                for j in range(J):
                    off = camera.project(points[n, t, j]) - observed[c, n, t, j]
                    want[n] += sigma[c, n, t, j] * DELTA[c, n, t] * kernel(float(off @ off), robust)
    observed[sigma == 0] = np.nan
    got = reprojection(
        put(points, dtype),
        put(observed, dtype),
        put(sigma, dtype),
        put(DELTA, dtype),
        CameraTensors.of(CAMERAS, dtype),
        robust,
    )
    agree(got, want, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("floor,robust", [(None, None), (2.0, 3.0)])
def test_hvip(dtype: torch.dtype, floor: float | None, robust: float | None) -> None:
    joints = RNG.normal(size=(N, T, J, 3))
    observed = RNG.normal(size=(C, N, T, 2)) * 80 + (640, 360)
    sigma = np.where(RNG.random((C, N, T)) > 0.3, 1 + 3 * RNG.random((C, N, T)), 0.0)
    want = [0.0] * N
    for c, camera in enumerate(CAMERAS):
        for n in range(N):
            for t in range(T):
                if sigma[c, n, t] == 0:
                    continue
                torso = np.mean([joints[n, t, j] for j in TORSO], axis=0)
                foot = torso - (NORMAL[n, t] @ torso - OFFSET[n, t]) * NORMAL[n, t]
                off = camera.project(foot) - observed[c, n, t]
                zeta = 1.0 if floor is None else min(1.0, (floor / sigma[c, n, t]) ** 2)
                scale = None if robust is None else robust * sigma[c, n, t]
                want[n] += zeta * DELTA[c, n, t] * kernel(float(off @ off), scale)
    got = hvip(
        put(joints, dtype),
        put(NORMAL, dtype),
        put(OFFSET, dtype),
        put(observed, dtype),
        put(sigma, dtype),
        put(DELTA, dtype),
        CameraTensors.of(CAMERAS, dtype),
        floor,
        robust,
    )
    agree(got, want, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("signed", [False, True])
def test_contact(dtype: torch.dtype, signed: bool) -> None:
    vertices = RNG.normal(size=(N, T, 7, 3))
    want = [0.0] * N
    for n in range(N):
        for t in range(T):
            heights = [float(NORMAL[n, t] @ v - OFFSET[n, t]) for v in vertices[n, t]]
            lowest = abs(min(heights)) if signed else min(abs(h) for h in heights)
            want[n] += lowest if PRESENT[n, t] else 0.0
    got = contact(put(vertices, dtype), put(NORMAL, dtype), put(OFFSET, dtype), torch.tensor(PRESENT), signed)
    agree(got, want, dtype)


def differences(values: np.ndarray, order: int) -> list[float]:
    """Eqs 6 and 10 slot by slot; values (N, T, D)."""
    want = [0.0] * N
    for n in range(N):
        for t in range(order, T):
            if not all(PRESENT[n, t - k] for k in range(order + 1)):
                continue
            if order == 1:
                step = values[n, t] - values[n, t - 1]
            else:
                step = values[n, t] - 2 * values[n, t - 1] + values[n, t - 2]
            want[n] += float((step**2).sum())
    return want


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("order", [1, 2])
def test_translation_smoothness(dtype: torch.dtype, order: int) -> None:
    transl = RNG.normal(size=(N, T, 3))
    got = translation_smoothness(put(transl, dtype), torch.tensor(PRESENT), order)
    agree(got, differences(transl, order), dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("order", [1, 2])
def test_pose_smoothness(dtype: torch.dtype, order: int) -> None:
    joints = RNG.normal(size=(N, T, J, 3))
    got = pose_smoothness(put(joints, dtype), torch.tensor(PRESENT), order)
    agree(got, differences(joints.reshape(N, T, -1), order), dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_pose_prior_is_the_normal_density_up_to_its_constant(dtype: torch.dtype) -> None:
    z = RNG.normal(size=(N, T, 32))
    want = [0.0] * N
    for n in range(N):
        for t in range(T):
            if PRESENT[n, t]:
                density = [math.exp(-0.5 * v * v) / math.sqrt(2 * math.pi) for v in z[n, t]]
                want[n] += -sum(math.log(p) for p in density) - 16 * math.log(2 * math.pi)
    agree(pose_prior(put(z, dtype), torch.tensor(PRESENT)), want, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_shape(dtype: torch.dtype) -> None:
    betas = RNG.normal(size=(N, T, 10))
    want = [sum(float(b @ b) for t, b in enumerate(betas[n]) if PRESENT[n, t]) for n in range(N)]
    agree(shape(put(betas, dtype), torch.tensor(PRESENT)), want, dtype)


def test_mesh_vertices_are_skinned_joint_by_joint() -> None:
    """Linear blend skinning written out, without pose blend shapes (the shipped body has none that matter)."""
    from crowdstream.kernels.body.kinematics import forward_kinematics_np

    body = load_body()
    pose, betas = 0.3 * RNG.normal(size=(1, 1, 24, 3)), RNG.normal(size=(1, 1, 10))
    transl = RNG.normal(size=(1, 1, 3))
    joints, world = forward_kinematics_np(pose, betas, transl, body.joint_template_m, body.joint_shapedirs_m)
    rest, rest_joints = body.vertices_m(betas[0, 0]), body.joints_m(betas[0, 0])
    mesh = MeshTensors.of(body, torch.float64)
    mesh.posedirs.zero_()
    got = mesh_vertices(*(put(x, torch.float64) for x in (pose, betas, transl)), mesh)[0, 0].numpy()
    for v in range(0, body.num_vertices, 17):
        place = np.zeros(3)
        for j in range(24):
            turned = world[0, 0, j] @ (rest[v] - rest_joints[j]) + joints[0, 0, j]
            place += body.weights[v, j] * turned
        np.testing.assert_allclose(got[v], place, atol=1e-6)
