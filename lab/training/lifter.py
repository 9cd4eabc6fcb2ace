"""`crowdstream train lifter`: the recipe of `lab.lifter` for the loop, and its model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...configs.load import fill
from ...kernels.lifter.lifter import LifterConfig
from ..lifter.recipe import LifterRecipe, LifterRecipeConfig
from ..mocap import MocapClip
from ..motion.split import split
from ..motion.track import motion_tracks
from .card import CardFacts, model_card

SIZES = {"small": LifterConfig(), "large": LifterConfig(width=512, heads=8, feed_forward=4, layers=8)}
FIT: dict[str, Any] = {"minutes": 60, "learning_rate": 1.5e-3, "warm_up_steps": 60}


def make(
    clips: Sequence[MocapClip], size: str = "small", seed: int = 0, overrides: Sequence[str] = ()
) -> LifterRecipe:
    """The recipe on recordings, split by subject.

    Args:
        clips: recordings.
        size: small or large.
        seed: everything random follows from it.
        overrides: "key=value" of `LifterRecipeConfig`.

    Raises:
        ConfigError: an unknown key or a value out of range.
    """
    training, validation = split(motion_tracks(clips))
    config = fill(LifterRecipeConfig, {}, overrides)

    def card(recipe: LifterRecipe, metrics: Mapping[str, float]) -> str:
        return write_card(recipe, metrics, clips)

    return LifterRecipe(training, validation, seed, SIZES[size], config, card)


def write_card(recipe: LifterRecipe, metrics: Mapping[str, float], clips: Sequence[MocapClip]) -> str:
    """The model card."""
    return model_card(
        CardFacts(
            title="lifter.safetensors",
            purpose=PURPOSE,
            clips=clips,
            network=recipe.network,
            recipe=RECIPE,
            metrics=metrics,
            baselines=recipe.baselines() if metrics else {},
            limits=LIMITS,
        )
    )


PURPOSE = """First bodies from 64 slots of COCO-17 keypoints: `kernels/lifter`, read by
`crowdstream.stream.prior_files.load_lifter`. Keypoints come as metres on the plane across the ray to the tracked person, so focal
length, distortion, roll and place of the camera are no part of the input. Out come root orientation and pelvis in the upright
frame of each slot, 21 joint rotations, betas of the shipped body, and a standard deviation of every angle and of the place."""

RECIPE = (
    "Motion: random windows of the training split, mirrored and played at 0.8 to 1.25 times their pace, augmented "
    "(`lab/motion/augment.py`).",
    "Bodies: adults of 1.42-2.05 m and, one in eight, children of 0.95-1.45 m; paths scaled with leg length.",
    "Cameras: elevation -2 to 70 degrees, 4-120 m, 28-420 px, any azimuth, 10-30 Hz.",
    "Sightings: the laws fitted to PP-TinyPose 128 and 256 behind RTMDet-nano (errors by joint, size and visibility, "
    "their memory, swaps, jumps, confidences, misses), half each.",
    "Hiding: own body, walls, pillars, people in front, borders of the picture, lost tracks, newcomers down to one slot.",
    "Track: slow error along the view, wrong calibration, wrong torso height where feet are hidden; camera tilt and "
    "roll off by 0.7 degrees.",
    "Start: ridge regression of tokens as linear skip; the transformer learns its residual.",
    "Loss: joint distances in the pelvis's and in the upright frame, robust pelvis distance, rotations, change of error "
    "from slot to slot, Gaussian likelihood of the standard deviations, rest joints. Each lesson is used four times.",
)

LIMITS = """Whoever is unlike the recordings (sitting, stairs, a phone) is guessed from walkers, dancers and athletes. Only
stature and leg length of the betas can be seen in a picture; the rest stays near the mean. Distances rest on the
track: an error along the view cannot be told from another stature. The metrics are of synthetic sightings of held-back people,
not of video. Betas mean those of the shipped body: with another body take the angles and fit the shape."""
