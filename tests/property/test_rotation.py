"""Group laws of the rotation maps, with hard cases at zero and near pi."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from crowdstream.kernels import rotation

DIRECTIONS = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda d: np.linalg.norm(d) > 0.1)
ANGLES = st.one_of(
    st.floats(0, math.pi), st.sampled_from([0.0, 1e-12, 1e-7, 0.0999, 0.1001, math.pi - 1e-7, math.pi])
)


@st.composite
def rotvecs(draw: st.DrawFn) -> torch.Tensor:
    direction = np.array(draw(DIRECTIONS))
    return torch.tensor(direction / np.linalg.norm(direction) * draw(ANGLES), dtype=torch.float64)


@given(rotvecs())
def test_exponential_is_scipys_and_a_rotation(r: torch.Tensor) -> None:
    R = rotation.rotvec_to_rotmat(r)
    assert torch.allclose(R @ R.T, torch.eye(3, dtype=R.dtype), atol=1e-14)
    np.testing.assert_allclose(R.numpy(), Rotation.from_rotvec(r.numpy()).as_matrix(), atol=1e-14)


@given(rotvecs())
def test_logarithm_undoes_the_exponential_up_to_pi(r: torch.Tensor) -> None:
    R = rotation.rotvec_to_rotmat(r)
    back = rotation.rotmat_to_rotvec(R)
    assert back.norm() <= math.pi + 1e-12
    # at pi both signs are right, so the matrices are compared there and the vectors elsewhere
    assert torch.allclose(rotation.rotvec_to_rotmat(back), R, atol=1e-13)
    if r.norm() < math.pi - 1e-6:
        assert torch.allclose(back, r, atol=1e-12)


@given(rotvecs())
def test_6d_is_a_round_trip_that_ignores_scale_and_shear(r: torch.Tensor) -> None:
    R = rotation.rotvec_to_rotmat(r)
    sixd = rotation.rotmat_to_6d(R)
    bent = torch.cat([2.5 * sixd[:3], 0.3 * sixd[3:] + 0.7 * sixd[:3]])
    assert torch.allclose(rotation.rotmat_from_6d(sixd), R, atol=1e-13)
    assert torch.allclose(rotation.rotmat_from_6d(bent), R, atol=1e-12)


@given(rotvecs(), rotvecs(), rotvecs())
def test_distance_is_a_left_invariant_metric(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> None:
    A, B, C = (rotation.rotvec_to_rotmat(each) for each in (a, b, c))
    d = rotation.geodesic_distance
    assert abs(d(A, B) - d(B, A)) < 1e-9
    assert abs(d(C @ A, C @ B) - d(A, B)) < 1e-9
    assert d(A, C) <= d(A, B) + d(B, C) + 1e-9
    assert abs(d(torch.eye(3, dtype=A.dtype), A) - a.norm()) < 1e-7


@given(rotvecs(), rotvecs(), st.floats(0, 1))
def test_slerp_divides_the_arc_in_the_given_share(a: torch.Tensor, b: torch.Tensor, share: float) -> None:
    A, B = rotation.rotvec_to_rotmat(a), rotation.rotvec_to_rotmat(b)
    between = rotation.slerp_rotvec(a, b, torch.tensor(share, dtype=a.dtype))
    M = rotation.rotvec_to_rotmat(between)
    whole = rotation.geodesic_distance(A, B)
    assert abs(rotation.geodesic_distance(A, M) - share * whole) < 1e-7
    assert abs(rotation.geodesic_distance(M, B) - (1 - share) * whole) < 1e-7


@pytest.mark.parametrize("size", [0.0, 1e-4, 0.05, 1.0, 3.1])
def test_float32_keeps_its_digits(size: float) -> None:
    r = torch.tensor([0.48, -0.6, 0.64]) * size
    back = rotation.rotmat_to_rotvec(rotation.rotvec_to_rotmat(r))
    assert torch.allclose(back, r, atol=2e-6)  # a few roundings of numbers near pi


def test_numpy_twins_agree_and_take_any_batch() -> None:
    r = np.random.default_rng(0).normal(size=(2, 3, 3))
    R = rotation.rotvec_to_rotmat_np(r)
    np.testing.assert_allclose(
        R, Rotation.from_rotvec(r.reshape(-1, 3)).as_matrix().reshape(2, 3, 3, 3), atol=1e-14
    )
    np.testing.assert_allclose(rotation.rotvec_to_rotmat_np(rotation.rotmat_to_rotvec_np(R)), R, atol=1e-13)
    middle = rotation.slerp_rotvec_np(r, r, np.full((2, 3), 0.4))
    np.testing.assert_allclose(rotation.rotvec_to_rotmat_np(middle), R, atol=1e-13)


def test_skew_is_the_cross_product() -> None:
    a, b = torch.randn(2, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    crossed = (rotation.skew(a) @ b[..., None]).squeeze(-1)
    assert torch.allclose(crossed, torch.linalg.cross(a, b))
