"""Light on meshes: what colour each ray brings home.

    L = albedo (E_ambient(n) + E_sun max(0, n.s) visible + sum of lamps p max(0, n.l) / (1 + d^2)) + gloss + glow

Rays come from one point; sun and lamps are drawn far more widely than a day out of doors has them: low and high sun,
overcast, halls lit from above, nights with pools of lamp light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ..virtualcrowd.render.light import GAMMA, Light
from ..virtualcrowd.render.tracer import Hits, Tracer
from .things_mesh import Mesh

Array = np.ndarray
_LIFT_M = 2e-3
"""Shadow rays start this far off the surface."""


@dataclass(frozen=True)
class Lamp:
    """A small light."""

    at_m: Float[Array, "3"]
    power: Float[Array, "3"]
    """Linear BGR at one metre."""


@dataclass(frozen=True)
class Seen:
    """What M rays see."""

    linear: Float[Array, "M 3"]
    """Light, linear BGR; black where nothing was met."""
    points_m: Float[Array, "M 3"]
    normals: Float[Array, "M 3"]


@dataclass(frozen=True)
class Rig:
    """All the light on a place."""

    light: Light
    lamps: tuple[Lamp, ...] = ()

    @property
    def has_sun(self) -> bool:
        return bool(self.light.sun.max() > 0.02)


def draw_rig(rng: np.random.Generator, kind: str = "") -> Rig:
    """Light of a kind: sun, overcast, hall, night; drawn where left out. Exposure is 1; see `exposed`."""
    kind = kind or str(rng.choice(["sun", "overcast", "hall", "night"], p=[0.5, 0.3, 0.15, 0.05]))
    elevation, azimuth = np.radians(rng.uniform(12, 75)), rng.uniform(-np.pi, np.pi)
    if kind in ("hall", "overcast"):
        elevation = np.radians(rng.uniform(55, 88))
    to_sun = np.array(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    )
    tint = np.array([1 - 0.3 * rng.random(), 1 - 0.1 * rng.random(), 1.0])
    share = {"sun": rng.uniform(1.0, 3.5), "overcast": rng.uniform(0, 0.25), "hall": rng.uniform(0, 0.6)}
    sun = share.get(kind, 0.0) * tint
    sky = np.array([1.0, 0.93, 0.85]) ** rng.uniform(-0.6, 1.2) * (
        0.06 if kind == "night" else rng.uniform(0.5, 1.1)
    )
    bounce = rng.uniform(0.15, 0.6) * sky * np.array([0.85, 0.95, 1.0])
    return Rig(Light(to_sun=to_sun, sun=sun, sky=sky, bounce=bounce, gain=np.ones(3)))


def exposed(rig: Rig, linear: Float[Array, "M 3"], rng: np.random.Generator) -> Light:
    """The light with an exposure that puts the middle of what is seen anywhere from dark to pale."""
    grey = linear.mean(axis=1) if len(linear) else np.full(1, 0.3)
    middle, bright = np.percentile(grey, [rng.uniform(35, 65), 96])
    gain = -np.log1p(-(rng.uniform(0.25, 0.88) ** GAMMA)) / max(float(middle), 1e-3)
    if rng.random() < 0.8:  # a camera that meters keeps its highlights
        gain = min(gain, -np.log1p(-(rng.uniform(0.86, 0.99) ** GAMMA)) / max(float(bright), 1e-3))
    balance = 1.0 + rng.normal(0.0, 0.05, 3)
    return replace(rig.light, gain=balance * gain)


def shade(
    mesh: Mesh, tracer: Tracer, hits: Hits, origin_m: Float[Array, "3"], ways: Float[Array, "M 3"],
    spread_rad: float, rig: Rig,
) -> Seen:  # fmt: skip
    """Light that M rays bring home.

    Args:
        mesh: what `tracer` was made of.
        tracer: for shadows.
        hits: of these rays, all of which met something.
        origin_m: where the rays start.
        ways: unit directions.
        spread_rad: angle between neighbouring rays.
        rig: the light.
    """
    ways = ways.astype(np.float32)
    points = origin_m.astype(np.float32) + hits.distance[:, None].astype(np.float32) * ways
    normals, place = _between(mesh, hits)
    facing = np.einsum("mi,mi->m", normals, ways)
    normals *= np.where(facing > 0, -1.0, 1.0).astype(np.float32)[:, None]
    grain = hits.distance * np.float32(spread_rad) / np.clip(np.abs(facing), 0.12, 1.0)
    albedo, gloss, glow = _painted(mesh, mesh.look[hits.face], place, grain.astype(np.float32))
    received = rig.light.ambient(normals[:, 2]).astype(np.float32)
    if rig.has_sun:
        received += _sunlight(tracer, points, normals, rig)[:, None] * rig.light.sun.astype(np.float32)
    for lamp in rig.lamps:
        received += _lamplight(lamp, points, normals)
    mirrored = ways[:, 2] - 2 * np.einsum("mi,mi->m", normals, ways) * normals[:, 2]
    sheen = gloss * np.clip(mirrored, 0, 1) ** 2 * (0.25 + (1 - np.abs(facing)) ** 3)
    linear = albedo * (received + glow[:, None]) + sheen[:, None] * rig.light.sky.astype(np.float32)
    return Seen(linear, points, normals)


def _between(mesh: Mesh, hits: Hits) -> tuple[Float[Array, "M 3"], Float[Array, "M 3"]]:
    """(unit normals, places of the looks) where rays meet the faces."""
    both = np.concatenate([mesh.normals, mesh.place_m], axis=1)
    corners = mesh.faces[hits.face]
    u, v = hits.u[:, None].astype(np.float32), hits.v[:, None].astype(np.float32)
    out = both[corners[:, 1]]
    out *= u
    out += v * both[corners[:, 2]]
    out += (1 - u - v) * both[corners[:, 0]]
    normals = out[:, :3] / np.sqrt(np.maximum(np.einsum("mi,mi->m", out[:, :3], out[:, :3]), 1e-12))[:, None]
    return normals, np.ascontiguousarray(out[:, 3:])


def _painted(
    mesh: Mesh, look: Array, place: Float[Array, "M 3"], grain: Float[Array, "M"]
) -> tuple[Float[Array, "M 3"], Float[Array, "M"], Float[Array, "M"]]:
    """(albedo, gloss, glow), look by look."""
    albedo = np.zeros((len(look), 3), np.float32)
    order = np.argsort(look, kind="stable")
    rows, starts = np.unique(look[order], return_index=True)
    for row, own in zip(rows, np.split(order, starts[1:]), strict=True):
        albedo[own] = mesh.looks[row].albedo(place[own], grain[own])
    gloss = np.array([one.gloss for one in mesh.looks], np.float32)[look]
    glow = np.array([one.glow for one in mesh.looks], np.float32)[look]
    return albedo, gloss, glow


def _sunlight(tracer: Tracer, points: Array, normals: Array, rig: Rig) -> Float[Array, "M"]:
    """Cosine to the sun where it shines."""
    to_sun = rig.light.to_sun.astype(np.float32)
    cosine = normals @ to_sun
    lit = np.flatnonzero(cosine > 0)
    ways = np.broadcast_to(to_sun, (len(lit), 3))
    free = tracer.free(points[lit] + _LIFT_M * normals[lit] + 1e-4 * to_sun, ways, 1e3)
    out = np.zeros(len(points), np.float32)
    out[lit] = cosine[lit] * free
    return out


def _lamplight(lamp: Lamp, points: Array, normals: Array) -> Float[Array, "M 3"]:
    off = lamp.at_m.astype(np.float32) - points
    d2 = np.einsum("mi,mi->m", off, off)
    cosine = np.clip(np.einsum("mi,mi->m", off, normals) / np.sqrt(d2 + 1e-6), 0, 1)
    return np.asarray((cosine / (1 + d2))[:, None] * lamp.power.astype(np.float32))
