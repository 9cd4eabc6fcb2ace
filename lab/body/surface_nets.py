"""Naive surface nets (Gibson 1998): the zero level of a sampled field as a mesh of its left half.

One vertex a cell that the surface crosses, one quad an edge of the grid that it crosses. The middle column of cells
is centred on x = 0, so that its vertices lie exactly on the mirror plane. O(grid points).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from .anatomy import Field

Array = np.ndarray


def half_surface(
    field: Field, low: tuple[float, float, float], high: tuple[float, float, float], cell_m: float
) -> tuple[Float[Array, "V 3"], Int[Array, "F 3"]]:
    """Vertices and outward triangles of the part with x >= 0 of a mirror-symmetric body.

    Args:
        field: signed distance, negative inside.
        low, high: box to search; its x begins at the mirror plane whatever `low` says.
        cell_m: edge of a grid cell, metres.
    """
    x = (np.arange(int(np.ceil(high[0] / cell_m)) + 2) - 0.5) * cell_m
    y, z = (np.arange(low[a], high[a] + cell_m, cell_m) for a in (1, 2))
    grid = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1)
    values = np.concatenate([field(sheet.reshape(-1, 3)) for sheet in grid]).reshape(grid.shape[:3])
    values[0] = values[1]  # the mirror image of the first sheet, to the last bit
    vertices, number = _cell_vertices(grid, values, cell_m)
    on_plane = number[0][number[0] >= 0]
    vertices[on_plane, 0] = 0.0
    quads = np.concatenate([_edge_quads(values < 0, number, axis) for axis in range(3)])
    return vertices, _triangles(vertices, quads)


def _cell_vertices(
    grid: Float[Array, "X Y Z 3"], values: Float[Array, "X Y Z"], cell_m: float
) -> tuple[Float[Array, "V 3"], Int[Array, "x y z"]]:
    """The mean of a cell's edge crossings, and the vertex number of each cell (-1: not crossed)."""
    corners = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    shape = tuple(n - 1 for n in values.shape)
    at = np.stack([values[a : a + shape[0], b : b + shape[1], c : c + shape[2]] for a, b, c in corners])
    crossed = (at < 0).any(0) & (at >= 0).any(0)
    number = np.full(shape, -1)
    number[crossed] = np.arange(crossed.sum())
    f = at[:, crossed]
    total, count = np.zeros((f.shape[1], 3)), np.zeros(f.shape[1])
    for i, a in enumerate(corners):
        for j, b in enumerate(corners):
            if i < j and np.abs(a - b).sum() == 1:
                cut = (f[i] < 0) != (f[j] < 0)
                share = f[i] / np.where(cut, f[i] - f[j], 1.0)
                total[cut] += (a + share[:, None] * (b - a))[cut]
                count += cut
    origin = grid[:-1, :-1, :-1][crossed]
    return origin + cell_m * total / count[:, None], number


def _edge_quads(inside: Array, number: Int[Array, "x y z"], axis: int) -> Int[Array, "Q 4"]:
    """Quads of the grid edges along one axis, wound so that they face out."""
    n = np.moveaxis(number, axis, 0)
    s = np.moveaxis(inside, axis, 0)
    flip = axis == 1  # moving y to the front turns the axes' order from even to odd
    first, second = s[:-1, 1:-1, 1:-1], s[1:, 1:-1, 1:-1]
    around = np.stack([n[:, :-1, :-1], n[:, 1:, :-1], n[:, 1:, 1:], n[:, :-1, 1:]], axis=-1)
    leaving, entering = around[first & ~second], around[~first & second]
    if flip:
        leaving, entering = entering, leaving
    return np.concatenate([leaving, entering[:, ::-1]])


def _triangles(vertices: Float[Array, "V 3"], quads: Int[Array, "Q 4"]) -> Int[Array, "F 3"]:
    """Quads cut along their shorter diagonal."""
    a, b, c, d = (vertices[quads[:, i]] for i in range(4))
    short = np.linalg.norm(a - c, axis=1) <= np.linalg.norm(b - d, axis=1)
    one, other = quads[short], quads[~short]
    return np.concatenate([one[:, [0, 1, 2]], one[:, [0, 2, 3]], other[:, [0, 1, 3]], other[:, [1, 2, 3]]])
