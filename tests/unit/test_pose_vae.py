"""The learned pose prior and the face that all pose priors share."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from crowdstream.kernels.priors.gaussian_pose import BODY_JOINTS, LATENT_DIM
from crowdstream.kernels.priors.pose_prior import PosePrior, settled
from crowdstream.kernels.priors.pose_vae import SIXD_DIM, PoseVAE, PoseVAEConfig
from crowdstream.kernels.priors.vposer import VPoser
from crowdstream.kernels.rotation import rotmat_from_6d, rotmat_to_6d, rotvec_to_rotmat
from crowdstream.lab.training.pose_start import joints_of
from crowdstream.lab.training.pose_vae import wrong_way
from crowdstream.lab.virtualcrowd.motion.procedural import drawn_cycles
from crowdstream.stream.prior_files import load_pose_prior, load_pose_vae

FACES = ("gaussian", "shipped", "small", "vposer")


def small() -> PoseVAE:
    """A network whose every weight speaks."""
    torch.manual_seed(3)
    network = PoseVAE(PoseVAEConfig(width=24, layers=2))
    with torch.no_grad():
        network.mean.copy_(rotmat_to_6d(torch.eye(3)).repeat(BODY_JOINTS))
        network.scale.fill_(0.4)
        for weight in network.parameters():
            weight.copy_(0.2 * torch.randn(weight.shape))
    return network.eval()


@cache
def prior(face: str) -> PosePrior:
    if face == "vposer":
        torch.manual_seed(0)
    made = {"gaussian": load_pose_prior, "shipped": load_pose_vae, "small": small, "vposer": VPoser}[face]
    return made()


def walking() -> torch.Tensor:
    """Body joints of drawn gaits, (M, 24, 3, 3); no recording was needed for them."""
    quats = torch.from_numpy(drawn_cycles().quats[:, ::4]).flatten(0, 1)
    w, v = quats[..., :1], quats[..., 1:]
    turn = 2 * torch.atan2(v.norm(dim=-1, keepdim=True), w)
    return rotvec_to_rotmat(torch.nn.functional.normalize(v, dim=-1) * turn)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)])
def test_every_prior_takes_any_batch(face: str, batch: tuple[int, ...]) -> None:
    given = 0.3 * torch.randn(*batch, 24, 3)
    with torch.no_grad():
        z = prior(face).encode(given)
        back = prior(face).decode(z, given[..., 0, :])
    assert isinstance(prior(face), PosePrior)
    assert z.shape == (*batch, LATENT_DIM) and back.shape == given.shape
    torch.testing.assert_close(back[..., 0, :], given[..., 0, :])
    assert back[..., 22:, :].eq(0).all()


@pytest.mark.parametrize("face", FACES)
def test_people_do_not_feel_one_another(face: str) -> None:
    given = 0.3 * torch.randn(4, 24, 3)
    with torch.no_grad():
        together = prior(face).encode(given)
        alone = torch.stack([prior(face).encode(each) for each in given])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("face", FACES)
def test_root_and_hands_say_nothing(face: str) -> None:
    given = 0.3 * torch.randn(3, 24, 3)
    other = given.clone()
    other[:, 0], other[:, 22:] = 1.0, 2.0
    with torch.no_grad():
        torch.testing.assert_close(prior(face).encode(given), prior(face).encode(other))


@pytest.mark.parametrize("face", ["small", "shipped", "vposer"])
def test_what_is_decoded_are_rotations(face: str) -> None:
    z = 2.0 * torch.randn(64, LATENT_DIM, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        rotmats = prior(face).decode_rotmats(z)  # type: ignore[attr-defined]
    torch.testing.assert_close(
        rotmats @ rotmats.transpose(-1, -2), torch.eye(3).expand_as(rotmats), atol=1e-4, rtol=0
    )  # columns that are nearly parallel, rare and far out, cost digits
    torch.testing.assert_close(torch.linalg.det(rotmats), torch.ones(64, BODY_JOINTS), atol=1e-4, rtol=0)


def test_axis_angle_and_matrices_say_the_same() -> None:
    network = small()
    given = 0.4 * torch.randn(6, 24, 3)
    with torch.no_grad():
        z = network.encode_rotmats(rotvec_to_rotmat(given[:, 1:22]))
        torch.testing.assert_close(z, network.encode(given))
        decoded = rotvec_to_rotmat(network.decode(z, given[:, 0])[:, 1:22])
    torch.testing.assert_close(decoded, network.decode_rotmats(z), atol=2e-6, rtol=1e-5)


def test_a_fresh_network_is_its_linear_skip() -> None:
    network = PoseVAE(PoseVAEConfig(width=16, layers=1)).eval()
    with torch.no_grad():
        network.mean.normal_()
        z, log_variance = network.posterior(rotvec_to_rotmat(0.2 * torch.randn(5, 21, 3)))
        out = network.decode_6d(z).flatten(1)
    torch.testing.assert_close(out, network.mean + z @ network.linear_out.weight.T, atol=1e-5, rtol=1e-5)
    assert log_variance.std() == 0 and log_variance.shape == (5, LATENT_DIM)


def test_settling_fixes_a_copy_and_leaves_the_network_alone() -> None:
    network = small().train()
    fixed = settled(network, "cpu", torch.float64)
    assert network.mean.dtype == torch.float32 and network.training
    assert all(weight.requires_grad for weight in network.parameters())
    z = fixed.encode(torch.zeros(2, 24, 3, dtype=torch.float64))
    assert z.dtype == torch.float64 and z.is_leaf and not z.requires_grad
    gaussian = settled(load_pose_prior(), "cpu", torch.float64)
    assert gaussian.encode(torch.zeros(24, 3, dtype=torch.float64)).dtype == torch.float64


def test_weights_are_as_many_as_the_config_says() -> None:
    config = PoseVAEConfig()
    count = sum(weight.numel() for weight in PoseVAE(config).parameters())
    assert 2 * count < 2_000_000  # bytes as float16
    assert abs(count - (2 * (config.layers - 1) * config.width**2 + 350 * config.width)) < 0.1 * count


def test_the_shipped_prior_holds_gaits_it_has_never_seen() -> None:
    rotmats = walking()[:, 1:22]
    shipped, gaussian = load_pose_vae(), load_pose_prior()
    with torch.no_grad():
        found = shipped.decode_rotmats(shipped.encode_rotmats(rotmats))
        error = 1e3 * (joints_of(found) - joints_of(rotmats)).norm(dim=-1).mean(-1)
        mean = rotmat_from_6d(shipped.mean.reshape(BODY_JOINTS, 6)).expand_as(rotmats)
        still = 1e3 * (joints_of(mean) - joints_of(rotmats)).norm(dim=-1).mean(-1)
    assert gaussian.components.shape[1] == LATENT_DIM  # the same budget of numbers
    assert error.mean() < 15.0 < 3 * still.mean()
    assert error.max() < 30.0


def test_drawn_bodies_of_the_shipped_prior_bend_as_bodies_do() -> None:
    z = torch.from_numpy(np.random.default_rng(1).standard_normal((2000, LATENT_DIM)).astype(np.float32))
    with torch.no_grad():
        beyond = wrong_way(load_pose_vae().decode_rotmats(z))
    assert (beyond > np.sin(np.deg2rad(20.0))).float().mean() < 0.005
    assert (beyond < -np.sin(np.deg2rad(20.0))).float().mean() > 0.3  # and they do bend


def test_the_shipped_latent_is_unit_normal_in_size_on_drawn_gaits() -> None:
    with torch.no_grad():
        z = load_pose_vae().encode_rotmats(walking()[:, 1:22])
    # 32 unit normal numbers have a root mean square of 1; gaits of a textbook lie within a few of it
    assert 0.2 < z.square().mean().sqrt() < 2.5
    assert SIXD_DIM == 6 * BODY_JOINTS
