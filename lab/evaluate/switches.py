"""Energy terms and components on and off by name.

A component is a part of the method: the motion prior, the lifter. A term is one of its energies: it is taken out by
weight 0 in `paper`; in `live`, whose weights are one over a variance, by weight 0 or by a noise so wide that it says
nothing. Terms that only one preset has are refused for the other by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from ...configs.schema import EngineConfig
from ...kernels.settings import StageConfig
from .errors import SwitchError

COMPONENTS = ("motion-prior", "lifter", "group", "amc", "stitching", "refine")
"""Parts of the method that can be named in `--without`."""

Record = TypeVar("Record", bound=StageConfig)
Settings = Mapping[str, float | int | bool | None]
"""Fields, dots between levels, and the value that takes something out."""

COMPONENT_SETTINGS: Mapping[str, Settings] = {
    "motion-prior": {"solve.motion_prior": False, "solve.paper.motion_iterations": 0},
    "lifter": {"solve.lifter": False},
    "group": {"refine.group": False, "refine.amc": False},
    "amc": {"refine.amc": False},
    "stitching": {"stitch.enabled": False},
    "refine": {"refine.enabled": False},
}
"""Name of the component -> what switches it off, in both presets. Without motion prior hidden motion is bridged by
smoothness alone; without lifter first bodies are posed templates. Without `group` or `amc` the refiner still fills gaps
by the prior: only the help of those who move alike is missing; without `refine` nothing is published again."""

_WIDE = 1e4
"""A standard deviation (metres, radians, box sizes) that no residual comes near; its inverse square is 1e-8."""

LIVE_TERMS: Mapping[str, Settings] = {
    "reprojection": {"live.reprojection_sigma": _WIDE},
    "hvip": {"live.hvip_sigma_scale": _WIDE},
    "contact": {"live.contact_sigma_m": _WIDE},
    "translation-smoothness": {"live.translation_acceleration_sigma_m": _WIDE},
    "pose": {"live.pose_weight": 0.0},
    "shape": {"live.shape_weight": 0.0},
    "pose-smoothness": {"live.joint_acceleration_sigma_m": _WIDE, "live.joint_velocity_sigma_m": None},
    "vae": {"projection.seen_weight": 0.0, "projection.hidden_weight": 0.0},
    "lifter": {"lifted.pose_weight": 0.0, "lifted.place_weight": 0.0},
    "track": {"live.track_sigma_m": _WIDE, "live.track_hidden_sigma_m": _WIDE},
    "upright": {"live.upright_sigma_rad": _WIDE},
}
"""Name of the term -> what takes it out, below `solve`. Without `vae` or `lifter` their networks still say where to
start."""

PAPER_TERMS: Mapping[str, Settings] = {
    "reprojection": {"paper.weights.reprojection": 0.0},
    "hvip": {"paper.weights.hvip": 0.0},
    "contact": {"paper.weights.contact": 0.0},
    "translation-smoothness": {"paper.weights.translation_smoothness": 0.0},
    "pose": {"paper.weights.pose_prior": 0.0},
    "shape": {"paper.weights.shape": 0.0},
    "pose-smoothness": {"paper.weights.pose_smoothness": 0.0},
    "vae": {"paper.weights.vae": 0.0},
    "environment": {"paper.weights.contact_height": 0.0, "paper.weights.contact_velocity": 0.0},
    "connect": {"paper.weights.connect": 0.0},
    "amc": {"paper.weights.amc": 0.0},
}
"""Name of the term -> what takes it out, below `solve` (eqs 3-6, 8-10, 12-14)."""


def energy_names(preset: str) -> tuple[str, ...]:
    """The terms of a solver preset, in the order of the paper."""
    return tuple(PAPER_TERMS if preset == "paper" else LIVE_TERMS)


def without_energies(config: EngineConfig, names: Iterable[str]) -> EngineConfig:
    """The configuration with these terms taken out of the solver it uses.

    Raises:
        SwitchError: a name that this preset's solver does not have.
    """
    preset = config.solve.preset
    known = PAPER_TERMS if preset == "paper" else LIVE_TERMS
    for name in names:
        if name not in known:
            raise SwitchError(f"no energy {name!r} in preset {preset}; it has {', '.join(known)}")
        config = _with(config, {f"solve.{path}": value for path, value in known[name].items()})
    return config


def without_components(config: EngineConfig, names: Iterable[str]) -> EngineConfig:
    """The configuration with these parts of the method switched off.

    Raises:
        SwitchError: a name that is no component.
    """
    for name in _components(names):
        config = _with(config, COMPONENT_SETTINGS[name])
    return config


def _components(names: Iterable[str]) -> tuple[str, ...]:
    wanted = set(names)
    unknown = sorted(wanted - set(COMPONENTS))
    if unknown:
        raise SwitchError(f"no component {unknown[0]!r}; the components are {', '.join(COMPONENTS)}")
    return tuple(name for name in COMPONENTS if name in wanted)


def _with(config: EngineConfig, settings: Settings) -> EngineConfig:
    for path, value in settings.items():
        config = _set(config, path.split("."), value)
    return config


def _set(record: Record, path: list[str], value: float | int | bool | None) -> Record:
    """The record with one field below it changed; a field that is not there is a mistake in the tables above."""
    name, *rest = path
    if name not in type(record).model_fields:
        raise AttributeError(f"{type(record).__name__} has no field {name!r}")
    new = _set(getattr(record, name), rest, value) if rest else value
    return record.model_copy(update={name: new})
