"""Adaptive remeshing of one half of a mirror-symmetric surface (after Botsch & Kobbelt 2004).

    repeat: collapse edges shorter than 4/5 of the wanted length, flip edges towards even valence,
            move vertices to the middle of their neighbours within the tangent plane, put them back on the surface

Vertices on the mirror plane stay on it, so the two halves can be welded. Every step keeps the mesh a manifold:
a collapse must satisfy the link condition and turn no triangle over. O(n log n) collapses in plain Python.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from .anatomy import Field
from .preview import vertex_normals

Array = np.ndarray
Sizing = Callable[[Array], Array]

SHORT = 0.8
LONG = 4 / 3
ROUNDS = 4
GRADIENT_STEP_M = 5e-4
MAX_TURN_COS = 0.3
"""A collapse or flip may not turn a triangle's normal by more than 72 degrees."""


def remesh_half(
    vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"], field: Field, wanted_m: Sizing
) -> tuple[Float[Array, "v 3"], Int[Array, "f 3"]]:
    """A mesh with edges of about the wanted length, its vertices on the field's zero level."""
    mesh = _HalfMesh(vertices, faces, wanted_m(vertices))
    for _ in range(ROUNDS):
        mesh.collapse_short()
        mesh.flip_edges()
        vertices, faces = mesh.compact()
        for _ in range(3):
            vertices = relax(vertices, faces)
            vertices = project(vertices, field)
        mesh = _HalfMesh(vertices, faces, wanted_m(vertices))
    return vertices, faces


def field_gradient(points: Float[Array, "N 3"], field: Field) -> Float[Array, "N 3"]:
    """Central differences."""
    steps = np.eye(3) * GRADIENT_STEP_M
    return np.stack([field(points + h) - field(points - h) for h in steps], axis=1) / (2 * GRADIENT_STEP_M)


def project(points: Float[Array, "N 3"], field: Field, steps: int = 3) -> Float[Array, "N 3"]:
    """Newton steps along the gradient onto the zero level; x = 0 stays."""
    on_plane = points[:, 0] == 0.0
    for _ in range(steps):
        gradient = field_gradient(points, field)
        square = np.maximum((gradient**2).sum(1), 0.05)
        step = np.clip(field(points) / square, -0.004, 0.004)
        points = points - step[:, None] * gradient
        points[on_plane, 0] = 0.0
    return points


def relax(vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]) -> Float[Array, "V 3"]:
    """Each vertex goes towards the area-weighted middle of its triangles, within its tangent plane."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    middle = (a + b + c) / 3
    total, weight = np.zeros_like(vertices), np.zeros(len(vertices))
    for i in range(3):
        np.add.at(total, faces[:, i], area[:, None] * middle)
        np.add.at(weight, faces[:, i], area)
    on_plane = vertices[:, 0] == 0.0
    normals = vertex_normals(vertices, faces)
    move = total / weight[:, None] - vertices
    move -= (move * normals).sum(1, keepdims=True) * normals
    move[on_plane] = 0.0  # the rim keeps its spacing: its neighbours lie on one side only
    moved: Array = vertices + 0.6 * move
    return moved


class _HalfMesh:
    """Triangles as sets around vertices, for local changes."""

    def __init__(
        self, vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"], wanted: Float[Array, "V"]
    ) -> None:
        self.at: list[tuple[float, ...]] = [tuple(v) for v in vertices.tolist()]
        self.wanted: list[float] = wanted.tolist()
        self.faces: dict[int, tuple[int, int, int]] = dict(enumerate(map(tuple, faces.tolist())))
        self.around: list[set[int]] = [set() for _ in self.at]
        for number, face in self.faces.items():
            for vertex in face:
                self.around[vertex].add(number)

    def compact(self) -> tuple[Float[Array, "v 3"], Int[Array, "f 3"]]:
        faces = np.array(list(self.faces.values()))
        used, renumbered = np.unique(faces, return_inverse=True)
        return np.array(self.at)[used], renumbered.reshape(-1, 3)

    def ring(self, vertex: int) -> set[int]:
        return {v for number in self.around[vertex] for v in self.faces[number]} - {vertex}

    def on_plane(self, vertex: int) -> bool:
        return self.at[vertex][0] == 0.0

    def ratio(self, a: int, b: int) -> float:
        """Length over wanted length."""
        return _distance(self.at[a], self.at[b]) / min(self.wanted[a], self.wanted[b])

    def edges(self) -> set[tuple[int, int]]:
        return {
            (min(a, b), max(a, b))
            for face in self.faces.values()
            for a, b in zip(face, (*face[1:], face[0]), strict=True)
        }

    def collapse_short(self) -> None:
        """Shortest first, so that what is left is even."""
        heap = [(r, a, b) for a, b in sorted(self.edges()) if (r := self.ratio(a, b)) < SHORT]
        heapq.heapify(heap)
        while heap:
            ratio, a, b = heapq.heappop(heap)
            if not (self.around[a] & self.around[b]) or abs(self.ratio(a, b) - ratio) > 1e-12:
                continue
            if self._collapse(a, b):
                for other in sorted(self.ring(a)):
                    if (r := self.ratio(a, other)) < SHORT:
                        heapq.heappush(heap, (r, min(a, other), max(a, other)))

    def _collapse(self, a: int, b: int) -> bool:
        """Merge b into a, if the surface stays a manifold and keeps its shape."""
        shared = self.around[a] & self.around[b]
        rim = len(shared) == 1
        if self.on_plane(a) and self.on_plane(b) and not rim:
            return False
        if len(self.ring(a) & self.ring(b)) != len(shared):
            return False
        if self.on_plane(a) == self.on_plane(b):
            x, y, z = ((p + q) / 2 for p, q in zip(self.at[a], self.at[b], strict=True))
            place: tuple[float, ...] = (x, y, z)
        else:
            place = self.at[a] if self.on_plane(a) else self.at[b]
        for vertex in (a, b):
            for number in self.around[vertex] - shared:
                if self._turns(number, vertex, place):
                    return False
            for other in self.ring(vertex):
                wanted = min(self.wanted[vertex], self.wanted[other])
                if other not in (a, b) and _distance(place, self.at[other]) > LONG * wanted:
                    return False
        self.at[a] = place
        self.wanted[a] = (self.wanted[a] + self.wanted[b]) / 2
        for number in shared:
            for vertex in self.faces.pop(number):
                self.around[vertex].discard(number)
        for number in list(self.around[b]):
            i, j, k = (a if v == b else v for v in self.faces[number])
            self.faces[number] = (i, j, k)
            self.around[a].add(number)
        self.around[b] = set()
        return True

    def _turns(self, number: int, vertex: int, place: tuple[float, ...]) -> bool:
        """Whether moving a corner would turn this triangle over."""
        before = [self.at[v] for v in self.faces[number]]
        after = [place if v == vertex else self.at[v] for v in self.faces[number]]
        return _cos(_normal(*before), _normal(*after)) < MAX_TURN_COS

    def flip_edges(self) -> None:
        """Towards six neighbours a vertex, four on the mirror plane."""
        for a, b in sorted(self.edges()):
            shared = sorted(self.around[a] & self.around[b])
            if len(shared) != 2:
                continue
            c, d = (next(v for v in self.faces[number] if v not in (a, b)) for number in shared)
            if self.around[c] & self.around[d] or d in self.ring(c):
                continue
            change = sum(
                (len(self.ring(v)) + step - self._even(v)) ** 2 - (len(self.ring(v)) - self._even(v)) ** 2
                for v, step in ((a, -1), (b, -1), (c, 1), (d, 1))
            )
            if change < 0:
                self._flip(a, b, c, d, shared)

    def _even(self, vertex: int) -> int:
        return 4 if self.on_plane(vertex) else 6

    def _flip(self, a: int, b: int, c: int, d: int, shared: list[int]) -> None:
        first = self.faces[shared[0]]
        if first[(first.index(a) + 1) % 3] != b:  # make (a, b, c) the winding of the first triangle
            a, b = b, a
        old = _normal(*(self.at[v] for v in (a, b, c)))
        new = ((a, d, c), (d, b, c))
        for face in new:
            if _cos(old, _normal(*(self.at[v] for v in face))) < MAX_TURN_COS:
                return
        for number, face in zip(shared, new, strict=True):
            for vertex in self.faces[number]:
                self.around[vertex].discard(number)
            self.faces[number] = face
        for number in shared:
            for vertex in self.faces[number]:
                self.around[vertex].add(number)


def _distance(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2) ** 0.5)


def _normal(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> tuple[float, float, float]:
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)


def _cos(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    size = (sum(x * x for x in a) * sum(x * x for x in b)) ** 0.5
    return sum(x * y for x, y in zip(a, b, strict=True)) / size if size > 1e-18 else -1.0
