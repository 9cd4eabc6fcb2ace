"""Every energy's gradient against finite differences, in float64, in all of its forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from crowdstream.kernels.solve.energies.contact import contact
from crowdstream.kernels.solve.energies.evidence import Evidence
from crowdstream.kernels.solve.energies.hvip import TORSO_JOINTS, hvip
from crowdstream.kernels.solve.energies.objective import Bodies, Objective
from crowdstream.kernels.solve.energies.pose_prior import pose_prior
from crowdstream.kernels.solve.energies.pose_smoothness import pose_smoothness
from crowdstream.kernels.solve.energies.projection import CameraTensors
from crowdstream.kernels.solve.energies.reprojection import reprojection
from crowdstream.kernels.solve.energies.robust import geman_mcclure
from crowdstream.kernels.solve.energies.shape import shape
from crowdstream.kernels.solve.energies.translation_smoothness import translation_smoothness
from crowdstream.kernels.solve.weights import EnergyWeights
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_pose_prior

N, T = 2, 4
GEN = torch.Generator().manual_seed(3)


def rand(*size: int, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(*size, generator=GEN, dtype=torch.float64)


def cameras() -> CameraTensors:
    """Two cameras 12 m from the origin, level, one turned by 40 degrees; small focal keeps numbers tame."""
    level = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    c, s = math.cos(0.7), math.sin(0.7)
    turn = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
    K = torch.tensor([[20.0, 0, 32], [0, 22, 24], [0, 0, 1]], dtype=torch.float64)
    t = torch.tensor([0.1, 0.2, 12.0], dtype=torch.float64)
    return CameraTensors(torch.stack([K, 1.1 * K]), torch.stack([level, level @ turn]), torch.stack([t, t]))


def ground() -> tuple[Tensor, Tensor]:
    normal = torch.tensor([0.1, -0.05, 1.0], dtype=torch.float64)
    return (normal / normal.norm()).expand(N, T, 3), torch.full((N, T), 0.3, dtype=torch.float64)


def present() -> Tensor:
    mask = torch.ones(N, T, dtype=torch.bool)
    mask[1, 0] = False
    return mask


@pytest.mark.parametrize("robust_px", [None, 3.0])
def test_reprojection(robust_px: float | None) -> None:
    points = rand(N, T, 5, 3).requires_grad_()
    observed, delta = 32 + rand(2, N, T, 5, 2, spread=4.0), rand(2, N, T).abs()
    sigma = rand(2, N, T, 5).abs()
    sigma[0, 0, 1] = 0
    assert gradcheck(lambda x: reprojection(x, observed, sigma, delta, cameras(), robust_px), points)


@pytest.mark.parametrize("floor,robust", [(None, None), (1.5, None), (None, 2.0), (1.5, 2.0)])
def test_hvip(floor: float | None, robust: float | None) -> None:
    torso = rand(N, T, 4, 3).requires_grad_()  # the other joints take no part
    observed, delta = 32 + rand(2, N, T, 2, spread=4.0), rand(2, N, T).abs()
    sigma_px = 1 + rand(2, N, T).abs()
    sigma_px[1, 0, 2] = 0
    normal, offset = ground()

    def energy(torso: Tensor) -> Tensor:
        joints = torch.zeros(N, T, 24, 3, dtype=torch.float64).index_copy(
            2, torch.tensor(TORSO_JOINTS), torso
        )
        return hvip(joints, normal, offset, observed, sigma_px, delta, cameras(), floor, robust)

    assert gradcheck(energy, torso)


@pytest.mark.parametrize("signed", [False, True])
def test_contact(signed: bool) -> None:
    vertices = rand(N, T, 6, 3).requires_grad_()
    normal, offset = ground()
    assert gradcheck(lambda x: contact(x, normal, offset, present(), signed), vertices)


@pytest.mark.parametrize("order", [1, 2])
def test_translation_smoothness(order: int) -> None:
    assert gradcheck(lambda x: translation_smoothness(x, present(), order), rand(N, T, 3).requires_grad_())


@pytest.mark.parametrize("order", [1, 2])
def test_pose_smoothness(order: int) -> None:
    assert gradcheck(lambda x: pose_smoothness(x, present(), order), rand(N, T, 24, 3).requires_grad_())


def test_pose_prior() -> None:
    assert gradcheck(lambda z: pose_prior(z, present()), rand(N, T, 32).requires_grad_())


def test_shape() -> None:
    assert gradcheck(lambda b: shape(b, present()), rand(N, T, 10).requires_grad_())


def test_geman_mcclure() -> None:
    assert gradcheck(lambda s: geman_mcclure(s, 2.0), rand(7).abs().requires_grad_())


@pytest.mark.parametrize("vertices", ["soles", "mesh"])
@pytest.mark.parametrize("mended", [False, True])
def test_the_whole_objective(mended: bool, vertices: str) -> None:
    """Along random directions through root, latent, shape and place; every term takes part."""
    weights = EnergyWeights.mended() if mended else EnergyWeights()
    weights = weights.model_copy(update={"contact_vertices": vertices})
    normal, offset = ground()
    evidence = Evidence(
        cameras=cameras(),
        keypoints_px=32 + rand(2, N, T, 17, 2, spread=4.0),
        sigma=rand(2, N, T, 17).abs(),
        delta=rand(2, N, T).abs(),
        hvip_px=32 + rand(2, N, T, 2, spread=4.0),
        hvip_sigma_px=1 + rand(2, N, T).abs(),
        normal=normal,
        offset_m=offset,
        present=present(),
    )
    objective = Objective.of(evidence, weights, load_body())
    prior = load_pose_prior().to("cpu", torch.float64)
    start = [rand(N, T, 32, spread=0.5), rand(N, T, 3), rand(N, T, 10), rand(N, T, 3)]
    ways = [torch.randn(x.shape, generator=GEN, dtype=x.dtype) for x in start]

    def along(step: Tensor) -> Tensor:
        z, root, betas, transl = (x + step * way for x, way in zip(start, ways, strict=True))
        terms = objective.terms(Bodies(prior.decode(z, root), betas, transl, z))
        return terms.total.sum()

    assert gradcheck(along, torch.zeros((), dtype=torch.float64, requires_grad=True), rtol=1e-4)
