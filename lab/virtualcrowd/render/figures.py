"""Dressed people in a pose: batched linear blend skinning of the whole shipped skin, pose displacements included.

    v = sum_j w_j (R_j (rest + P (R - I)) + t_j)             (Loper et al. 2015, eq. 2-3)

Without clothes it equals `BodyModel` to float32's rounding; a coarser skin uses some of the same vertices.
What does not move about a person is made once; a frame costs one matrix product for all people of one detail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ..truth import CrowdMotion
from .carried import Extra, extras
from .config import RenderConfig
from .moment import Moment
from .outfit import draw_outfit
from .tailor import dress
from .template import Template, normals, template

Array = np.ndarray

CHILD_STATURE_M = 1.45


@dataclass(frozen=True)
class Heap:
    """Triangles of all people of one moment."""

    points_m: Float[Array, "M 3"]
    """float32, world."""
    normals: Float[Array, "M 3"]
    albedo: Float[Array, "M 3"]
    open: Float[Array, "M"]
    """Share of the sky that the own body leaves free."""
    faces: Int[Array, "F 3"]
    starts: Int[Array, "k 2"]
    """First and last point of each piece."""
    row: Int[Array, "k"]
    """Person (row of the motion) of each piece."""


class Figures:
    """All people of a motion in their clothes."""

    def __init__(self, motion: CrowdMotion, style: RenderConfig) -> None:
        self.body: Template = template()
        data = self.body.body
        self.joints_rest_m = data.joints_m(motion.betas.astype(np.float64))
        shapes = data.v_template + np.einsum("vck,nk->nvc", data.shapedirs, motion.betas, optimize=True)
        self._rest = shapes.astype(np.float32)
        self._normals = np.empty_like(self._rest)
        self._albedo = np.empty_like(self._rest)
        self._extras: list[list[Extra]] = []
        for row, person in enumerate(motion.person_ids.tolist()):
            child = float(motion.stature_m[row]) < CHILD_STATURE_M
            outfit = draw_outfit(style.seed, person, style.carried_share, child)
            clothes = dress(self.body, outfit)
            skin = self._rest[row]
            skin += clothes.puff_m[:, None] * normals(skin, data.faces)
            self._normals[row] = normals(skin, data.faces)
            self._albedo[row] = clothes.albedo
            self._extras.append(extras(self.body, outfit, skin, self.joints_rest_m[row]))
        self._weights = data.weights.astype(np.float32)
        dirs = data.posedirs.astype(np.float32)
        self._pose_dirs = [
            np.ascontiguousarray(dirs[detail.vertices].reshape(-1, dirs.shape[2]).T)
            for detail in self.body.details
        ]

    def heap(self, moment: Moment, detail_of: Int[Array, "n"]) -> Heap:
        """Pose the people of a moment, each in its detail (0 full; -1: left out)."""
        parts: list[tuple[int, Array, Array, Array, Array, Array]] = []
        for level, detail in enumerate(self.body.details):
            chosen = np.flatnonzero(detail_of == level)
            if len(chosen) == 0:
                continue
            rows, own = moment.rows[chosen], detail.vertices
            moved = (moment.turns[chosen] @ self._pose_dirs[level]).reshape(len(chosen), -1, 3)
            rest = self._rest[rows][:, own] + moved
            points, up = skin(rest, self._normals[rows][:, own], self._weights[own], moment.bones[chosen])
            open_share = self.body.open[own].astype(np.float32)
            for k, row in enumerate(rows.tolist()):
                parts.append((row, points[k], up[k], self._albedo[row, own], open_share, detail.faces))
        for k in np.flatnonzero(detail_of >= 0).tolist():
            row = int(moment.rows[k])
            for extra in self._extras[row]:
                points, up = skin(
                    extra.rest_m[None], extra.normals[None], extra.weights, moment.bones[k : k + 1]
                )
                open_share = np.full(len(extra.rest_m), 0.85, np.float32)
                parts.append((row, points[0], up[0], extra.albedo, open_share, extra.faces))
        return _stack(parts)


def skin(
    rest_m: Float[Array, "n v 3"], rest_normals: Float[Array, "n v 3"], weights: Float[Array, "v 24"],
    bones: Float[Array, "n 24 3 4"],
) -> tuple[Float[Array, "n v 3"], Float[Array, "n v 3"]]:  # fmt: skip
    """Places and unit normals of posed vertices, float32."""
    n, v = rest_m.shape[:2]
    mixed = (weights @ bones.transpose(1, 0, 2, 3).reshape(24, n * 12)).reshape(v, n, 3, 4)
    mixed = mixed.transpose(1, 0, 2, 3)
    points = (mixed[..., :3] @ rest_m[..., None])[..., 0] + mixed[..., 3]
    up = (mixed[..., :3] @ rest_normals[..., None])[..., 0]
    up /= np.maximum(np.sqrt(np.einsum("nvc,nvc->nv", up, up)), 1e-9)[..., None]
    return points, up


def _stack(parts: list[tuple[int, Array, Array, Array, Array, Array]]) -> Heap:
    if not parts:
        none = np.zeros((0, 3), np.float32)
        return Heap(
            none, none, none, none[:, 0], np.zeros((0, 3), np.int32), np.zeros((0, 2), int), np.zeros(0, int)
        )
    counts = np.array([len(part[1]) for part in parts])
    ends = np.cumsum(counts)
    starts = ends - counts
    return Heap(
        points_m=np.concatenate([part[1] for part in parts]), normals=np.concatenate([part[2] for part in parts]),
        albedo=np.concatenate([part[3] for part in parts]), open=np.concatenate([part[4] for part in parts]),
        faces=np.concatenate([part[5] + np.int32(start) for part, start in zip(parts, starts, strict=True)]),
        starts=np.stack([starts, ends], axis=1), row=np.array([part[0] for part in parts]),
    )  # fmt: skip
