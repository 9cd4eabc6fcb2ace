"""The way round obstacles: a visibility graph of their corners, shortest paths, and the walls steering needs.

Corners of obstacles grown by half a metre are the nodes; two are joined where a walker fits between the walls.
All shortest paths are found once, in a few variants with edge lengths stretched at random, so that not
everybody squeezes through the same opening. A query joins start and goal to the nodes they see: O(nodes^2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.sparse.csgraph import dijkstra

from ....kernels.fused.walls import Walls, sight_clear, sights
from ..scene import Scene

Array = np.ndarray

BODY_M = 0.34
"""Half the width a walker needs on a route."""
NODE_M = 0.5
"""Distance of nodes from the sides of obstacles."""
MAX_WAY = 16
"""Places on a route, the goal included."""
VARIANTS = 4
STRETCH = 0.3
"""Edges are up to this much longer in a variant."""


def walls_of(scene: Scene, more: Sequence[Float[Array, "P 2"]] = ()) -> Walls:
    """Obstacles (and more shapes to walk around) and outline as steering reads them."""
    shapes = [*(o.outline_m for o in scene.obstacles), *more]
    most = max((len(s) for s in shapes), default=4)
    corners = np.array([np.concatenate([s, np.repeat(s[-1:], most - len(s), axis=0)]) for s in shapes])
    corners = corners.reshape(-1, most, 2)
    normals, offsets = np.zeros_like(corners), np.zeros(corners.shape[:2])
    for o, shape in enumerate(shapes):
        normals[o, : len(shape)], offsets[o, : len(shape)] = _sides(shape)
    centres = np.array([s.mean(axis=0) for s in shapes]).reshape(-1, 2)
    reach = np.array([np.linalg.norm(s - c, axis=1).max() for s, c in zip(shapes, centres, strict=True)])
    counts = np.array([len(s) for s in shapes], np.int64)
    outline_normals, outline_offsets = _sides(scene.outline_m)
    return Walls(corners, normals, offsets, counts, centres, reach, outline_normals, outline_offsets)


def _sides(shape: Float[Array, "P 2"]) -> tuple[Float[Array, "P 2"], Float[Array, "P"]]:
    """Outward unit normals and offsets of the sides of a counter-clockwise shape."""
    edge = np.roll(shape, -1, axis=0) - shape
    normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1) / np.linalg.norm(edge, axis=1, keepdims=True)
    return normal, (normal * shape).sum(axis=1)


def clearance_m(walls: Walls, places: Float[Array, "M 2"]) -> Float[Array, "M"]:
    """Free distance to the nearest obstacle or to the outline (negative inside one, or outside)."""
    best = -(places @ walls.outline_normals.T - walls.outline_offsets).max(axis=1)
    for o, count in enumerate(walls.counts):
        side = (places @ walls.normals[o, :count].T - walls.offsets[o, :count]).max(axis=1)
        corner = walls.corners[o, :count]
        edge = np.roll(corner, -1, axis=0) - corner
        to = places[:, None] - corner
        t = np.clip((to * edge).sum(axis=-1) / (edge**2).sum(axis=-1), 0.0, 1.0)
        distance = np.linalg.norm(to - t[..., None] * edge, axis=-1).min(axis=1)
        best = np.minimum(best, np.where(side > 0, distance, side))
    return np.asarray(best)


class RouteMap:
    """Shortest walks in a scene."""

    def __init__(self, scene: Scene, seed: int, more: Sequence[Float[Array, "P 2"]] = ()) -> None:
        self.walls = walls_of(scene, more)
        nodes = _nodes(self.walls)
        self.nodes = nodes[clearance_m(self.walls, nodes) > BODY_M] if len(nodes) else nodes
        count = len(self.nodes)
        seen = np.zeros((count, count), bool)
        for i in range(count):
            sights(self.nodes[i, 0], self.nodes[i, 1], self.nodes, self.walls, BODY_M, seen[i])
        length = np.linalg.norm(self.nodes[:, None] - self.nodes[None], axis=-1)
        rng = np.random.default_rng([seed, 101])
        self._paths: list[tuple[Array, Array]] = []
        for variant in range(VARIANTS):
            stretch = 1.0 + (STRETCH if variant else 0.0) * np.triu(rng.random((count, count)))
            graph = np.where(seen | seen.T, length * np.maximum(stretch, stretch.T), 0.0)
            if count:
                self._paths.append(dijkstra(graph, directed=False, return_predecessors=True))

    def sees(self, start_m: Float[Array, "2"], goal_m: Float[Array, "2"]) -> bool:
        """Whether a walker can go straight."""
        return bool(sight_clear(start_m[0], start_m[1], goal_m[0], goal_m[1], self.walls, BODY_M))

    def route(
        self, start_m: Float[Array, "2"], goal_m: Float[Array, "2"], variant: int = 0
    ) -> Float[Array, "K 2"] | None:
        """Places to walk to in turn, the goal last; None where there is no way."""
        if self.sees(start_m, goal_m):
            return np.array([goal_m])
        if not self._paths:
            return None
        distance, before = self._paths[variant % VARIANTS]
        first, last = self._reached(start_m), self._reached(goal_m)
        if not first.any() or not last.any():
            return None
        a, b = np.flatnonzero(first), np.flatnonzero(last)
        total = (
            np.linalg.norm(self.nodes[a] - start_m, axis=1)[:, None]
            + distance[np.ix_(a, b)]
            + np.linalg.norm(self.nodes[b] - goal_m, axis=1)
        )
        best = np.unravel_index(int(np.argmin(total)), total.shape)
        if not np.isfinite(total[best]):
            return None
        start, node = int(a[best[0]]), int(b[best[1]])
        way = [np.asarray(goal_m, np.float64)]
        while True:
            way.append(self.nodes[node])
            if node == start:
                break
            node = int(before[start, node])
        return np.array(way[::-1])

    def _reached(self, place_m: Float[Array, "2"]) -> Bool[Array, "K"]:
        """Nodes in sight; of one close to a wall, with less room."""
        seen = np.zeros(len(self.nodes), bool)
        for margin in (BODY_M, 0.19, 0.0):
            sights(place_m[0], place_m[1], self.nodes, self.walls, margin, seen)
            if seen.any():
                break
        return seen


def _nodes(walls: Walls) -> Float[Array, "K 2"]:
    """Corners of the grown obstacles; of round things every other one."""
    nodes = []
    for o, count in enumerate(walls.counts):
        step = 2 if count > 6 else 1
        for e in range(0, count, step):
            one, two = walls.normals[o, e - 1 if e else count - 1], walls.normals[o, e]
            grow = (one + two) / (1.0 + one @ two) * NODE_M * (1.15 if step == 2 else 1.0)
            nodes.append(walls.corners[o, e] + grow)
    return np.array(nodes).reshape(-1, 2)
