"""What the pose prior learns from, where it starts, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdstream.kernels.priors.pose_vae import PoseVAE, PoseVAEConfig
from crowdstream.kernels.rotation import rotmat_from_6d, rotmat_to_6d, rotvec_to_rotmat
from crowdstream.lab.motion.track import MotionTrack
from crowdstream.lab.pose_prior import CATEGORY_SHARES, reference_joints
from crowdstream.lab.training.pose_bank import LIMBS, PoseBank, PoseBankConfig, frame_weights, mirror_6d
from crowdstream.lab.training.pose_start import joints_of, lever_metric, linear_start
from crowdstream.lab.training.pose_vae import (
    PoseRecipeConfig,
    PoseVAERecipe,
    moment_distance,
    reconstruction_mm,
    wrong_way,
)
from crowdstream.lab.virtualcrowd.motion.procedural import drawn_cycles, drawn_stances

CONFIG = PoseRecipeConfig(batch=64)
SIZE = PoseVAEConfig(width=32, layers=1)


def track(name: str, category: str, quats: np.ndarray) -> MotionTrack:
    frames = len(quats)
    parts = dict(quats=quats[:, :22].astype(np.float32), root_m=np.zeros((frames, 3), np.float32))
    contact = np.zeros((frames, 8), bool)
    return MotionTrack(name, "drawn", category, contact=contact, contact_known=False, **parts)


@pytest.fixture(scope="module")
def tracks() -> list[MotionTrack]:
    cycles = drawn_cycles()
    walks = [track(f"walk{k}", "walk", cycles.quats[k]) for k in range(0, 12, 2)]
    stands = [track(f"stand{k}", "idle_stand", s.quats[:80]) for k, s in enumerate(drawn_stances())]
    return [*walks, *stands]


def apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Distances of all pairs of rows; the quick way by products loses three digits."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


@pytest.fixture(scope="module")
def bank(tracks: list[MotionTrack]) -> PoseBank:
    return PoseBank(tracks)


def test_a_mirrored_body_is_the_body_in_a_mirror(bank: PoseBank) -> None:
    poses = bank.sixd[::40]
    swap = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20]
    joints, mirrored = (
        joints_of(rotmat_from_6d(p.unflatten(-1, (21, 6)))) for p in (poses, mirror_6d(poses))
    )
    torch.testing.assert_close(mirrored, joints[:, swap] * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(mirror_6d(mirror_6d(poses)), poses)


def test_joints_are_those_of_the_reference_skeleton() -> None:
    rotvec = 0.4 * torch.randn(5, 21, 3)
    expected = reference_joints(rotvec.flatten(1).double().numpy())
    np.testing.assert_allclose(joints_of(rotvec_to_rotmat(rotvec)).numpy(), expected, atol=2e-6)


def test_categories_get_their_shares() -> None:
    category = np.array(["walk"] * 90 + ["floor"] * 10 + ["unheard_of"] * 10)
    drawn, met = frame_weights(category)
    assert drawn.sum() == pytest.approx(1) and met.sum() == pytest.approx(1)
    ratio = met[category == "walk"].sum() / met[category == "floor"].sum()
    assert ratio == pytest.approx(CATEGORY_SHARES["walk"] / CATEGORY_SHARES["floor"])
    assert drawn[category == "floor"].sum() > 5 * met[category == "floor"].sum()


def test_a_draw_follows_its_generator_alone_and_counts_one_on_average(bank: PoseBank) -> None:
    (first, counts), (again, _), (other, _) = (
        bank.draw(4000, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert counts.mean().item() == pytest.approx(1, abs=0.05)
    torch.testing.assert_close(first @ first.mT, torch.eye(3).expand_as(first), atol=1e-5, rtol=0)


def test_drawn_poses_are_recorded_ones_where_nothing_is_made_up(tracks: list[MotionTrack]) -> None:
    plain = PoseBank(tracks, PoseBankConfig(recombined=0, jitter_rad=0))
    drawn = rotmat_to_6d(plain.draw(20, np.random.default_rng(0))[0]).flatten(1)
    known = torch.cat([plain.sixd, mirror_6d(plain.sixd)])
    assert apart(drawn, known).min(1).values.max() < 1e-3


def test_a_recombined_body_has_whole_limbs_of_recordings(tracks: list[MotionTrack]) -> None:
    mixed = PoseBank(tracks, PoseBankConfig(recombined=1, jitter_rad=0))
    drawn = rotmat_to_6d(mixed.draw(20, np.random.default_rng(0))[0])
    known = torch.cat([mixed.sixd, mirror_6d(mixed.sixd)])
    whole = apart(drawn.flatten(1), known).min(1).values
    assert (whole > 1e-2).any()  # new bodies
    legs = [joint - 1 for joint in LIMBS[0]]
    off = apart(drawn[:, legs].flatten(1), known.unflatten(1, (21, 6))[:, legs].flatten(1))
    assert off.min(1).values.max() < 1e-3  # of known legs


def test_more_frames_than_wanted_are_thinned(tracks: list[MotionTrack]) -> None:
    few = PoseBank(tracks * 5, PoseBankConfig(most_frames=1000))
    assert 500 < len(few) <= 1000 + 5 * len(tracks)


def test_the_metric_measures_how_far_joints_move(bank: PoseBank) -> None:
    """As far as the same step and its mirror image take them on average."""
    pose, step = bank.sixd[:1].double(), 1e-4 * torch.randn(1, 126, dtype=torch.float64)
    metric = lever_metric(bank.sixd[:1])

    def moved(way: torch.Tensor) -> float:
        ahead, behind = (joints_of(rotmat_from_6d((pose + s * way).reshape(1, 21, 6))) for s in (1, -1))
        return float(((ahead - behind) / 2).square().sum())

    expected = (moved(step) + moved(mirror_6d(step))) / 2
    assert float(step @ metric @ step.T) == pytest.approx(expected, rel=1e-3)
    torch.testing.assert_close(metric, metric.T)


def test_training_starts_as_principal_components_of_the_crowd(bank: PoseBank) -> None:
    network = PoseVAE(SIZE)
    linear_start(network, bank)
    with torch.no_grad():
        there_and_back = network.linear_in.weight @ network.linear_out.weight
        mean = torch.cat(
            [network.encode_rotmats(rotmat_from_6d(p.unflatten(-1, (21, 6)))) for p in bank.sixd.split(4096)]
        )
    torch.testing.assert_close(there_and_back, torch.eye(32), atol=2e-3, rtol=0)
    weight = torch.from_numpy(bank.crowd_weight).float()[:, None]
    variance = (weight * mean.square()).sum(0)
    torch.testing.assert_close(variance[:4], torch.ones(4), atol=0.05, rtol=0)
    assert variance.max() < 1.05
    assert reconstruction_mm(network, bank.sixd).mean() < 10


def test_steps_lower_the_loss(tracks: list[MotionTrack]) -> None:
    recipe = PoseVAERecipe(tracks[1:], tracks[:1], 0, SIZE, CONFIG)
    with torch.no_grad():
        before, start = recipe.loss(1000)["total"], recipe.validate()
    optimiser = torch.optim.Adam(recipe.network.parameters(), lr=3e-3)
    for step in range(25):
        optimiser.zero_grad()
        recipe.loss(step)["total"].backward()
        optimiser.step()
    with torch.no_grad():
        after, end = recipe.loss(1000)["total"], recipe.validate()
        # a batch depends on seed and step alone
        assert recipe.loss(1000)["total"] == after != recipe.loss(1001)["total"]
    assert after < 0.9 * before
    assert end["pose.recon_mpjpe_mm"] < 5  # of a walk it has not seen
    assert end["pose.recon_mpjpe_mm.walk"] == pytest.approx(end["pose.recon_mpjpe_mm"])
    card = recipe.card(end)
    assert f"{end['pose.recon_mpjpe_mm']:.4g}" in card and f"{start['pose.recon_mpjpe_mm']:.4g}" in card


def test_moments_of_a_unit_normal_cost_little() -> None:
    z = torch.randn(20000, 8)
    some, ones = torch.full_like(z, 0.25), torch.ones(len(z))
    assert moment_distance(0.75**0.5 * z, some, ones) < 0.02
    assert moment_distance(2.0 * z, some, ones) > 8
    assert moment_distance(0.75**0.5 * z + 1.0, some, ones) == pytest.approx(8, rel=0.05)
    # who does not count does not move them
    far = torch.cat([0.75**0.5 * z, z + 50.0])
    counts = torch.cat([ones, torch.zeros(len(z))])
    assert moment_distance(far, torch.cat([some, some]), counts) < 0.02


@pytest.mark.parametrize("degrees", [-40.0, 25.0])
def test_hinges_are_wrong_beyond_straight(degrees: float) -> None:
    """Flexion of a knee turns about +x, of the left elbow about -y, of the right about +y (arms out, palms down)."""
    flexed = torch.zeros(21, 3)
    angle = -np.deg2rad(degrees)  # positive degrees are beyond straight
    for joint, axis, sign in ((4, 0, 1), (5, 0, 1), (18, 1, -1), (19, 1, 1)):
        flexed[joint - 1, axis] = sign * angle
    expected = torch.full((4,), float(np.sin(np.deg2rad(degrees))))
    torch.testing.assert_close(wrong_way(rotvec_to_rotmat(flexed)), expected)
