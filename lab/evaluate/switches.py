"""Energy terms and components on and off by name.

A term is taken out by weight 0 in `paper`, and by a noise so wide in `live` that it says nothing (its weights are
one over a variance). Terms that only `live` has are refused for `paper` by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...configs.schema import EngineConfig
from .errors import SwitchError

COMPONENTS = ("motion-prior", "lifter", "group", "amc", "stitching")
"""Parts of the method that can be named in `--without`."""
ABSENT = frozenset(COMPONENTS)
"""Those that this build does not have: results are without them, named or not."""

_WIDE = 1e4
"""A standard deviation (metres, radians, box sizes) that no residual comes near; its inverse square is 1e-8."""

LIVE_TERMS: Mapping[str, Mapping[str, float | None]] = {
    "reprojection": {"reprojection_sigma": _WIDE},
    "hvip": {"hvip_sigma_scale": _WIDE},
    "contact": {"contact_sigma_m": _WIDE},
    "translation-smoothness": {"translation_acceleration_sigma_m": _WIDE},
    "pose": {"pose_weight": 0.0},
    "shape": {"shape_weight": 0.0},
    "pose-smoothness": {"joint_acceleration_sigma_m": _WIDE, "joint_velocity_sigma_m": None},
    "track": {"track_sigma_m": _WIDE, "track_hidden_sigma_m": _WIDE},
    "upright": {"upright_sigma_rad": _WIDE},
}
"""Name of the term -> fields of `LiveConfig` that take it out."""

PAPER_TERMS: Mapping[str, str] = {
    "reprojection": "reprojection",
    "hvip": "hvip",
    "contact": "contact",
    "translation-smoothness": "translation_smoothness",
    "pose": "pose_prior",
    "shape": "shape",
    "pose-smoothness": "pose_smoothness",
}
"""Name of the term -> field of `EnergyWeights`."""


def energy_names(preset: str) -> tuple[str, ...]:
    """The terms of a solver preset, in the order of the paper."""
    return tuple(PAPER_TERMS if preset == "paper" else LIVE_TERMS)


def without_energies(config: EngineConfig, names: Iterable[str]) -> EngineConfig:
    """The configuration with these terms taken out of the solver it uses.

    Raises:
        SwitchError: a name that this preset's solver does not have.
    """
    solve = config.solve
    known = energy_names(solve.preset)
    for name in names:
        if name not in known:
            raise SwitchError(f"no energy {name!r} in preset {solve.preset}; it has {', '.join(known)}")
        if solve.preset == "paper":
            weights = solve.paper.weights.model_copy(update={PAPER_TERMS[name]: 0.0})
            solve = solve.model_copy(update={"paper": solve.paper.model_copy(update={"weights": weights})})
        else:
            solve = solve.model_copy(update={"live": solve.live.model_copy(update=dict(LIVE_TERMS[name]))})
    return config.model_copy(update={"solve": solve})


def absent_components(names: Iterable[str]) -> tuple[str, ...]:
    """The named components that this build does not have anyway, each once, in the order of the method.

    Raises:
        SwitchError: a name that is no component.
    """
    wanted = set(names)
    unknown = sorted(wanted - set(COMPONENTS))
    if unknown:
        raise SwitchError(f"no component {unknown[0]!r}; the components are {', '.join(COMPONENTS)}")
    return tuple(name for name in COMPONENTS if name in wanted and name in ABSENT)
