"""How walkers steer: anticipation of collisions, room for one another and for walls, bodies that turn.

A walker's wish v* (along its route, or to its place beside its companions) becomes an acceleration by

    a = (v* - v) / T  +  sum_j F_j  +  walls
    F_j = -dE/dx,   E(tau) = k tau^-2 exp(-tau / tau0)          (Karamouzas, Skinner and Guy, PRL 2014)

with tau the time to collision of two discs at their present velocities; a small turn of the relative place to
the right breaks ties, so that people keep right. The body then turns towards the wanted velocity at a bounded
rate and walks along its heading with a little sideways slip; last, overlapping discs are pushed apart and out of
walls. People who stand are never moved. Cells of 5 m find neighbours: O(people x neighbours) a step.

Plain IEEE arithmetic (no fast-math): the same crowd on every machine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .walls import Walls, exact, out_of_walls, sight_clear, wall_vector

Array = np.ndarray

CELL_M = 5.0
"""Size of the grid's cells: people further apart do not see one another."""
HARD_M = 0.50
"""Centres of two people are pushed this far apart."""
WALL_M = 0.30
"""Centres are kept this far from walls."""
TOUCH_M = 0.36
"""Nearer than this to a wall, people walk along it."""
ANTICIPATION = 1.6
"""k of the energy."""
HORIZON_S = 3.0
"""tau0: what lies further ahead in time hardly counts."""
RELAX_S = 0.45
"""T: how fast a walker takes up the wanted velocity."""
TURN_RIGHT = 0.07
"""Sine of the turn that makes people pass on the right."""
TURN_RATE = 2.6
"""Most that a walking body turns, rad/s."""
TURN_RATE_STILL = 1.3
"""The same of a standing one."""
TURN_ACCELERATION = 11.0
"""rad/s^2."""
ACCELERATION = 3.2
"""m/s^2 of the feet."""
FOLLOW_M = 0.85
"""Distance between people who walk in single file."""
MARGIN_M = 0.19
"""A wall blocks the sight of a place when the line passes it nearer than this."""


class Walkers(NamedTuple):
    """People in places 0..C-1, float64; what the step reads and writes."""

    alive: Array
    """(C,) bool."""
    moving: Array
    """(C,) bool: on the way; else standing where they are."""
    place: Array
    """(C, 2) metres."""
    velocity: Array
    """(C, 2) m/s."""
    heading: Array
    """(C,) rad, unwrapped."""
    spin: Array
    """(C,) rad/s."""
    way: Array
    """(C, W, 2) places on the way; the last is where they go."""
    way_at: Array
    """(C,) int64 the next of them."""
    way_count: Array
    """(C,) int64."""
    brakes: Array
    """(C,) bool: comes to a stop at the last place; else passes through it."""
    speed: Array
    """(C,) wanted, m/s."""
    company: Array
    """(C,) int64: people of one company do not dodge each other; -1: nobody's."""
    leader: Array
    """(C,) int64 place of who is followed; -1: walks on their own."""
    ahead: Array
    """(C,) int64 whom they follow in single file."""
    rank: Array
    """(C,) int64 in the file: leader 0."""
    beside: Array
    """(C, 2) place relative to the leader: forwards, to the left; metres."""
    course: Array
    """(C,) slow heading, which formations keep to, rad."""
    spread: Array
    """(C,) of leaders: 1 side by side, 0 single file."""
    lag: Array
    """(C,) of leaders: how far the last follower is behind, metres."""
    face: Array
    """(C,) heading wanted while standing, rad."""
    arrived: Array
    """(C,) bool, set when the last place is reached."""
    stuck: Array
    """(C,) steps without getting on."""
    lost: Array
    """(C,) steps without sight of the next place."""


@exact
def fill_grid(w: Walkers, low: Array, cells: Array, order: Array, starts: Array, shape: Array) -> None:
    """Sort the living by cell: order (C,) by cell, starts (cells + 1,). People of a cell keep their order."""
    num = shape[0] * shape[1]
    starts[:] = 0
    for i in range(len(w.alive)):
        if w.alive[i]:
            cx = min(max(int((w.place[i, 0] - low[0]) / CELL_M), 0), shape[0] - 1)
            cy = min(max(int((w.place[i, 1] - low[1]) / CELL_M), 0), shape[1] - 1)
            cells[i] = cx * shape[1] + cy
            starts[cells[i] + 1] += 1
    for c in range(num):
        starts[c + 1] += starts[c]
    for i in range(len(w.alive)):
        if w.alive[i]:
            order[starts[cells[i]]] = i
            starts[cells[i]] += 1
    for c in range(num, 0, -1):  # every start has moved to the next one's place
        starts[c] = starts[c - 1]
    starts[0] = 0


@exact
def beside_place(w: Walkers, i: int, forward: float) -> tuple[float, float]:
    """Where a follower belongs when the group walks abreast, `forward` metres further on."""
    leader = w.leader[i]
    c, s = np.cos(w.course[leader]), np.sin(w.course[leader])
    f, left = w.beside[i, 0] + forward, w.beside[i, 1]
    return w.place[leader, 0] + c * f - s * left, w.place[leader, 1] + s * f + c * left


@exact
def keep_formations(w: Walkers, walls: Walls, dt: float, narrow: Array) -> None:
    """Spread and lag of every leader: abreast where there is room now and 1.8 m ahead, else in file."""
    for i in range(len(w.alive)):
        narrow[i] = False
        w.lag[i] = 0.0
        if w.alive[i]:
            w.course[i] += (w.heading[i] - w.course[i]) * min(dt / 0.7, 1.0)
    for i in range(len(w.alive)):
        leader = w.leader[i]
        if not w.alive[i] or leader < 0:
            continue
        for forward in (0.0, 1.8):
            bx, by = beside_place(w, i, forward)
            ax = w.place[leader, 0] + forward * np.cos(w.course[leader])
            ay = w.place[leader, 1] + forward * np.sin(w.course[leader])
            if not sight_clear(ax, ay, bx, by, walls, 0.3):
                narrow[leader] = True
        gap = np.hypot(w.place[i, 0] - w.place[leader, 0], w.place[i, 1] - w.place[leader, 1])
        own = np.hypot(w.beside[i, 0], w.beside[i, 1])
        if w.spread[leader] < 0.5:
            own = max(own, FOLLOW_M * w.rank[i])
        w.lag[leader] = max(w.lag[leader], gap - own)
    for i in range(len(w.alive)):
        if w.alive[i]:
            wanted = -dt / 0.8 if narrow[i] else dt / 1.6
            w.spread[i] = min(max(w.spread[i] + wanted, 0.0), 1.0)


@exact
def wish_of_follower(w: Walkers, i: int, walls: Walls) -> tuple[float, float]:
    """Velocity that takes a follower to its place beside or behind."""
    leader, ahead = w.leader[i], w.ahead[i]
    bx, by = beside_place(w, i, 0.0)
    gx, gy = w.place[i, 0] - w.place[ahead, 0], w.place[i, 1] - w.place[ahead, 1]
    gap = max(np.hypot(gx, gy), 1e-6)
    fx = w.place[ahead, 0] + FOLLOW_M * gx / gap
    fy = w.place[ahead, 1] + FOLLOW_M * gy / gap
    spread = w.spread[leader]
    if spread > 0.0 and not sight_clear(w.place[i, 0], w.place[i, 1], bx, by, walls, MARGIN_M):
        spread = 0.0
    tx, ty = spread * bx + (1 - spread) * fx, spread * by + (1 - spread) * fy
    if not sight_clear(w.place[i, 0], w.place[i, 1], tx, ty, walls, MARGIN_M):
        w.lost[i] += 1
        if w.way_at[i] < w.way_count[i]:  # a route to the leader, given while out of sight
            tx, ty = w.way[i, w.way_at[i], 0], w.way[i, w.way_at[i], 1]
            if np.hypot(tx - w.place[i, 0], ty - w.place[i, 1]) < 0.4:
                w.way_at[i] += 1
        d = max(np.hypot(tx - w.place[i, 0], ty - w.place[i, 1]), 1e-6)
        return w.speed[i] * (tx - w.place[i, 0]) / d, w.speed[i] * (ty - w.place[i, 1]) / d
    w.lost[i] = 0
    w.way_count[i] = 0
    vx = w.velocity[leader, 0] + 0.9 * (tx - w.place[i, 0])
    vy = w.velocity[leader, 1] + 0.9 * (ty - w.place[i, 1])
    fast = np.hypot(vx, vy)
    most = 1.3 * w.speed[i]
    if fast > most:
        vx, vy = vx * most / fast, vy * most / fast
    return vx, vy


@exact
def wish_of_walker(w: Walkers, i: int, walls: Walls, detours: Walls) -> tuple[float, float]:
    """Velocity along the route; marks arrival and loss of sight. Corners are cut only clear of the detours."""
    x, y = w.place[i, 0], w.place[i, 1]
    last = w.way_count[i] - 1
    while w.way_at[i] < last:
        at = w.way_at[i]
        near = np.hypot(w.way[i, at, 0] - x, w.way[i, at, 1] - y)
        onward = sight_clear(x, y, w.way[i, at + 1, 0], w.way[i, at + 1, 1], detours, 0.3)
        if near > 0.35 and not (near < 3.0 and onward):
            break
        w.way_at[i] += 1
    dx, dy = w.way[i, w.way_at[i], 0] - x, w.way[i, w.way_at[i], 1] - y
    d = np.hypot(dx, dy)
    speed = w.speed[i]
    if w.lag[i] > 0.8:  # companions are behind
        speed *= max(0.05, 1.0 - 0.45 * (w.lag[i] - 0.8))
    if w.way_at[i] == last:
        if w.brakes[i]:
            speed = min(speed, np.sqrt(1.1 * d), 1.6 * d + 0.06)
            slow = np.hypot(w.velocity[i, 0], w.velocity[i, 1]) < 0.3
            w.arrived[i] = (d < 0.1 and slow) or (d < 0.45 and w.stuck[i] > 8)
        else:
            w.arrived[i] = d < 0.6
    if sight_clear(x, y, w.way[i, w.way_at[i], 0], w.way[i, w.way_at[i], 1], walls, MARGIN_M):
        w.lost[i] = 0
    else:
        w.lost[i] += 1
    if d < 1e-6:
        return 0.0, 0.0
    return speed * dx / d, speed * dy / d


@exact
def dodge(x: float, y: float, vx: float, vy: float, reach: float) -> tuple[float, float]:
    """Force from one neighbour at (x, y) with relative velocity (vx, vy) = mine - theirs; reach: sum of radii."""
    d2 = x * x + y * y
    near = reach + 0.08
    if d2 < near * near:  # too close already: straight apart
        d = max(np.sqrt(d2), 1e-3)
        push = 7.0 * (near - d) / near + 0.5
        return -push * x / d, -push * y / d
    # theirs a little to the left of where they are: I pass on my right
    x, y = x - TURN_RIGHT * y, y + TURN_RIGHT * x
    c = d2 - reach * reach
    a = vx * vx + vy * vy
    b = x * vx + y * vy
    inner = b * b - a * c
    if b <= 0.0 or inner <= 1e-9 or a < 1e-6:
        return 0.0, 0.0
    root = np.sqrt(inner)
    tau = max((b - root) / a, 0.15)
    if tau > 5.0:
        return 0.0, 0.0
    size = ANTICIPATION * np.exp(-tau / HORIZON_S) / (a * tau * tau) * (2.0 / tau + 1.0 / HORIZON_S)
    fx, fy = -size * (vx - (vx * b - x * a) / root), -size * (vy - (vy * b - y * a) / root)
    strong = np.hypot(fx, fy)
    if strong > 5.0:
        fx, fy = 5.0 * fx / strong, 5.0 * fy / strong
    return fx, fy


@exact
def forces(
    w: Walkers, i: int, rings: Array, walls: Walls, low: Array, order: Array, starts: Array, shape: Array
) -> tuple[float, float]:
    """Sum of what neighbours, circles of talkers and walls do to one walker."""
    x, y = w.place[i, 0], w.place[i, 1]
    vx, vy = w.velocity[i, 0], w.velocity[i, 1]
    hx, hy = np.cos(w.heading[i]), np.sin(w.heading[i])
    fx, fy = 0.0, 0.0
    cx = min(max(int((x - low[0]) / CELL_M), 0), shape[0] - 1)
    cy = min(max(int((y - low[1]) / CELL_M), 0), shape[1] - 1)
    for gx in range(max(cx - 1, 0), min(cx + 2, shape[0])):
        for gy in range(max(cy - 1, 0), min(cy + 2, shape[1])):
            cell = gx * shape[1] + gy
            for k in range(starts[cell], starts[cell + 1]):
                j = order[k]
                if j == i:
                    continue
                dx, dy = w.place[j, 0] - x, w.place[j, 1] - y
                d2 = dx * dx + dy * dy
                if d2 > CELL_M * CELL_M:
                    continue
                same = w.company[i] >= 0 and w.company[i] == w.company[j]
                if same and d2 > 0.36:
                    continue
                px, py = dodge(dx, dy, vx - w.velocity[j, 0], vy - w.velocity[j, 1], 0.50 if same else 0.56)
                weight = 1.0 if dx * hx + dy * hy > 0.0 else 0.35  # seldom for what is behind
                fx += weight * px
                fy += weight * py
    for r in range(len(rings)):
        if w.company[i] >= 0 and rings[r, 3] == w.company[i]:
            continue
        dx, dy = rings[r, 0] - x, rings[r, 1] - y
        if dx * dx + dy * dy < CELL_M * CELL_M:
            px, py = dodge(dx, dy, vx, vy, rings[r, 2] + 0.35)
            fx += px
            fy += py
    for o in range(len(walls.counts)):
        gap = walls.reach[o] + 0.6
        if (x - walls.centres[o, 0]) ** 2 + (y - walls.centres[o, 1]) ** 2 < gap * gap:
            nx, ny, d = wall_vector(o, x, y, walls)
            if d < 0.6:
                fx += 3.0 * (1.0 - d / 0.6) * nx
                fy += 3.0 * (1.0 - d / 0.6) * ny
    return fx, fy


@exact
def slide(x: float, y: float, vx: float, vy: float, walls: Walls) -> tuple[float, float]:
    """A wanted velocity without its part into walls that are right there."""
    for o in range(len(walls.counts)):
        gap = walls.reach[o] + TOUCH_M
        if (x - walls.centres[o, 0]) ** 2 + (y - walls.centres[o, 1]) ** 2 < gap * gap:
            nx, ny, d = wall_vector(o, x, y, walls)
            into = vx * nx + vy * ny
            if d < TOUCH_M and into < 0.0:
                vx, vy = vx - into * nx, vy - into * ny
    return vx, vy


@exact
def turn(w: Walkers, i: int, wanted: float, most: float, dt: float) -> float:
    """Turn the body towards a heading; returns how far it is still off, rad."""
    off = (wanted - w.heading[i] + np.pi) % (2 * np.pi) - np.pi
    rate = min(max(4.0 * off, -most), most)
    change = min(max(rate - w.spin[i], -TURN_ACCELERATION * dt), TURN_ACCELERATION * dt)
    w.spin[i] += change
    w.heading[i] += w.spin[i] * dt
    return float(off)


@exact
def walk(w: Walkers, i: int, wx: float, wy: float, dt: float) -> tuple[float, float]:
    """Turn the body towards the wanted velocity and walk along it; returns the new velocity."""
    fast = np.hypot(wx, wy)
    most = max(1.25 * w.speed[i], 0.5)
    if fast > most:
        wx, wy, fast = wx * most / fast, wy * most / fast, most
    off = 0.0
    if fast > 0.12:
        off = turn(w, i, np.arctan2(wy, wx), TURN_RATE, dt)
    else:
        turn(w, i, w.heading[i], TURN_RATE, dt)
    hx, hy = np.cos(w.heading[i]), np.sin(w.heading[i])
    along = max(wx * hx + wy * hy, -0.12)
    if abs(off) > 1.1:
        along = min(along, 0.3)
    slip = 0.10 + 0.10 * abs(along)
    aside = min(max(-wx * hy + wy * hx, -slip), slip)
    nx, ny = along * hx - aside * hy, along * hy + aside * hx
    dx, dy = nx - w.velocity[i, 0], ny - w.velocity[i, 1]
    change = np.hypot(dx, dy)
    if change > ACCELERATION * dt:
        dx, dy = dx * ACCELERATION * dt / change, dy * ACCELERATION * dt / change
    return w.velocity[i, 0] + dx, w.velocity[i, 1] + dy


@exact
def push_apart(
    w: Walkers, walls: Walls, low: Array, order: Array, starts: Array, shape: Array, shift: Array
) -> None:
    """Move walkers out of one another and out of walls; those who stand stay."""
    for _ in range(3):
        shift[:] = 0.0
        for i in range(len(w.alive)):
            if not w.alive[i] or not w.moving[i]:
                continue
            x, y = w.place[i, 0], w.place[i, 1]
            cx = min(max(int((x - low[0]) / CELL_M), 0), shape[0] - 1)
            cy = min(max(int((y - low[1]) / CELL_M), 0), shape[1] - 1)
            for gx in range(max(cx - 1, 0), min(cx + 2, shape[0])):
                for gy in range(max(cy - 1, 0), min(cy + 2, shape[1])):
                    cell = gx * shape[1] + gy
                    for k in range(starts[cell], starts[cell + 1]):
                        j = order[k]
                        dx, dy = x - w.place[j, 0], y - w.place[j, 1]
                        d2 = dx * dx + dy * dy
                        if j == i or d2 >= HARD_M * HARD_M:
                            continue
                        d = max(np.sqrt(d2), 1e-4)
                        part = (0.4 if w.moving[j] else 0.8) * (HARD_M - d) / d
                        shift[i, 0] += part * dx
                        shift[i, 1] += part * dy
        for i in range(len(w.alive)):
            if w.alive[i] and w.moving[i]:
                long = np.hypot(shift[i, 0], shift[i, 1])
                part = min(1.0, 0.025 / long) if long > 0.0 else 0.0
                x, y = w.place[i, 0] + part * shift[i, 0], w.place[i, 1] + part * shift[i, 1]
                w.place[i, 0], w.place[i, 1] = out_of_walls(x, y, walls, WALL_M, 0.25)


@exact
def step(
    w: Walkers, walls: Walls, detours: Walls, rings: Array, low: Array, shape: Array, dt: float,
    cells: Array, order: Array, starts: Array, fresh: Array, before: Array, narrow: Array, eager: Array,
) -> None:  # fmt: skip
    """One step of everybody.

    Args:
        detours: the walls, and what people walk around though they could squeeze through: queues.
        rings: (R, 4) circles of talkers that others walk around: x, y, radius, company.
        low, shape: corner (2,) of the grid in the world, and its cells (2,) int64.
        cells, order (C,), starts (cells + 1,) int64, fresh and before (C, 2), narrow and eager
            (C,) bool: scratch.
    """
    fill_grid(w, low, cells, order, starts, shape)
    keep_formations(w, walls, dt, narrow)
    for i in range(len(w.alive)):
        if not w.alive[i]:
            continue
        if not w.moving[i]:
            turn(w, i, w.face[i], TURN_RATE_STILL, dt)
            fresh[i] = 0.0
            eager[i] = False
            continue
        if w.leader[i] >= 0:
            wx, wy = wish_of_follower(w, i, walls)
        else:
            wx, wy = wish_of_walker(w, i, walls, detours)
        if w.stuck[i] > 6:  # face to face: try past on the right, later on the left
            aside = 1.0 if (w.stuck[i] // 18) % 2 else -1.0
            wx, wy = 0.7 * (wx - aside * wy), 0.7 * (wy + aside * wx)
        fx, fy = forces(w, i, rings, walls, low, order, starts, shape)
        ax, ay = (wx - w.velocity[i, 0]) / RELAX_S + fx, (wy - w.velocity[i, 1]) / RELAX_S + fy
        # what the forces ask for within the time a step of a foot takes
        vx, vy = w.velocity[i, 0] + 0.3 * ax, w.velocity[i, 1] + 0.3 * ay
        vx, vy = slide(w.place[i, 0], w.place[i, 1], vx, vy, walls)
        fresh[i, 0], fresh[i, 1] = walk(w, i, vx, vy, dt)
        eager[i] = np.hypot(wx, wy) > 0.3
    for i in range(len(w.alive)):
        if w.alive[i]:
            before[i] = w.place[i]
            w.velocity[i] = fresh[i]
            w.place[i] += dt * fresh[i]
    push_apart(w, walls, low, order, starts, shape, fresh)
    for i in range(len(w.alive)):
        if w.alive[i] and w.moving[i]:
            dx, dy = (w.place[i, 0] - before[i, 0]) / dt, (w.place[i, 1] - before[i, 1]) / dt
            w.velocity[i, 0] = 0.5 * (w.velocity[i, 0] + dx)
            w.velocity[i, 1] = 0.5 * (w.velocity[i, 1] + dy)
            fast = np.hypot(dx, dy)
            if eager[i] and fast < 0.15:
                w.stuck[i] += 1
            elif w.stuck[i] > 0 and fast > 0.3:
                w.stuck[i] -= 1
