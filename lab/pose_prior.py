"""Fit the Gaussian pose prior: `python -m crowdstream.lab.pose_prior --mocap DIR -o FILE.npz`.

Crowds stand and walk; the recordings dance and jump. So every category gets a fixed share of the total
weight (`CATEGORY_SHARES`), spread evenly over its frames, and every pose counts once more mirrored. Then

    mean, covariance   weighted moments of the 63 angles of joints 1..21
    components         W^-1 U S: the 32 leading principal directions U S of W (pose - mean)
    encoder            S^-1 U^T W, its left inverse: z = encoder (pose - mean) has unit covariance
    precision          (covariance + 0.05^2 rad^2 I)^-1

W is the lever of each angle: how far, in metres per radian, the 22 joints move. A radian of hip then counts
for what it does and a radian of wrist twist for little; 32 numbers hold a pose to about 1 cm, where
principal directions of the bare angles leave 3 cm.

The figures of the report come from a second fit that has not seen every fifth clip.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ..kernels.errors import CrowdstreamError
from ..kernels.priors.gaussian_pose import BODY_JOINTS, LATENT_DIM, POSE_DIM
from ..kernels.skeleton import PARENTS, SMPL_JOINTS
from .mocap import MocapClip, MocapError, read_mocap

CATEGORY_SHARES = {
    "walk": 0.36, "idle_stand": 0.12, "gesture_daily": 0.10, "start_stop": 0.08, "turn": 0.07, "run": 0.06,
    "carry": 0.05, "sit_getup": 0.04, "sport": 0.03, "exercise_jump": 0.03, "dance": 0.02, "crouch": 0.02,
    "bend_carry": 0.01, "floor": 0.005, "other": 0.005,
}  # fmt: skip
"""Share of the total weight of each category: what one meets in streets, halls and stations."""
FLOOR_STD_RAD = 0.05
"""Added to every direction before inversion: some sources have perfect hinges, people have not."""
LEVER_FLOOR_M = 0.12
"""Added (in squares) to every lever, so that the ends of limbs and twists keep a say."""
HOLDOUT_EVERY = 5

REFERENCE_OFFSETS_M = np.array(
    [(0, 0, 0), (.068, -.090, -.005), (-.068, -.090, -.005), (0, .110, -.028), (.036, -.378, -.005),
     (-.036, -.378, -.005), (0, .136, .002), (-.014, -.396, -.042), (.014, -.396, -.042), (0, .054, .024),
     (.026, -.056, .120), (-.026, -.056, .120), (0, .214, -.042), (.080, .120, -.035), (-.080, .120, -.035),
     (0, .066, .052), (.092, .032, -.010), (-.092, .032, -.010), (.258, -.013, -.026), (-.258, -.013, -.026),
     (.252, .008, -.002), (-.252, .008, -.002), (.084, -.008, -.015), (-.084, -.008, -.015)]
)  # fmt: skip
"""Bone offsets of the recordings' reference skeleton, metres: the errors in mm are measured on it."""


@dataclass(frozen=True)
class PosePriorFit:
    """What the file holds; see `kernels.priors.gaussian_pose` for the meaning."""

    mean: Float[np.ndarray, "63"]
    covariance: Float[np.ndarray, "63 63"]
    precision: Float[np.ndarray, "63 63"]
    components: Float[np.ndarray, "63 32"]
    encoder: Float[np.ndarray, "32 63"]
    residual_std: Float[np.ndarray, "63"]
    frames: int
    """Poses it rests on, mirrored ones not counted."""
    explained: float
    """Share of the weighted variance inside the components."""


@dataclass(frozen=True)
class PosePriorReport:
    """How well 32 numbers stand for a pose the fit has not seen (weighted as in the fit)."""

    explained: float
    mean_error_mm: float
    """Mean distance of 22 joints (pelvis-relative, reference skeleton) after encode and decode."""
    p95_error_mm: float
    clips: int


def mirror(body_rotvec: Float[np.ndarray, "R 63"]) -> Float[np.ndarray, "R 63"]:
    """The same poses seen in a mirror (x -> -x): sides swapped, angles about y and z turned."""
    names = SMPL_JOINTS[1 : 1 + BODY_JOINTS]
    other = [n.replace("left", "@").replace("right", "left").replace("@", "right") for n in names]
    order = [names.index(name) for name in other]
    joints = body_rotvec.reshape(-1, BODY_JOINTS, 3)[:, order]
    return np.asarray((joints * np.array([1.0, -1.0, -1.0])).reshape(-1, POSE_DIM))


def _wrapped(clip: MocapClip) -> Float[np.ndarray, "T 63"]:
    """Angles of joints 1..21 with every rotation by its shorter way (|r| <= pi)."""
    joints = clip.pose_rotvec[:, 1 : 1 + BODY_JOINTS].reshape(-1, 3).astype(np.float64)
    return np.asarray(Rotation.from_rotvec(joints).as_rotvec().reshape(-1, POSE_DIM))


def gather(clips: list[MocapClip]) -> tuple[Float[np.ndarray, "R 63"], Float[np.ndarray, "R"]]:
    """All poses with their mirror images, and weights that sum to one.

    Raises:
        MocapError: a category without a share.
    """
    frames: dict[str, int] = {}
    for clip in clips:
        if clip.category not in CATEGORY_SHARES:
            raise MocapError(
                f"clip {clip.name}: category {clip.category!r} has no share; known: {sorted(CATEGORY_SHARES)}"
            )
        frames[clip.category] = frames.get(clip.category, 0) + clip.num_frames
    poses = np.concatenate([_wrapped(clip) for clip in clips])
    weights = np.concatenate(
        [np.full(c.num_frames, CATEGORY_SHARES[c.category] / frames[c.category]) for c in clips]
    )
    poses = np.concatenate([poses, mirror(poses)])
    weights = np.concatenate([weights, weights])
    return poses, weights / weights.sum()


def fit(clips: list[MocapClip]) -> PosePriorFit:
    """Weighted moments and principal directions of the clips' poses."""
    poses, weights = gather(clips)
    mean = weights @ poses
    off = poses - mean
    covariance = (off * weights[:, None]).T @ off
    lever = levers_m(mean)
    variances, directions = np.linalg.eigh(lever[:, None] * covariance * lever)
    lead = np.argsort(variances)[::-1][:LATENT_DIM]
    directions, spread = directions[:, lead], np.sqrt(variances[lead])
    # the sign of an eigenvector is arbitrary; fix it so that two machines write the same file
    directions *= np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(LATENT_DIM)])
    components = directions * spread / lever[:, None]
    encoder = (directions / spread).T * lever
    keep = np.eye(POSE_DIM) - components @ encoder
    left_out = keep @ covariance @ keep.T
    regular = covariance + FLOOR_STD_RAD**2 * np.eye(POSE_DIM)
    return PosePriorFit(
        mean=mean,
        covariance=covariance,
        precision=np.linalg.inv(regular),
        components=components,
        encoder=encoder,
        residual_std=np.sqrt(np.diag(left_out).clip(0.0)),
        frames=len(poses) // 2,
        explained=float(1.0 - np.trace(left_out) / np.trace(covariance)),
    )


def levers_m(body_rotvec: Float[np.ndarray, "63"]) -> Float[np.ndarray, "63"]:
    """Root of the summed squared speeds of 22 joints per radian of each angle, floored, metres."""
    step_rad = 1e-4
    steps = step_rad * np.eye(POSE_DIM)
    moved = reference_joints(body_rotvec + steps) - reference_joints(body_rotvec - steps)
    speeds = moved / (2 * step_rad)
    return np.asarray(np.sqrt((speeds**2).sum(axis=(1, 2)) + LEVER_FLOOR_M**2))


def evaluate(prior: PosePriorFit, clips: list[MocapClip]) -> PosePriorReport:
    """Encode and decode the clips' poses; variance kept and joint error on the reference skeleton."""
    poses, weights = gather(clips)
    off = poses - prior.mean
    kept = off @ prior.encoder.T @ prior.components.T
    lost = weights @ ((off - kept) ** 2).sum(axis=1)
    error_mm = 1e3 * np.linalg.norm(
        reference_joints(poses) - reference_joints(prior.mean + kept), axis=-1
    ).mean(axis=1)
    order = np.argsort(error_mm)
    p95 = error_mm[order][np.searchsorted(np.cumsum(weights[order]), 0.95)]
    return PosePriorReport(
        explained=float(1.0 - lost / (weights @ (off**2).sum(axis=1))),
        mean_error_mm=float(weights @ error_mm),
        p95_error_mm=float(p95),
        clips=len(clips),
    )


def reference_joints(body_rotvec: Float[np.ndarray, "R 63"]) -> Float[np.ndarray, "R 22 3"]:
    """Positions of joints 0..21 of the reference skeleton with the root unturned at the origin, metres."""
    rows = len(body_rotvec)
    local = Rotation.from_rotvec(body_rotvec.reshape(-1, 3)).as_matrix().reshape(rows, BODY_JOINTS, 3, 3)
    turned = np.empty((rows, BODY_JOINTS + 1, 3, 3))
    places = np.zeros((rows, BODY_JOINTS + 1, 3))
    turned[:, 0] = np.eye(3)
    for joint in range(1, BODY_JOINTS + 1):
        parent = PARENTS[joint]
        places[:, joint] = places[:, parent] + turned[:, parent] @ REFERENCE_OFFSETS_M[joint]
        turned[:, joint] = turned[:, parent] @ local[:, joint - 1]
    return places


def write(prior: PosePriorFit, path: Path) -> None:
    """Store the prior as npz (float32)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        mean=prior.mean.astype(np.float32),
        covariance=prior.covariance.astype(np.float32),
        precision=prior.precision.astype(np.float32),
        components=prior.components.astype(np.float32),
        encoder=prior.encoder.astype(np.float32),
        residual_std=prior.residual_std.astype(np.float32),
        frames=np.int64(prior.frames),
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="crowdstream.lab.pose_prior", description="fit the Gaussian pose prior"
    )
    parser.add_argument("--mocap", type=Path, required=True, help="folder with index.csv and npz shards")
    parser.add_argument("-o", "--output", type=Path, required=True, help="npz file to write")
    args = parser.parse_args(argv)
    try:
        clips = read_mocap(args.mocap)
        seen = [clip for k, clip in enumerate(clips) if k % HOLDOUT_EVERY]
        unseen = [clip for k, clip in enumerate(clips) if not k % HOLDOUT_EVERY]
        report = evaluate(fit(seen), unseen)
        prior = fit(clips)
    except CrowdstreamError as error:
        print(error, file=sys.stderr)
        return 1
    write(prior, args.output)
    print(
        f"{args.output}: {prior.frames} poses of {len(clips)} clips, {LATENT_DIM} components hold "
        f"{100 * prior.explained:.2f} % of the variance; unseen clips ({report.clips}): "
        f"{100 * report.explained:.2f} %, error over 22 joints {report.mean_error_mm:.1f} mm mean, "
        f"{report.p95_error_mm:.1f} mm at the 95th percentile"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
