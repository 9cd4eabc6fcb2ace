"""The whole way from rods to a camera: vanishing point, scan, refinement, bootstrap, refusal.

1. refuse too few rods or people, and people who are all equally far away;
2. vanishing point (twice trimmed), closed-form scan of the field of view, refinement;
3. refuse a level camera, a focal length on the grid's border;
4. the same again on resampled *people* (not rods: one person's rods lean alike), refined from step 2;
5. refuse what still scatters too much; else build the camera in its world.

Deterministic for a given generator. About 0.1 s for 500 rods and 40 samples on one core.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ..camera import CameraModel
from ..errors import CalibrationError
from ..ground import Ground
from ..hvip import STATURE_M
from .focal_scan import FocalScan, scan_focal
from .outcome import CalibrationConfidence, Refusal
from .refine import Geometry, RodNoise, refine
from .uprights import Uprights, rod_length_m
from .vanishing import vertical_vanishing_point
from .world import camera_height_m, camera_over_ground, ground_with, plane_in_world

Array = np.ndarray

_CELLS = 12  # across the picture: the neighbourhoods within which rods share their errors
_STATURE_PRIOR_SHARE = 0.04  # of a crowd's mean stature (2 %) and of where a pose network puts its joints
_LEVEL_DEG = 2.0


@dataclass(frozen=True)
class Known:
    """What the user knows; None is estimated."""

    focal_px: float | None = None
    camera_height_m: float | None = None
    stature_m: float = STATURE_M
    """Mean of the people in view; 1 % of it is 1 % of all lengths."""


@dataclass(frozen=True)
class Limits:
    """When not to speak."""

    min_uprights: int = 30
    min_people: int = 8
    min_depth_ratio: float = 1.25
    """Tallest over shortest rod (95th over 5th percentile), needed for the focal length."""
    max_focal_share: float = 0.12
    max_normal_deg: float = 3.0
    max_height_share: float = 0.15
    samples: int = 40
    """Bootstrap samples."""


@dataclass(frozen=True)
class Estimate:
    """A camera over its ground, estimated."""

    camera: CameraModel
    ground: Ground
    confidence: CalibrationConfidence
    stature_m: float
    """Mean stature assumed, or implied by a given camera height."""


def calibrate_from_uprights(
    rods: Uprights,
    size_px: tuple[int, int],
    rng: np.random.Generator,
    known: Known | None = None,
    limits: Limits | None = None,
    noise: RodNoise | None = None,
) -> Estimate | Refusal:
    """Camera and ground from rods of one still camera.

    Raises:
        CalibrationError: a known value makes no sense.
    """
    known, limits, noise = known or Known(), limits or Limits(), noise or RodNoise()
    _check(known)
    people = _people(rods, size_px)
    refusal = _too_little(rods, people, known, limits)
    if refusal is not None:
        return refusal
    weights = _weights(rods, size_px, noise.crowding)
    scan = _scan(rods, weights, size_px, known)
    refusal = _degenerate(rods, scan, known, limits)
    if refusal is not None:
        return refusal
    best = _refined(rods, weights, scan, size_px, known, noise)
    if best is None:
        return Refusal(
            "the refinement found no camera that explains the people", len(rods), limits.min_uprights
        )
    samples = _bootstrap(rods, people, weights, best, size_px, known, limits, noise, rng)
    return _judge(rods, people, best, samples, size_px, known, limits)


def _check(known: Known) -> None:
    for name, value, low, high in (
        ("focal length", known.focal_px, 10.0, 1e6),
        ("camera height", known.camera_height_m, 0.3, 1000.0),
        ("mean stature", known.stature_m, 0.8, 2.2),
    ):
        if value is not None and not low <= value <= high:
            raise CalibrationError(f"{name} {value:g} makes no sense; expected {low:g} to {high:g}")


def _people(rods: Uprights, size_px: tuple[int, int]) -> Int[Array, "N"]:
    """Dense labels of independent people: identities where known, else places of the picture."""
    label = np.where(rods.person >= 0, rods.person, -1 - _cell(rods, size_px))
    return np.asarray(np.unique(label, return_inverse=True)[1])


def _cell(rods: Uprights, size_px: tuple[int, int]) -> Int[Array, "N"]:
    side = max(size_px) / _CELLS
    index = np.floor(rods.bottom_px / side).astype(np.int64)
    return np.asarray(np.clip(index[:, 0], -1, 99) + 1 + 101 * (np.clip(index[:, 1], -1, 99) + 1))


def _weights(rods: Uprights, size_px: tuple[int, int], crowding: float) -> Float[Array, "N"]:
    """n errors of correlation c are worth 1 / (1 + (n - 1) c) each: the density weight of the picture."""
    _, index, count = np.unique(_cell(rods, size_px), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (1.0 + crowding * (count[index] - 1.0)))


def _too_little(rods: Uprights, people: Int[Array, "N"], known: Known, limits: Limits) -> Refusal | None:
    count = len(rods)
    if count < limits.min_uprights:
        return Refusal(f"{count} uprights of {limits.min_uprights}", count, limits.min_uprights)
    heads = int(people.max()) + 1
    if heads < limits.min_people:
        return Refusal(f"{heads} people (or places) of {limits.min_people}", count, limits.min_uprights)
    short, tall = np.quantile(rods.length_px, [0.05, 0.95])
    if known.focal_px is None and tall < limits.min_depth_ratio * short:
        return Refusal(
            f"all people at one depth ({short:.0f} to {tall:.0f} px from ankles to shoulders): "
            "wait for nearer or farther ones, or give the focal length",
            count,
            limits.min_uprights,
        )
    return None


def _scan(rods: Uprights, weights: Float[Array, "N"], size_px: tuple[int, int], known: Known) -> FocalScan:
    scale = 0.5 * max(size_px)
    centre = 0.5 * (np.array(size_px, np.float64) - 1.0)
    vanishing = vertical_vanishing_point(rods, centre, scale, weights)
    return scan_focal(rods, vanishing, size_px, known.focal_px)


def _degenerate(rods: Uprights, scan: FocalScan, known: Known, limits: Limits) -> Refusal | None:
    words = None
    level_deg = abs(np.degrees(np.arcsin(np.clip(scan.normal_cam[2], -1.0, 1.0))))
    if not np.isfinite(scan.residual):
        words = "no focal length explains the people: their feet are not all on one plane below the camera"
    elif known.focal_px is None and scan.at_border:
        words = f"the best focal length lies on the border of the search ({scan.focal_px:.0f} px)"
    elif known.focal_px is None and level_deg < _LEVEL_DEG:
        words = (
            f"the vanishing point is not finite (camera tilted {level_deg:.1f}°, verticals parallel): "
            "give the focal length"
        )
    return None if words is None else Refusal(words, len(rods), limits.min_uprights)


def _refined(
    rods: Uprights,
    weights: Float[Array, "N"],
    scan: FocalScan | Geometry,
    size_px: tuple[int, int],
    known: Known,
    noise: RodNoise,
) -> Geometry | None:
    start = Geometry(scan.focal_px, scan.normal_cam, scan.rho)
    try:
        found = refine(rods, weights, start, size_px, noise, fixed_focal=known.focal_px is not None)
    except np.linalg.LinAlgError:
        return None
    numbers = np.array([found.focal_px, found.rho, *found.normal_cam])
    sane = (
        np.all(np.isfinite(numbers))
        and 0.05 < found.focal_px / max(size_px) < 50.0
        and found.normal_cam[1] < 0.2
    )
    return found if sane else None


def _bootstrap(
    rods: Uprights,
    people: Int[Array, "N"],
    weights: Float[Array, "N"],
    best: Geometry,
    size_px: tuple[int, int],
    known: Known,
    limits: Limits,
    noise: RodNoise,
    rng: np.random.Generator,
) -> list[Geometry]:
    """The refinement on people drawn with replacement; one drawn twice weighs twice."""
    heads = int(people.max()) + 1
    found = []
    for _ in range(limits.samples):
        drawn = np.bincount(rng.integers(heads, size=heads), minlength=heads)
        rows = np.flatnonzero(drawn[people] > 0)
        if len(rows) < 4:
            continue
        one = _refined(rods.take(rows), weights[rows] * drawn[people][rows], best, size_px, known, noise)
        if one is not None:
            found.append(one)
    return found


def _judge(
    rods: Uprights,
    people: Int[Array, "N"],
    best: Geometry,
    samples: list[Geometry],
    size_px: tuple[int, int],
    known: Known,
    limits: Limits,
) -> Estimate | Refusal:
    if len(samples) < max(4, limits.samples // 2):
        return Refusal(
            f"only {len(samples)} of {limits.samples} bootstrap samples could be solved: the people fit no camera",
            len(rods),
            limits.min_uprights,
        )
    rod_m = rod_length_m(known.stature_m)
    heights = np.array([camera_height_m(each, rod_m) for each in samples])
    height = camera_height_m(best, rod_m)
    given = known.camera_height_m is not None
    if known.camera_height_m is not None:
        heights, height = np.full_like(heights, known.camera_height_m), known.camera_height_m
    # four numbers are fitted: few people explain themselves too well (n / (n - 4), as for a variance)
    heads = int(people.max()) + 1
    few = float(np.sqrt(heads / (heads - 4.0))) if heads > 5 else 2.5
    normals = np.array([each.normal_cam for each in samples])
    angle = np.degrees(np.arccos(np.clip(normals @ best.normal_cam, -1.0, 1.0)))
    confidence = CalibrationConfidence(
        uprights=len(rods),
        people=heads,
        focal_share=few * _sigma(np.log([each.focal_px / best.focal_px for each in samples])),
        normal_deg=few * float(np.sqrt(np.mean(np.minimum(angle, 3.0 * np.median(angle) + 1e-9) ** 2))),
        height_share=0.0 if given else few * _sigma(np.log(heights / height)),
        samples=len(samples),
    )
    if (
        confidence.focal_share > limits.max_focal_share
        or confidence.normal_deg > limits.max_normal_deg
        or confidence.height_share > limits.max_height_share
    ):
        return Refusal(f"still too uncertain: {confidence}", len(rods), 2 * len(rods))
    camera = camera_over_ground(best, height, size_px)
    planes = np.array([plane_in_world(camera, n, float(h)) for n, h in zip(normals, heights, strict=True)])
    covariance = np.cov(planes.T)
    covariance[2, 2] += 0.0 if given else (_STATURE_PRIOR_SHARE * height) ** 2
    stature = known.stature_m
    if given:
        stature *= height / camera_height_m(best, rod_m)
    return Estimate(camera, ground_with(covariance), confidence, stature)


def _sigma(values: Float[Array, "S"]) -> float:
    """Half the spread of the middle 68 %: a few wild samples must not decide."""
    low, high = np.quantile(values, [0.16, 0.84])
    return float(0.5 * (high - low))
