"""What can be trained, by the word of `crowdstream train`.

A recipe's module has

    make(clips, size, seed, overrides) -> Recipe      overrides: "key=value" strings, unknown keys refused
    FIT                                               settings of the fit that suit it (optional)
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...configs.errors import ConfigError
from ...configs.load import fill
from ..amass import is_amass, read_amass
from ..mocap import MocapClip, read_mocap
from .config import FitConfig
from .errors import TrainingError
from .recipe import Recipe

SIZES = ("small", "large")


@dataclass(frozen=True)
class Kind:
    """One thing that can be trained."""

    module: str
    """Beside this one."""
    file: str
    """Name of the weights without ending, and their kind inside."""


KINDS = {
    "pose-prior": Kind("pose_vae", "pose_vae"),
    "motion-prior": Kind("motion_prior", "motion_prior"),
    "lifter": Kind("lifter", "lifter"),
}


def read_clips(folders: Sequence[Path]) -> list[MocapClip]:
    """Recordings of several folders, each of the mocap format or AMASS.

    Raises:
        MocapError: a folder without recordings.
        TrainingError: none at all, or none to learn from.
    """
    clips = [
        clip
        for folder in folders
        for clip in (read_amass(folder) if is_amass(folder) else read_mocap(folder))
    ]
    if not clips:
        raise TrainingError("no recordings to learn from; name a folder of motion capture with --mocap")
    return clips


def make_recipe(
    kind: str, folders: Sequence[Path], size: str = "small", seed: int = 0, overrides: Sequence[str] = ()
) -> Recipe:
    """Network, data and losses of one kind.

    Args:
        kind: one of `KINDS`.
        folders: of motion capture.
        size: small or large.
        seed: everything random follows from it.
        overrides: "key=value" of the recipe's own settings.

    Raises:
        TrainingError: unknown kind or size, no recordings.
        ConfigError: an unknown key or a value out of range.
    """
    if size not in SIZES:
        raise TrainingError(f"no size {size!r}; expected {' or '.join(SIZES)}")
    recipe: Recipe = _module(kind).make(read_clips(folders), size, seed, tuple(overrides))
    return recipe


def fit_config(kind: str, given: Mapping[str, Any], overrides: Sequence[str] = ()) -> FitConfig:
    """Settings of the fit: the recipe's own, then what is given, then overrides.

    Raises:
        ConfigError: a value out of range.
    """
    own: dict[str, Any] = dict(getattr(_module(kind), "FIT", {}))
    if given.keys() & {"steps", "minutes"}:  # a budget that was asked for replaces the recipe's
        own = {key: value for key, value in own.items() if key not in ("steps", "minutes")}
    return fill(FitConfig, own | dict(given), overrides)


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """("key=value" of the fit, of the recipe)."""
    fit = [item for item in overrides if item.partition("=")[0].strip() in FitConfig.model_fields]
    return fit, [item for item in overrides if item not in fit]


def explain_unknown(error: ConfigError) -> ConfigError:
    """An unknown key of a recipe might have been meant for the fit: its keys go into the message."""
    if "unknown key" not in str(error):
        return error
    return ConfigError(f"{error}; of the fit: {', '.join(sorted(FitConfig.model_fields))}")


def _module(kind: str) -> Any:
    if kind not in KINDS:
        raise TrainingError(f"nothing called {kind!r} can be trained; expected one of {', '.join(KINDS)}")
    return importlib.import_module(f".{KINDS[kind].module}", __package__)
