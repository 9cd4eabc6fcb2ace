"""`plan_crowd`: the simulation's steps become the plan of a clip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..config import CrowdConfig
from ..plan import PLAN_RATE_HZ, Activity, CrowdPlan
from ..scene import Scene
from .curves import calm, spline
from .live import NOBODY, STEP_HZ
from .simulation import History, Simulation

Array = np.ndarray

LEAST_SLOTS = 8
"""People who show up for less than this are left out."""


def plan_crowd(
    scene: Scene, config: CrowdConfig, progress: Callable[[int, int], None] | None = None
) -> CrowdPlan:
    """Paths, headings and activities of a crowd; the same scene and settings give the same plan, bit for bit.

    Args:
        scene: as of `build_scene`; `config.scene` is not read here.
        progress: called with steps done and in all.

    Raises:
        CrowdError: the scene has no room for so many people.
    """
    slots = max(round(config.seconds * PLAN_RATE_HZ), 1)
    warm = round(config.warm_up_s * STEP_HZ)
    steps = warm + (slots + 1) // 2 + 2
    history = Simulation(scene, config).run(steps, progress)
    return _plan(scene, config, history, warm, slots)


def _plan(scene: Scene, config: CrowdConfig, history: History, warm: int, slots: int) -> CrowdPlan:
    rows = [r for r in (_row(history, span, warm, slots) for span in _spans(history)) if r is not None]
    rows.sort(key=lambda row: (row[1], row[0]))
    n = len(rows)
    present, activity = np.zeros((n, slots), bool), np.zeros((n, slots), np.uint8)
    path, heading = np.zeros((n, slots, 2)), np.zeros((n, slots))
    for i, (_, start, xy, turn, doing) in enumerate(rows):
        end = start + len(xy)
        present[i, start:end], activity[i, start:end] = True, doing
        path[i], heading[i] = xy[0], turn[0]
        path[i, start:end], heading[i, start:end] = xy, turn
        path[i, end:], heading[i, end:] = xy[-1], turn[-1]
    who = [row[0] for row in rows]
    groups = np.array([history.group[p] for p in who], np.int64)
    # groups are numbered by who is in the clip
    names, numbers = np.unique(groups[groups >= 0], return_inverse=True)
    group = np.full(n, NOBODY, np.int64)
    group[groups >= 0] = numbers
    del names
    return CrowdPlan(
        scene=scene, seed=config.seed, person_ids=np.arange(1, n + 1, dtype=np.int64), group=group,
        role=tuple(history.people[p].role for p in who),
        stature_m=np.array([history.people[p].stature_m for p in who], np.float64),
        present=present, path_m=path, heading_rad=heading, activity=activity,
    )  # fmt: skip


def _spans(history: History) -> list[tuple[int, int, int, int]]:
    """(person, place in the arrays, first step, one past the last) of everybody."""
    spans = []
    for c in range(history.person.shape[1]):
        who = history.person[:, c]
        cuts = np.flatnonzero(np.diff(who)) + 1
        for start, end in zip([0, *cuts], [*cuts, len(who)], strict=True):
            if who[start] != NOBODY:
                spans.append((int(who[start]), c, int(start), int(end)))
    return sorted(spans)


def _row(
    history: History, span: tuple[int, int, int, int], warm: int, slots: int
) -> tuple[int, int, Array, Array, Array] | None:
    """(person, first slot, path, heading, activity) within the clip."""
    person, c, start, end = span
    if end - start < 2:
        return None
    points = np.concatenate([history.place_m[start:end, c], history.heading_rad[start:end, c, None]], axis=1)
    curve = spline(points)
    first = 2 * (start - warm)
    speed = PLAN_RATE_HZ * np.linalg.norm(np.gradient(curve[:, :2], axis=0), axis=1)
    doing = np.repeat(history.activity[start:end, c], 2)[:-1]
    doing = calm(doing, speed, _rest(doing))
    low, high = max(-first, 0), min(len(curve), slots - first)
    if high - low < min(LEAST_SLOTS, slots):
        return None
    part = slice(low, high)
    return person, first + low, curve[part, :2], curve[part, 2], doing[part]


def _rest(doing: Array) -> Array:
    """What a pause on the way counts as: queueing between two times in a queue, else standing."""
    queue = np.flatnonzero(doing == Activity.QUEUE)
    rest = np.full(len(doing), int(Activity.STAND), np.uint8)
    if len(queue):
        rest[queue[0] : queue[-1] + 1] = Activity.QUEUE
    return rest
