"""Who goes where and when, before anybody has a body: the output of behaviour, the input of motion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ...kernels.errors import ShapeError
from .scene import Scene

Array = np.ndarray

PLAN_RATE_HZ = 30.0
"""Plans and motions live on the model's timeline, whatever a camera's rate."""


class Activity(IntEnum):
    """What a person does in a slot."""

    ABSENT = 0
    WALK = 1
    JOG = 2
    STAND = 3
    """Waits, looks around."""
    TALK = 4
    """Stands in a circle of talkers."""
    QUEUE = 5
    """Stands in a line and moves up now and then (moving up is WALK)."""


@dataclass(frozen=True)
class CrowdPlan:
    """N people over T slots of 30 Hz. One row a person, from first entry to last exit."""

    scene: Scene
    seed: int
    person_ids: Int[Array, "N"]
    """int64, 1..N."""
    group: Int[Array, "N"]
    """int64 index of the group walking or standing together; -1 for people on their own."""
    role: tuple[str, ...]
    """Per person, for readers: commuter, stroller, jogger, queuer, talker, returner, ..."""
    stature_m: Float[Array, "N"]
    """Body height; children are under 1.45."""
    present: Bool[Array, "N T"]
    path_m: Float[Array, "N T 2"]
    """World x, y under the body, float64; smooth, at most the person's speed; anything where not present."""
    heading_rad: Float[Array, "N T"]
    """Where the body faces: counter-clockwise from world +x; continuous (unwrapped)."""
    activity: UInt8[Array, "N T"]
    """`Activity` values."""

    def __post_init__(self) -> None:
        n, t = self.present.shape
        want = {"person_ids": (n,), "group": (n,), "stature_m": (n,), "path_m": (n, t, 2), "heading_rad": (n, t),
                "activity": (n, t)}  # fmt: skip
        for name, shape in want.items():
            if getattr(self, name).shape != shape:
                raise ShapeError(
                    f"CrowdPlan.{name}: got {getattr(self, name).shape}, expected {shape} (N={n}, T={t})"
                )

    @property
    def num_slots(self) -> int:
        return int(self.present.shape[1])

    def __repr__(self) -> str:
        n, t = self.present.shape
        return f"CrowdPlan({self.scene.name!r}, N={n}, T={t}, person_frames={int(self.present.sum())})"
