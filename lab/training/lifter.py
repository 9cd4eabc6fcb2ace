"""`crowdstream train lifter`: the recipe of `lab.lifter` for the loop, and its model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...kernels.lifter.lifter import LifterConfig
from ..lifter.recipe import LifterRecipe, LifterRecipeConfig
from ..motion.track import MotionTrack
from .card import recipe_card


def make_lifter(
    training: Sequence[MotionTrack],
    validation: Sequence[MotionTrack],
    seed: int,
    size: LifterConfig,
    config: LifterRecipeConfig,
) -> LifterRecipe:
    """The recipe with its card."""
    return LifterRecipe(training, validation, seed, size, config, write_card)


def write_card(recipe: LifterRecipe, metrics: Mapping[str, float]) -> str:
    """What the model card says of the network; recordings and run follow from `card`."""
    beside = recipe.baselines() if metrics else {}
    return recipe_card("Lifter", PURPOSE, RECIPE, FIGURES, metrics, beside, LIMITS)


FIGURES = """Held-back subjects in synthetic sightings, in full view of a camera and (`.crowd`) as crowds are; means
over windows. Baseline: the mean pose, facing where it goes."""

PURPOSE = """First bodies from 64 slots of COCO-17 keypoints: `kernels/lifter`, read by
`crowdstream.stream.prior_files.load_lifter`. Keypoints come as metres on the plane across the ray to
the tracked person, so focal length, distortion, roll and place of the camera are no part of the input.
Out come root orientation and pelvis in the upright frame of each slot, 21 joint rotations, betas of the
shipped body, and a standard deviation of every angle and of the place."""

RECIPE = (
    "Motion: random windows of the training split, mirrored and played at 0.8 to 1.25 times their pace, augmented "
    "(`lab/motion/augment.py`).",
    "Bodies: adults of 1.42-2.05 m and, one in eight, children of 0.95-1.45 m; paths scaled with leg length.",
    "Cameras: elevation -2 to 70 degrees, 4-120 m, 28-420 px, any azimuth, 10-30 Hz.",
    "Sightings: the laws fitted to PP-TinyPose 128 and 256 behind RTMDet-nano (errors by joint, size and "
    "visibility, their memory, swaps, jumps, confidences, misses), half each.",
    "Hiding: own body, walls, pillars, people in front, borders of the picture, lost tracks, newcomers down to "
    "one slot.",
    "Track: slow error along the view, wrong calibration, wrong torso height where feet are hidden; camera tilt and "
    "roll off by 0.7 degrees.",
    "Start: ridge regression of tokens as linear skip; the transformer learns its residual.",
    "Loss: joint distances in the pelvis's and in the upright frame, robust pelvis distance, rotations, change of "
    "error from slot to slot, Gaussian likelihood of the standard deviations, rest joints. Each lesson is used "
    "four times.",
)

LIMITS = """Whoever is unlike the recordings (sitting, stairs, a phone) is guessed from walkers, dancers and
athletes. Only stature and leg length of the betas can be seen in a picture; the rest stays near the
mean. Distances rest on the track: an error along the view cannot be told from another stature. The
figures are of synthetic sightings of held-back people, not of video. Betas mean those of the shipped
body: with another body take the angles and fit the shape."""
