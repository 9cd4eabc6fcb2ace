"""Fewer triangles with nearly the same surface: quadric edge collapse, many edges at a time.

The quadric of a vertex is the sum of squared distances to the planes of its faces, weighed by area (Garland &
Heckbert 1997). Instead of a heap, each round takes every edge that is the cheapest within two steps of the mesh,
so that no two collapses of a round touch the same face. O(faces) a round, some forty rounds; same input, same output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix

Array = np.ndarray

_PULL = 1e-3
"""Weight of the edge's mid-point beside the planes: flat places have no best point of their own."""
_ROUND_SHARE = 0.3
"""Cheapest share of the edges that may go in a round: less is closer to the order of a heap."""
_LEAST_TURN_COS = 0.2
"""A collapse that turns a face further than this is refused: it would fold the skin over."""


@dataclass(frozen=True)
class CoarseMesh:
    """A decimated mesh and where its vertices come from."""

    vertices: Float[Array, "v 3"]
    faces: Int[Array, "f 3"]
    cluster: Int[Array, "V"]
    """The coarse vertex that each fine vertex went into."""


def decimate(vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"], num_faces: int) -> CoarseMesh:
    """A closed triangle mesh with about `num_faces` faces, never fewer than nine tenths of that."""
    place = np.array(vertices, np.float64)
    quadric = _vertex_quadrics(place, faces)
    owner = np.arange(len(place))
    faces = np.asarray(faces, np.int64)
    refused: Array = np.zeros(0, np.int64)
    while len(faces) > num_faces:
        edges = _edges(faces)
        best, cost = _best_places(place, quadric, edges)
        cost[np.isin(edges[:, 0] * len(place) + edges[:, 1], refused)] = np.inf
        most = min(max(1, int(_ROUND_SHARE * len(edges))), (len(faces) - num_faces + 1) // 2)
        chosen = _independent(edges, cost, len(place), most)
        pinched = _pinched(edges, edges[chosen], len(place))
        target = np.arange(len(place))
        target[edges[chosen, 1]] = edges[chosen, 0]
        moved = place.copy()
        moved[edges[chosen, 0]] = best[chosen]
        keep = ~(pinched | _turned(place, moved, faces, target, edges[chosen]))
        bad = edges[chosen[~keep]]
        chosen = chosen[keep]
        if len(chosen) == 0 and len(bad) == 0:
            break  # nothing left that may go
        refused = np.concatenate([refused, bad[:, 0] * len(place) + bad[:, 1]])
        target = np.arange(len(place))
        target[edges[chosen, 1]] = edges[chosen, 0]
        place[edges[chosen, 0]] = best[chosen]
        quadric[edges[chosen, 0]] += quadric[edges[chosen, 1]]
        owner = target[owner]
        faces = _clean(target[faces])
    used = np.unique(faces)
    number = np.full(len(place), -1)
    number[used] = np.arange(len(used))
    return CoarseMesh(place[used], number[faces], number[owner])


def _vertex_quadrics(place: Float[Array, "V 3"], faces: Int[Array, "F 3"]) -> Float[Array, "V 4 4"]:
    a, b, c = (place[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    normal /= np.maximum(area, 1e-20)[:, None]
    plane = np.concatenate([normal, -np.sum(normal * a, axis=1, keepdims=True)], axis=1)
    each = (0.5 * area)[:, None, None] * plane[:, :, None] * plane[:, None, :]
    quadric = np.zeros((len(place), 4, 4))
    for corner in range(3):
        np.add.at(quadric, faces[:, corner], each)
    return quadric


def _edges(faces: Int[Array, "F 3"]) -> Int[Array, "E 2"]:
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    span = int(faces.max()) + 1
    return np.stack(np.divmod(np.unique(pairs[:, 0] * span + pairs[:, 1]), span), axis=1)


def _best_places(
    place: Float[Array, "V 3"], quadric: Float[Array, "V 4 4"], edges: Int[Array, "E 2"]
) -> tuple[Float[Array, "E 3"], Float[Array, "E"]]:
    """Where the merged vertex lies best, and what it costs."""
    both = quadric[edges[:, 0]] + quadric[edges[:, 1]]
    middle = place[edges].mean(axis=1)
    A = both[:, :3, :3]
    pull = _PULL * np.trace(A, axis1=1, axis2=2)
    lhs = A + pull[:, None, None] * np.eye(3)
    best = np.linalg.solve(lhs, (pull[:, None] * middle - both[:, :3, 3])[..., None])[..., 0]
    whole = np.concatenate([best, np.ones((len(best), 1))], axis=1)
    cost = np.einsum("ei,eij,ej->e", whole, both, whole) + pull * np.sum((best - middle) ** 2, axis=1)
    return best, cost


def _independent(
    edges: Int[Array, "E 2"], cost: Float[Array, "E"], num_vertices: int, most: int
) -> Int[Array, "C"]:
    """Edges cheaper than all others within two steps, the cheapest first, at most `most`."""
    order = np.argsort(cost, kind="stable")
    rank = np.empty(len(edges), np.int64)
    rank[order] = np.arange(len(edges))
    low = np.full(num_vertices, len(edges))
    for end in range(2):
        np.minimum.at(low, edges[:, end], rank)
    wide = low.copy()
    for end in range(2):
        np.minimum.at(wide, edges[:, end], low[edges[:, 1 - end]])
    free = (rank == wide[edges[:, 0]]) & (rank == wide[edges[:, 1]]) & np.isfinite(cost)
    chosen = np.flatnonzero(free)
    return chosen[np.argsort(rank[chosen])][:most]


def _turned(
    before: Float[Array, "V 3"], after: Float[Array, "V 3"], faces: Int[Array, "F 3"], target: Int[Array, "V"],
    chosen: Int[Array, "C 2"],
) -> Bool[Array, "C"]:  # fmt: skip
    """Which collapses would fold a face over."""
    new = target[faces]
    alive = (new[:, 0] != new[:, 1]) & (new[:, 1] != new[:, 2]) & (new[:, 2] != new[:, 0])
    old_n = _normals(before, faces)
    new_n = _normals(after, new)
    cos = np.sum(old_n * new_n, axis=1)
    size = np.linalg.norm(old_n, axis=1) * np.linalg.norm(new_n, axis=1)
    folded = alive & (cos < _LEAST_TURN_COS * size)
    bad = np.zeros(len(before), bool)
    bad[new[folded].ravel()] = True
    return np.asarray(bad[chosen[:, 0]])


def _pinched(edges: Int[Array, "E 2"], chosen: Int[Array, "C 2"], num_vertices: int) -> Bool[Array, "C"]:
    """Which collapses would close a tunnel: the ends share more neighbours than the corners of their two faces."""
    ends = np.concatenate([edges, edges[:, ::-1]])
    shape = (num_vertices, num_vertices)
    near = csr_matrix((np.ones(len(ends), np.int64), (ends[:, 0], ends[:, 1])), shape=shape)
    common = near[chosen[:, 0]].multiply(near[chosen[:, 1]]).sum(axis=1)
    return np.asarray(common).ravel() > 2


def _normals(place: Float[Array, "V 3"], faces: Int[Array, "F 3"]) -> Float[Array, "F 3"]:
    a, b, c = (place[faces[:, i]] for i in range(3))
    return np.asarray(np.cross(b - a, c - a))


def _clean(faces: Int[Array, "F 3"]) -> Int[Array, "f 3"]:
    """Without the faces that lost a corner."""
    alive = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return np.asarray(faces[alive])
