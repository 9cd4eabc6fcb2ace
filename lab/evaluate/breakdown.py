"""Where errors come from: by distance to the camera, by occlusion, by joint, over time, and the paths themselves.

Errors are plain: the root's in the world, the other joints' relative to the pelvis (24 joints), both in mm, means
over matched person-frames. For pictures and for finding causes; the scores stand in the two profiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ...kernels.metrics.matching import Matches, matched_rows
from ...kernels.metrics.people import People
from ...kernels.metrics.selection import hidden_share
from ...kernels.skeleton import SMPL_JOINTS

Array = np.ndarray

DISTANCE_EDGES_M = (0.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 70.0, 100.0, 1000.0)
OCCLUSION_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the share that is to be seen."""
_PATH_STEP = 6
"""Slots between two points of a drawn path."""
_TIME_STEP = 15
"""Slots averaged into one point of the error over time."""


@dataclass(frozen=True)
class Errors:
    """Of the M matched person-frames."""

    person: Int[Array, "M"]
    """True row."""
    frame: Int[Array, "M"]
    root_mm: Float[Array, "M"]
    """Pelvis in the world."""
    ground_mm: Float[Array, "M"]
    """Ground points, along the ground."""
    joints_mm: Float[Array, "M 24"]
    """After the pelvises are put together."""

    @property
    def mpjpe_mm(self) -> Float[Array, "M"]:
        return np.asarray(self.joints_mm.mean(axis=1))


def errors_of(predicted: People, truth: People, matches: Matches) -> Errors:
    """Errors of all matched person-frames."""
    t, f, p = matched_rows(matches)
    found, true = predicted.joints_m[p, f], truth.joints_m[t, f]
    off = (found - found[:, :1]) - (true - true[:, :1])
    ground = predicted.ground_m[p, f, :2] - truth.ground_m[t, f, :2]
    return Errors(
        t, f, 1e3 * np.linalg.norm(found[:, 0] - true[:, 0], axis=-1), 1e3 * np.linalg.norm(ground, axis=-1),
        1e3 * np.linalg.norm(off, axis=-1),
    )  # fmt: skip


def breakdown(predicted: People, truth: People, matches: Matches) -> dict[str, Any]:
    """The drawings of the report, as `html.write_report` wants them."""
    errors = errors_of(predicted, truth, matches)
    far = np.linalg.norm(truth.joints_m[errors.person, errors.frame, 0] - truth.centre_m, axis=-1)
    seen = 1.0 - np.nan_to_num(hidden_share(truth)[errors.person, errors.frame], nan=0.0)
    return {
        "error_by_distance": _binned(errors, far, DISTANCE_EDGES_M, "edges_m"),
        "error_by_occlusion": _binned(errors, seen, OCCLUSION_EDGES, "edges"),
        "per_joint_mm": _per_joint(errors),
        "error_over_time": _over_time(errors, truth),
        "paths": {"true": _paths(truth), "found": _paths(predicted)},
    }


def _binned(errors: Errors, by: Float[Array, "M"], edges: tuple[float, ...], key: str) -> dict[str, Any]:
    place = np.clip(np.searchsorted(edges, by, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(place, minlength=len(edges) - 1)
    last = int(np.flatnonzero(count)[-1]) + 1 if count.any() else len(count)
    out: dict[str, Any] = {key: list(edges[: last + 1]), "count": count[:last].tolist()}
    for name in ("mpjpe_mm", "root_mm", "ground_mm"):
        out[name] = _means(getattr(errors, name), place, len(count))[:last]
    return out


def _per_joint(errors: Errors) -> dict[str, float]:
    if len(errors.person) == 0:
        return {}
    mean = errors.joints_mm.mean(axis=0)
    return {name: float(mean[joint]) for joint, name in enumerate(SMPL_JOINTS) if joint > 0}


def _over_time(errors: Errors, truth: People) -> dict[str, list[Any]]:
    steps = -(-truth.present.shape[1] // _TIME_STEP)
    place = errors.frame // _TIME_STEP
    middle = (np.arange(steps) + 0.5) * _TIME_STEP / truth.rate_hz
    return {
        "t_s": middle.round(3).tolist(),
        "mpjpe_mm": _means(errors.mpjpe_mm, place, steps),
        "root_mm": _means(errors.root_mm, place, steps),
    }


def _means(values: Float[Array, "M"], place: Int[Array, "M"], bins: int) -> list[float | None]:
    """Mean of each bin; None for none in it."""
    total = np.bincount(place, weights=values, minlength=bins)
    count = np.bincount(place, minlength=bins)
    return [float(t / c) if c else None for t, c in zip(total, count, strict=True)]


def _paths(people: People) -> list[list[list[float]]]:
    """Ground paths in metres, a polyline for each stretch of presence."""
    out = []
    for row, present in enumerate(people.present):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], present.astype(np.int8), [0]])))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            points = people.ground_m[row, start:stop:_PATH_STEP, :2]
            if len(points) > 1 and np.isfinite(points).all():
                out.append(points.round(3).tolist())
    return out
