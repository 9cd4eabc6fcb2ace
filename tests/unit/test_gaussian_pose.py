"""The Gaussian pose prior: laws of the latent, the shipped file, its fit and its loader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crowdstream.kernels.priors.gaussian_pose import BODY_JOINTS, LATENT_DIM, GaussianPosePrior
from crowdstream.lab.mocap import MocapClip, MocapError, read_mocap
from crowdstream.lab.pose_prior import REFERENCE_OFFSETS_M, evaluate, fit, mirror, reference_joints, write
from crowdstream.stream.errors import ModelError
from crowdstream.stream.prior_files import load_pose_prior

GEN = torch.Generator().manual_seed(2)


@pytest.fixture(scope="module")
def prior() -> GaussianPosePrior:
    return load_pose_prior()


def test_encode_undoes_decode(prior: GaussianPosePrior) -> None:
    z, root = torch.randn(4, 3, LATENT_DIM, generator=GEN), torch.randn(4, 3, 3, generator=GEN)
    pose = prior.decode(z, root)
    torch.testing.assert_close(prior.encode(pose), z, atol=1e-4, rtol=1e-4)
    assert torch.equal(pose[..., 0, :], root)
    assert pose[..., 22:, :].eq(0).all()


def test_the_mean_is_the_zero_latent_and_nearest(prior: GaussianPosePrior) -> None:
    mean = prior.decode(torch.zeros(LATENT_DIM), torch.zeros(3))
    assert prior.squared_distance(mean).abs() < 1e-6
    far = prior.decode(torch.full((LATENT_DIM,), 2.0), torch.zeros(3))
    assert prior.squared_distance(far) > 10


def test_the_shipped_prior_is_symmetric_left_to_right(prior: GaussianPosePrior) -> None:
    mean = prior.mean.numpy().astype(np.float64)[None]
    np.testing.assert_allclose(mirror(mean), mean, atol=1e-6)
    basis = mirror(np.eye(63))
    covariance = prior.covariance.double().numpy()
    np.testing.assert_allclose(basis @ covariance @ basis.T, covariance, atol=1e-6)


def test_the_shipped_precision_inverts_the_regularised_covariance(prior: GaussianPosePrior) -> None:
    covariance, precision = prior.covariance.double(), prior.precision.double()
    assert torch.linalg.eigvalsh(precision)[0] > 0
    regular = torch.linalg.inv(precision) - covariance
    torch.testing.assert_close(regular, 0.05**2 * torch.eye(63, dtype=torch.float64), atol=1e-5, rtol=0)


def test_the_shipped_mean_stands_upright_with_arms_down(prior: GaussianPosePrior) -> None:
    joints = reference_joints(prior.mean.double().numpy()[None])[0]
    head, left_wrist, right_wrist, left_ankle = joints[15], joints[20], joints[21], joints[7]
    assert head[1] > 0.5 and left_ankle[1] < -0.75
    assert left_wrist[0] > 0.1 and right_wrist[0] < -0.1  # no arm in the trunk
    assert abs(left_wrist[1]) < 0.25  # hands hang at hip height


def test_mirroring_is_a_reflection_of_the_body() -> None:
    poses = 0.5 * np.random.default_rng(0).normal(size=(20, 63))
    np.testing.assert_allclose(mirror(mirror(poses)), poses)
    sides = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20]
    reflected = reference_joints(poses)[:, sides] * (-1.0, 1.0, 1.0)
    np.testing.assert_allclose(reference_joints(mirror(poses)), reflected, atol=1e-12)


def test_reference_joints_of_the_zero_pose_are_the_summed_offsets() -> None:
    joints = reference_joints(np.zeros((1, 63)))[0]
    np.testing.assert_allclose(joints[15], REFERENCE_OFFSETS_M[[3, 6, 9, 12, 15]].sum(axis=0))
    np.testing.assert_allclose(joints[10], REFERENCE_OFFSETS_M[[1, 4, 7, 10]].sum(axis=0))


def make_clips(rng: np.random.Generator, spread: float = 0.2) -> list[MocapClip]:
    """Poses with twelve degrees of freedom."""
    ways = rng.normal(size=(12, 63))
    clips = []
    for k, category in enumerate(("walk", "idle_stand", "dance")):
        frames = 400 + 100 * k
        pose = np.zeros((frames, 24, 3), np.float32)
        pose[:, 1:22] = (spread / 12 * rng.normal(size=(frames, 12)) @ ways).reshape(-1, BODY_JOINTS, 3)
        clips.append(MocapClip(f"c{k}", category, pose, np.zeros((frames, 3), np.float32), True))
    return clips


def test_a_fit_recovers_few_degrees_of_freedom() -> None:
    """Twelve ways and their mirror images fit into 32 components: nothing is lost."""
    clips = make_clips(np.random.default_rng(1))
    report = evaluate(fit(clips), clips)
    assert report.explained > 1 - 1e-9
    assert report.mean_error_mm < 0.01


def test_a_categorys_share_does_not_depend_on_its_length() -> None:
    clips = make_clips(np.random.default_rng(2))
    twice = [*clips, replace(clips[2], name="again")]
    np.testing.assert_allclose(fit(clips).covariance, fit(twice).covariance, atol=1e-12)


def test_an_unknown_category_is_named() -> None:
    clip = replace(make_clips(np.random.default_rng(3))[0], category="swim")
    with pytest.raises(MocapError, match="'swim'"):
        fit([clip])


def test_written_priors_load_again(tmp_path: Path) -> None:
    fitted = fit(make_clips(np.random.default_rng(4)))
    write(fitted, tmp_path / "prior.npz")
    loaded = load_pose_prior(tmp_path / "prior.npz")
    np.testing.assert_allclose(loaded.mean.numpy(), fitted.mean, atol=1e-7)
    np.testing.assert_allclose(loaded.components.numpy(), fitted.components, atol=1e-6)


@pytest.mark.parametrize("fault", ["missing", "text", "array", "shape", "nan"])
def test_bad_prior_files_are_refused_with_their_fault(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "prior.npz"
    prior = load_pose_prior()
    arrays = {name: getattr(prior, name).numpy().copy() for name in prior.__dataclass_fields__}
    if fault == "text":
        path.write_text("not a prior")
    elif fault == "array":
        del arrays["encoder"]
    elif fault == "shape":
        arrays["mean"] = arrays["mean"][:60]
    elif fault == "nan":
        arrays["precision"][3, 3] = np.nan
    if fault in ("array", "shape", "nan"):
        np.savez(path, **arrays)
    word = {"array": "encoder", "shape": "mean", "nan": "precision"}.get(fault, "pose prior")
    with pytest.raises(ModelError, match=word):
        load_pose_prior(path)


@pytest.mark.data
def test_the_shipped_prior_holds_recorded_poses(prior: GaussianPosePrior, data_dir: Path) -> None:
    """Encode, decode: 22 joints of recorded walks within a centimetre and a half; they look likely, too."""
    walks = [clip for clip in read_mocap(data_dir / "mocap") if clip.category == "walk"][::20]
    pose = torch.from_numpy(np.concatenate([clip.pose_rotvec for clip in walks]))
    z = prior.encode(pose)
    back = prior.decode(z, pose[:, 0])
    joints = [reference_joints(p[:, 1:22].reshape(-1, 63).double().numpy()) for p in (pose, back)]
    assert np.linalg.norm(joints[0] - joints[1], axis=-1).mean() < 0.015
    assert 0.2 < (z**2).mean() < 2.0


def test_mocap_shards_are_read_back(tmp_path: Path) -> None:
    poses = np.arange(2 * 24 * 3 * 5, dtype=np.float16).reshape(10, 24, 3) / 1000
    np.savez(tmp_path / "x_000.npz", poses=poses, trans=np.ones((10, 3), np.float32))
    (tmp_path / "index.csv").write_text(
        "clip,category,frames,shard,start,flat_ground\na,walk,4,x_000.npz,0,1\nb,run,6,x_000.npz,4,0\n"
    )
    first, second = read_mocap(tmp_path)
    assert (first.name, first.flat_ground, second.num_frames, second.flat_ground) == ("a", True, 6, False)
    np.testing.assert_array_equal(second.pose_rotvec, poses[4:].astype(np.float32))
    with pytest.raises(MocapError, match="no motion capture"):
        read_mocap(tmp_path / "nowhere")
