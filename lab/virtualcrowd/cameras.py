"""Where cameras stand: high ones that see the whole scene, low ones that see people hide one another.

The high view stands 12-20 m up and looks 30-45 degrees down, the low view 3-5 m up and 8-15 degrees down
(the two kinds of view of DyCrowd's VirtualCrowd). A place is found by trying a fixed list of heights,
distances, pitches and fields of view around the front (-y) side and keeping those that see the required share
of the scene with people largest; the seed picks among the best. Sizes of 1080p, 4K and 8K see the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from ...kernels.camera import CameraModel
from ...kernels.errors import CrowdstreamError
from .scene import Scene, surface_height_m

Array = np.ndarray

PERSON_M = 1.7
BROWN_DISTORTION = (-0.12, 0.04, 0.0005, -0.0003)
"""k1 k2 p1 p2 of an ordinary wide surveillance lens after trimming."""


class CameraPlaceError(CrowdstreamError, ValueError):
    """A view that does not exist, or a scene no camera of that kind can see."""


@dataclass(frozen=True)
class _Kind:
    """What a kind of view may do. Angles in degrees, focal length in image widths."""

    heights_m: tuple[float, ...]
    pitches_deg: tuple[float, ...]
    focals: tuple[float, ...]
    back_m: tuple[float, ...]
    """Distance behind the outline along the line of sight; negative: inside."""
    swing_deg: float
    """Most that the line of sight turns from +y."""
    cover: float
    """Share of the scene it must see, people whole."""


_KINDS = {
    "high": _Kind(
        (14.0, 16.0, 18.0, 20.0), (24.0, 27.0, 30.0, 33.0, 36.0, 40.0), tuple(np.linspace(0.55, 0.95, 9)),
        tuple(np.linspace(4.0, 28.0, 9)), 25.0, 0.86,
    ),
    "low": _Kind(
        (3.2, 3.8, 4.4, 5.0), (8.0, 10.0, 12.0, 14.0), tuple(np.linspace(0.55, 0.85, 7)),
        tuple(np.linspace(-4.0, 8.0, 7)), 30.0, 0.64,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class _Candidate:
    """A place tried, and how good it is."""

    share: float
    """Of the scene that it sees."""
    score: float
    centre_m: Float[Array, "3"]
    bearing_rad: float
    pitch_rad: float
    focal: float
    """In image widths."""


def place_camera(
    scene: Scene, view: str, size_px: tuple[int, int], seed: int, distorted: bool = False
) -> CameraModel:
    """A camera that looks at the scene from its front.

    Args:
        view: high or low.
        size_px: (width, height); the field of view across does not depend on it.
        seed: picks the side and one of the best places.
        distorted: with the Brown distortion of an ordinary lens; else an ideal pinhole.

    Raises:
        CameraPlaceError: another view, or nowhere to see enough of the scene from.
    """
    if view not in _KINDS:
        raise CameraPlaceError(f"unknown view {view!r}; expected one of {', '.join(_KINDS)}")
    kind = _KINDS[view]
    rng = np.random.default_rng([seed, list(_KINDS).index(view), 17])
    aspect = size_px[1] / size_px[0]
    feet = _places(scene)
    found: list[_Candidate] = []
    for swing in np.radians(rng.uniform(-kind.swing_deg, kind.swing_deg, 2)):
        found += _candidates(scene, kind, float(swing), aspect, feet)
    if not found:
        raise CameraPlaceError(f"scene {scene.name!r}: no {view} camera without an obstacle before it")
    enough = [entry for entry in found if entry.share >= kind.cover]
    # where none sees enough, the one that sees most; else the ones that see people largest
    ranked = sorted(enough, key=lambda e: -e.score) if enough else sorted(found, key=lambda e: -e.share)[:1]
    choice = ranked[int(rng.integers(min(5, len(ranked))))]
    best = look(choice.centre_m, choice.bearing_rad, choice.pitch_rad, choice.focal, aspect)
    scale = np.diag([size_px[0], size_px[0], 1.0])
    return CameraModel(
        K=scale @ best.K, R_cam_world=best.R_cam_world, t_cam_world_m=best.t_cam_world_m, size_px=size_px,
        dist=np.array(BROWN_DISTORTION) if distorted else np.zeros(4),
    )  # fmt: skip


def look(
    centre_m: Float[Array, "3"], bearing_rad: float, pitch_rad: float, focal: float, aspect: float
) -> CameraModel:
    """A camera of width 1 at a place, looking along a bearing (from +x, counter-clockwise) and down."""
    cb, sb, cp, sp = np.cos(bearing_rad), np.sin(bearing_rad), np.cos(pitch_rad), np.sin(pitch_rad)
    forward = np.array([cb * cp, sb * cp, -sp])
    right = np.array([sb, -cb, 0.0])
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[focal, 0.0, 0.5], [0.0, focal, 0.5 * aspect], [0.0, 0.0, 1.0]])
    return CameraModel(K=K, R_cam_world=R, t_cam_world_m=-R @ centre_m, size_px=(1, 1))


def _candidates(
    scene: Scene, kind: _Kind, swing: float, aspect: float, feet: Float[Array, "M 3"]
) -> list[_Candidate]:
    """Every place of one bearing that sees a third of the scene."""
    bearing = np.pi / 2 + swing
    along = np.array([np.cos(bearing), np.sin(bearing)])
    middle = scene.outline_m.mean(axis=0)
    nearest = float(((scene.outline_m - middle) @ along).min())
    out = []
    for height, back in product(kind.heights_m, kind.back_m):
        xy = middle + (nearest - back) * along
        centre = np.array([*xy, float(surface_height_m(scene.ground, xy)) + height])
        if kind.heights_m[0] < 6.0 and _too_near(scene, centre):
            continue
        for pitch in np.radians(kind.pitches_deg):
            plain = look(centre, bearing, pitch, 1.0, aspect)
            shares, scores = _scores(plain, np.array(kind.focals), aspect, feet)
            for share, score, focal in zip(shares, scores, kind.focals, strict=True):
                if share > 0.3:
                    out.append(_Candidate(float(share), float(score), centre, bearing, float(pitch), focal))
    return out


def _scores(
    plain: CameraModel, focals: Float[Array, "F"], aspect: float, feet: Float[Array, "M 3"]
) -> tuple[Float[Array, "F"], Float[Array, "F"]]:
    """Share of people who are whole in the picture, and how good it is, for each focal length.

    Good: people are large, the scene is in the middle and over most of the picture's height.
    """
    ends = [plain.to_camera(feet), plain.to_camera(feet + np.array([0.0, 0.0, PERSON_M]))]
    front = (ends[0][:, 2] > 0.1) & (ends[1][:, 2] > 0.1)
    px = [
        np.array([0.5, 0.5 * aspect]) + focals[:, None, None] * p[front, :2] / p[front, 2:] for p in ends
    ]  # (F, M', 2)
    inside = np.all([(p > 0).all(axis=-1) & (p < (1.0, aspect)).all(axis=-1) for p in px], axis=0)
    tall = np.linalg.norm(px[0] - px[1], axis=-1)
    shares, scores = inside.sum(axis=1) / len(feet), np.zeros(len(focals))
    for f in np.flatnonzero(shares > 0.3):
        down = px[0][f, inside[f], 1] / aspect
        middle = 1.0 - 1.2 * abs(float(down.mean()) - 0.5)
        filled = min(float(np.ptp(down)) / 0.75, 1.0) ** 0.5
        scores[f] = np.quantile(tall[f, inside[f]], 0.2) * middle * filled
    return shares, scores


def _places(scene: Scene) -> Float[Array, "M 3"]:
    """Feet of people all over the scene, every 4 m."""
    low, high = scene.outline_m.min(axis=0), scene.outline_m.max(axis=0)
    x, y = np.meshgrid(np.arange(low[0] + 1, high[0], 4.0), np.arange(low[1] + 1, high[1], 4.0))
    xy = np.stack([x.ravel(), y.ravel()], axis=1)
    edge = np.roll(scene.outline_m, -1, axis=0) - scene.outline_m
    to = xy[:, None] - scene.outline_m
    xy = xy[np.all(edge[:, 0] * to[..., 1] - edge[:, 1] * to[..., 0] >= 0, axis=1)]
    return np.concatenate([xy, surface_height_m(scene.ground, xy)[:, None]], axis=1)


def _too_near(scene: Scene, centre: Float[Array, "3"], free_m: float = 6.0) -> bool:
    """Whether something taller than a bench would stand right before a low camera."""
    return any(
        o.height_m > 0.8 and np.linalg.norm(o.outline_m - centre[:2], axis=1).min() < free_m
        for o in scene.obstacles
    )
