"""`crowdstream train detector|pose`: recipes of `lab.perception` for the loop over banks, rendered where missing."""

from __future__ import annotations

from collections.abc import Sequence

from ..motion.track import MotionTrack
from ..perception.banks import BankConfig, Banks, open_banks
from ..perception.detector.network import DetectorConfig
from ..perception.detector.recipe import DetectorRecipe, DetectorRecipeConfig
from ..perception.pose.network import PoseNetConfig
from ..perception.pose.recipe import PoseRecipe, PoseRecipeConfig
from ..perception.scene import SceneMaker
from ..perception.scene_config import SceneConfig


class DetectorTraining(DetectorRecipeConfig):
    """The detector's recipe, and what its pictures are composed from."""

    banks: BankConfig = BankConfig()
    scene: SceneConfig = SceneConfig()


class PoseTraining(PoseRecipeConfig):
    """The pose network's recipe, and what its crops are composed from."""

    banks: BankConfig = BankConfig()
    scene: SceneConfig = SceneConfig()


def make_detector(
    training: Sequence[MotionTrack],
    validation: Sequence[MotionTrack],
    seed: int,
    size: DetectorConfig,
    config: DetectorTraining,
) -> DetectorRecipe:
    """The detector's recipe; renders the banks where they are missing."""
    learned, held_back = _scenes(open_banks(training, validation, config.banks), config.scene)
    return DetectorRecipe(learned, held_back, seed, size, config)


def make_pose(
    training: Sequence[MotionTrack],
    validation: Sequence[MotionTrack],
    seed: int,
    size: PoseNetConfig,
    config: PoseTraining,
) -> PoseRecipe:
    """The pose network's recipe; renders the banks where they are missing."""
    learned, held_back = _scenes(open_banks(training, validation, config.banks), config.scene)
    return PoseRecipe(learned, held_back, seed, size, config)


def _scenes(banks: tuple[Banks, Banks], config: SceneConfig) -> tuple[SceneMaker, SceneMaker]:
    learned, held_back = (SceneMaker(b.people, b.things, b.backdrops, config) for b in banks)
    return learned, held_back
