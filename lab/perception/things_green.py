"""Trees, bushes, hedges, planters and heaps: clumps of leaves from noise."""

from __future__ import annotations

import numpy as np

from .things_look import Paint, paint
from .things_mesh import Mesh, Part, ball, box, lathe, leaves, put_together, tube

Rng = np.random.Generator


def _foliage(rng: Rng) -> Paint:
    sort = str(rng.choice(["green", "green", "green", "brown", "dark"]))
    return paint(rng, sort, "speckle", rng.uniform(0.1, 0.5), "green")


def _clump(rng: Rng, look: Paint, radii: np.ndarray, centre: np.ndarray, count: int, size: float) -> Part:
    way = rng.normal(size=(count, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    depth = rng.uniform(0.3, 1.0, (count, 1)) ** 0.5
    return leaves(look, centre + depth * way * radii, size * rng.uniform(0.6, 1.4, count), rng)


def tree(rng: Rng) -> Mesh:
    """A trunk with boughs and some clumps; bare now and then."""
    height, r = rng.uniform(2.5, 8.0), rng.uniform(0.05, 0.22)
    bark = paint(rng, str(rng.choice(["brown", "dark", "grey"])), "speckle", 0.15)
    lean = rng.normal(0, 0.04 * height, 2)
    fork = np.array([*lean, rng.uniform(0.35, 0.55) * height])
    parts: list[Part | Mesh] = [
        tube(bark, [[0, 0, 0], 0.5 * fork + [0.05, 0, 0], fork], [1.4 * r, r, 0.8 * r])
    ]
    look = _foliage(rng)
    bare = rng.random() < 0.15
    for _ in range(int(rng.integers(4, 9))):
        tip = fork + rng.normal(size=3) * [0.16 * height, 0.16 * height, 0.05 * height] + [0, 0, 0.3 * height]
        parts.append(
            tube(
                bark,
                [fork - [0, 0, 0.1], 0.5 * (fork + tip) + rng.normal(0, 0.1, 3), tip],
                [0.5 * r, 0.35 * r, 0.15 * r],
                5,
            )
        )
        if bare:
            for _ in range(4):
                twig = tip + rng.normal(size=3) * 0.1 * height
                parts.append(tube(bark, [0.3 * fork + 0.7 * tip, twig], [0.15 * r, 0.04 * r], 4))
        else:
            radii = height * rng.uniform(0.08, 0.2, 3)
            parts.append(_clump(rng, look, radii, tip, int(rng.integers(90, 260)), 0.03 * height))
    return put_together(parts)


def conifer(rng: Rng) -> Mesh:
    """A cone of leaves; tall thin ones look much like somebody far away."""
    height = rng.uniform(1.2, 7.0)
    wide = height * rng.uniform(0.12, 0.3)
    z = rng.random(700) ** 1.5 * 0.92
    angle, r = rng.uniform(0, 2 * np.pi, 700), wide * (1 - z) * rng.uniform(0.5, 1.0, 700)
    centres = np.stack([r * np.cos(angle), r * np.sin(angle), height * (0.08 + z)], -1)
    trunk = tube(paint(rng, "brown"), [[0, 0, 0], [0, 0, 0.8 * height]], 0.03 * height, 6)
    return put_together(
        [trunk, leaves(_foliage(rng), centres, 0.05 * height * rng.uniform(0.5, 1.2, 700), rng)]
    )


def bush(rng: Rng) -> Mesh:
    """One to four clumps on the ground, flowers on some."""
    look, size = _foliage(rng), rng.uniform(0.3, 1.0)
    parts: list[Part | Mesh] = []
    for _ in range(int(rng.integers(1, 5))):
        radii = size * rng.uniform(0.5, 1.1, 3)
        centre = np.array([*rng.normal(0, 0.4 * size, 2), 0.8 * radii[2]])
        parts.append(_clump(rng, look, radii, centre, 260, 0.09 * size))
        parts.append(ball(look, 0.7 * radii, centre, 0.08, rng))
        if rng.random() < 0.3:
            parts.append(_clump(rng, paint(rng, "vivid"), 1.05 * radii, centre, 40, 0.05))
    return put_together(parts)


def hedge(rng: Rng) -> Mesh:
    size = rng.uniform((1.2, 0.4, 0.5), (4.0, 0.9, 1.8))
    look = _foliage(rng)
    at = rng.uniform(-0.5, 0.5, (700, 3))
    axis = rng.integers(0, 3, 700)
    at[np.arange(700), axis] = np.sign(at[np.arange(700), axis]) * 0.5
    centres = at * size + [0, 0, size[2] / 2]
    centres[:, 2] = np.abs(centres[:, 2])
    return put_together(
        [
            box(look, 0.96 * size, (0, 0, size[2] / 2)),
            leaves(look, centres, rng.uniform(0.04, 0.11, 700), rng),
        ]
    )


def planter(rng: Rng) -> Mesh:
    """A pot or a trough with a plant."""
    r, h = rng.uniform(0.15, 0.5), rng.uniform(0.3, 0.8)
    pot = paint(
        rng,
        str(rng.choice(["stone", "brown", "dark", "any"])),
        str(rng.choice(["plain", "speckle", "stripes"])),
        0.15,
    )
    vessel = (
        lathe(pot, [(0.7 * r, 0), (r, h), (0.85 * r, h), (0.8 * r, 0.9 * h)])
        if rng.random() < 0.6
        else box(pot, (2.5 * r, 1.3 * r, h), (0, 0, h / 2))
    )
    tall = rng.uniform(0.3, 1.5)
    look = _foliage(rng)
    parts: list[Part | Mesh] = [
        vessel,
        tube(paint(rng, "brown"), [[0, 0, 0.8 * h], [0, 0, h + 0.6 * tall]], 0.02, 5),
    ]
    radii = np.array([rng.uniform(0.6, 1.3) * r, rng.uniform(0.6, 1.3) * r, 0.5 * tall])
    parts.append(_clump(rng, look, radii, np.array([0, 0, h + 0.5 * tall]), 300, 0.09))
    return put_together(parts)


def stones(rng: Rng) -> Mesh:
    """Boulders, sacks or heaps."""
    look = paint(rng, str(rng.choice(["stone", "grey", "dark", "any"])), "speckle", 0.2)
    parts: list[Part | Mesh] = []
    for _ in range(int(rng.integers(1, 4))):
        r = rng.uniform(0.15, 0.55, 3)
        parts.append(ball(look, r, (*rng.normal(0, 0.35, 2), 0.6 * r[2]), 0.08, rng))
    return put_together(parts)
