"""Who comes next: parties of the kinds that are short, at gates with room, and the crowd of the first moment."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..config import CrowdConfig
from ..scene import Scene
from .live import LiveCrowd
from .people import TOGETHER, Party

Array = np.ndarray

GATE_INSET_M = 0.35
"""How far inside the outline people appear."""


class Shares:
    """People of each kind now, against the shares wanted."""

    def __init__(self, config: CrowdConfig) -> None:
        shares = config.shares()
        shares["solo"] = max(1.0 - sum(shares.values()), 0.0)
        self._wanted = {kind: share * config.people for kind, share in shares.items()}
        self.present = dict.fromkeys(self._wanted, 0)

    def draw(self, room: int, refused: set[str], rng: np.random.Generator) -> str:
        """A kind that is short, in proportion to how much; people on their own where none is."""
        short = {
            kind: max(wanted - self.present[kind], 0.0)
            for kind, wanted in self._wanted.items()
            if kind not in refused and (room >= 2 or kind not in TOGETHER)
        }
        total = sum(short.values())
        if total < 1e-9:
            return "solo"
        kinds = list(short)
        return kinds[int(rng.choice(len(kinds), p=np.array(list(short.values())) / total))]


def gate_inward(scene: Scene, gate: int) -> Float[Array, "2"]:
    """Unit vector from a gate into the scene."""
    ends = scene.gates[gate].ends_m
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    normal = np.array([-along[1], along[0]])
    return np.asarray(normal if normal @ (scene.outline_m.mean(axis=0) - ends[0]) > 0 else -normal)


def at_gate(
    scene: Scene, gate: int, party: Party, live: LiveCrowd, rng: np.random.Generator
) -> Float[Array, "K 2"] | None:
    """Free places of a party that comes in through a gate, side by side; None while it is blocked."""
    ends, inward = scene.gates[gate].ends_m, gate_inward(scene, gate)
    middle, wide = ends.mean(axis=0), float(np.linalg.norm(ends[1] - ends[0]))
    beside = np.array(party.beside_m)
    left = np.array([-inward[1], inward[0]])
    # the last row is at the gate, the leader's row as much further in
    depth = GATE_INSET_M + beside[:, 0] - beside[:, 0].min()
    across = beside[:, 1] - 0.5 * (beside[:, 1].min() + beside[:, 1].max())
    span = max(0.5 * (wide - np.ptp(across)) - 0.3, 0.0)
    for _ in range(
        4
    ):  # people keep to the right: those who come in on one half, those who leave on the other
        offset = rng.uniform(-span, min(0.0, span - 1.0) if span > 1.0 else -0.3 * span)
        places = middle + depth[:, None] * inward + (across + offset)[:, None] * left
        if all(live.free(p, 0.75) for p in places):
            return np.asarray(places)
    return None


def exit_place(scene: Scene, gate: int, rng: np.random.Generator) -> Float[Array, "2"]:
    """Somewhere on a gate, to the right of those who leave."""
    ends, inward = scene.gates[gate].ends_m, gate_inward(scene, gate)
    left = np.array([-inward[1], inward[0]])
    half = 0.5 * float(np.linalg.norm(ends[1] - ends[0]))
    return np.asarray(ends.mean(axis=0) + rng.uniform(0.1, 0.8) * half * left)


def distance_to_gate(scene: Scene, gate: Array, places_m: Float[Array, "M 2"]) -> Float[Array, "M"]:
    """From each place to the line of its gate."""
    ends = np.array([g.ends_m for g in scene.gates])[gate]
    edge = ends[:, 1] - ends[:, 0]
    t = np.clip(((places_m - ends[:, 0]) * edge).sum(axis=1) / (edge**2).sum(axis=1), 0.0, 1.0)
    return np.asarray(np.linalg.norm(places_m - ends[:, 0] - t[:, None] * edge, axis=1))
