"""Derivatives of the rotation maps against finite differences."""

from __future__ import annotations

import pytest
import torch

from crowdstream.kernels import rotation

CASES = [[0.0, 0.0, 0.0], [1e-9, 0.0, -1e-9], [0.05, 0.08, -0.03], [0.4, -1.2, 0.9], [1.7, 1.7, -1.7]]


@pytest.mark.parametrize("case", CASES)
def test_exponential(case: list[float]) -> None:
    r = torch.tensor([case], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotation.rotvec_to_rotmat, r)
    assert torch.autograd.gradgradcheck(rotation.rotvec_to_rotmat, r)


@pytest.mark.parametrize("case", CASES)
def test_logarithm_of_exponential(case: list[float]) -> None:
    r = torch.tensor([case], dtype=torch.float64, requires_grad=True)

    def there_and_back(rotvec: torch.Tensor) -> torch.Tensor:
        return rotation.rotmat_to_rotvec(rotation.rotvec_to_rotmat(rotvec))

    assert torch.autograd.gradcheck(there_and_back, r)


def test_gram_schmidt() -> None:
    sixd = torch.tensor([[0.9, 0.1, -0.3, 0.2, 1.1, 0.4]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotation.rotmat_from_6d, sixd)
