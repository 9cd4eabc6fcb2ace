"""The crowd of the first moment: people all over a scene, in the middle of their errands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ....kernels.errors import CrowdstreamError
from ..plan import Activity
from .arrivals import exit_place, gate_inward
from .errands import Circle, Errand, Leave, Queue, Stand, along
from .live import STEP_HZ
from .people import Party
from .routes import clearance_m

if TYPE_CHECKING:
    from .simulation import Simulation

TALK_GAP_M = 0.85
"""Between neighbours in a circle of talkers."""
GLANCE_S = (3.0, 8.0)
"""Between two turns of a standing person."""
TRIES = 400
"""To find room for one more party at first."""


class CrowdError(CrowdstreamError, ValueError):
    """A crowd that does not fit its scene."""


def populate(sim: Simulation) -> None:
    """People all over the scene, in the middle of their errands."""
    failed = 0
    while sim.live.count < sim.config.people:
        drawn = sim.draw(sim.config.people - sim.live.count)
        if drawn is not None and _place(sim, *drawn):
            failed = 0
            continue
        failed += 1
        if drawn is not None:
            sim.undo(drawn[1])
        if failed > TRIES:
            raise CrowdError(
                f"scene {sim.scene.name!r} ({sim.scene.area_m2:.0f} m2) has room for about "
                f"{sim.live.count} people, expected {sim.config.people}; ask for fewer"
            )


def _place(sim: Simulation, party: Party, errands: list[Errand], gate: int) -> bool:
    """Put a party at its first errand, or on the way to it."""
    errand, there = errands[0], sim.rng.random() < 0.75
    if isinstance(errand, Queue) and there:
        line = sim.lines[errand.line]
        if not sim.live.free(line.tail_m(), 0.6):
            return False
        outing = sim.enter(party, errands, line.tail_m()[None], line.face_rad)
        line.join(outing.slots[0], sim.live, sim.rng)
        sim.live.w.place[outing.slots[0]] = line.stands_m(outing.slots[0])
        return True
    if isinstance(errand, (Circle, Stand)) and there and party.kind in ("talker", "waiting"):
        return _place_standing(sim, party, errands)
    return _place_walking(sim, party, errands, gate)


def _place_standing(sim: Simulation, party: Party, errands: list[Errand]) -> bool:
    errand = errands[0]
    centre = errand.middle_m if isinstance(errand, Circle) else errand.place_m  # type: ignore[union-attr]
    count = len(party.members)
    turn = sim.rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(count) / count
    radius = 0.5 * TALK_GAP_M / np.sin(np.pi / count) if count > 1 else 0.0
    places = centre + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if not all(sim.live.free(p, 0.7) for p in places):
        return False
    outing = sim.enter(party, errands, places, 0.0)
    if isinstance(errand, Circle):
        sim.gather(outing, errand)
    seconds = errand.seconds  # type: ignore[union-attr]
    outing.until = int(STEP_HZ * (sim.config.warm_up_s * sim.rng.random() + seconds * sim.rng.random()))
    outing.glance = sim.later(GLANCE_S)
    for k, place in zip(outing.slots, places, strict=True):
        to = centre - place
        facing = float(np.arctan2(to[1], to[0]))
        if isinstance(errand, Stand):
            facing = errand.face_rad or 0.0
        sim.live.w.heading[k] = sim.live.w.course[k] = facing
        sim.live.halt(k, facing, Activity.TALK if count > 1 else Activity.STAND)
    return True


def _place_walking(sim: Simulation, party: Party, errands: list[Errand], gate: int) -> bool:
    """Somewhere on the way from a gate to the first errand."""
    errand = errands[0]
    start = exit_place(sim.scene, gate, sim.rng) + 0.6 * gate_inward(sim.scene, gate)
    if isinstance(errand, Queue):
        goal = sim.lines[errand.line].tail_m()
    elif isinstance(errand, Circle):
        goal = errand.middle_m
    elif isinstance(errand, Leave):
        goal = exit_place(sim.scene, errand.gate, sim.rng)
    else:
        goal = errand.place_m
    way = sim.routes.route(start, goal, int(sim.rng.integers(4)))
    if way is None:
        return False
    way = np.concatenate([start[None], way])
    centre, leg = along(way, sim.rng.uniform(0.02, 0.9))
    ahead = way[leg + 1] - way[leg]
    ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-9)
    left = np.array([-ahead[1], ahead[0]])
    centre = centre + sim.rng.normal(0.0, 0.8) * left
    beside = np.array(party.beside_m)
    places = centre + beside[:, :1] * ahead + beside[:, 1:] * left
    if np.any(clearance_m(sim.routes.walls, places) < 0.4) or not all(sim.live.free(p, 0.65) for p in places):
        return False
    outing = sim.enter(party, errands, places, float(np.arctan2(ahead[1], ahead[0])))
    sim.next(outing)
    for k in outing.slots:
        sim.live.w.velocity[k] = sim.live.w.speed[k] * ahead
    return True
