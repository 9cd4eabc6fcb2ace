"""Things of squares and rooms: benches, tables, chairs, boxes, parasols, stalls, machines, shelves, and look-alikes."""

from __future__ import annotations

import numpy as np

from .things_look import any_paint, paint
from .things_mesh import (
    Look,
    Mesh,
    Part,
    ball,
    box,
    lathe,
    loft,
    plate,
    put_together,
    rounded_ring,
    tilt,
    tube,
    turned,
)

Rng = np.random.Generator


def bench(rng: Rng) -> Mesh:
    length = rng.uniform(1.2, 2.4)
    wood = paint(rng, str(rng.choice(["brown", "grey", "any"])), "planks", 0.1)
    leg = paint(rng, str(rng.choice(["dark", "stone"])))
    parts: list[Part | Mesh] = [box(wood, (length, 0.11, 0.04), (0, y, 0.45)) for y in (-0.18, -0.04, 0.1)]
    parts += [box(leg, (0.07, 0.4, 0.43), (x, 0, 0.215)) for x in (-0.4 * length, 0.4 * length)]
    if rng.random() < 0.7:
        parts += [box(wood, (length, 0.03, 0.1), (0, 0.22 + 0.02 * k, 0.6 + 0.14 * k)) for k in range(3)]
        parts += [box(leg, (0.05, 0.05, 0.55), (x, 0.26, 0.65)) for x in (-0.4 * length, 0.4 * length)]
    return put_together(parts)


def table(rng: Rng) -> Mesh:
    """A table, round or square, with chairs about it."""
    top, leg, w = any_paint(rng), paint(rng, "grey"), rng.uniform(0.6, 1.3)
    parts: list[Part | Mesh] = []
    if rng.random() < 0.5:
        parts.append(lathe(top, [(0.5 * w, 0.7), (0.5 * w, 0.74), (0.02, 0.745)]))
        parts.append(lathe(leg, [(0.22, 0), (0.04, 0.05), (0.04, 0.7)], sides=8))
    else:
        parts.append(box(top, (1.4 * w, w, 0.04), (0, 0, 0.73)))
        parts += [
            box(leg, (0.05, 0.05, 0.72), (x * w, y * w, 0.36)) for x in (-0.62, 0.62) for y in (-0.43, 0.43)
        ]
    seat = any_paint(rng)
    for angle in rng.uniform(0, 2 * np.pi, int(rng.integers(0, 5))):
        at = (0.62 * w + 0.15) * np.array([np.cos(angle), np.sin(angle), 0])
        parts.append(_chair(seat, leg).moved(angle + np.pi / 2 + rng.normal(0, 0.3), at))
    if rng.random() < 0.3:
        parts.append(_sunshade(rng, rng.uniform(1.9, 2.5), rng.uniform(0.9, 1.6)))
    return put_together(parts)


def _chair(seat: Look, leg: Look) -> Mesh:
    parts: list[Part | Mesh] = [
        box(seat, (0.42, 0.42, 0.04), (0, 0, 0.45)),
        box(seat, (0.42, 0.03, 0.4), (0, -0.2, 0.72)),
    ]
    parts += [
        box(leg, (0.03, 0.03, 0.9 if y < 0 else 0.45), (x, y, 0.45 if y < 0 else 0.22))
        for x in (-0.18, 0.18)
        for y in (-0.19, 0.18)
    ]
    return put_together(parts)


def chair(rng: Rng) -> Mesh:
    """A chair, with a jacket over it now and then."""
    parts: list[Part | Mesh] = [_chair(any_paint(rng), paint(rng, "dark"))]
    if rng.random() < 0.5:
        parts.append(_coat(rng, (0, -0.22, 0.45), 0.45, 0.45))
    return put_together(parts)


def _sunshade(rng: Rng, height: float, r: float) -> Mesh:
    cloth = paint(rng, "any", str(rng.choice(["plain", "upright", "letters"])), 0.3, "pale")
    pole = tube(paint(rng, "grey"), [[0, 0, 0], [0, 0, height]], 0.025, 6)
    roof = lathe(cloth, [(r, height - 0.35 * r), (0.55 * r, height - 0.15 * r), (0.02, height)], sides=8)
    foot = lathe(paint(rng, "stone"), [(0.25, 0), (0.22, 0.1), (0.03, 0.12)])
    return put_together([pole, roof, foot])


def parasol(rng: Rng) -> Mesh:
    """A parasol, open or folded; folded ones are figures in a cloak."""
    if rng.random() < 0.5:
        return _sunshade(rng, rng.uniform(1.8, 2.8), rng.uniform(0.6, 1.9))
    height = rng.uniform(1.7, 2.6)
    cloth = paint(rng, "any", str(rng.choice(["plain", "upright"])), 0.1)
    fold = [(0.06, 0.35 * height), (0.14, 0.5 * height), (0.1, 0.8 * height), (0.02, height)]
    return put_together(
        [lathe(cloth, fold), tube(paint(rng, "grey"), [[0, 0, 0], [0, 0, 0.5 * height]], 0.025, 6),
         lathe(paint(rng, "dark"), [(0.3, 0), (0.25, 0.1), (0.03, 0.12)])]
    )  # fmt: skip


def stall(rng: Rng) -> Mesh:
    """A market stall: posts, an awning, a counter with goods."""
    w, d, h = rng.uniform(1.8, 3.0), rng.uniform(1.0, 1.8), rng.uniform(2.0, 2.5)
    post, cloth = paint(rng, "grey"), paint(rng, "vivid", str(rng.choice(["upright", "plain"])), 0.3, "pale")
    parts: list[Part | Mesh] = [
        tube(post, [[x, y, 0], [x, y, h]], 0.03, 5) for x in (-w / 2, w / 2) for y in (-d / 2, d / 2)
    ]
    ridge = h + rng.uniform(0.2, 0.6)
    for side in (-1, 1):
        parts.append(
            plate(
                cloth,
                [
                    [-0.55 * w, side * 0.62 * d, h - 0.1],
                    [0.55 * w, side * 0.62 * d, h - 0.1],
                    [0.55 * w, 0, ridge],
                    [-0.55 * w, 0, ridge],
                ],
            )
        )
    parts.append(box(any_paint(rng), (w, 0.6 * d, 0.85), (0, 0, 0.43)))
    for _ in range(int(rng.integers(4, 14))):
        size = rng.uniform(0.1, 0.4, 3)
        parts.append(
            box(
                paint(rng, "any"),
                size,
                (rng.uniform(-0.45, 0.45) * w, rng.uniform(-0.25, 0.25) * d, 0.85 + size[2] / 2),
            )
        )
    return put_together(parts)


def crates(rng: Rng) -> Mesh:
    """Boxes or crates in a stack."""
    sort = str(rng.choice(["brown", "any", "grey"]))
    parts: list[Part | Mesh] = []
    top, at = 0.0, np.zeros(2)
    size = rng.uniform(0.3, 0.9, 3)
    for _ in range(int(rng.integers(1, 6))):
        size = size * rng.uniform(0.8, 1.05, 3)
        pattern = str(rng.choice(["plain", "planks", "letters", "checks"]))
        look = paint(rng, sort, pattern, 0.12, "any" if pattern == "letters" else sort)
        parts.append(box(look, size, (*at, top + size[2] / 2), rng.normal(0, 0.2)))
        if top < 1.6 and rng.random() < 0.7:
            top += float(size[2])
        else:
            top, at = 0.0, at + rng.normal(0, 0.6, 2)
    whole = put_together(parts)
    middle = 0.5 * (whole.vertices_m.min(axis=0) + whole.vertices_m.max(axis=0))
    return whole.moved(0.0, (-middle[0], -middle[1], 0.0))


def machine(rng: Rng) -> Mesh:
    """A ticket, vending or info machine; a cabinet; a telephone box."""
    w, d, h = rng.uniform(0.4, 1.1), rng.uniform(0.3, 0.9), rng.uniform(1.2, 2.3)
    shell = any_paint(rng)
    face = paint(
        rng,
        "any",
        str(rng.choice(["goods", "letters", "plain", "figures"])),
        0.15,
        "any",
        glow=float(rng.choice([0.0, 0.6])),
    )
    parts: list[Part | Mesh] = [box(shell, (w, d, h), (0, 0, h / 2))]
    parts.append(box(face, (0.8 * w, 0.02, rng.uniform(0.3, 0.6) * h), (0, -d / 2 - 0.01, 0.65 * h)))
    parts.append(box(paint(rng, "dark"), (0.6 * w, 0.03, 0.08), (0, -d / 2 - 0.01, 0.25 * h)))
    return put_together(parts)


def shelf(rng: Rng) -> Mesh:
    """Shelves with goods, or a rack of leaflets."""
    w, d, h = rng.uniform(0.5, 1.6), rng.uniform(0.25, 0.6), rng.uniform(1.0, 2.1)
    wood = any_paint(rng)
    levels = np.linspace(0.1, h, int(rng.integers(3, 6)))
    parts: list[Part | Mesh] = [box(wood, (0.04, d, h), (x, 0, h / 2)) for x in (-w / 2, w / 2)]
    parts += [box(wood, (w, d, 0.03), (0, 0, z)) for z in levels]
    for z in levels[:-1]:
        for x in np.arange(-w / 2 + 0.12, w / 2 - 0.08, rng.uniform(0.13, 0.3)):
            tall = rng.uniform(0.08, 0.28)
            parts.append(box(paint(rng, "any"), (0.11, 0.7 * d, tall), (x, 0, z + 0.02 + tall / 2)))
    return put_together(parts)


def _coat(rng: Rng, foot: tuple[float, float, float], height: float, width: float) -> Part:
    """Hanging cloth with shoulders."""
    look = paint(
        rng, str(rng.choice(["dark", "any", "grey"])), str(rng.choice(["plain", "checks", "upright"])), 0.08
    )
    rings = []
    for share, wide in ((0.0, 0.95), (0.4, 0.85), (0.8, 1.0), (0.93, 0.9), (1.0, 0.25)):
        ring = rounded_ring(width * wide * rng.uniform(0.9, 1.1), -0.08, 0.08, 2.5, 14)
        rings.append(np.column_stack([ring, np.full(14, share * height)]) + np.asarray(foot))
    return loft(look, np.stack(rings))


def coat_stand(rng: Rng) -> Mesh:
    """A post with coats and perhaps a hat: nearly somebody."""
    height = rng.uniform(1.6, 2.0)
    wood = paint(rng, str(rng.choice(["brown", "dark", "grey"])))
    parts: list[Part | Mesh] = [
        tube(wood, [[0, 0, 0], [0, 0, height]], 0.025, 6),
        lathe(wood, [(0.25, 0), (0.03, 0.06)]),
    ]
    for angle in rng.uniform(0, 2 * np.pi, int(rng.integers(1, 4))):
        tip = [0.16 * np.cos(angle), 0.16 * np.sin(angle), height - 0.05]
        parts.append(tube(wood, [[0, 0, height - 0.15], tip], 0.015, 5))
        long = rng.uniform(0.6, 1.2)
        parts.append(
            turned(
                _coat(rng, (0, 0, 0), long, rng.uniform(0.25, 0.5)),
                tilt(z_rad=angle + np.pi / 2),
                (tip[0], tip[1], tip[2] - long),
            )
        )
    if rng.random() < 0.3:
        parts.append(
            lathe(
                paint(rng, "any"),
                [(0.17, height), (0.16, height + 0.02), (0.09, height + 0.03), (0.08, height + 0.12)],
            )
        )
    return put_together(parts)


def clothes_rail(rng: Rng) -> Mesh:
    """A rail full of hanging clothes."""
    length, height = rng.uniform(0.9, 2.2), rng.uniform(1.3, 1.8)
    metal = paint(rng, "grey", gloss=0.4)
    parts: list[Part | Mesh] = [
        tube(metal, [[x, 0, 0.05], [x, 0, height]], 0.018, 5) for x in (-length / 2, length / 2)
    ]
    parts += [box(metal, (0.05, 0.5, 0.05), (x, 0, 0.03)) for x in (-length / 2, length / 2)]
    parts.append(tube(metal, [[-length / 2, 0, height], [length / 2, 0, height]], 0.018, 5))
    for x in np.arange(-length / 2 + 0.1, length / 2 - 0.05, rng.uniform(0.09, 0.25)):
        long = rng.uniform(0.5, 1.0)
        coat = _coat(rng, (0, 0, 0), long, rng.uniform(0.35, 0.5))
        parts.append(turned(coat, tilt(z_rad=np.pi / 2 + rng.normal(0, 0.2)), (x, 0, height - long)))
    return put_together(parts)


def dummy(rng: Rng) -> Mesh:
    """A shop dummy without head, a bust or a stone statue on its plinth: shapes of people that are none."""
    stone = paint(rng, str(rng.choice(["stone", "pale", "dark", "grey"])), "plain", gloss=0.3)
    lift = rng.uniform(0.5, 1.3) if rng.random() < 0.6 else 0.0
    parts: list[Part | Mesh] = []
    if lift > 0:
        side = rng.uniform(0.35, 0.7)
        parts.append(box(paint(rng, "stone", "speckle", 0.2), (side, side, lift), (0, 0, lift / 2)))
    else:
        parts += [
            lathe(stone, [(0.2, 0), (0.18, 0.03), (0.02, 0.05)]),
            tube(stone, [[0, 0, 0], [0, 0, 0.9]], 0.02, 6),
        ]
        lift = 0.25
    tall = rng.uniform(0.55, 0.7)
    rings = []
    for z, wide, deep in (
        (0.0, 0.28, 0.2),
        (0.1, 0.34, 0.22),
        (0.4, 0.26, 0.17),
        (0.75, 0.38, 0.22),
        (0.95, 0.42, 0.16),
        (1.0, 0.12, 0.1),
    ):
        ring = rounded_ring(wide, -deep / 2, deep / 2, 2.3, 14)
        rings.append(np.column_stack([ring, np.full(14, lift + 0.5 + tall * z)]))
    robe = rng.random() < 0.6
    if not robe:
        parts.append(tube(stone, [[0, 0, lift], [0, 0, lift + 0.52]], 0.03, 8))
    else:
        parts.append(lathe(stone, [(0.26, lift), (0.2, lift + 0.3), (0.16, lift + 0.62)]))
    trunk = loft(stone if rng.random() < 0.5 else any_paint(rng, 0.1), np.stack(rings))
    parts.append(trunk)
    if robe and rng.random() < 0.5:
        parts.append(ball(stone, (0.09, 0.1, 0.13), (0, 0, lift + 0.5 + tall + 0.14)))
    return put_together(parts)
