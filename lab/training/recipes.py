"""What can be trained, by the word of `crowdstream train`: recordings, recipe, sizes and the fit that suits them.

A recipe is made of (training tracks, validation tracks, seed, sizes of the network, settings of the recipe). An
override "key=value" is for the fit where its key is one of `FitConfig`, for the network where it begins with
"network.", else for the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...configs.errors import ConfigError
from ...configs.load import fill
from ...kernels.settings import StageConfig
from ..motion.folders import Recordings, read_recordings
from ..motion.split import split
from ..motion.track import MotionTrack
from .config import FitConfig
from .errors import TrainingError
from .recipe import Recipe

SIZES = ("small", "large")
NETWORK = "network."
Make = Callable[[Sequence[MotionTrack], Sequence[MotionTrack], int, Any, Any], Recipe]


@dataclass(frozen=True)
class Kind:
    """One thing that can be trained."""

    file: str
    """Name of the weights without ending, and their kind inside."""
    parts: Callable[[], tuple[Make, type[StageConfig], type[StageConfig]]]
    """Imports and gives the recipe, the record of its settings and that of its network's sizes."""
    large: Mapping[str, Any]
    """Sizes of the large network; the small one's are the record's defaults."""
    fit: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the fit that suit it, its budget included."""


@dataclass(frozen=True)
class Prepared:
    """A recipe, and what it learns from."""

    recipe: Recipe
    training: tuple[MotionTrack, ...]
    validation: tuple[MotionTrack, ...]
    """Of other people."""
    recordings: Recordings
    """What was read, and what became of it."""


def _pose_prior() -> tuple[Make, type[StageConfig], type[StageConfig]]:
    from ...kernels.priors.pose_vae import PoseVAEConfig
    from .pose_vae import PoseRecipeConfig, PoseVAERecipe

    return PoseVAERecipe, PoseRecipeConfig, PoseVAEConfig


def _motion_prior() -> tuple[Make, type[StageConfig], type[StageConfig]]:
    from ...kernels.priors.motion_prior import MotionPriorConfig
    from .motion_prior import MotionPriorRecipe, MotionRecipeConfig

    return MotionPriorRecipe, MotionRecipeConfig, MotionPriorConfig


def _lifter() -> tuple[Make, type[StageConfig], type[StageConfig]]:
    from ...kernels.lifter.lifter import LifterConfig
    from ..lifter.recipe import LifterRecipeConfig
    from .lifter import make_lifter

    return make_lifter, LifterRecipeConfig, LifterConfig


def _detector() -> tuple[Make, type[StageConfig], type[StageConfig]]:
    from ..perception.detector.network import DetectorConfig
    from .perception import DetectorTraining, make_detector

    return make_detector, DetectorTraining, DetectorConfig


def _pose() -> tuple[Make, type[StageConfig], type[StageConfig]]:
    from ..perception.pose.network import PoseNetConfig
    from .perception import PoseTraining, make_pose

    return make_pose, PoseTraining, PoseNetConfig


KINDS = {
    "pose-prior": Kind(
        "pose_vae",
        _pose_prior,
        large={"width": 1024, "layers": 3},
        fit={"minutes": 15, "learning_rate": 1e-3, "clip_norm": 5.0},
    ),
    "motion-prior": Kind(
        "motion_prior",
        _motion_prior,
        large={"width": 512, "heads": 8, "encoder_layers": 8, "decoder_layers": 8, "global_width": 512},
        fit={
            "minutes": 60,
            "learning_rate": 2.5e-3,
            "optimiser": "muon",
            "warm_up_steps": 60,
            "ema_decay": 0.995,
        },
    ),
    "lifter": Kind(
        "lifter",
        _lifter,
        large={"width": 512, "heads": 8, "feed_forward": 4, "layers": 8},
        fit={"minutes": 60, "learning_rate": 1.5e-3, "warm_up_steps": 60},
    ),
    "detector": Kind(
        "detector",
        _detector,
        large={"stem": 24, "widths": (48, 96, 160, 224), "neck": 96, "head_convs": 2},
        fit={
            "minutes": 78,
            "learning_rate": 4e-3,
            "optimiser": "muon",
            "warm_up_steps": 40,
            "ema_decay": 0.995,
            "clip_norm": 10.0,
        },
    ),
    "pose": Kind(
        "pose",
        _pose,
        large={"crop_wh": (144, 192), "stem": 48, "widths": (64, 128, 160, 192), "down": (2, 2, 2, 2)},
        fit={
            "minutes": 78,
            "learning_rate": 4e-3,
            "optimiser": "muon",
            "warm_up_steps": 40,
            "ema_decay": 0.995,
            "clip_norm": 5.0,
        },
    ),
}


def prepare(
    kind: str, folders: Sequence[Path], size: str = "small", seed: int = 0, overrides: Sequence[str] = ()
) -> Prepared:
    """Read recordings and make the recipe of one kind.

    Args:
        kind: one of `KINDS`.
        folders: of motion capture, of the mocap format or AMASS.
        size: small or large.
        seed: everything random follows from it.
        overrides: "key=value" of recipe and network; those of the fit are passed over.

    Raises:
        TrainingError: unknown kind or size, nothing to learn from.
        MocapError: a folder without recordings.
        ConfigError: an unknown key or a value out of range.
    """
    make, settings, sizes = _kind(kind).parts()
    if size not in SIZES:
        raise TrainingError(f"no size {size!r}; expected {' or '.join(SIZES)}")
    others = [item for item in overrides if not _of_fit(item)]
    of_network = [item.strip().removeprefix(NETWORK) for item in others if item.strip().startswith(NETWORK)]
    of_recipe = [item for item in others if not item.strip().startswith(NETWORK)]
    network = fill(sizes, _kind(kind).large if size == "large" else {}, of_network)
    config = _fill_recipe(settings, of_recipe)
    recordings = read_recordings(folders)
    training, validation = split(recordings.tracks)
    if not training:
        raise TrainingError(
            f"nothing to learn from in {', '.join(map(str, folders))}: {recordings}; {len(validation)} clips are of "
            "subjects that are held back"
        )
    recipe = make(training, validation, seed, network, config)
    return Prepared(recipe, tuple(training), tuple(validation), recordings)


def make_recipe(
    kind: str, folders: Sequence[Path], size: str = "small", seed: int = 0, overrides: Sequence[str] = ()
) -> Recipe:
    """The recipe of `prepare` alone."""
    return prepare(kind, folders, size, seed, overrides).recipe


def fit_config(kind: str, given: Mapping[str, Any], overrides: Sequence[str] = ()) -> FitConfig:
    """Settings of the fit: those that suit the kind, then what is given, then overrides (others' are passed over).

    Raises:
        ConfigError: a value out of range.
    """
    of_fit = [item for item in overrides if _of_fit(item)]
    asked = set(given) | {item.partition("=")[0].strip() for item in of_fit}
    tree = dict(_kind(kind).fit)
    if asked & {"steps", "minutes"}:  # a budget that was asked for replaces the kind's own
        tree.pop("minutes", None)
    return fill(FitConfig, tree | dict(given), of_fit)


def _of_fit(item: str) -> bool:
    return item.partition("=")[0].strip() in FitConfig.model_fields


def _fill_recipe(settings: type[StageConfig], overrides: Sequence[str]) -> StageConfig:
    try:
        return fill(settings, {}, overrides)
    except ConfigError as exc:
        if "unknown key" not in str(exc):
            raise
        fit = ", ".join(sorted(FitConfig.model_fields))
        raise ConfigError(f"{exc}; of the network: {NETWORK}KEY; of the fit: {fit}") from None


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise TrainingError(f"nothing called {name!r} can be trained; expected one of {', '.join(KINDS)}")
    return KINDS[name]
