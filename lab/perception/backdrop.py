"""Backdrops: pictures of places without people, with the camera that sees them and the ground one may stand on.

Five in six are random places, ray-traced with edges smoothed; the rest are abstract paintings with a camera made up.
A bank keeps many: pixels end to end in one `.npy` file that is mapped, numbers in `index.npz`, which is written last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ...kernels.camera import CameraModel
from ..virtualcrowd.render.light import to_bytes
from ..virtualcrowd.render.tracer import Hits, Tracer
from .backdrop_paint import below_horizon, draw_abstract
from .backdrop_place import Place, draw_place
from .sprite import BankError
from .things_noise import noise
from .things_shade import exposed, shade

Array = np.ndarray

ABSTRACT_SHARE = 0.15
WALK_M = 150.0
"""Nobody is put further off than this."""
_LEAST_GROUND = 0.08
"""Share of the picture that must be walkable; else another place is drawn."""
_STRIDE = 3
_NEAR_M = 2.0
"""What is further off than this takes no light from the ground."""
_PIXELS, _INDEX = "pixels.npy", "index.npz"
_PLANES = 4
_VERSION = 1


@dataclass(frozen=True)
class Backdrop:
    """A place without people."""

    bgr: UInt8[Array, "H W 3"]
    camera: CameraModel
    """A pinhole; the ground is z = 0."""
    walkable: UInt8[Array, "H W"]
    """255 where the pixel shows ground that feet may stand on."""
    to_sun: Float[Array, "3"]
    """Unit direction of the light that throws shadows; zeros where none does."""


def render_backdrops(
    count: int, seed: int, progress: Callable[[int, int], None] | None = None
) -> Iterator[Backdrop]:
    """Random backdrops, each from a seed of its own.

    Args:
        count: how many.
        seed: same seed, same bytes.
        progress: called with (made, count) after each.

    Raises:
        RendererMissingError: embreex is not installed.
    """
    for row in range(count):
        yield draw_backdrop(np.random.default_rng([seed, row, 0xBACD]))
        if progress is not None:
            progress(row + 1, count)


def draw_backdrop(rng: np.random.Generator) -> Backdrop:
    """One backdrop with enough ground."""
    abstract = rng.random() < ABSTRACT_SHARE
    while True:
        backdrop = _abstract(rng) if abstract else _traced(draw_place(rng), rng)
        if (backdrop.walkable > 0).mean() >= _LEAST_GROUND:
            return backdrop


def _abstract(rng: np.random.Generator) -> Backdrop:
    bgr, camera = draw_abstract(rng)
    return Backdrop(bgr, camera, below_horizon(camera, WALK_M), np.zeros(3))


def _traced(place: Place, rng: np.random.Generator) -> Backdrop:
    """One ray a pixel, four more where things end."""
    camera = place.camera
    width, height = camera.size_px
    tracer = Tracer(place.mesh.vertices_m, place.mesh.faces)
    gx, gy = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    pixels = np.stack([gx, gy], -1).reshape(-1, 2)
    sky = _sky(rng, place)
    linear, look, distance = _light(place, tracer, pixels, sky)
    linear *= _nearness(place, tracer, look, distance, rng)[:, None]
    edges = _edges(look.reshape(height, width), distance.reshape(height, width))
    extra = np.zeros((len(edges), 3), np.float32)
    light = exposed(place.rig, linear[::7], rng)
    display = light.develop(linear)
    if len(edges):
        for dx, dy in ((-0.3, -0.1), (0.1, -0.3), (0.3, 0.1), (-0.1, 0.3)):
            extra += light.develop(_light(place, tracer, pixels[edges] + [dx, dy], sky)[0])
        display[edges] = extra / 4
    walkable = np.where((look == 0) & (distance < WALK_M), 255, 0).astype(np.uint8)
    to_sun = place.rig.light.to_sun if float(place.rig.light.sun.max()) > 0.4 else np.zeros(3)
    return Backdrop(
        to_bytes(display).reshape(height, width, 3), camera, walkable.reshape(height, width), to_sun
    )


def _nearness(
    place: Place, tracer: Tracer, look: Array, distance: Float[Array, "M"], rng: np.random.Generator
) -> Float[Array, "M"]:
    """How much light the ground keeps beside what stands on it: soft contact shadows.

    One ray upwards for every third pixel of ground, averaged over the neighbours that are ground too.
    """
    camera = place.camera
    width, height = camera.size_px
    gx, gy = np.meshgrid(np.arange(0, width, _STRIDE), np.arange(0, height, _STRIDE))
    rows = (gy * width + gx).reshape(-1)
    ground = look[rows] == 0
    own = rows[ground]
    pixels = np.stack([own % width, own // width], -1).astype(float)
    points = camera.centre_world_m + distance[own, None] * camera.rays_world(pixels)
    turn, up = rng.uniform(0, 2 * np.pi, len(own)), np.sqrt(rng.uniform(0.02, 1.0, len(own)))
    flat = np.sqrt(1 - up * up)
    ways = np.stack([flat * np.cos(turn), flat * np.sin(turn), up], -1)
    dark = np.zeros((2, len(rows)), np.float32)
    dark[0, ground] = ~tracer.free(points + 1e-3 * ways, ways, _NEAR_M)
    dark[1, ground] = 1.0
    hidden, known = (cv2.GaussianBlur(plane.reshape(gx.shape), (0, 0), 1.5) for plane in dark)
    share = cv2.resize(hidden / np.maximum(known, np.float32(1e-3)), (width, height)).reshape(-1)
    depth = 0.35 if place.rig.has_sun else 0.75
    return np.asarray(np.where(look == 0, 1 - np.float32(depth) * share, np.float32(1.0)))


Sky = Callable[[Float[Array, "M 3"]], Float[Array, "M 3"]]


def _light(
    place: Place, tracer: Tracer, pixels: Float[Array, "M 2"], sky: Sky
) -> tuple[Float[Array, "M 3"], Array, Float[Array, "M"]]:
    """(linear BGR, look or -1, distance) of rays through pixels."""
    camera = place.camera
    ways = camera.rays_world(pixels).astype(np.float32)
    eye = camera.centre_world_m
    hits = tracer.shoot(eye, ways)
    met = np.flatnonzero(hits.face >= 0)
    own = Hits(hits.face[met], hits.u[met], hits.v[met], hits.distance[met])
    linear = np.empty((len(ways), 3), np.float32)
    missed = hits.face < 0
    linear[missed] = sky(ways[missed])
    seen = shade(place.mesh, tracer, own, eye, ways[met], 1.0 / float(camera.K[0, 0]), place.rig)
    linear[met] = seen.linear
    look = np.full(len(ways), -1)
    look[met] = place.mesh.look[own.face]
    return linear, look, np.where(hits.face >= 0, hits.distance, np.float32(1e6))


def _sky(rng: np.random.Generator, place: Place) -> Sky:
    """Clouds out of doors, a plain ceiling inside."""
    base = place.rig.light.sky * rng.uniform(0.5, 1.6)
    low = base * rng.uniform(0.6, 1.2, 3)
    share, seed = float(rng.uniform(0.0, 0.5)), int(rng.integers(1 << 20))

    def look_up(ways: Float[Array, "M 3"]) -> Float[Array, "M 3"]:
        up = np.clip(ways[:, 2:] * 2.0, 0, 1)
        out = (low + (base - low) * up).astype(np.float32)
        if not place.inside:
            flat = ways[:, :2] / np.maximum(ways[:, 2:], 0.08)
            clouds = np.clip(noise(flat[:, 0], flat[:, 1], 4.0, 2, seed), -1.5, 1.5)
            out *= np.maximum(1 + share * clouds, 0.2)[:, None]
        return out

    return look_up


def _edges(look: Array, distance: Float[Array, "H W"]) -> Array:
    """Flat rows of pixels beside another look or a jump in distance."""
    odd = np.zeros(look.shape, bool)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        jump = (look[a] != look[b]) | (np.abs(distance[a] / distance[b] - 1) > 0.12)
        odd[a] |= jump
        odd[b] |= jump
    return np.flatnonzero(odd)


class BackdropBank:
    """Backdrops of a folder, read when asked for.

    Raises:
        BankError: no bank in the folder, or one that was cut short.
    """

    def __init__(self, folder: Path) -> None:
        try:
            with np.load(folder / _INDEX, allow_pickle=False) as index:
                self._index = {key: index[key] for key in index.files}
            self._pixels = np.load(folder / _PIXELS, mmap_mode="r", allow_pickle=False)
            areas = self._index["size_px"].prod(axis=1)
            whole = int(self._index["version"]) == _VERSION
        except (OSError, ValueError, KeyError, EOFError) as exc:
            raise BankError(
                f"no bank of backdrops in {folder} ({exc}); remove the folder to have it made anew"
            ) from exc
        self._start = np.concatenate([[0], np.cumsum(areas * _PLANES)])
        if not whole or self._pixels.shape != (int(self._start[-1]),):
            raise BankError(
                f"the bank of backdrops in {folder} is of another version or cut short; "
                "remove it to have it made anew"
            )

    def __len__(self) -> int:
        return len(self._index["size_px"])

    def __getitem__(self, row: int) -> Backdrop:
        if not -len(self) <= row < len(self):
            raise IndexError(f"backdrop {row} of a bank of {len(self)}")
        row %= len(self)
        index = self._index
        width, height = index["size_px"][row].tolist()
        flat = self._pixels[self._start[row] : self._start[row + 1]]
        area = width * height
        camera = CameraModel(
            K=index["K"][row],
            R_cam_world=index["R"][row],
            t_cam_world_m=index["t"][row],
            size_px=(width, height),
        )
        return Backdrop(
            np.asarray(flat[: 3 * area]).reshape(height, width, 3), camera,
            np.asarray(flat[3 * area :]).reshape(height, width), index["to_sun"][row],
        )  # fmt: skip


def save_backdrops(folder: Path, backdrops: Iterable[Backdrop]) -> int:
    """Write a bank; the index, which makes it one, comes last. Returns the number of backdrops.

    Raises:
        BankError: nothing to write, or the disk refuses.
    """
    meta: list[Backdrop] = []
    nothing = np.zeros((0, 0, 3), np.uint8)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _INDEX).unlink(missing_ok=True)
        flat = folder / f".{_PIXELS}.part"
        with open(flat, "wb") as out:
            for backdrop in backdrops:
                out.write(np.ascontiguousarray(backdrop.bgr).tobytes())
                out.write(np.ascontiguousarray(backdrop.walkable).tobytes())
                meta.append(replace(backdrop, bgr=nothing, walkable=nothing[..., 0]))
        if not meta:
            raise BankError(f"nothing to write to {folder}: got no backdrops, expected at least one")
        _to_npy(flat, folder / _PIXELS)
        flat.unlink()
        _write_index(folder / _INDEX, meta)
    except OSError as exc:
        raise BankError(f"cannot write a bank of backdrops to {folder}: {exc.strerror or exc}") from exc
    return len(meta)


def _to_npy(flat: Path, target: Path) -> None:
    source = np.memmap(flat, np.uint8, "r")
    mapped = np.lib.format.open_memmap(str(target), "w+", np.uint8, source.shape)
    for start in range(0, len(source), 1 << 26):
        mapped[start : start + (1 << 26)] = source[start : start + (1 << 26)]
    mapped.flush()


def _write_index(target: Path, meta: list[Backdrop]) -> None:
    part = target.with_name(f".{target.name}.part")
    with open(part, "wb") as out:
        np.savez(
            out, version=np.int64(_VERSION), size_px=np.array([b.camera.size_px for b in meta], np.int64),
            K=np.stack([b.camera.K for b in meta]), R=np.stack([b.camera.R_cam_world for b in meta]),
            t=np.stack([b.camera.t_cam_world_m for b in meta]), to_sun=np.stack([b.to_sun for b in meta]),
        )  # fmt: skip
    part.replace(target)
