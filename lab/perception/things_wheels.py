"""Things on wheels: parked cars and vans, bicycles, scooters, push-chairs, trolleys, suitcases."""

from __future__ import annotations

import numpy as np

from .things_look import paint
from .things_mesh import Mesh, Part, ball, box, loft, plate, put_together, rounded_ring, tilt, tube, turned

Rng = np.random.Generator


def _wheel(rng: Rng, x: float, y: float, r: float, wide: float) -> list[Part | Mesh]:
    tyre, hub = paint(rng, "dark"), paint(rng, "grey", gloss=0.5)
    side = np.sign(y) * wide / 2
    return [
        tube(tyre, [[x, y - wide / 2, r], [x, y + wide / 2, r]], r, 18),
        tube(hub, [[x, y + 0.9 * side, r], [x, y + 1.1 * side, r]], 0.6 * r, 12),
    ]


def _skin(stations: list[tuple[float, float, float, float]], power: float) -> np.ndarray:
    """Rings along x from (x, width, low, high)."""
    rings = []
    for x, width, low, high in stations:
        ring = rounded_ring(width, low, high, power)
        rings.append(np.column_stack([np.full(len(ring), x), ring]))
    return np.stack(rings)


def car(rng: Rng) -> Mesh:
    """A body, a glass cabin, roof, pillars, wheels, lights, plates; along x."""
    length, width, height = rng.uniform(3.5, 4.9), rng.uniform(1.6, 1.9), rng.uniform(1.35, 1.75)
    lacquer = paint(
        rng, str(rng.choice(["grey", "dark", "pale", "any", "vivid"])), gloss=float(rng.uniform(0.3, 0.9))
    )
    glass = paint(rng, "dark", gloss=0.9)
    half, belt, low = length / 2, 0.56 * height, 0.2
    nose, tail = belt * rng.uniform(0.8, 0.95), belt * rng.uniform(0.9, 1.05)
    body = _skin(
        [
            (-half, 0.85 * width, low + 0.1, 0.8 * tail),
            (-0.95 * half, width, low, tail),
            (0.0, 1.02 * width, low, belt),
            (0.5 * half, width, low, belt),
            (0.92 * half, 0.97 * width, low, nose),
            (half, 0.8 * width, low + 0.08, 0.8 * nose),
        ],
        6,
    )
    back, front = rng.uniform(-0.9, -0.6) * half, rng.uniform(0.3, 0.5) * half
    top = 0.86 * width
    sill = belt - 0.1
    cabin = _skin(
        [
            (back, 0.94 * width, sill, belt + 0.02),
            (back + 0.15 * half, top, sill, 0.97 * height),
            (front - 0.35 * half, top, sill, 0.98 * height),
            (front, 0.92 * width, sill, belt),
        ],
        7,
    )
    roof = _skin(
        [
            (back + 0.12 * half, 0.9 * top, 0.93 * height, 0.98 * height),
            (0.5 * (back + front), top, 0.93 * height, height),
            (front - 0.33 * half, 0.9 * top, 0.93 * height, 0.99 * height),
        ],
        5,
    )
    parts: list[Part | Mesh] = [loft(lacquer, body), loft(glass, cabin), loft(lacquer, roof)]
    for y in (-0.46 * width, 0.46 * width):
        for x in (back + 0.12 * half, 0.5 * (back + front) - 0.05, front - 0.1 * half):
            lean = 0.25 if x > 0 else -0.1
            parts.append(tube(lacquer, [[x + lean, y, belt - 0.02], [x, 0.93 * y, 0.96 * height]], 0.035, 5))
        for x in (-0.6 * half, 0.62 * half):
            parts += _wheel(rng, x, y, rng.uniform(0.29, 0.34), 0.2)
        parts.append(
            ball(paint(rng, "pale", glow=0.2), (0.06, 0.16, 0.08), (0.95 * half, 0.75 * y, 0.75 * nose))
        )
        parts.append(ball(paint(rng, "vivid"), (0.06, 0.13, 0.1), (-0.97 * half, 0.8 * y, 0.78 * tail)))
        parts.append(box(lacquer, (0.12, 0.16, 0.12), (0.35 * half, 1.15 * y, belt + 0.06)))
    parts += [
        box(paint(rng, "pale"), (0.03, 0.5, 0.11), (side * (half + 0.005), 0, 0.45)) for side in (-1, 1)
    ]
    return put_together(parts)


def van(rng: Rng) -> Mesh:
    """A box with a short bonnet, side windows or none, writing on some."""
    length, width, height = rng.uniform(4.2, 6.5), rng.uniform(1.8, 2.2), rng.uniform(1.8, 2.9)
    pattern = str(rng.choice(["plain", "plain", "letters"]))
    lacquer = paint(rng, str(rng.choice(["pale", "grey", "any", "dark"])), pattern, 0.5, "any", gloss=0.4)
    glass, half, low = paint(rng, "dark", gloss=0.9), length / 2, 0.28
    bonnet = rng.uniform(0.45, 0.6) * height
    skin = _skin(
        [
            (-half, 0.96 * width, low, 0.98 * height),
            (-0.97 * half, width, low, height),
            (0.45 * half, width, low, height),
            (0.72 * half, 0.97 * width, low, bonnet + 0.1),
            (0.97 * half, 0.93 * width, low, bonnet - 0.1),
            (half, 0.85 * width, low + 0.1, 0.7 * bonnet),
        ],
        9,
    )
    parts: list[Part | Mesh] = [loft(lacquer, skin)]
    a, b = (0.47 * half, 0.96 * height), (0.71 * half, bonnet + 0.14)
    w = 0.44 * width
    parts.append(
        plate(
            glass,
            [
                [b[0] + 0.03, -w, b[1]],
                [b[0] + 0.03, w, b[1]],
                [a[0] + 0.03, 0.93 * w, a[1]],
                [a[0] + 0.03, -0.93 * w, a[1]],
            ],
        )
    )
    for y in (-0.5 * width - 0.01, 0.5 * width + 0.01):
        count = int(rng.choice([1, 1, 4]))
        for k in range(count):
            x = (0.32 - 0.35 * k) * half
            parts.append(box(glass, (0.28 * half, 0.02, 0.25 * height), (x, y, 0.72 * height)))
        for x in (-0.6 * half, 0.62 * half):
            parts += _wheel(rng, x, 0.92 * y, 0.35, 0.22)
    parts.append(box(glass, (0.02, 0.7 * width, 0.22 * height), (-half - 0.01, 0, 0.75 * height)))
    parts += [
        box(paint(rng, "vivid"), (0.02, 0.12, 0.3), (-half - 0.01, y, 0.45 * height))
        for y in (-0.45 * width, 0.45 * width)
    ]
    return put_together(parts)


def _ring(rng: Rng, x: float, r: float, thick: float) -> list[Part | Mesh]:
    """A spoked wheel in the x-z plane."""
    angle = np.linspace(0, 2 * np.pi, 19)
    path = np.stack([x + r * np.cos(angle), 0 * angle, r + thick + r * np.sin(angle)], -1)
    spokes = [tube(paint(rng, "grey"), [path[i], [x, 0, r + thick]], 0.004, 3) for i in range(0, 18, 2)]
    return [tube(paint(rng, "dark"), path, thick, 5), *spokes]


def bicycle(rng: Rng) -> Mesh:
    """Two spoked wheels, a frame, saddle and handlebar; a basket on some."""
    r, base = rng.uniform(0.29, 0.36), rng.uniform(0.95, 1.1)
    frame, black = paint(rng, "any", gloss=0.4), paint(rng, "dark")
    back, front = np.array([-base / 2, 0, r]), np.array([base / 2, 0, r])
    crank, seat, head = (
        np.array([-0.05, 0, 0.3]),
        np.array([-0.25, 0, 0.85]),
        np.array([base / 2 - 0.18, 0, 0.85]),
    )
    parts: list[Part | Mesh] = [*_ring(rng, -base / 2, r, 0.02), *_ring(rng, base / 2, r, 0.02)]
    for a, b in (
        (back, seat),
        (back, crank),
        (crank, seat),
        (crank, head),
        (seat - [0, 0, 0.1], head),
        (head, front),
    ):
        parts.append(tube(frame, [a, b], 0.019, 6))
    bar = head + np.array([0.0, 0, 0.15])
    parts += [
        tube(frame, [head, bar], 0.015, 5),
        tube(black, [bar - np.array([0.1, 0.28, 0]), bar, bar + np.array([-0.1, 0.28, 0])], 0.015, 5),
    ]
    parts.append(ball(black, (0.13, 0.07, 0.04), seat + np.array([0, 0, 0.08])))
    if rng.random() < 0.4:
        parts.append(
            box(paint(rng, "brown", "checks", 0.04), (0.3, 0.35, 0.22), bar + np.array([0.18, 0, -0.12]))
        )
    if rng.random() < 0.4:
        parts.append(box(paint(rng, "any"), (0.3, 0.3, 0.2), seat + np.array([-0.25, 0, -0.05])))
    lean = tilt(x_rad=rng.normal(0, 0.08))
    return put_together([turned(part, lean) if isinstance(part, Part) else part for part in parts])


def pushchair(rng: Rng) -> Mesh:
    """Frame, wheels, a seat and a hood."""
    metal, cloth = paint(rng, "grey", gloss=0.4), paint(rng, str(rng.choice(["dark", "any", "vivid"])))
    parts: list[Part | Mesh] = []
    for y in (-0.25, 0.25):
        parts += [
            tube(metal, [[-0.4, y, 0.12], [0.1, y, 0.5], [0.5, y, 1.02]], 0.014, 5),
            tube(metal, [[0.35, y, 0.12], [-0.1, y, 0.6]], 0.014, 5),
        ]
        for x in (-0.4, 0.35):
            parts += _wheel(rng, x, y, 0.12, 0.04)
    parts.append(tube(metal, [[0.5, -0.25, 1.02], [0.5, 0.25, 1.02]], 0.018, 5))
    seat = _skin(
        [(-0.45, 0.42, 0.35, 0.48), (-0.1, 0.45, 0.38, 0.6), (0.12, 0.42, 0.5, 0.95), (0.22, 0.4, 0.7, 1.0)],
        4,
    )
    parts.append(loft(cloth, seat))
    hood = rng.uniform(0.0, 0.2)
    parts.append(ball(paint(rng, "any"), (0.28, 0.24, 0.2), (0.1 - hood, 0, 0.92)))
    if rng.random() < 0.5:
        parts.append(ball(paint(rng, "any", "checks", 0.06), (0.22, 0.16, 0.07), (-0.15, 0, 0.58)))
    return put_together(parts)


def trolley(rng: Rng) -> Mesh:
    """A shopping or luggage trolley, loaded or not."""
    metal = paint(rng, "grey", gloss=0.5)
    w, length = rng.uniform(0.4, 0.6), rng.uniform(0.6, 1.1)
    parts: list[Part | Mesh] = []
    for x in np.linspace(-length / 2, length / 2, 7):
        parts += [tube(metal, [[x, y, 0.4], [x, 1.15 * y, 0.95]], 0.007, 4) for y in (-w / 2, w / 2)]
    for z in (0.42, 0.6, 0.78, 0.95):
        parts += [tube(metal, [[-length / 2, y, z], [length / 2, y, z]], 0.008, 4) for y in (-w / 2, w / 2)]
    parts += [
        tube(metal, [[x, y, 0.1], [0.8 * x, y, 0.4]], 0.012, 4)
        for x in (-length / 2, length / 2)
        for y in (-w / 2, w / 2)
    ]
    for x in (-length / 2, length / 2):
        for y in (-w / 2, w / 2):
            parts += _wheel(rng, x, y, 0.07, 0.03)
    parts.append(
        tube(
            paint(rng, "vivid"),
            [[-length / 2 - 0.12, -w / 2, 1.02], [-length / 2 - 0.12, w / 2, 1.02]],
            0.018,
            6,
        )
    )
    for _ in range(int(rng.integers(0, 5))):
        size = rng.uniform(0.12, 0.4, 3)
        at = (*rng.uniform(-0.3, 0.3, 1) * length, *rng.uniform(-0.2, 0.2, 1) * w, 0.45 + size[2] / 2)
        parts.append(box(paint(rng, "any"), size, at, rng.uniform(0, 1)))
    return put_together(parts)


def suitcase(rng: Rng) -> Mesh:
    """One to three cases or bags standing together."""
    parts: list[Part | Mesh] = []
    for k in range(int(rng.integers(1, 4))):
        size = rng.uniform((0.3, 0.18, 0.4), (0.55, 0.32, 0.8))
        shell = paint(
            rng,
            str(rng.choice(["dark", "any", "vivid"])),
            str(rng.choice(["plain", "upright", "checks"])),
            0.06,
            gloss=0.3,
        )
        case: list[Part | Mesh] = []
        thick, wide = size[1] / 2, size[0]
        ends = [(side * thick, 0.9 * wide, 0.07, 0.97 * size[2]) for side in (-1, 1)]
        sides = [(side * 0.8 * thick, wide, 0.05, size[2]) for side in (-1, 1)]
        ring = _skin([ends[0], *sides, ends[1]], 6)
        case.append(loft(shell, ring))
        grip = size[2] + (rng.uniform(0.2, 0.45) if rng.random() < 0.5 else 0.06)
        path = [[0, -0.1, size[2] - 0.02], [0, -0.1, grip], [0, 0.1, grip], [0, 0.1, size[2] - 0.02]]
        case.append(tube(paint(rng, "dark"), path, 0.012, 5))
        case += [
            ball(paint(rng, "dark"), (0.04, 0.04, 0.04), (0, y, 0.04))
            for y in (-0.4 * size[0], 0.4 * size[0])
        ]
        parts.append(put_together(case).moved(rng.uniform(0, 6), (0.55 * k, rng.normal(0, 0.1), 0)))
    whole = put_together(parts)
    return whole.moved(0.0, (-float(whole.vertices_m[:, 0].mean()), 0, 0))
