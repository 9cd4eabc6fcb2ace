"""What the motion prior's card says of the network; recordings and run follow from `card`."""

from __future__ import annotations

from collections.abc import Mapping

from .card import recipe_card

PURPOSE = """A transformer VAE over 64 frames (2.1 s) of one person's motion, after DyCrowd sec. III-C: state of 330
numbers a frame, latent of 256 local and 128 global numbers, contact head, masks of what is hidden. Loaded by
`crowdstream.stream.prior_files.load_motion_prior`, run by `kernels/priors/motion_prior.py`, put to people in
the world by `kernels/priors/projection.py`.

It gives back what was seen a little cleaner and fills in what was not: frames between two sightings, legs
behind a barrier. It sees joint rotations and the pelvis's path on one reference skeleton; stature, camera and
picture are no part of it."""

RECIPE = (
    "Start: a linear model, principal components of the motions' lowest frequencies, as skip path of encoder and "
    "decoder. The network begins at its error and learns the residual.",
    "Batches of {batch} windows: categories balanced towards what crowds do, mirrored, played faster and slower, and "
    "augmented (`lab/motion/augment.py`).",
    "Of each window something is hidden (`lab/motion/occlusions.py`); {noisy:.0%} are disturbed as a "
    "solver's output is.",
    "Losses: distance of joints and of their velocities about the pelvis, rotations, path, contacts, and a small KL "
    "term (`lab/training/motion_loss.py`).",
)

FIGURES = """Held-back subjects. Pelvis-relative error of 22 joints, mm: `recon` with everything seen; `infillN` over N
wholly hidden frames in the middle; `lowerbody` of the leg joints, the legs hidden throughout. Baseline: the
better of interpolation and of a linear model of windows with as many numbers. `crowdstream evaluate prior
--mocap DIR` tells more, by category."""

LIMITS = """It knows nothing of neighbours or furniture. Ground is a plane: on stairs its contacts are not to be
trusted. Few of the people it has seen sit, carry or lie; children, wheelchairs and aids are unknown to
it. What is hidden for all 64 frames comes out as a likely motion, not as the true one."""


def motion_card(
    batch: int, noisy_share: float, metrics: Mapping[str, float], baselines: Mapping[str, float]
) -> str:
    """The recipe's part of the card."""
    recipe = [item.format(batch=batch, noisy=noisy_share) for item in RECIPE]
    return recipe_card("Motion prior", PURPOSE, recipe, FIGURES, metrics, baselines, LIMITS)
