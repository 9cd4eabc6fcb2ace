"""The energies of the motion stage against their equations written as plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crowdstream.kernels.solve.energies.connect import connect
from crowdstream.kernels.solve.energies.environment import contact_height, contact_velocity
from crowdstream.kernels.solve.energies.vae import vae

N, S, T, J, L = 2, 3, 5, 4, 6
RNG = np.random.default_rng(9)
PRESENT = np.array([[1, 1, 1, 1, 0], [0, 1, 1, 0, 1]], bool)
NORMAL = np.broadcast_to(np.array([0.1, -0.05, 1.0]) / np.sqrt(0.01 + 0.0025 + 1), (N, T, 3)).copy()
OFFSET = np.full((N, T), 0.2)
JOINTS = RNG.normal(size=(N, T, J, 3)) * 0.3
CONTACT = RNG.random((N, T, J))
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}
"""Relative: sums of a few dozen numbers of like size, in another order."""
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


def agree(ours: torch.Tensor, theirs: object, dtype: torch.dtype) -> None:
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=TOLERANCE[dtype], atol=1e-9)


def put(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor(array, dtype=dtype)


@DTYPES
def test_vae_is_the_normal_density_up_to_its_constant(dtype: torch.dtype) -> None:
    z = RNG.normal(size=(N, S, L))
    valid = np.array([[1, 1, 0], [0, 1, 1]], bool)
    want = [0.0] * N
    for n in range(N):
        for s in range(S):
            if valid[n, s]:
                density = [math.exp(-0.5 * v * v) / math.sqrt(2 * math.pi) for v in z[n, s]]
                want[n] += -sum(math.log(p) for p in density) - 0.5 * L * math.log(2 * math.pi)
    agree(vae(put(z, dtype), torch.tensor(valid)), want, dtype)


@DTYPES
@pytest.mark.parametrize("band", [False, True])
def test_contact_height(dtype: torch.dtype, band: bool) -> None:
    want = [0.0] * N
    for n in range(N):
        for t in range(T):
            for j in range(J):
                z = float(NORMAL[n, t] @ JOINTS[n, t, j] - OFFSET[n, t])
                off = max(0.0, abs(z) - 0.08) if band else max(0.0, abs(z - 0.08))
                want[n] += CONTACT[n, t, j] * off if PRESENT[n, t] else 0.0
    arrays = (put(x, dtype) for x in (JOINTS, CONTACT, NORMAL, OFFSET))
    agree(contact_height(*arrays, torch.tensor(PRESENT), 0.08, band), want, dtype)


@DTYPES
def test_contact_velocity(dtype: torch.dtype) -> None:
    want = [0.0] * N
    for n in range(N):
        for t in range(1, T):
            for j in range(J):
                step = JOINTS[n, t, j] - JOINTS[n, t - 1, j]
                if PRESENT[n, t] and PRESENT[n, t - 1]:
                    want[n] += CONTACT[n, t, j] * float(step @ step)
    agree(contact_velocity(put(JOINTS, dtype), put(CONTACT, dtype), torch.tensor(PRESENT)), want, dtype)


@DTYPES
@pytest.mark.parametrize("order", [1, 2])
def test_connect(dtype: torch.dtype, order: int) -> None:
    """Differences of the four slots around the seam that reach over it."""
    slots = RNG.normal(size=(N, 4, J, 3))
    there = np.array([[1, 1, 1, 1], [0, 1, 1, 1]], bool)
    want = [0.0] * N
    for n in range(N):
        for last in range(order, 4):
            over = last - order <= 1 < 2 <= last
            if not over or not there[n, last - order : last + 1].all():
                continue
            a = slots[n, last - order : last + 1]
            step = a[1] - a[0] if order == 1 else a[2] - 2 * a[1] + a[0]
            want[n] += float((step**2).sum())
    got = connect(
        put(slots[:, :2], dtype),
        put(slots[:, 2:], dtype),
        torch.tensor(there[:, :2]),
        torch.tensor(there[:, 2:]),
        order,
    )
    agree(got, want, dtype)
