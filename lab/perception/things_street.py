"""Things of the street: poles, signs, cones, bollards, bins, barriers, boards, posts with tape."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .things_look import any_paint, paint
from .things_mesh import Mesh, Part, ball, box, lathe, plate, put_together, tilt, tube, turned

Rng = np.random.Generator


def lamp_post(rng: Rng) -> Mesh:
    """A mast with one or two arms, now and then with a sign or a box at it."""
    height, r = rng.uniform(2.8, 8.5), rng.uniform(0.04, 0.11)
    metal = paint(rng, str(rng.choice(["grey", "dark", "pale", "any"])), gloss=0.3)
    reach = rng.uniform(0.0, 1.8)
    parts: list[Part | Mesh] = [
        tube(metal, [[0, 0, 0], [0, 0, 0.25 * height], [0, 0, height]], [1.5 * r, r, 0.7 * r])
    ]
    head = paint(rng, "pale", glow=float(rng.choice([0.0, 0.8])))
    for side in (1.0, -1.0)[: int(rng.integers(1, 3))]:
        if reach > 0.4:
            bow = [[0, 0, height - 0.5], [0.15 * side * reach, 0, height], [side * reach, 0, height + 0.2]]
            parts.append(tube(metal, bow, 0.6 * r))
            parts.append(box(head, (0.6, 0.25, 0.12), (side * (reach + 0.2), 0, height + 0.2)))
    if reach <= 0.4:
        parts.append(ball(head, [rng.uniform(0.12, 0.3)] * 3, (0, 0, height + 0.15)))
    if rng.random() < 0.5:
        parts.append(_panel(rng, rng.uniform(1.6, 2.6), r))
    return put_together(parts)


def _panel(rng: Rng, at: float, r: float) -> Part:
    """A board fixed to a pole."""
    look = paint(
        rng,
        "any",
        str(rng.choice(["letters", "plain", "diagonal", "goods"])),
        rng.uniform(0.08, 0.25),
        "pale",
    )
    w, h = rng.uniform(0.25, 0.9), rng.uniform(0.25, 0.9)
    return turned(box(look, (w, 0.03, h), (0, -r - 0.02, at)), tilt(z_rad=rng.uniform(-3, 3)))


def sign(rng: Rng) -> Mesh:
    """A traffic or shop sign on a pole: a disc, a triangle, an octagon or a board."""
    height, r = rng.uniform(1.4, 3.2), rng.uniform(0.02, 0.05)
    parts: list[Part | Mesh] = [tube(paint(rng, "grey", gloss=0.3), [[0, 0, 0], [0, 0, height]], r, 6)]
    yaw = rng.uniform(-np.pi, np.pi)
    for level in range(int(rng.integers(1, 4))):
        at = height - 0.35 - 0.7 * level
        if at < 0.6:
            break
        if rng.random() < 0.5:
            sides, size = int(rng.choice([3, 4, 8, 20])), rng.uniform(0.25, 0.45)
            for radius, thick, sort in ((size, 0.02, "vivid"), (0.75 * size, 0.03, "pale")):
                disc = tube(paint(rng, sort), [[0, -thick, 0], [0, thick, 0]], radius, sides)
                parts.append(turned(disc, tilt(z_rad=yaw), (0, 0, at)))
        else:
            parts.append(_panel(rng, at, r))
    return put_together(parts)


def bollard(rng: Rng) -> Mesh:
    height, r = rng.uniform(0.5, 1.3), rng.uniform(0.05, 0.2)
    look = paint(rng, "any", str(rng.choice(["plain", "stripes"])), rng.uniform(0.1, 0.3), "any", gloss=0.2)
    cap = paint(rng, str(rng.choice(["dark", "pale", "vivid"])))
    top = [(r, 0.9 * height), (r * rng.uniform(0.8, 1.4), 0.94 * height), (0.4 * r, height)]
    return put_together([lathe(look, [(1.2 * r, 0), (r, 0.05), (r, 0.9 * height)]), lathe(cap, top)])


def cone(rng: Rng) -> Mesh:
    height = rng.uniform(0.35, 1.05)
    look = paint(rng, "vivid", str(rng.choice(["stripes", "plain"])), 0.33 * height, "pale")
    base = 0.45 * height
    return put_together(
        [box(paint(rng, "dark"), (1.3 * base, 1.3 * base, 0.05), (0, 0, 0.025)),
         lathe(look, [(0.5 * base, 0.05), (0.06 * height, height)])]
    )  # fmt: skip


def bin_(rng: Rng) -> Mesh:
    """A waste bin: round, boxed, or on two wheels."""
    height, w = rng.uniform(0.7, 1.3), rng.uniform(0.35, 0.75)
    look = paint(
        rng, str(rng.choice(["dark", "any", "grey", "green"])), str(rng.choice(["plain", "upright"])), 0.08
    )
    lid = paint(rng, str(rng.choice(["dark", "any", "grey"])), gloss=0.3)
    if rng.random() < 0.5:
        r = 0.5 * w
        body = [(0.85 * r, 0.02), (r, 0.5 * height), (r, 0.85 * height)]
        dome = [(1.08 * r, 0.85 * height), (1.05 * r, 0.9 * height), (0.5 * r, height)]
        return put_together([lathe(look, body), lathe(lid, dome)])
    parts: list[Part | Mesh] = [
        box(look, (w, 0.9 * w, 0.85 * height), (0, 0, 0.47 * height)),
        box(lid, (1.08 * w, w, 0.1 * height), (0, 0.02, 0.93 * height)),
        box(paint(rng, "dark"), (0.7 * w, 0.02, 0.12), (0, -0.46 * w, 0.75 * height)),
    ]
    parts += [
        tube(paint(rng, "dark"), [[x, 0.4 * w, 0.1], [1.1 * x, 0.4 * w, 0.1]], 0.1)
        for x in (-0.5 * w, 0.5 * w)
    ]
    return put_together(parts)


def tripod(rng: Rng) -> Mesh:
    """Three spread legs with a camera or a surveyor's level."""
    height, spread = rng.uniform(1.0, 1.9), rng.uniform(0.3, 0.7)
    look = paint(rng, str(rng.choice(["dark", "dark", "vivid", "grey", "brown"])), gloss=0.2)
    hub, r = 0.85 * height, rng.uniform(0.012, 0.035)
    parts: list[Part | Mesh] = [tube(look, [[0, 0, 0.45 * height], [0, 0, height]], r, 6)]
    for angle in np.arange(3) * 2 * np.pi / 3 + rng.uniform(0, 2):
        foot = np.array([spread * np.cos(angle), spread * np.sin(angle), 0.0])
        knee = 0.45 * foot + [0, 0, 0.5 * height]
        parts.append(tube(look, [foot, knee, [0, 0, hub]], [0.8 * r, r, 1.3 * r], 6))
        parts.append(tube(look, [0.4 * foot + [0, 0, 0.5 * height], [0, 0, 0.46 * height]], 0.5 * r, 5))
    size = rng.uniform(0.06, 0.2, 3)
    parts.append(box(paint(rng, "dark", gloss=0.3), size, (0, 0, height + 0.4 * size[2]), rng.uniform(0, 3)))
    return put_together(parts)


def barrier(rng: Rng) -> Mesh:
    """A fence panel: bars, planks, mesh or a striped board."""
    length, height = rng.uniform(1.2, 3.0), rng.uniform(0.8, 2.0)
    metal = paint(rng, str(rng.choice(["grey", "any", "dark"])), gloss=0.3)
    ends = [-length / 2, length / 2]
    parts: list[Part | Mesh] = [tube(metal, [[x, 0, 0], [x, 0, height]], 0.025, 6) for x in ends]
    parts += [box(metal, (0.06, 0.5, 0.05), (x, 0, 0.03)) for x in ends]
    style = int(rng.integers(3))
    if style == 0:
        parts += [
            tube(metal, [[-length / 2, 0, z], [length / 2, 0, z]], 0.02, 6) for z in (0.15 * height, height)
        ]
        bars = np.linspace(ends[0], ends[1], int(length / rng.uniform(0.09, 0.18)))
        parts += [box(metal, (0.018, 0.018, 0.85 * height), (x, 0, 0.57 * height)) for x in bars]
    elif style == 1:
        look = paint(rng, "vivid", "diagonal", rng.uniform(0.12, 0.3), "pale")
        levels = rng.uniform(0.3, 0.95, int(rng.integers(1, 4))) * height
        parts += [box(look, (length, 0.03, rng.uniform(0.12, 0.3)), (0, 0, z)) for z in levels]
    else:
        look = paint(rng, "brown", "planks", 0.12)
        planks = np.linspace(ends[0] + 0.1, ends[1] - 0.1, int(length / 0.2))
        parts += [
            box(look, (0.14, 0.025, height * rng.uniform(0.9, 1.0)), (x, 0, 0.5 * height)) for x in planks
        ]
    return put_together(parts)


def tape(rng: Rng) -> Mesh:
    """Posts with a sagging band between them: queues and closed places."""
    gap, count, height = rng.uniform(1.2, 2.5), int(rng.integers(2, 5)), rng.uniform(0.8, 1.1)
    post = paint(rng, str(rng.choice(["dark", "grey", "vivid"])), gloss=0.4)
    band = paint(rng, "vivid", str(rng.choice(["upright", "plain"])), 0.3, "pale")
    xs = (np.arange(count) - (count - 1) / 2) * gap
    profile = [(0.18, 0), (0.17, 0.03), (0.03, 0.06), (0.03, height), (0.05, height + 0.02)]
    parts: list[Part | Mesh] = [lathe(post, profile, (x, 0, 0), 10) for x in xs]
    for a, b in pairwise(xs):
        sag = rng.uniform(0, 0.25)
        line = [[a, 0, height], [(a + b) / 2, 0, height - sag], [b, 0, height]]
        for (x0, _, z0), (x1, _, z1) in pairwise(line):
            parts.append(plate(band, [[x0, 0, z0 - 0.07], [x1, 0, z1 - 0.07], [x1, 0, z1], [x0, 0, z0]]))
    return put_together(parts)


def board(rng: Rng) -> Mesh:
    """An advertising board or a sandwich board; half of them with figures or writing."""
    w, h, lift = rng.uniform(0.5, 1.6), rng.uniform(0.8, 2.2), rng.uniform(0.0, 0.5)
    pattern = str(rng.choice(["figures", "letters", "goods", "blotches"]))
    look = paint(
        rng, "any", pattern, rng.uniform(0.25, 0.6) if pattern == "figures" else rng.uniform(0.1, 0.3), "any"
    )
    frame = paint(rng, str(rng.choice(["dark", "grey", "pale"])), gloss=0.3)
    lean = rng.uniform(0.1, 0.35) if rng.random() < 0.5 else 0.0
    parts: list[Part | Mesh] = []
    for side in (-1.0, 1.0):
        way = tilt(x_rad=side * lean)
        face = box(look, (w, 0.02, h), (0, 0, h / 2))
        rim = box(frame, (w + 0.08, 0.015, h + 0.08), (0, 0, h / 2))
        off = (0.0, -side * (np.sin(lean) * h + 0.012), lift)
        parts += [turned(face, way, off), turned(rim, way, (0, off[1] + 0.012 * side, lift))]
    if lift > 0.05:
        parts += [box(frame, (0.06, 0.06, lift), (x, 0, lift / 2)) for x in (-0.4 * w, 0.4 * w)]
    return put_together(parts)


def column(rng: Rng) -> Mesh:
    """A column, an advertising pillar, a stone post."""
    height, r = rng.uniform(1.2, 4.5), rng.uniform(0.12, 0.6)
    look = any_paint(rng) if rng.random() < 0.4 else paint(rng, "stone", "speckle", 0.2)
    if rng.random() < 0.3:
        return put_together([box(look, (2 * r, 2 * r, height), (0, 0, height / 2))])
    waist = r * rng.uniform(0.75, 1.0)
    profile = [(1.3 * r, 0), (1.3 * r, 0.08), (r, 0.12), (waist, 0.9 * height), (1.25 * r, height)]
    return put_together([lathe(look, profile, sides=18)])


def flag(rng: Rng) -> Mesh:
    """A flag on a mast or a tall banner with a foot."""
    height = rng.uniform(1.8, 5.0)
    cloth = paint(
        rng,
        "vivid",
        str(rng.choice(["plain", "stripes", "letters", "upright"])),
        rng.uniform(0.2, 0.6),
        "any",
    )
    w, h = (
        rng.uniform(0.4, 1.2),
        rng.uniform(0.5, 0.8) * height if rng.random() < 0.5 else rng.uniform(0.5, 1.0),
    )
    xs = np.linspace(0, w, 7)
    y = 0.12 * np.sin(xs / w * rng.uniform(3, 9) + rng.uniform(0, 6)) * xs / w
    parts: list[Part | Mesh] = [
        tube(paint(rng, "grey"), [[0, 0, 0], [0, 0, height]], 0.025, 6),
        box(paint(rng, "dark"), (0.4, 0.4, 0.06), (0, 0, 0.03)),
    ]
    for i in range(6):
        a, b = (xs[i], y[i]), (xs[i + 1], y[i + 1])
        corners = np.array([[*a, height - h], [*b, height - h], [*b, height], [*a, height]])
        parts.append(plate(cloth, corners, corners))
    return put_together(parts)


def flat(rng: Rng) -> Mesh:
    """Something that lies: a manhole cover, a puddle, litter, clothes, a cable, a painted mark."""
    style = int(rng.integers(4))
    z = 0.01
    if style == 0:
        r = rng.uniform(0.2, 0.6)
        look = paint(
            rng,
            str(rng.choice(["dark", "grey", "any"])),
            str(rng.choice(["checks", "plain", "upright"])),
            0.06,
        )
        return put_together([lathe(look, [(r, 0), (r, z), (0.9 * r, z + 0.004), (0.02, z)], sides=22)])
    if style == 1:
        look = paint(rng, str(rng.choice(["dark", "grey", "brown", "any"])), "blotches", 0.4, gloss=0.5)
        return put_together([ball(look, (*rng.uniform(0.3, 1.3, 2), 0.012), (0, 0, 0), 0.12, rng, 6, 26)])
    if style == 2:
        heap: list[Part | Mesh] = []
        for _ in range(int(rng.integers(1, 6))):
            radii = rng.uniform(0.08, 0.3, 3) * [1, 1, 0.35]
            at = rng.normal(0, 0.3, 3) * [1, 1, 0] + [0, 0, 0.3 * radii[2]]
            heap.append(ball(any_paint(rng, 0.1), radii, at, 0.25, rng))
        return put_together(heap)
    a = np.cumsum(rng.normal(0, 0.35, (6, 3)), axis=0) * [1, 1, 0] + [0, 0, 0.02]
    return put_together(
        [tube(paint(rng, str(rng.choice(["dark", "vivid"]))), a - a.mean(0) * [1, 1, 0], 0.02, 5)]
    )
